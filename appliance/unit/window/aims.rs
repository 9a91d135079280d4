//! How the cameras are aimed, and the lanes that people draw over their pictures.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::error;

use super::Window;
use crate::audit::{Event, Who};
use crate::console::{AimPicture, AimView, Aiming, Drawn, LivePicture, ReferenceView, Refused};
use crate::health::Reference;
use crate::passage::DrawnLanes;
use crate::unit::guard::Watched;
use crate::unit::tally::Tally;
use crate::words::{CameraId, PersonName, sentence};

impl Aiming for Window {
    fn live(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<LivePicture>>>> {
        self.cameras
            .iter()
            .find(|watched| watched.sight.camera == *camera)
            .map(|watched| watched.sight.live())
    }

    fn aims(&self) -> Vec<AimView> {
        let now = self.clock.now().wall;
        self.cameras.iter().map(|camera| camera.aim(&self.tally, now)).collect()
    }

    fn verify_aim(&self, camera: &CameraId, by: &PersonName) -> Result<(), Refused> {
        let named = |watched: &&Watched| watched.sight.camera == *camera;
        let watched = self.cameras.iter().find(named);
        self.take_reference(watched.ok_or_else(|| Refused(format!("There is no camera {camera}.")))?, by)
    }

    fn draw_lanes(&self, camera: &CameraId, drawing: DrawnLanes, by: &PersonName) -> Result<(), Refused> {
        draw(self, camera, drawing, by)
    }

    fn aim_picture(&self, camera: &CameraId, which: AimPicture) -> Option<Vec<u8>> {
        let watched = self.cameras.iter().find(|watched| watched.sight.camera == *camera)?;
        let watch = watched.sight.watch();
        let picture = match which {
            AimPicture::Now => watch.present_jpeg(),
            AimPicture::Then(light) => watch.references()?.in_light(light).last()?.jpeg().map(Some),
        };
        picture.unwrap_or_else(|error| {
            error!(%error, "a picture of the aim could not be encoded");
            None
        })
    }
}

impl Window {
    pub fn verify_aims(&self, by: &PersonName) -> Result<(), Refused> {
        self.cameras.iter().try_for_each(|camera| self.take_reference(camera, by))
    }

    /// Makes the present view of a camera its reference, on this person's word.
    fn take_reference(&self, camera: &Watched, by: &PersonName) -> Result<(), Refused> {
        let name = camera.sight.camera.clone();
        let now = self.clock.now();
        let captured = camera.sight.watch().verify_aim(by.clone(), now);
        let references = captured.map_err(|error| Refused(sentence(error)))?.ok_or_else(|| {
            Refused(format!("The view of {name} has not settled yet: try again in ten seconds."))
        })?;
        self.saved.keep_aim(&name, &references).map_err(|error| Refused(sentence(error)))?;
        self.audit.note(Who::Person(by.clone()), Event::AimVerified { camera: name });
        Ok(())
    }
}

impl Watched {
    fn aim(&self, tally: &Tally, now: Timestamp) -> AimView {
        let drawn = self.sight.drawn();
        let reads_by_lane = self.reads_by_lane(tally, now);
        let watch = self.sight.watch();
        let view = watch.view();
        let references = watch.references();
        let verified = references.map(|verified| verified.at);
        let shown =
            |view: &Reference| ReferenceView { light: view.light, at: view.at, learned: view.learned };
        AimView {
            camera: self.sight.camera.clone(),
            verified: references.map(|verified| (verified.by.clone(), verified.at)),
            references: references.map(|all| all.views().iter().map(shown).collect()).unwrap_or_default(),
            displacement: view.displacement,
            lanes: references.map(|all| all.lanes().known().to_vec()).unwrap_or_default(),
            lane_shift: view.lanes,
            lanes_doubtful: drawn.as_ref().is_some_and(|drawn| drawn.is_doubtful(verified)),
            drawn,
            reads_by_lane,
        }
    }
}

/// In force from the next frame on, once they are kept.
fn draw(window: &Window, camera: &CameraId, lanes: DrawnLanes, by: &PersonName) -> Result<(), Refused> {
    let named = |watched: &&Watched| watched.sight.camera == *camera;
    let watched = window.cameras.iter().find(named);
    let watched = watched.ok_or_else(|| Refused(format!("There is no camera {camera}.")))?;
    let now = window.clock.now().wall;
    let told = if lanes.is_empty() { "none".to_owned() } else { lanes.to_string() };
    let drawn = Drawn { lanes, by: by.clone(), at: now, aim: watched.sight.aim_verified() };
    window.saved.keep_lanes(camera, &drawn).map_err(|error| Refused(sentence(error)))?;
    if watched.sight.drawn().is_none_or(|old| old.lanes != drawn.lanes) {
        window.tally.forget_lanes(camera, now);
    }
    watched.sight.draw(drawn);
    window.audit.note(Who::Person(by.clone()), Event::LanesDrawn { camera: camera.clone(), lanes: told });
    Ok(())
}

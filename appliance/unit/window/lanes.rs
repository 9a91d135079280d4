//! The lanes that people draw over a camera's picture.

use super::Window;
use crate::audit::{Event, Who};
use crate::console::{Drawn, Refused};
use crate::passage::DrawnLanes;
use crate::unit::guard::Watched;
use crate::words::{CameraId, PersonName, sentence};

/// In force from the next frame on, once they are kept.
pub fn draw(window: &Window, camera: &CameraId, lanes: DrawnLanes, by: &PersonName) -> Result<(), Refused> {
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
    window.note(Who::Person(by.clone()), Event::LanesDrawn { camera: camera.clone(), lanes: told });
    Ok(())
}

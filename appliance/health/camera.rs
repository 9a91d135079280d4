use std::time::Duration;

use super::alignment::AlignmentWatch;
use super::displacement::{Displacement, Lens, Limits, MOVED, VIEW_ANGLE_ASSUMED_DEG};
use super::geometry::{GeometryWatch, LaneShift};
use super::grid::{CELL, Texture};
use super::image::{Evidence, Fault, NIGHT, NOTHING_TO_SEE};
use super::references::{self, Light, References};
use super::smear::{PlateBlur, SmearWatch};
use super::view::{Look, ViewMeasure, ViewWatch};
use super::{Finding, HealthError, Reason};
use crate::capture::Frame;
use crate::vision::Sighting;
use crate::words::{CameraId, Moment, PersonName};

/// How often a camera's picture is examined.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Measurements in vain, two seconds apart, after which a clear picture shows another scene: where it was well recognised
/// before, and where it never was since the start.
const ANOTHER_SCENE: u32 = 20;
const NEVER_SEEN: u32 = 300;

/// From this agreement on a view was well recognised. It fades when light goes, and breaks off when a camera turns.
const WELL_RECOGNISED: f32 = 0.4;

/// Share of the scene that must agree on a move: a move latches.
const MOVE_AGREED: f32 = 0.2;

/// How far a view may lie from the person's to be learned as another look of the same aim.
const HOLDS: Limits =
    Limits { turn_deg: MOVED.turn_deg / 2.0, roll_deg: MOVED.roll_deg / 2.0, scale: MOVED.scale / 2.0 };

/// A light that has lasted so long is no headlight.
const LIGHT_LASTS: Duration = Duration::from_secs(120);

/// A learned view that agrees with less of the scene is renewed: snow, leaves, road works.
const FADED: f32 = 0.4;
const RENEWED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A vehicle reaches so far around its plate, in plate widths: to either side, up, down.
const VEHICLE: (f32, f32, f32) = (3.0, 5.0, 1.5);
const VEHICLE_STAYS: Duration = Duration::from_secs(10);

/// Everything that is watched of one camera's picture.
pub struct CameraWatch {
    camera: CameraId,
    view_angle_deg: f32,
    view: ViewWatch,
    alignment: AlignmentWatch,
    geometry: GeometryWatch,
    smear: SmearWatch,
    state: CameraView,
    faults: Vec<Fault>,
    last_look: Option<Moment>,
    /// The light, and since when it has been so.
    light: Option<(Light, Moment)>,
    /// When a vehicle was last seen in each cell.
    vehicles: Vec<Option<Moment>>,
    frame_width: f32,
    unsaved: bool,
}

/// The newest numbers of one camera's picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CameraView {
    pub measure: Option<ViewMeasure>,
    /// By the picture; none where the picture shows nothing to compare.
    pub displacement: Option<Displacement>,
    /// By the plates; none before enough vehicles have passed.
    pub lanes: Option<LaneShift>,
}

impl CameraWatch {
    /// `view_angle_deg`: the lens' horizontal angle of view, if it is known.
    pub fn new(camera: CameraId, view_angle_deg: Option<f32>, references: Option<References>) -> Self {
        Self {
            camera,
            view_angle_deg: view_angle_deg.unwrap_or(VIEW_ANGLE_ASSUMED_DEG),
            view: ViewWatch::default(),
            alignment: AlignmentWatch::new(references),
            geometry: GeometryWatch::default(),
            smear: SmearWatch::default(),
            state: CameraView::default(),
            faults: Vec::new(),
            last_look: None,
            light: None,
            vehicles: Vec::new(),
            frame_width: 0.0,
            unsaved: false,
        }
    }

    /// Examines the frame if the last look is a second old; cheap otherwise.
    pub fn see(&mut self, frame: &Frame) -> Result<(), HealthError> {
        let now = frame.taken;
        if self.last_look.is_some_and(|last| now.since(&last) < LOOK_EVERY) {
            return Ok(());
        }
        self.last_look = Some(now);
        self.frame_width = frame.luma().width as f32;
        let (look, measure) = self.view.look(frame)?;
        self.vehicles.resize(self.view.texture.cells(), None);
        if self.light.is_none_or(|(light, _)| light != measure.light) {
            self.light = Some((measure.light, now));
        }
        self.state.measure = Some(measure);
        // An empty picture has no edges to compare, only noise; the reference waits for light.
        if measure.contrast < NOTHING_TO_SEE {
            self.state.displacement = None;
        } else if self.alignment.look(&look.picture)? {
            self.state.displacement = self.alignment.displacement(look.factor, self.lens());
        }
        self.unsaved |= self.alignment.take_proven();
        self.faults = self.judge(&look, measure, now)?;
        self.learn(now)
    }

    /// Takes in the plates that were found in a frame.
    pub fn see_plates(&mut self, frame: &Frame, sightings: &[Sighting]) {
        let now = frame.taken;
        for sighting in sightings {
            self.mark_vehicle(sighting, frame, now);
            if let Some(blur) = PlateBlur::of(frame.luma(), &sighting.corners) {
                self.smear.see(blur);
            }
        }
        let aim_holds = self.aim_holds_by_picture();
        let is_dark = self.state.measure.is_some_and(|measure| measure.contrast < NOTHING_TO_SEE);
        let Some(references) = self.alignment.references_mut() else { return };
        self.unsaved |= self.geometry.see(sightings, now, &mut references.lanes, aim_holds);
        if is_dark && !sightings.is_empty() {
            self.unsaved |= references.read_in_the_dark(now.wall);
        }
        self.state.lanes = self.geometry.shift();
    }

    pub fn view(&self) -> CameraView {
        self.state
    }

    pub fn references(&self) -> Option<&References> {
        self.alignment.references()
    }

    /// The street now without its traffic, as JPEG, to lay beside a reference; none before the view has settled.
    pub fn present_jpeg(&self) -> Result<Option<Vec<u8>>, HealthError> {
        self.alignment.present().map(|present| references::jpeg(&present.picture)).transpose()
    }

    /// Makes the present view the reference; none until the view has settled (about ten seconds).
    pub fn verify_aim(&mut self, by: PersonName, now: Moment) -> Result<Option<References>, HealthError> {
        let Some(measure) = self.state.measure else { return Ok(None) };
        let shown = self.shown(now);
        if !self.alignment.verify(by, now.wall, measure.light, shown)? {
            return Ok(None);
        }
        self.state.displacement = None;
        self.state.lanes = None;
        self.faults.clear();
        self.geometry.forget();
        self.smear.forget();
        self.unsaved = false;
        Ok(self.alignment.references().cloned())
    }

    /// What was learned since it was last asked for, to be kept over a restart.
    pub fn take_unsaved(&mut self) -> Option<References> {
        std::mem::take(&mut self.unsaved).then(|| self.alignment.references().cloned()).flatten()
    }

    /// What is wrong with the picture. `streaming`: whether the camera delivers at all; a lost camera is
    /// reported as that, not as a bad picture.
    pub fn findings(&self, streaming: bool) -> Vec<Finding> {
        let mut faults = Vec::new();
        if self.alignment.references().is_none() {
            faults.push((Reason::AimUnverified, String::new()));
        } else if self.alignment.is_incomparable() {
            let detail = "the picture has another shape than when it was verified";
            faults.push((Reason::AimUnverified, detail.to_owned()));
        }
        if streaming && self.view.is_frozen() {
            faults.push((Reason::PictureFrozen, String::new()));
        } else if streaming && self.state.measure.is_some() {
            faults.extend(self.faults.iter().cloned());
            faults.extend(self.misalignment());
            faults.extend(self.smear.exposure_fault().map(|detail| (Reason::ExposureWrong, detail)));
            faults.extend(self.blurred_characters());
        }
        let finding = |(reason, detail)| Finding { reason, camera: Some(self.camera.clone()), detail };
        faults.into_iter().map(finding).collect()
    }

    fn lens(&self) -> Lens {
        Lens::new(self.view_angle_deg, self.frame_width)
    }

    fn judge(&self, look: &Look, measure: ViewMeasure, now: Moment) -> Result<Vec<Fault>, HealthError> {
        let vehicles: Vec<bool> = self.vehicle_stands(now).collect();
        let evidence = Evidence {
            measure,
            view: &self.view,
            alignment: &self.alignment,
            vehicles: &vehicles,
            look: &look.picture,
            now: now.wall,
            aim_holds: self.state.displacement.is_none_or(|displacement| !displacement.exceeds(MOVED)),
        };
        evidence.faults()
    }

    fn vehicle_stands(&self, now: Moment) -> impl Iterator<Item = bool> {
        self.vehicles.iter().map(move |seen| seen.is_some_and(|seen| now.since(&seen) < VEHICLE_STAYS))
    }

    /// What the cells of the picture show, and which of them show the street.
    fn shown(&self, now: Moment) -> (Texture, Vec<bool>) {
        (self.view.texture.clone(), self.vehicle_stands(now).map(|stands| !stands).collect())
    }

    /// The picture speaks first. Where it cannot, plates do: at night they are all that is seen.
    fn misalignment(&self) -> Option<Fault> {
        let lanes = self
            .state
            .lanes
            .filter(|lanes| lanes.exceeds(self.lens().pixels(MOVED.turn_deg), MOVED.roll_deg));
        match (self.state.displacement, lanes) {
            (Some(displacement), lanes)
                if displacement.exceeds(MOVED) && displacement.agreement >= MOVE_AGREED =>
            {
                let lanes = lanes.map(|lanes| format!("; {lanes}")).unwrap_or_default();
                Some((Reason::CameraMoved, format!("{displacement}{lanes}")))
            }
            (Some(_), Some(lanes)) => Some((Reason::LanesMoved, lanes.to_string())),
            (None, Some(lanes)) => Some((Reason::CameraMoved, lanes.to_string())),
            (None, None) if self.shows_another_scene() => {
                let detail = "the scene has nothing in common with the reference";
                Some((Reason::CameraMoved, detail.to_owned()))
            }
            _ => None,
        }
    }

    /// Whether the picture is clear, in a light that a reference was taken in, and yet no reference is recognised.
    fn shows_another_scene(&self) -> bool {
        let Some(measure) = self.state.measure else { return false };
        let Some(references) = self.alignment.references() else { return false };
        let is_clear = self.alignment.present().is_some_and(|present| present.is_textured)
            && self.faults.is_empty()
            && measure.brightness >= NIGHT
            && references.in_light(measure.light).next().is_some();
        let patience = match self.alignment.strength() {
            Some(strength) if strength >= WELL_RECOGNISED => ANOTHER_SCENE,
            Some(_) => return false,
            None => NEVER_SEEN,
        };
        // A lamp that was switched on makes another picture of the same scene.
        let (Some((_, since)), Some(now)) = (self.light, self.last_look) else { return false };
        let in_vain = self.alignment.in_vain();
        let lit_before = now.since(&since) > 2 * LOOK_EVERY * in_vain;
        is_clear && lit_before && !self.alignment.is_incomparable() && in_vain >= patience
    }

    /// Characters tell focus where the picture shows no edges that stay.
    fn blurred_characters(&self) -> Option<Fault> {
        let told = self.state.displacement.is_some()
            || self.faults.iter().any(|(reason, _)| *reason == Reason::OutOfFocus);
        let blur = self.smear.focus_fault().filter(|_| !told)?;
        Some((Reason::OutOfFocus, format!("characters are blurred by {blur:.1} px")))
    }

    fn aim_holds_by_picture(&self) -> bool {
        self.state.displacement.is_some_and(|displacement| !displacement.exceeds(HOLDS))
    }

    /// Takes the present view for what the verified aim looks like in this light, if that is not known yet and nothing
    /// speaks against the aim.
    fn learn(&mut self, now: Moment) -> Result<(), HealthError> {
        let Some((light, since)) = self.light else { return Ok(()) };
        if now.since(&since) < LIGHT_LASTS || !self.faults.is_empty() || self.view.is_frozen() {
            return Ok(());
        }
        let Some(references) = self.alignment.references() else { return Ok(()) };
        let turn_px = self.lens().pixels(HOLDS.turn_deg);
        let holds_by_plates = self.state.lanes.is_some_and(|lanes| !lanes.exceeds(turn_px, HOLDS.roll_deg));
        let is_textured = self.alignment.present().is_some_and(|present| present.is_textured);
        let is_due = match (references.in_light(light).last(), self.state.displacement) {
            (None, Some(_)) => self.aim_holds_by_picture(),
            (None, None) => holds_by_plates,
            (Some(newest), Some(displacement)) => {
                let age = now.wall.duration_since(newest.at);
                displacement.agreement < FADED
                    && displacement.agreement >= MOVE_AGREED
                    && self.aim_holds_by_picture()
                    && age.unsigned_abs() > RENEWED_AFTER
            }
            (Some(_), None) => false,
        };
        if is_due && is_textured {
            let shown = self.shown(now);
            self.alignment.learn(now.wall, light, shown)?;
            self.unsaved = true;
        }
        Ok(())
    }

    fn mark_vehicle(&mut self, sighting: &Sighting, frame: &Frame, now: Moment) {
        let Some(factor) = self.look_factor(frame) else { return };
        let cell = CELL as f32 * factor;
        let columns = (frame.luma().width as f32 / cell) as usize;
        let ((x, y), width) = (sighting.corners.centre(), sighting.width_px);
        let (aside, up, down) = VEHICLE;
        for (index, seen) in self.vehicles.iter_mut().enumerate() {
            let (left, top) = ((index % columns) as f32 * cell, (index / columns) as f32 * cell);
            let beside = (left + cell / 2.0 - x).abs() <= aside * width + cell / 2.0;
            if beside && top + cell >= y - up * width && top <= y + down * width {
                *seen = Some(now);
            }
        }
    }

    fn look_factor(&self, frame: &Frame) -> Option<f32> {
        let present = self.alignment.present()?;
        let columns = opencv::prelude::MatTraitConst::cols(&present.picture);
        Some((frame.luma().width as f32 / columns as f32).round().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenes::{Camera, Pose, at, frame, reasons};
    use super::super::{Kept, Service, ServiceState};
    use super::*;

    const SCENES: [&str; 3] = ["wts-lg-000021.jpg", "car3.jpg", "21d8c31d-3deb-494b-9c63-c0223306fd82.jpg"];

    #[test]
    fn an_unverified_view_says_so_and_an_undisturbed_one_is_fine_in_other_light() {
        let mut camera = Camera::over(SCENES[0]);
        let mut watch = CameraWatch::new(CameraId::parse("lane-1").unwrap(), None, None);
        camera.look(&mut watch, Pose::default(), 5);
        assert_eq!(reasons(&watch.findings(true)), [Reason::AimUnverified]);
        let by = || PersonName::parse("Dana Ruiz").unwrap();
        let early =
            watch.verify_aim(by(), Moment { uptime: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH });
        assert!(early.unwrap().is_none(), "nothing is said before the view settles");
        let mut watch = camera.watched();
        assert_eq!(watch.references().unwrap().by, by());
        camera.look(&mut watch, Pose { gain: 0.6, ..Pose::default() }, 20);
        assert_eq!(watch.findings(true), []);
    }

    #[test]
    fn a_displacement_is_measured_in_other_light_and_said_in_words() {
        for name in SCENES {
            let mut camera = Camera::over(name);
            let mut watch = camera.watched();
            let poses = [
                Pose { x: -60.0, gain: 0.7, ..Pose::default() },
                Pose { x: 20.0, y: -40.0, turned_deg: 1.5, ..Pose::default() },
                Pose { scale: 1.05, gain: 1.2, ..Pose::default() },
            ];
            for pose in poses {
                camera.look(&mut watch, pose, 20);
                let seen = watch.view().displacement.unwrap();
                let error = (seen.x_px - pose.x as f32).hypot(seen.y_px - pose.y as f32);
                assert!(error <= 1.5, "{name}: {seen:?}");
                assert!((f64::from(seen.roll_deg) + pose.turned_deg).abs() <= 0.15, "{name}: {seen:?}");
                assert!((f64::from(seen.scale) / pose.scale - 1.0).abs() <= 0.004, "{name}: {seen:?}");
                assert_eq!(reasons(&watch.findings(true)), [Reason::CameraMoved], "{name}");
            }
            camera.look(&mut watch, Pose { x: -60.0, ..Pose::default() }, 20);
            let words = &watch.findings(true)[0].detail;
            assert!(
                words.starts_with("the camera points 60 px (1.4°) to the right"),
                "{words} {:?}",
                watch.view()
            );
        }
    }

    #[test]
    fn a_moved_camera_takes_the_unit_out_and_latches_until_it_is_verified_and_returned() {
        let mut camera = Camera::over(SCENES[0]);
        let mut watch = camera.watched();
        let mut service = Service::new(Kept::default(), at(camera.second));
        let mut look = |watch: &mut CameraWatch, service: &mut Service, pose, seconds| {
            for _ in 0..seconds {
                camera.look(watch, pose, 1);
                service.observe(watch.findings(true), at(camera.second));
            }
            at(camera.second)
        };
        let turned = Pose { x: -83.4, ..Pose::default() };
        look(&mut watch, &mut service, turned, 30);
        assert_eq!(service.state(), ServiceState::OutOfService, "within half a minute");
        let standing = service.standing();
        assert_eq!(standing[0].reason, Reason::CameraMoved);
        assert!(standing[0].detail.contains("(2.0°) to the right"), "{standing:?}");

        let by = || PersonName::parse("Dana Ruiz").unwrap();
        let now = look(&mut watch, &mut service, turned, 1);
        let refused = service.return_to_service(by(), "looks fine to me", now);
        assert!(refused.is_err(), "the check still fails");
        let now = look(&mut watch, &mut service, Pose::default(), 60);
        assert_eq!(service.state(), ServiceState::OutOfService, "it moved back, and nobody has looked");
        assert!(watch.verify_aim(by(), now).unwrap().is_some());
        let now = look(&mut watch, &mut service, Pose::default(), 10);
        service.return_to_service(by(), "aimed again", now).unwrap();
        assert_eq!(service.state(), ServiceState::InService);
    }

    #[test]
    fn another_scene_is_a_moved_camera() {
        let mut watch = Camera::over(SCENES[0]).watched();
        let mut other = Camera::over(SCENES[2]);
        other.second = 100;
        other.look(&mut watch, Pose::default(), 30);
        assert_eq!(watch.findings(true), [], "a while of doubt");
        other.look(&mut watch, Pose::default(), 30);
        assert_eq!(reasons(&watch.findings(true)), [Reason::CameraMoved]);
    }

    #[test]
    fn wind_averages_out_and_a_slow_creep_does_not() {
        let mut camera = Camera::over(SCENES[0]);
        let mut watch = camera.watched();
        for second in 0..60 {
            let sway = 12.0 * f64::from(second).mul_add(2.1, 0.0).sin();
            camera.look(&mut watch, Pose { x: sway, y: sway / 3.0, ..Pose::default() }, 1);
            assert_eq!(watch.findings(true), [], "second {second}: {:?}", watch.view());
        }
        for step in 0..30 {
            camera.look(&mut watch, Pose { x: f64::from(step), ..Pose::default() }, 4);
        }
        assert_eq!(reasons(&watch.findings(true)), [Reason::CameraMoved], "{:?}", watch.view());
    }

    #[test]
    fn a_covered_blurred_or_blinded_view_is_told_apart() {
        for name in SCENES {
            let mut camera = Camera::over(name);
            let mut watch = camera.watched();
            camera.look(&mut watch, Pose { covered: 0.4, ..Pose::default() }, 14);
            let findings = watch.findings(true);
            assert_eq!(reasons(&findings), [Reason::ViewPartlyCovered], "{name}");
            assert!(findings[0].detail.ends_with("on the left"), "{findings:?}");
            camera.look(&mut watch, Pose { blur_px: 3.0, ..Pose::default() }, 20);
            assert_eq!(reasons(&watch.findings(true)), [Reason::OutOfFocus], "{name}");
            camera.look(&mut watch, Pose { gain: 4.0, ..Pose::default() }, 20);
            assert!(reasons(&watch.findings(true)).contains(&Reason::ViewBlinded), "{name}");
            camera.look(&mut watch, Pose::default(), 30);
            assert_eq!(watch.findings(true), [], "{name}");
        }
    }

    #[test]
    fn an_empty_view_is_covered_dark_or_blinding() {
        let mut camera = Camera::over(SCENES[0]);
        let mut watch = camera.watched();
        for (luma, reason) in [(120, Reason::ViewCovered), (4, Reason::ViewDark), (254, Reason::ViewBlinded)]
        {
            camera.second += 2;
            watch.see(&frame(camera.second, vec![luma; 1280 * 720])).unwrap();
            assert_eq!(reasons(&watch.findings(true)), [reason]);
        }
    }

    #[test]
    fn dusk_is_learned_within_the_verified_aim_and_the_persons_view_stays_the_measure() {
        let mut camera = Camera::over(SCENES[0]);
        let mut watch = camera.watched();
        let dusk = Pose { gain: 0.35, x: 5.0, ..Pose::default() };
        camera.look(&mut watch, dusk, LIGHT_LASTS.as_secs() + 10);
        let learned =
            watch.take_unsaved().unwrap_or_else(|| panic!("{:?} {:?}", watch.view(), watch.findings(true)));
        let lights: Vec<_> = learned.views().iter().map(|view| (view.light, view.learned)).collect();
        assert_eq!(lights, [(Light::Daylight, false), (Light::Dusk, true)]);
        // It came 5 px off the person's view, and what is measured by it is told against that.
        let mut watch = CameraWatch::new(CameraId::parse("lane-1").unwrap(), None, Some(learned));
        camera.look(&mut watch, Pose { x: 10.0, ..dusk }, 20);
        let seen = watch.view().displacement.unwrap();
        assert!((seen.x_px - 10.0).abs() < 1.5, "{seen:?}");
        camera.look(&mut watch, Pose { x: 60.0, gain: 1.0, ..dusk }, LIGHT_LASTS.as_secs() + 10);
        assert!(watch.take_unsaved().is_none(), "a moved view is not learned");
    }

    #[test]
    fn a_repeated_picture_is_frozen_and_a_lost_camera_is_not() {
        let mut camera = Camera::over(SCENES[0]);
        let mut watch = camera.watched();
        let mut frozen = camera.frame(Pose::default());
        for _ in 0..10 {
            frozen.taken.uptime += LOOK_EVERY;
            watch.see(&frozen).unwrap();
        }
        assert_eq!(reasons(&watch.findings(true)), [Reason::PictureFrozen]);
        assert_eq!(watch.findings(false), []);
    }
}

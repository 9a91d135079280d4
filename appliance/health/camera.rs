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

/// No night falls within this time.
const NIGHTFALL: Duration = Duration::from_secs(30);

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
    last_bright: Option<Moment>,
    /// While the picture is dark and empty: whether it became so at once.
    dark_suddenly: Option<bool>,
    unsaved: bool,
}

/// The newest numbers of one camera's picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CameraView {
    /// What the last picture is like; null before the first.
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
            last_bright: None,
            dark_suddenly: None,
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
        self.note_darkness(measure, now);
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

    fn note_darkness(&mut self, measure: ViewMeasure, now: Moment) {
        if measure.light == Light::Daylight {
            self.last_bright = Some(now);
        }
        let is_dark = measure.contrast < NOTHING_TO_SEE && measure.brightness < NIGHT;
        let bright_before = self.last_bright.is_some_and(|bright| now.since(&bright) < NIGHTFALL);
        self.dark_suddenly = is_dark.then(|| self.dark_suddenly.unwrap_or(bright_before));
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
            dark_suddenly: self.dark_suddenly.unwrap_or(false),
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
#[path = "camera_tests.rs"]
mod tests;

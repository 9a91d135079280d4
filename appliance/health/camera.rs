use std::time::Duration;

use super::alignment::{AlignmentWatch, Reference, Shift};
use super::view::{ViewMeasure, ViewWatch};
use super::{Finding, HealthError, Reason};
use crate::capture::Frame;
use crate::words::{CameraId, Moment, PersonName};

/// How often a camera's picture is examined.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Below this standard deviation of luma a picture shows nothing; the emptiest asphalt has several times it.
const NOTHING_TO_SEE: f32 = 5.0;

/// Mean luma under which an empty picture is night rather than a cover.
const NIGHT: f32 = 25.0;

/// A turn of half a degree at a 30° lens and 1280 px: less may be wind or a warm bracket.
const MOVED_SHARE_OF_WIDTH: f32 = 0.015;

/// Views of one scene, in any light, agree on far more; two different scenes on a hundredth of this.
const SAME_SCENE: f32 = 0.05;

/// Below this share of the reference's sharpness a picture counts as out of focus.
const FOCUS_LOST: f32 = 0.3;

/// Everything that is watched of one camera's picture.
pub struct CameraWatch {
    camera: CameraId,
    view: ViewWatch,
    alignment: AlignmentWatch,
    reference: Option<Reference>,
    state: CameraView,
    last_look: Option<Moment>,
    repeats_since: Option<Moment>,
    width: usize,
}

/// The newest numbers of one camera's picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CameraView {
    pub measure: Option<ViewMeasure>,
    pub shift: Option<Shift>,
}

impl CameraWatch {
    pub fn new(camera: CameraId, reference: Option<Reference>) -> Self {
        Self {
            camera,
            view: ViewWatch::default(),
            alignment: AlignmentWatch::default(),
            reference,
            state: CameraView::default(),
            last_look: None,
            repeats_since: None,
            width: 0,
        }
    }

    /// Examines the frame if the last look is a second old; cheap otherwise.
    pub fn see(&mut self, frame: &Frame) -> Result<(), HealthError> {
        let now = frame.taken;
        if self.last_look.is_some_and(|last| now.since(&last) < LOOK_EVERY) {
            return Ok(());
        }
        self.last_look = Some(now);
        self.width = frame.luma().width;
        let (look, measure) = self.view.look(frame.luma())?;
        self.repeats_since = measure.same_as_before.then(|| self.repeats_since.unwrap_or(now));
        // An empty picture has no edges to compare, only noise; the reference waits for light.
        if measure.contrast >= NOTHING_TO_SEE {
            self.alignment.look(&look, measure.sharpness)?;
        }
        let shift = match &self.reference {
            Some(reference) if measure.contrast >= NOTHING_TO_SEE => self.alignment.against(reference)?,
            _ => None,
        };
        self.state = CameraView { measure: Some(measure), shift };
        Ok(())
    }

    pub fn view(&self) -> CameraView {
        self.state
    }

    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// Makes the present view the reference; none until the view has settled (about ten seconds).
    pub fn verify_aim(&mut self, by: PersonName, now: Moment) -> Result<Option<Reference>, HealthError> {
        let captured = self.alignment.capture(by, now.wall)?;
        if captured.is_some() {
            self.reference.clone_from(&captured);
        }
        Ok(captured)
    }

    /// What is wrong with the picture. `streaming`: whether the camera delivers at all; a lost camera is
    /// reported as that, not as a bad picture.
    pub fn findings(&self, streaming: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |reason, detail: String| {
            findings.push(Finding { reason, camera: Some(self.camera.clone()), detail });
        };
        if self.reference.is_none() {
            find(Reason::AimUnverified, String::new());
        }
        let (true, Some(measure)) = (streaming, self.state.measure) else { return findings };
        if measure.same_as_before && self.repeats_since.is_some() {
            find(Reason::PictureFrozen, String::new());
        }
        if measure.contrast < NOTHING_TO_SEE {
            let reason = if measure.brightness < NIGHT { Reason::ViewDark } else { Reason::ViewCovered };
            find(reason, format!("brightness {:.0}, contrast {:.1}", measure.brightness, measure.contrast));
            return findings;
        }
        let (Some(reference), Some(shift)) = (&self.reference, self.state.shift) else { return findings };
        if shift.agreement < SAME_SCENE {
            find(Reason::CameraMoved, "the scene has nothing in common with the reference".to_owned());
        } else if shift.length() > MOVED_SHARE_OF_WIDTH * self.width as f32 {
            find(Reason::CameraMoved, in_words(shift));
        }
        let sharpness = measure.sharpness / reference.sharpness.max(f32::EPSILON);
        if sharpness < FOCUS_LOST && measure.brightness >= NIGHT {
            find(Reason::OutOfFocus, format!("{:.0} % of the reference's sharpness", sharpness * 100.0));
        }
        findings
    }
}

/// The scene moves against the camera: what is now further left was reached by turning right.
fn in_words(shift: Shift) -> String {
    let across = if shift.x < 0.0 { "right" } else { "left" };
    let down = if shift.y < 0.0 { "down" } else { "up" };
    format!("the camera points {:.0} px to the {across} and {:.0} px {down}", shift.x.abs(), shift.y.abs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::capture::OwnedPlanes;

    /// A street of random blocks, shifted by `x`, in the light `gain`, seen at second `second`.
    fn street(second: u64, x: usize, gain: f32) -> Frame {
        let (width, height) = (1280, 720);
        let luma = (0..width * height)
            .map(|i| {
                let (column, row) = ((i % width + x) / 40, i / width / 40);
                let block = (column * 7919 + row * 104_729) % 97;
                let mixed = (i as u64 + second * 921_600).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let noise = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 61;
                ((block as f32 * 2.0 + 30.0) * gain) as u8 + noise as u8
            })
            .collect();
        let uptime = Duration::from_secs(second);
        let taken = Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime };
        let camera = CameraId::parse("lane-1").unwrap();
        Frame::new(camera, taken, second, Arc::new(OwnedPlanes::grey(luma, width, height)))
    }

    fn watched(frames: impl IntoIterator<Item = Frame>) -> CameraWatch {
        let mut watch = CameraWatch::new(CameraId::parse("lane-1").unwrap(), None);
        let mut now = None;
        for frame in frames {
            watch.see(&frame).unwrap();
            now = Some(frame.taken);
        }
        watch.verify_aim(PersonName::parse("Dana Ruiz").unwrap(), now.unwrap()).unwrap();
        watch
    }

    fn reasons(watch: &CameraWatch) -> Vec<Reason> {
        watch.findings(true).into_iter().map(|finding| finding.reason).collect()
    }

    #[test]
    fn an_undisturbed_view_is_fine_and_an_unverified_one_says_so() {
        let mut watch = watched((0..5).map(|second| street(second, 0, 1.0)));
        assert_eq!(reasons(&watch), [Reason::AimUnverified]);
        watch = watched((0..20).map(|second| street(second, 0, 1.0)));
        for second in 20..40 {
            watch.see(&street(second, 0, 0.6)).unwrap();
        }
        assert_eq!(reasons(&watch), []);
    }

    #[test]
    fn a_turned_camera_is_seen_with_its_direction() {
        let mut watch = watched((0..20).map(|second| street(second, 0, 1.0)));
        for second in 20..60 {
            watch.see(&street(second, 60, 1.0)).unwrap();
        }
        let findings = watch.findings(true);
        assert_eq!(findings[0].reason, Reason::CameraMoved);
        assert!(findings[0].detail.starts_with("the camera points 60 px to the right"), "{findings:?}");
    }

    #[test]
    fn a_covered_view_and_the_night_are_told_apart() {
        let grey = |second: u64, luma: u8| {
            let frame = street(second, 0, 1.0);
            let planes = OwnedPlanes::grey(vec![luma + (second % 2) as u8; 1280 * 720], 1280, 720);
            Frame::new(frame.camera.clone(), frame.taken, second, Arc::new(planes))
        };
        let mut watch = watched((0..20).map(|second| street(second, 0, 1.0)));
        watch.see(&grey(20, 120)).unwrap();
        assert_eq!(reasons(&watch), [Reason::ViewCovered]);
        watch.see(&grey(21, 4)).unwrap();
        assert_eq!(reasons(&watch), [Reason::ViewDark]);
    }

    #[test]
    fn a_repeated_picture_is_frozen_and_a_lost_camera_is_not() {
        let mut watch = watched((0..20).map(|second| street(second, 0, 1.0)));
        for second in 20..30 {
            let mut frame = street(20, 0, 1.0);
            frame.taken = street(second, 0, 1.0).taken;
            watch.see(&frame).unwrap();
        }
        assert_eq!(reasons(&watch), [Reason::PictureFrozen]);
        assert_eq!(watch.findings(false), []);
    }
}

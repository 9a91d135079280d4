//! A camera that is turned, zoomed, blurred, covered or frozen in the middle of its stream is told by its own reason, through the
//! compression that a real stream has.

use milepost::health::{CameraWatch, Kept, Reason, Service};
use milepost::words::{CameraId, PersonName};

use h264::Coder;
use street::{Air, Harm, Pose, Street};

#[path = "support/datasets.rs"]
mod datasets;
#[path = "support/h264.rs"]
mod h264;
#[path = "benches/support/street.rs"]
#[allow(dead_code, reason = "the benchmark uses all of it")]
mod street;

/// One picture a second, as it is looked at: cars, noise and blocks.
const COMPRESSED: &str = "pass=quant quantizer=28 key-int-max=10 speed-preset=superfast";

/// So hard that nothing is left of the noise but in key pictures, a dozen looks apart.
const COMPRESSED_HARD: &str = "pass=quant quantizer=40 key-int-max=12 speed-preset=superfast";

/// A unit whose aim has been verified on an empty street.
struct Unit {
    street: Street,
    coder: Coder,
    watch: CameraWatch,
    service: Service,
}

impl Unit {
    fn verified(coded: &str, air: Air, traffic: f64) -> Self {
        let folder = datasets::folder();
        let photograph = folder.join("us-scenes/images/wts-lg-000021.jpg");
        let cars = street::cars(&street::photographs(&folder)[..30]);
        let mut street = Street::over(&photograph, cars, 7);
        street.look_from(Pose::default(), air, Harm::None);
        let coder = Coder::new((street::WIDTH as usize, street::HEIGHT as usize), 1, coded);
        let watch = CameraWatch::new(CameraId::parse("lane-1").unwrap(), None, None);
        let service = Service::new(Kept::default(), street.now());
        let mut unit = Self { street, coder, watch, service };
        unit.look(16, None);
        let by = PersonName::parse("Dana Ruiz").unwrap();
        assert!(unit.watch.verify_aim(by, unit.street.now()).unwrap().is_some(), "the view has settled");
        unit.service = Service::new(Kept::default(), unit.street.now());
        unit.street.traffic = traffic;
        unit
    }

    /// What stands first once anything does, and after how many seconds. `frozen`: what the sensor shows for ever.
    fn look(&mut self, seconds: u64, frozen: Option<&[u8]>) -> Option<(Reason, u64)> {
        for second in 1..=seconds {
            let seen = self.street.frame().luma().data.to_vec();
            let sent = self.coder.coded(frozen.map_or(seen, <[u8]>::to_vec));
            let frame = self.street.frame_of(sent);
            self.watch.see(&frame).unwrap();
            self.service.observe(self.watch.findings(true), frame.taken);
            if let Some(first) = self.service.standing().first()
                && first.reason != Reason::AimUnverified
            {
                return Some((first.reason, second));
            }
        }
        None
    }

    fn still(&mut self) -> Vec<u8> {
        self.street.frame().luma().data.to_vec()
    }
}

#[test]
fn what_happens_to_a_camera_in_mid_stream_is_told_by_its_own_reason() {
    let shifted = Pose { x: -83.4, ..Pose::default() };
    let zoomed = Pose { scale: 1.05, ..Pose::default() };
    let cases = [
        ("shifted", shifted, Harm::None, Reason::CameraMoved, 120),
        ("zoomed", zoomed, Harm::None, Reason::CameraMoved, 120),
        ("defocused", Pose::default(), Harm::Defocused(3.0), Reason::OutOfFocus, 60),
        ("covered", Pose::default(), Harm::Covered, Reason::ViewPartlyCovered, 60),
    ];
    for (name, pose, harm, reason, within) in cases {
        let mut unit = Unit::verified(COMPRESSED, Air::default(), 8.0);
        assert_eq!(unit.look(15, None), None, "{name}: all is well before");
        unit.street.look_from(pose, Air::default(), harm);
        let told = unit.look(within, None);
        assert_eq!(told.map(|(reason, _)| reason), Some(reason), "{name}: {:?}", unit.watch.view());
    }
}

#[test]
fn a_stream_that_freezes_in_the_middle_is_told_and_encoding_it_on_hides_nothing() {
    let mut unit = Unit::verified(COMPRESSED, Air::default(), 8.0);
    assert_eq!(unit.look(15, None), None, "all is well before");
    let still = unit.still();
    let told = unit.look(60, Some(&still));
    assert_eq!(told.map(|(reason, _)| reason), Some(Reason::PictureFrozen), "{:?}", unit.watch.view());
}

#[test]
fn a_quiet_night_that_is_compressed_hard_is_not_taken_for_frozen_until_it_is() {
    let night = Air { gain: 0.4, noise: 3.0, wind: 0.0, ..Air::default() };
    let mut unit = Unit::verified(COMPRESSED_HARD, night, 0.0);
    assert_eq!(unit.look(60, None), None, "nothing passes");
    let still = unit.still();
    let told = unit.look(60, Some(&still));
    assert_eq!(told.map(|(reason, _)| reason), Some(Reason::PictureFrozen), "{:?}", unit.watch.view());
}

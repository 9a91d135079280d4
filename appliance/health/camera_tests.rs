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
    let early = watch.verify_aim(by(), Moment { uptime: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH });
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
fn haze_and_drops_are_told_apart() {
    for name in SCENES {
        let mut camera = Camera::over(name);
        let mut watch = camera.watched();
        camera.look(&mut watch, Pose { gain: 0.3, haze: 110.0, ..Pose::default() }, 20);
        assert_eq!(reasons(&watch.findings(true)), [Reason::ViewFogged], "{name}");
        camera.look(&mut watch, Pose { drops: 12, ..Pose::default() }, 20);
        assert_eq!(reasons(&watch.findings(true)), [Reason::WindowDirty], "{name}");
    }
}

#[test]
fn an_empty_view_is_covered_dark_or_blinding() {
    let mut camera = Camera::over(SCENES[0]);
    let mut watch = camera.watched();
    for (luma, after, reason) in [
        (120, 2, Reason::ViewCovered),
        (4, 2, Reason::ViewCovered),
        (254, 2, Reason::ViewBlinded),
        (30, 60, Reason::ViewCovered),
        (4, 60, Reason::ViewDark),
    ] {
        camera.second += after;
        watch.see(&frame(camera.second, vec![luma; 1280 * 720])).unwrap();
        assert_eq!(reasons(&watch.findings(true)), [reason]);
    }
}

#[test]
fn a_night_darker_than_its_lamp_once_made_it_has_a_dead_lamp() {
    let mut camera = Camera::over(SCENES[0]);
    let mut watch = camera.watched();
    let lamp_lit = Pose { gain: 0.2, ..Pose::default() };
    camera.look(&mut watch, lamp_lit, LIGHT_LASTS.as_secs() + 10);
    let lights: Vec<_> = watch.references().unwrap().views().iter().map(|view| view.light).collect();
    assert_eq!(lights, [Light::Daylight, Light::InfraRed], "{:?}", watch.view());
    assert_eq!(watch.findings(true), [], "a lit night is as it should be");
    camera.look(&mut watch, Pose { gain: 0.02, ..Pose::default() }, 12);
    assert_eq!(reasons(&watch.findings(true)), [Reason::LampDead]);
    camera.look(&mut watch, lamp_lit, 20);
    assert_eq!(watch.findings(true), []);
    // Where no lamp ever lit the night, none can have died.
    let mut watch = camera.watched();
    camera.second += 60;
    camera.look(&mut watch, Pose { gain: 0.02, ..Pose::default() }, 12);
    assert_eq!(reasons(&watch.findings(true)), [Reason::ViewDark]);
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

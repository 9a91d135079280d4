use std::time::Duration;

use jiff::Timestamp;

use super::*;

/// A road with two lanes under a camera of 1280x720, whose plates are read at various distances.
struct Road {
    random: u32,
    second: f32,
}

impl Road {
    fn chance(&mut self) -> f32 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.random >> 8) as f32 / (1 << 24) as f32 - 0.5
    }

    /// One vehicle drives up; the camera has turned so that everything lies `x`, `y` off.
    fn vehicle(&mut self, watch: &mut GeometryWatch, lanes: &mut Lanes, x: f32, y: f32, aim_holds: bool) {
        let lane = if self.chance() > 0.0 { -2.0 } else { 3.0 };
        let (aside, mounted) = (self.chance() * 0.8, self.chance() * 0.4);
        let nearest = 130.0 + self.chance() * 60.0;
        for step in 0..5 {
            let width = nearest * (0.6 + 0.1 * step as f32);
            let spot = Spot {
                x: 640.0 + x + (lane + aside) * width,
                y: 150.0 + y + (2.6 + mounted) * width,
                width,
                character_height: width * 0.22,
                angle_deg: self.chance(),
            };
            self.second += 0.1;
            watch.take(spot, at(self.second), lanes, aim_holds);
        }
        self.second += 3.0;
        watch.see(&[], at(self.second), lanes, aim_holds);
    }
}

fn at(second: f32) -> Moment {
    Moment { uptime: Duration::from_secs_f32(second), wall: Timestamp::UNIX_EPOCH }
}

fn learned() -> (Road, GeometryWatch, Lanes) {
    let (mut road, mut watch, mut lanes) =
        (Road { random: 7, second: 0.0 }, GeometryWatch::default(), Lanes::default());
    for _ in 0..LEARNED_AFTER {
        assert!(lanes.known().is_empty());
        road.vehicle(&mut watch, &mut lanes, 0.0, 0.0, true);
    }
    (road, watch, lanes)
}

#[test]
fn two_lanes_are_learned_and_an_unmoved_camera_stays_within_them() {
    let (mut road, mut watch, mut lanes) = learned();
    assert_eq!(lanes.known().len(), 2, "{lanes:?}");
    for _ in 0..300 {
        road.vehicle(&mut watch, &mut lanes, 0.0, 0.0, true);
        assert!(watch.shift().is_none_or(|shift| !shift.exceeds(22.0, 1.0)), "{:?}", watch.shift());
    }
}

#[test]
fn a_tilted_camera_is_seen_by_its_plates_alone_and_in_words() {
    let (mut road, mut watch, mut lanes) = learned();
    for _ in 0..JUDGED {
        road.vehicle(&mut watch, &mut lanes, 2.0, 60.0, false);
    }
    let shift = watch.shift().unwrap();
    assert!(shift.exceeds(22.0, 1.0) && (shift.y_px - 60.0).abs() < 20.0, "{shift:?}");
    let words = LaneShift { x_px: 2.0, y_px: 40.0, ..shift }.to_string();
    assert!(words.starts_with("cars now pass 40 px lower"), "{words}");
}

#[test]
fn nothing_is_learned_while_the_aim_is_in_doubt_nor_from_a_standing_car() {
    let (mut road, mut watch, mut lanes) =
        (Road { random: 7, second: 0.0 }, GeometryWatch::default(), Lanes::default());
    for _ in 0..2 * LEARNED_AFTER {
        road.vehicle(&mut watch, &mut lanes, 0.0, 0.0, false);
    }
    assert!(lanes.known().is_empty() && lanes.vehicles.is_empty());
    let spot = Spot { x: 600.0, y: 500.0, width: 120.0, character_height: 26.0, angle_deg: 0.0 };
    for second in 0..600 {
        watch.take(spot, at(10_000.0 + second as f32 * 0.5), &mut lanes, true);
    }
    assert_eq!(watch.passing.len(), 1);
}

//! Simulated traffic over drawn lanes: each read says where its vehicle passed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::track::tests::sighting;
use super::{Config, DrawnLane, DrawnLanes, Passages, Point, Read, Travel, Verdict};
use crate::capture::{Frame, OwnedPlanes};
use crate::words::{CameraId, LaneName, Moment};

/// The picture's width and height.
const SIZE: usize = 200;

/// Two lanes that meet at the picture's middle, narrowing towards its top; beside them the shoulders.
fn road() -> DrawnLanes {
    let lane = |name, travel, outline: [Point; 4]| {
        DrawnLane::new(LaneName::parse(name).unwrap(), travel, outline.to_vec()).unwrap()
    };
    let left = [(0.1, 1.0), (0.5, 1.0), (0.5, 0.2), (0.4, 0.2)];
    let right = [(0.5, 1.0), (0.9, 1.0), (0.6, 0.2), (0.5, 0.2)];
    DrawnLanes::new(vec![lane("1", Some(Travel::Away), left), lane("2", None, right)]).unwrap()
}

/// Lets one vehicle drive by, its plate's middle at `path` (of the picture, by a time from 0 to 1) for two seconds; the
/// lanes are redrawn at each of `drawings`.
fn drive(path: impl Fn(f32) -> Point, drawings: &[(u32, DrawnLanes)]) -> Vec<Verdict> {
    const FRAMES: u32 = 30;
    let mut passages = Passages::new(Config::default());
    let mut verdicts = Vec::new();
    for number in 0..FRAMES {
        if let Some((_, lanes)) = drawings.iter().find(|(at, _)| *at == number) {
            passages.draw(lanes.clone());
        }
        let along = number as f32 / FRAMES as f32;
        let uptime = Duration::from_secs_f32(2.0 * along);
        let taken = Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime };
        let planes = Arc::new(OwnedPlanes::grey(vec![0; SIZE * SIZE], SIZE, SIZE));
        let frame = Frame::new(CameraId::parse("north").unwrap(), taken, number.into(), planes);
        let (x, y) = path(along);
        let centre = (x * SIZE as f32, y * SIZE as f32);
        verdicts.extend(passages.see(&frame, vec![sighting("ABC123", 7.0, centre, 12.0 + 12.0 * along)]));
    }
    verdicts.extend(passages.finish());
    verdicts
}

fn lanes(verdicts: &[Verdict]) -> Vec<Option<String>> {
    let lane = |read: &Read| read.lane.as_ref().map(|lane| lane.name().to_string());
    verdicts.iter().map(|verdict| lane(verdict.read())).collect()
}

#[test]
fn the_early_and_the_final_read_say_the_lane() {
    let verdicts = drive(|along| (0.45, 0.3 + 0.6 * along), &[(0, road())]);
    assert_eq!(lanes(&verdicts), [Some("1".to_owned()), Some("1".to_owned())]);
    let course = verdicts[1].read().course();
    assert_eq!(course.lane_travel, Some(Travel::Away));
    assert_eq!(course.to_string(), "lane 1, coming towards the camera", "what was seen, not what was drawn");
}

#[test]
fn a_car_on_the_shoulder_is_read_and_in_no_lane() {
    assert_eq!(lanes(&drive(|along| (0.05, 0.3 + 0.2 * along), &[(0, road())])), [None, None]);
    assert_eq!(lanes(&drive(|along| (0.45, 0.3 + 0.6 * along), &[])), [None, None], "nobody drew any");
}

#[test]
fn a_vehicle_that_changes_lanes_passed_in_the_one_where_it_was_longer() {
    let verdicts = drive(|along| (0.4 + 0.25 * along, 0.6 + 0.2 * along), &[(0, road())]);
    assert_eq!(lanes(&verdicts), [Some("1".to_owned()), Some("2".to_owned())]);
}

#[test]
fn lanes_drawn_anew_count_from_the_next_frame_on() {
    let renamed = r#"[{"name":"left","outline":[[0.1,1.0],[0.5,1.0],[0.5,0.2],[0.4,0.2]]}]"#;
    let drawings = [(0, road()), (10, serde_json::from_str(renamed).unwrap())];
    let verdicts = drive(|along| (0.45, 0.3 + 0.6 * along), &drawings);
    assert_eq!(lanes(&verdicts), [Some("1".to_owned()), Some("left".to_owned())]);
}

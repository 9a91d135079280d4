use serde::{Deserialize, Serialize};

use super::Travel;
use crate::words::LaneName;

/// Where a vehicle passed and which way, as it stands in reads and alerts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Course {
    /// The lane that a person drew and in which the plate was seen most; None outside all lanes.
    #[serde(default)]
    pub lane: Option<LaneName>,
    /// Which way traffic goes in that lane, where whoever drew it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_travel: Option<Travel>,
    /// Which way this vehicle went.
    #[serde(default)]
    pub direction: Direction,
}

/// Which way the plate moved through the picture, judged by its width.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Approaching,
    Receding,
    Standing,
    /// Seen too few times, or at an even distance.
    #[default]
    Unknown,
}

/// "lane 2, going away"; empty where nothing is known. An alert is often told before its vehicle has moved enough: then the
/// lane says which way its traffic goes.
impl std::fmt::Display for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moves = match (self.direction, self.lane_travel) {
            (Direction::Approaching, _) => "coming towards the camera",
            (Direction::Receding, _) => "going away",
            (Direction::Standing, _) => "standing",
            (Direction::Unknown, Some(Travel::Towards)) => "where traffic comes towards the camera",
            (Direction::Unknown, Some(Travel::Away)) => "where traffic goes away",
            (Direction::Unknown, None) => "",
        };
        match &self.lane {
            Some(lane) if moves.is_empty() => write!(f, "lane {lane}"),
            Some(lane) => write!(f, "lane {lane}, {moves}"),
            None => f.write_str(moves),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_said_as_people_say_it() {
        let course = |lane: Option<&str>, lane_travel, direction| {
            let lane = lane.map(|name| LaneName::parse(name).unwrap());
            Course { lane, lane_travel, direction }.to_string()
        };
        assert_eq!(course(Some("2"), None, Direction::Receding), "lane 2, going away");
        assert_eq!(course(Some("2"), Some(Travel::Away), Direction::Standing), "lane 2, standing");
        assert_eq!(
            course(Some("2"), Some(Travel::Away), Direction::Unknown),
            "lane 2, where traffic goes away"
        );
        assert_eq!(course(Some("exit"), None, Direction::Unknown), "lane exit");
        assert_eq!(course(None, None, Direction::Approaching), "coming towards the camera");
        assert_eq!(course(None, None, Direction::Unknown), "");
    }
}

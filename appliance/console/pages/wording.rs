//! Numbers and enums as people say them.
//!
//! Everything comes by reference, because that is how templates pass it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::alert::{Alert, Hit};
use crate::console::unit::ServiceState;
use crate::health::{AnswerReport, Lane, Yield, YieldReport};
use crate::hotlist::{Category, Freshness, Level, ListSummary, MatchKind, StateAgreement, default_hours};
use crate::passage::{Point, Travel};
pub use crate::words::sentence;
use crate::words::{Position, PositionSource};

/// A point in time by the unit's own time zone.
pub fn clock(at: &Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

pub fn ago(at: &Timestamp, now: &Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        // Clocks of cameras and servers differ by a little.
        i64::MIN..-60 => format!("in {}", duration(&seconds.unsigned_abs())),
        -60..=1 => "just now".to_owned(),
        _ => format!("{} ago", duration(&seconds.unsigned_abs())),
    }
}

/// In the two largest units that matter, with spaces at which no line breaks.
pub fn duration(seconds: &u64) -> String {
    let seconds = *seconds;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days >= 2 => format!("{days}\u{a0}days"),
        () if hours >= 10 => format!("{hours}\u{a0}h"),
        () if hours >= 1 => format!("{hours}\u{a0}h {}\u{a0}min", minutes % 60),
        () if minutes >= 1 => format!("{minutes}\u{a0}min"),
        () => format!("{seconds}\u{a0}s"),
    }
}

/// A position, and how far it may be believed: `42.101500, -72.589800 (by GPS, 3 s before; ±4 m)`.
pub fn position(position: &Position) -> String {
    let Position { place, source, error_m, age_s } = position;
    let told = match (source, age_s) {
        (PositionSource::Site, _) => "the deployed site".to_owned(),
        (PositionSource::Gps, None) => "by GPS".to_owned(),
        (PositionSource::Gps, Some(age_s)) => format!("by GPS, {} before", duration(age_s)),
    };
    let error = error_m.map(|metres| format!("; ±{metres:.0}\u{a0}m")).unwrap_or_default();
    format!("{:.6}, {:.6} ({told}{error})", place.latitude, place.longitude)
}

pub fn bytes(bytes: &u64) -> String {
    let mega = *bytes as f64 / 1e6;
    if mega >= 1000.0 { format!("{:.1} GB", mega / 1000.0) } else { format!("{mega:.0} MB") }
}

/// Groups of three digits, as in 1,000,000.
pub fn count(number: &u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

/// The class that colours a state; the word beside it says the same without colour.
pub fn service_class(state: &ServiceState) -> &'static str {
    match state {
        ServiceState::InService => "good",
        ServiceState::Degraded => "fair",
        ServiceState::OutOfService => "bad",
    }
}

pub fn freshness(freshness: &Freshness) -> (&'static str, &'static str) {
    match freshness {
        Freshness::Fresh => ("good", "Fresh"),
        Freshness::Ageing => ("fair", "Ageing"),
        Freshness::Stale => ("bad", "Stale"),
        Freshness::Missing => ("bad", "Not there yet"),
    }
}

/// Fewer answers say nothing of a rate: one false hit would be more than a twentieth.
const ANSWERS_MIN: u64 = 20;

/// "4.2 %"; none before enough alerts were answered.
pub fn false_hits(answers: &AnswerReport) -> Option<String> {
    let rate = answers.false_hit_rate.filter(|_| answers.judged() >= ANSWERS_MIN)?;
    Some(format!("{:.1}\u{a0}%", rate * 100.0))
}

/// The list whose date lies back farthest.
pub fn oldest(lists: &[ListSummary]) -> Option<&ListSummary> {
    lists.iter().max_by_key(|list| list.age_s.unwrap_or(u64::MAX))
}

pub fn yields(yields: &YieldReport) -> Option<(&'static str, &'static str)> {
    yields.against_usual().map(|found| match found {
        Yield::AsUsual => ("good", "Reads as usual for this hour"),
        Yield::Fewer => ("fair", "Fewer reads than usual"),
        Yield::More => ("", "More reads than usual"),
    })
}

/// How long a manual entry of this category matches unless somebody says otherwise.
pub fn usual_hours(category: &Category) -> i64 {
    default_hours(*category)
}

pub fn category(category: &Category) -> &'static str {
    match category {
        Category::Amber => "AMBER alert",
        Category::MissingChild => "Missing child",
        Category::MissingCollegeStudent => "Missing college student",
        Category::MissingPerson => "Missing person",
        Category::Wanted => "Wanted",
        Category::PersonOfInterest => "Person of interest",
        Category::Stolen => "Stolen",
        Category::Bolo => "BOLO",
        Category::AttemptToLocate => "Attempt to locate",
        Category::Unregistered => "Unregistered",
        Category::Other => "Other",
    }
}

/// As the category stands in forms.
pub fn category_token(category: &Category) -> String {
    // The serde name is the one that lists and messages use.
    serde_json::to_value(category)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

pub fn level(level: &Level) -> (&'static str, &'static str) {
    match level {
        Level::Critical => ("critical", "Critical"),
        Level::High => ("high", "High"),
        Level::Medium => ("medium", "Medium"),
        Level::Low => ("low", "Low"),
    }
}

pub fn hit(hit: &Hit) -> &'static str {
    match hit {
        Hit::Full => "Hit",
        Hit::Possible => "Possible hit",
    }
}

pub fn match_kind(kind: &MatchKind) -> &'static str {
    match kind {
        MatchKind::Exact => "Exact",
        MatchKind::LookAlike => "Look-alike",
        MatchKind::Pattern => "Partial plate",
    }
}

pub fn state_agreement(agreement: &StateAgreement) -> (&'static str, &'static str) {
    match agreement {
        StateAgreement::Equal => ("good", "State agrees"),
        StateAgreement::Differs => ("bad", "State differs"),
        StateAgreement::Unknown => ("fair", "State unknown"),
    }
}

/// "Lane 2, going away"; empty where nothing is known.
pub fn course(alert: &Alert) -> String {
    let told = alert.course.to_string();
    if told.is_empty() { told } else { sentence(&told).trim_end_matches('.').to_owned() }
}

/// Points of the picture as forms and the script have them: `0.1,0.9 0.4,0.9`.
pub fn outline(points: &[Point]) -> String {
    points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

/// As the way of traffic stands in forms; empty where nobody has said.
pub fn travel_token(travel: &Option<Travel>) -> &'static str {
    match travel {
        Some(Travel::Towards) => "towards",
        Some(Travel::Away) => "away",
        None => "",
    }
}

pub fn travel(travel: &Travel) -> &'static str {
    match travel {
        Travel::Towards => "towards the camera",
        Travel::Away => "away from the camera",
    }
}

/// Where learned lanes lie, in pixels of the frame: `x1,y1,x2,y2` for each.
pub fn learned(lanes: &[Lane]) -> String {
    let line = |lane: &Lane| {
        let [(x1, y1), (x2, y2)] = lane.line();
        format!("{x1:.0},{y1:.0},{x2:.0},{y2:.0}")
    };
    lanes.iter().map(line).collect::<Vec<_>>().join(" ")
}

/// The read character by character, each with whether the reader was unsure of it.
pub fn characters(alert: &Alert) -> Vec<(char, bool)> {
    let text = alert.text.as_str().chars().enumerate();
    text.map(|(position, character)| {
        (character, alert.doubtful.iter().any(|&doubtful| usize::from(doubtful) == position))
    })
    .collect()
}

/// What a screen reader says for the marks on [`characters`]; empty where none is in doubt.
pub fn doubt(alert: &Alert) -> String {
    let doubtful: Vec<String> =
        characters(alert).into_iter().filter(|(_, doubtful)| *doubtful).map(|(c, _)| c.to_string()).collect();
    if doubtful.is_empty() { String::new() } else { format!("in doubt: {}", doubtful.join(", ")) }
}

/// As a fingerprint is compared: in groups that an eye can hold.
pub fn in_groups(fingerprint: &str) -> String {
    let groups: Vec<&str> =
        (0..fingerprint.len()).step_by(4).filter_map(|at| fingerprint.get(at..at + 4)).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Place;

    #[test]
    fn times_are_said_as_people_say_them() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let plain = |text: String| text.replace('\u{a0}', " ");
        let ago_of =
            |seconds: i64| plain(ago(&Timestamp::from_second(1_790_000_000 - seconds).unwrap(), &now));
        assert_eq!(ago_of(0), "just now");
        assert_eq!(ago_of(-30), "just now");
        assert_eq!(ago_of(-600), "in 10 min");
        assert_eq!(ago_of(59), "59 s ago");
        assert_eq!(ago_of(3 * 3600 + 125), "3 h 2 min ago");
        assert_eq!(ago_of(30 * 3600), "30 h ago");
        assert_eq!(ago_of(49 * 3600), "2 days ago");
        assert_eq!(plain(ago(&Timestamp::MIN, &Timestamp::MAX)).split(' ').nth(1), Some("days"));
    }

    #[test]
    fn a_position_is_said_with_how_far_it_may_be_believed() {
        let place = Place::new(42.1015, -72.5898).unwrap();
        let said = |told| position(&told).replace('\u{a0}', " ");
        let fix = Position::of_fix(place, Some(4.2), 90);
        assert_eq!(said(fix), "42.101500, -72.589800 (by GPS, 1 min before; ±4 m)");
        assert_eq!(said(Position::of_site(place)), "42.101500, -72.589800 (the deployed site)");
    }

    #[test]
    fn a_rate_of_few_answers_is_not_told() {
        let of = |correct_read, incorrect_read, dismissed| AnswerReport {
            days: 30,
            answered: correct_read + incorrect_read + dismissed,
            correct_read,
            incorrect_read,
            dismissed,
            wrong_state: 0,
            false_hit_rate: Some(incorrect_read as f64 / (correct_read + incorrect_read) as f64),
        };
        assert_eq!(false_hits(&of(18, 1, 40)), None);
        assert_eq!(false_hits(&of(19, 1, 0)).as_deref(), Some("5.0\u{a0}%"));
        assert_eq!(false_hits(&AnswerReport::default()), None);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(&0), "0");
        assert_eq!(count(&999), "999");
        assert_eq!(count(&1_000_000), "1,000,000");
        assert_eq!(bytes(&1_500_000_000), "1.5 GB");
    }
}

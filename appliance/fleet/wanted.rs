//! Which units a person wants to see, in which order: the filter, the sort, the page.

mod asked;
mod sort;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::report::Spot;
use super::roster::Roster;
use super::unit::{Condition, Unit};
use crate::words::UnitKind;

pub use asked::{Asked, NotUnderstood};
pub use sort::Sort;

/// Rows of one page: as many as a browser lays out at once without a pause.
pub const PAGE: usize = 50;

/// The same, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    words: Vec<String>,
    condition: Option<Condition>,
    reason: Option<String>,
    kind: Option<UnitKind>,
    pub area: Option<Area>,
    pub sort: Sort,
    pub page: usize,
}

/// Between two latitudes and two longitudes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub south: f64,
    pub west: f64,
    pub north: f64,
    pub east: f64,
}

impl Area {
    fn parse(text: &str) -> Result<Self, NotUnderstood> {
        let degrees: Vec<f64> = text.split(',').filter_map(|part| part.parse().ok()).collect();
        match degrees[..] {
            [south, west, north, east] if south < north && west < east => {
                Ok(Self { south, west, north, east })
            }
            _ => Err(NotUnderstood(format!("{text:?} is not an area: south,west,north,east in degrees."))),
        }
    }

    pub fn holds(&self, spot: Spot) -> bool {
        (self.south..=self.north).contains(&spot.latitude)
            && (self.west..=self.east).contains(&spot.longitude)
    }
}

impl std::fmt::Display for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { south, west, north, east } = self;
        write!(f, "{south:.5},{west:.5},{north:.5},{east:.5}")
    }
}

/// What fits, and of that one page.
pub struct Found {
    /// All that fit, in the wanted order.
    pub all: Vec<Arc<Unit>>,
    /// The page that is shown, from 1; the last one where a later one was asked for.
    pub page: usize,
    pub pages: usize,
    /// Reasons in force among them, the most frequent first.
    pub reasons: Vec<(String, usize)>,
}

impl Found {
    pub fn rows(&self) -> &[Arc<Unit>] {
        let first = (self.page - 1) * PAGE;
        &self.all[first..usize::min(first + PAGE, self.all.len())]
    }
}

impl Wanted {
    pub fn among(&self, roster: &Roster, now: Timestamp) -> Found {
        let mut all: Vec<Arc<Unit>> = roster.units().filter(|unit| self.fits(unit)).cloned().collect();
        self.sort.apply(&mut all, now);
        let pages = all.len().div_ceil(PAGE).max(1);
        let reasons = reasons(&all);
        Found { page: self.page.min(pages), pages, all, reasons }
    }

    pub fn fits(&self, unit: &Unit) -> bool {
        let report = unit.report.as_ref();
        self.condition.is_none_or(|condition| unit.judged.condition == condition)
            && self.kind.is_none_or(|kind| report.is_some_and(|report| report.place.kind == kind))
            && self.reason.as_deref().is_none_or(|reason| unit.has_reason(reason))
            && self.area.is_none_or(|area| {
                report.and_then(|report| report.place.position).is_some_and(|spot| area.holds(spot))
            })
            && (self.words.is_empty() || self.words.iter().all(|word| says(unit, word)))
    }
}

/// Whether this word, in small letters, stands in what the dashboard shows of a unit.
fn says(unit: &Unit, word: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(word);
    unit.id.as_str().contains(word)
        || has(unit.judged.condition.words())
        || unit.why().iter().any(|why| has(why))
        || unit.report.as_ref().is_some_and(|report| {
            has(&report.version)
                || report.lists.iter().any(|list| list.list.as_str().contains(word))
                || report.cameras.iter().any(|camera| camera.camera.as_str().contains(word))
        })
}

fn reasons(units: &[Arc<Unit>]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for reason in units.iter().flat_map(|unit| unit.reasons()) {
        *counts.entry(reason.token()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::report::tests::sent;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    /// Units a, b, c ... whose reports were changed so.
    fn roster(changes: &[&dyn Fn(&mut Value)]) -> Roster {
        let mut roster = Roster::new(100, at(0));
        roster.connected(at(0));
        for (change, letter) in changes.iter().zip('a'..) {
            let mut report = sent(&letter.to_string(), at(0));
            change(&mut report);
            let topic = format!("milepost/v1/units/{letter}/health");
            roster.hear(&topic, report.to_string().as_bytes(), false, at(0));
        }
        assert_eq!(roster.len(), changes.len());
        roster
    }

    fn found(roster: &Roster, asked: Asked) -> String {
        let found = asked.understood().unwrap().among(roster, at(1));
        found.all.iter().map(|unit| unit.id.as_str()).collect()
    }

    fn asked(change: impl FnOnce(&mut Asked)) -> Asked {
        let mut asked = Asked::default();
        change(&mut asked);
        asked
    }

    fn is(state: &str, since: i64) -> impl Fn(&mut Value) + '_ {
        move |report| report["service"] = json!({ "state": state, "since": at(since), "reasons": [] })
    }

    #[test]
    fn the_worst_come_first_and_of_those_the_latest() {
        let units: [&dyn Fn(&mut Value); 4] = [
            &is("in-service", -50),
            &is("out-of-service", -90),
            &is("degraded", -10),
            &is("out-of-service", -20),
        ];
        assert_eq!(found(&roster(&units), Asked::default()), "dbca");
        assert_eq!(found(&roster(&units), asked(|asked| asked.sort = "name".into())), "abcd");
        assert_eq!(found(&roster(&units), asked(|asked| asked.state = "out-of-service".into())), "db");
    }

    #[test]
    fn every_order_puts_first_what_wants_looking_at() {
        let units: [&dyn Fn(&mut Value); 3] = [
            &|report| {
                report["lists"] = json!([]);
                report["broker"]["certificate_days_left"] = Value::Null;
                report["last_read"] = Value::Null;
                report["answers"]["false_hit_rate"] = Value::Null;
            },
            &|report| {
                report["lists"][0]["age_s"] = json!(90_000);
                report["records"]["waiting"] = json!(500);
                report["last_read"] = json!(at(-9000));
            },
            &|report| {
                report["broker"]["certificate_days_left"] = json!(-3);
                report["answers"]["false_hit_rate"] = json!(0.4);
            },
        ];
        let roster = roster(&units);
        for (sort, order) in [
            ("list", "bca"),
            ("backlog", "bac"),
            ("read", "abc"),
            ("certificate", "cba"),
            ("false-hits", "cba"),
        ] {
            assert_eq!(found(&roster, asked(|asked| asked.sort = sort.into())), order, "{sort}");
        }
    }

    #[test]
    fn filters_narrow_by_reason_kind_area_and_words() {
        let units: [&dyn Fn(&mut Value); 3] = [
            &|report| {
                report["place"]["position"] = json!({ "latitude": 42.1, "longitude": -71.2 });
                report["service"]["reasons"] =
                    json!([{ "reason": "camera-moved", "detail": "shifted by 43 px", "since": at(0) }]);
            },
            &|report| {
                report["place"] = json!({ "kind": "mobile", "from_site_m": null,
                    "position": { "latitude": 44.0, "longitude": -71.2 } });
            },
            &|_| {},
        ];
        let roster = roster(&units);
        let with = |change: &dyn Fn(&mut Asked)| found(&roster, asked(change));
        assert_eq!(with(&|asked| asked.reason = "camera-moved".into()), "a");
        assert_eq!(with(&|asked| asked.kind = "mobile".into()), "b");
        assert_eq!(with(&|asked| asked.area = "42,-72,43,-71".into()), "a");
        assert_eq!(with(&|asked| asked.q = "SHIFTED 43".into()), "a");
        assert_eq!(with(&|asked| asked.q = "no longer looks".into()), "a");
        assert_eq!(with(&|asked| asked.q = "stolen".into()), "abc", "the name of a list");
        assert_eq!(with(&|asked| asked.q = "shifted zebra".into()), "");
        let reasons = Asked::default().understood().unwrap().among(&roster, at(1)).reasons;
        assert_eq!(reasons, [("camera-moved".to_owned(), 1)]);
    }

    #[test]
    fn nonsense_is_told_and_a_page_too_far_is_the_last() {
        for (nonsense, says) in [
            (asked(|asked| asked.state = "broken".into()), "a state"),
            (asked(|asked| asked.kind = "boat".into()), "a kind"),
            (asked(|asked| asked.area = "1,2,3".into()), "an area"),
            (asked(|asked| asked.area = "NaN,1,2,3".into()), "an area"),
            (asked(|asked| asked.page = "-1".into()), "a page"),
            (asked(|asked| asked.sort = "colour".into()), "an order"),
        ] {
            let told = nonsense.understood().unwrap_err().to_string();
            assert!(told.contains(says), "{told}");
        }
        let roster = roster(&[&|_| {}]);
        let far = asked(|asked| asked.page = "900".into()).understood().unwrap().among(&roster, at(1));
        assert_eq!((far.page, far.pages, far.rows().len()), (1, 1, 1));
        let none = asked(|asked| asked.q = "zebra".into()).understood().unwrap().among(&roster, at(1));
        assert_eq!((none.page, none.rows().len()), (1, 0));
    }
}

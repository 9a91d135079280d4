//! The fleet's numbers for Prometheus: `/metrics` of the whole, `/metrics/units` of each unit.
//!
//! Two pages, so that who watches thousands of units decides whether to pay for series of each: nine a unit.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{Encoder, GaugeVec, IntCounterVec, Opts, TextEncoder};

use super::board::Board;
use super::report::Report;
use super::roster::{Broker, Roster};
use super::unit::{Condition, Silence, Unit};
use crate::console::answer::Failure;

const DAY_S: f64 = 86_400.0;
/// Names of lists and reasons come from outside; a department has some dozens.
const NAMES_MAX: usize = 100;

pub async fn show(State(board): State<Arc<Board>>) -> Result<Response, Failure> {
    let now = board.clock.now().wall;
    let text = whole(&board.roster(), now);
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}

pub async fn show_units(State(board): State<Arc<Board>>) -> Result<Response, Failure> {
    let now = board.clock.now().wall;
    let units: Vec<Arc<Unit>> = board.roster().units().cloned().collect();
    Ok(([(CONTENT_TYPE, TEXT)], each(&units, now)).into_response())
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The fleet in some hundred lines, however many units it has.
fn whole(roster: &Roster, now: Timestamp) -> String {
    let mut page = Page::default();
    let states = Condition::ALL.map(|condition| (vec![condition.token()], roster.count(condition) as f64));
    page.gauges("units", "Units in each state.", &["state"], states);
    let all =
        |of: fn(&Report) -> Option<f64>| roster.units().filter_map(move |unit| of(unit.report.as_ref()?));

    let silences =
        [(Silence::Lost, "lost"), (Silence::Overdue, "overdue"), (Silence::NeverReported, "never-reported")];
    let silent = silences.map(|(silence, name)| {
        let count = roster.units().filter(|unit| unit.judged.silence == Some(silence)).count();
        (vec![name], count as f64)
    });
    page.gauges("units_silent", "Silent units by why nothing is known of them.", &["why"], silent);

    let mut reasons: BTreeMap<String, f64> = BTreeMap::new();
    for reason in roster.units().flat_map(|unit| unit.reasons()) {
        *reasons.entry(reason.token()).or_default() += 1.0;
    }
    let reasons = reasons.iter().take(NAMES_MAX).map(|(name, count)| (vec![name.as_str()], *count));
    page.gauges("units_with_reason", "Units with each reason in their last report.", &["reason"], reasons);

    let mut lists: BTreeMap<&str, f64> = BTreeMap::new();
    for report in roster.units().filter_map(|unit| unit.report.as_ref()) {
        let since = now.duration_since(report.at).as_secs_f64().max(0.0);
        for list in &report.lists {
            if let Some(age) = list.age_s {
                let oldest = lists.entry(list.list.as_str()).or_default();
                *oldest = oldest.max(age as f64 + since);
            }
        }
    }
    let lists = lists.into_iter().take(NAMES_MAX).map(|(list, age)| (vec![list], age));
    page.gauges(
        "oldest_list_age_seconds",
        "The oldest edition of each list that any unit matches with.",
        &["list"],
        lists,
    );

    page.one(
        "records_waiting",
        "Records that wait at units for a receipt.",
        Some(all(|report| Some(report.records.waiting as f64)).sum()),
    );
    page.one(
        "oldest_record_waiting_seconds",
        "How long the oldest of them has waited.",
        all(|report| report.records.oldest_waiting_s.map(|age| age as f64)).reduce(f64::max),
    );
    page.one(
        "records_lost",
        "Records that units have lost since they were set up.",
        Some(all(|report| Some(report.records.lost as f64)).sum()),
    );
    page.one(
        "earliest_certificate_left_seconds",
        "Until the first unit's certificate ends.",
        all(|report| report.broker.certificate_days_left.map(|days| days as f64 * DAY_S)).reduce(f64::min),
    );
    let answered = |of: fn(&Report) -> u64| {
        roster.units().filter_map(|unit| Some(of(unit.report.as_ref()?))).sum::<u64>() as f64
    };
    let wrong = answered(|report| report.answers.wrong_state + report.answers.incorrect_read);
    let judged = wrong + answered(|report| report.answers.correct_read);
    page.one(
        "answers",
        "Answers to alerts that were no dismissals, over the units' own periods.",
        Some(judged),
    );
    page.one("false_hit_ratio", "Share of false hits among them.", (judged > 0.0).then(|| wrong / judged));
    page.one(
        "reads_today",
        "Reads of today, by the units' calendars.",
        Some(all(|report| Some(report.reads_today as f64)).sum()),
    );
    page.one(
        "alerts_today",
        "Alerts of today, by the units' calendars.",
        Some(all(|report| Some(report.alerts_today as f64)).sum()),
    );

    let connected = matches!(roster.broker(), Broker::Connected { .. });
    page.one(
        "broker_connected",
        "Whether the dashboard hears the broker; all else is as old as its last connection.",
        Some(connected.into()),
    );
    let refused = roster.refused();
    page.counters(
        "messages_refused_total",
        "Messages that were not taken.",
        "why",
        [
            ("oversized", refused.oversized),
            ("unreadable", refused.unreadable),
            ("foreign", refused.foreign),
            ("beyond", refused.beyond),
        ],
    );
    page.0
}

/// Series of each unit; no line for what it does not tell.
fn each(units: &[Arc<Unit>], now: Timestamp) -> String {
    let mut page = Page::default();
    let reports = || units.iter().filter_map(|unit| Some((unit, unit.report.as_ref()?)));
    let mut known = |name: &str, help: &str, of: &dyn Fn(&Report) -> Option<f64>| {
        page.gauges(
            name,
            help,
            &["unit"],
            reports().filter_map(|(unit, report)| Some((vec![unit.id.as_str()], of(report)?))),
        );
    };
    known("unit_list_age_seconds", "Age of the unit's oldest list, by the list's own date.", &|report| {
        report.list_age_s(now).map(|age| age as f64)
    });
    known("unit_records_waiting", "Records that wait for a receipt.", &|report| {
        Some(report.records.waiting as f64)
    });
    known("unit_oldest_record_waiting_seconds", "How long the oldest of them has waited.", &|report| {
        report.records.oldest_waiting_s.map(|age| age as f64)
    });
    known("unit_certificate_left_seconds", "Until the unit's certificate ends.", &|report| {
        report.broker.certificate_days_left.map(|days| days as f64 * DAY_S)
    });
    known("unit_last_read_timestamp_seconds", "When the last vehicle was read.", &|report| {
        report.last_read.map(seconds)
    });
    known("unit_false_hit_ratio", "Share of false hits among answered alerts.", &|report| {
        report.answers.false_hit_rate
    });
    let states = units.iter().map(|unit| (vec![unit.id.as_str(), unit.judged.condition.token()], 1.0));
    page.gauges("unit_state", "1 for the state that the unit is in.", &["unit", "state"], states);
    let heard = units.iter().filter_map(|unit| Some((vec![unit.id.as_str()], seconds(unit.heard?))));
    page.gauges("unit_last_report_timestamp_seconds", "When the unit was heard last.", &["unit"], heard);
    let about = reports()
        .map(|(unit, report)| (vec![unit.id.as_str(), report.place.kind.token(), &*report.version], 1.0));
    page.gauges(
        "unit_info",
        "Which kind of unit this is, with which program.",
        &["unit", "kind", "version"],
        about,
    );
    page.0
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

/// The answer as it grows. Each family is written before the next is made: those of thousands of units are large.
#[derive(Default)]
struct Page(String);

impl Page {
    fn one(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.gauges(name, help, &[], value.map(|value| (Vec::new(), value)));
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl IntoIterator<Item = (Vec<&'a str>, f64)>,
    ) {
        let family = GaugeVec::new(options(name, help), labels).expect("names and labels are valid ones");
        for (of, value) in values {
            family.with_label_values(&of).set(value);
        }
        self.write(&family);
    }

    fn counters<const N: usize>(&mut self, name: &str, help: &str, label: &str, values: [(&str, u64); N]) {
        let family =
            IntCounterVec::new(options(name, help), &[label]).expect("names and labels are valid ones");
        for (of, value) in values {
            family.with_label_values(&[of]).inc_by(value);
        }
        self.write(&family);
    }

    fn write(&mut self, family: &impl Collector) {
        let mut families = family.collect();
        families.retain(|family| !family.get_metric().is_empty());
        // By label, so that two answers can be compared.
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&families, &mut bytes).expect("a vector takes all that is written");
        self.0 += &String::from_utf8(bytes).expect("names, labels and numbers are text");
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("milepost_fleet")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::report::tests::sent;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn roster() -> Roster {
        let mut roster = Roster::new(10, at(0));
        roster.connected(at(0));
        for (name, days, waiting) in [("north", 200, 3), ("south", -1, 40)] {
            let mut report = sent(name, at(0));
            report["broker"]["certificate_days_left"] = json!(days);
            report["records"]["waiting"] = json!(waiting);
            report["service"]["reasons"] = json!([{ "reason": "camera-moved", "since": at(0) }]);
            roster.hear(
                &format!("milepost/v1/units/{name}/health"),
                report.to_string().as_bytes(),
                false,
                at(0),
            );
        }
        roster.hear("milepost/v1/units/north/health", b"{", false, at(0));
        roster
    }

    #[test]
    fn the_fleet_is_summed_up() {
        let text = whole(&roster(), at(30));
        for line in [
            "milepost_fleet_units{state=\"in-service\"} 2",
            "milepost_fleet_units{state=\"silent\"} 0",
            "milepost_fleet_units_with_reason{reason=\"camera-moved\"} 2",
            "milepost_fleet_oldest_list_age_seconds{list=\"state-stolen\"} 630",
            "milepost_fleet_records_waiting 43",
            "milepost_fleet_earliest_certificate_left_seconds -86400",
            "milepost_fleet_false_hit_ratio 0.1",
            "milepost_fleet_broker_connected 1",
            "milepost_fleet_messages_refused_total{why=\"unreadable\"} 1",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn each_unit_has_its_series() {
        let roster = roster();
        let units: Vec<_> = roster.units().cloned().collect();
        let text = each(&units, at(30));
        for line in [
            "milepost_fleet_unit_state{state=\"in-service\",unit=\"north\"} 1",
            "milepost_fleet_unit_records_waiting{unit=\"south\"} 40",
            "milepost_fleet_unit_info{kind=\"fixed\",unit=\"north\",version=\"0.1.0\"} 1",
            "milepost_fleet_unit_last_report_timestamp_seconds{unit=\"north\"} 1790000000",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }
}

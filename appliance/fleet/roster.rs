use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tracing::warn;

use super::report::{Report, ReportError};
use super::unit::{Condition, Link, Unit};
use crate::delivery::{LinkFault, Presence, Topic, UnitTopic};
use crate::words::UnitId;

/// Every unit that was heard of. Decides without I/O: is told what came and what time it is.
pub struct Roster {
    units: BTreeMap<UnitId, Arc<Unit>>,
    units_max: usize,
    revision: u64,
    /// The revision at which the counts, or what the map shows, changed last.
    picture: u64,
    counts: Counts,
    refused: Refused,
    broker: Broker,
}

/// A birth or a last will has some hundred bytes.
const PRESENCE_MAX: usize = 2048;

/// Units in each condition, in the order of [`Condition::ALL`].
pub type Counts = [usize; 5];

/// What was not taken, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub oversized: u64,
    pub unreadable: u64,
    pub foreign: u64,
    /// Messages of units for which there is no room.
    pub beyond: u64,
}

/// Our own connection. While it is down nothing is judged anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broker {
    Connected { since: Timestamp },
    Down { since: Timestamp, why: String },
}

impl Roster {
    /// Takes up to `units_max` units: whoever can write under many names takes no more memory than that.
    pub fn new(units_max: usize, now: Timestamp) -> Self {
        let broker = Broker::Down { since: now, why: "It is being connected.".to_owned() };
        Self {
            units: BTreeMap::new(),
            units_max,
            revision: 1,
            picture: 1,
            counts: Counts::default(),
            refused: Refused::default(),
            broker,
        }
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn picture(&self) -> u64 {
        self.picture
    }

    pub fn count(&self, condition: Condition) -> usize {
        self.counts[condition as usize]
    }

    pub fn len(&self) -> usize {
        self.units.len()
    }

    pub fn refused(&self) -> Refused {
        self.refused
    }

    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    pub fn get(&self, id: &UnitId) -> Option<&Arc<Unit>> {
        self.units.get(id)
    }

    /// By name.
    pub fn units(&self) -> impl Iterator<Item = &Arc<Unit>> {
        self.units.values()
    }

    pub fn connected(&mut self, now: Timestamp) {
        self.broker = Broker::Connected { since: now };
        self.turn_picture();
    }

    pub fn disconnected(&mut self, fault: &LinkFault, now: Timestamp) {
        let since = match &self.broker {
            Broker::Connected { .. } => now,
            Broker::Down { since, .. } => *since,
        };
        self.broker = Broker::Down { since, why: format!("{fault}: {}", fault.mend()) };
        self.turn_picture();
    }

    /// Takes a message. `kept`: the broker had kept it, and it may be old.
    pub fn hear(&mut self, topic: &str, payload: &[u8], kept: bool, now: Timestamp) {
        let Some(Topic::Unit(id, topic)) = Topic::parse(topic) else { return };
        match (topic, payload) {
            // Whoever retires a unit clears what the broker keeps of it.
            (UnitTopic::Status, []) => self.forget(&id, now, |unit| unit.link = None),
            (UnitTopic::Health, []) => self.forget(&id, now, |unit| (unit.report, unit.heard) = (None, None)),
            (UnitTopic::Status, _) => {
                let presence = Some(payload).filter(|payload| payload.len() <= PRESENCE_MAX);
                let presence = presence.and_then(|payload| serde_json::from_slice::<Presence>(payload).ok());
                self.change(id, now, |unit, refused| match presence {
                    Some(presence) => unit.link = Some(Link { presence, told: now, live: !kept }),
                    None => {
                        refused.unreadable += 1;
                        unit.trouble = Some("its last presence message could not be read".into());
                    }
                });
            }
            (UnitTopic::Health, _) => {
                let report = Report::read(&id, payload);
                self.change(id, now, |unit, refused| match report {
                    Ok(report) => {
                        unit.heard = Some(if kept { report.at.min(now) } else { now });
                        unit.report = Some(report);
                        unit.trouble = None;
                    }
                    Err(error) => {
                        *match error {
                            ReportError::Oversized(_) => &mut refused.oversized,
                            ReportError::Unreadable(_) => &mut refused.unreadable,
                            ReportError::Foreign(_) => &mut refused.foreign,
                        } += 1;
                        // Once for each unit, however often it sends such things.
                        if unit.trouble.is_none() {
                            warn!(unit = %unit.id, %error, "a report was not taken");
                        }
                        unit.trouble = Some(error.to_string().into());
                    }
                });
            }
            _ => {}
        }
    }

    /// To be told about once a second: who has been silent for too long by now?
    pub fn tick(&mut self, now: Timestamp) {
        let Broker::Connected { since } = self.broker else { return };
        let turned: Vec<UnitId> = self
            .units
            .values()
            .filter(|unit| unit.judge(now, since) != unit.judged)
            .map(|unit| unit.id.clone())
            .collect();
        for id in turned {
            self.change(id, now, |_, _| {});
        }
    }

    fn forget(&mut self, id: &UnitId, now: Timestamp, part: impl FnOnce(&mut Unit)) {
        if !self.units.contains_key(id) {
            return;
        }
        self.change(id.clone(), now, |unit, _| {
            part(unit);
            unit.trouble = None;
        });
        if self.units.get(id).is_some_and(|unit| unit.link.is_none() && unit.report.is_none())
            && let Some(gone) = self.units.remove(id)
        {
            self.counts[gone.judged.condition as usize] -= 1;
            self.turn_picture();
        }
    }

    /// Changes a unit, new or known, and judges it anew.
    fn change(&mut self, id: UnitId, now: Timestamp, change: impl FnOnce(&mut Unit, &mut Refused)) {
        let known = self.units.get(&id).cloned();
        if known.is_none() && self.units.len() >= self.units_max {
            self.refused.beyond += 1;
            return;
        }
        let before = known.as_ref().map(|unit| (unit.judged.condition, spot(unit)));
        let mut unit = known.unwrap_or_else(|| Arc::new(Unit::new(id.clone())));
        self.revision += 1;
        let changed = Arc::make_mut(&mut unit);
        change(changed, &mut self.refused);
        let (now, since) = match self.broker {
            Broker::Connected { since } => (now, since),
            // What comes in while we are being told of the loss is judged as of then.
            Broker::Down { since, .. } => (since.min(now), since.min(now)),
        };
        changed.judged = changed.judge(now, since);
        changed.revision = self.revision;
        let after = (unit.judged.condition, spot(&unit));
        if before != Some(after) {
            if let Some((condition, _)) = before {
                self.counts[condition as usize] -= 1;
            }
            self.counts[after.0 as usize] += 1;
            self.picture = self.revision;
        }
        self.units.insert(id, unit);
    }

    fn turn_picture(&mut self) {
        self.revision += 1;
        self.picture = self.revision;
    }
}

/// Where the map shows it, to what the map can show.
fn spot(unit: &Unit) -> Option<(i64, i64)> {
    let spot = unit.report.as_ref()?.place.position?;
    let rounded = |degrees: f64| (degrees * 1000.0).round() as i64;
    Some((rounded(spot.latitude), rounded(spot.longitude)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::report::PAYLOAD_MAX;
    use super::super::report::tests::sent;
    use super::super::unit::Silence;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    struct Stage(Roster);

    impl Stage {
        /// Connected at second 0.
        fn new() -> Self {
            let mut roster = Roster::new(3, at(-5));
            roster.connected(at(0));
            Self(roster)
        }

        fn says(&mut self, unit: &str, topic: &str, value: &Value, kept: bool, second: i64) {
            let topic = format!("milepost/v1/units/{unit}/{topic}");
            self.0.hear(&topic, value.to_string().as_bytes(), kept, at(second));
        }

        fn counts(&self) -> Counts {
            Condition::ALL.map(|condition| self.0.count(condition))
        }

        fn unit(&self, unit: &str) -> Arc<Unit> {
            self.0.get(&UnitId::parse(unit).unwrap()).expect("the unit is known").clone()
        }

        fn condition(&self, unit: &str) -> (Condition, Option<Silence>) {
            let judged = self.unit(unit).judged;
            (judged.condition, judged.silence)
        }
    }

    fn online(second: i64) -> Value {
        json!({ "state": "online", "session": 4, "at": at(second), "version": "0.1.0" })
    }

    fn offline(second: i64, reason: &str) -> Value {
        json!({ "state": "offline", "session": 4, "at": at(second), "reason": reason })
    }

    #[test]
    fn a_unit_that_is_silent_for_longer_than_its_interval_says_so() {
        let mut stage = Stage::new();
        stage.says("north", "status", &online(0), false, 0);
        assert_eq!(stage.condition("north"), (Condition::Silent, Some(Silence::NeverReported)));
        stage.says("north", "health", &sent("north", at(1)), false, 1);
        assert_eq!(stage.condition("north"), (Condition::InService, None));
        stage.0.tick(at(91));
        assert_eq!(
            stage.condition("north").0,
            Condition::InService,
            "half an interval late is late, no more"
        );
        stage.0.tick(at(92));
        assert_eq!(stage.condition("north"), (Condition::Silent, Some(Silence::Overdue)));
        assert_eq!(stage.unit("north").judged.since, Some(at(1)), "since it was heard last");
        stage.says("north", "health", &sent("north", at(93)), false, 93);
        assert_eq!(stage.condition("north"), (Condition::InService, None));
    }

    #[test]
    fn a_shorter_interval_is_a_shorter_patience() {
        let mut stage = Stage::new();
        let mut report = sent("north", at(0));
        report["report_every_s"] = json!(10);
        stage.says("north", "health", &report, false, 0);
        stage.0.tick(at(15));
        assert_eq!(stage.condition("north").0, Condition::InService);
        stage.0.tick(at(16));
        assert_eq!(stage.condition("north").0, Condition::Silent);
    }

    #[test]
    fn the_last_will_counts_until_the_unit_is_heard_again() {
        let mut stage = Stage::new();
        stage.says("north", "health", &sent("north", at(1)), false, 1);
        stage.says("north", "status", &offline(0, "lost"), false, 20);
        assert_eq!(stage.condition("north"), (Condition::Silent, Some(Silence::Lost)));
        assert_eq!(stage.unit("north").judged.since, Some(at(20)));
        stage.says("north", "status", &online(25), false, 25);
        assert_eq!(stage.condition("north").0, Condition::InService);
        // The will of an older connection, told late.
        stage.says("north", "status", &offline(0, "lost"), false, 26);
        stage.says("north", "health", &sent("north", at(27)), false, 27);
        assert_eq!(stage.condition("north").0, Condition::InService);
        stage.says("north", "status", &offline(30, "stopped"), false, 30);
        assert_eq!(stage.condition("north"), (Condition::Stopped, None));
    }

    #[test]
    fn what_the_broker_kept_for_days_is_not_taken_for_news() {
        let mut stage = Stage::new();
        stage.says("north", "health", &sent("north", at(-200_000)), true, 1);
        assert_eq!(stage.condition("north"), (Condition::Silent, Some(Silence::Overdue)));
        // A broker that was restarted keeps a report of some minutes ago: its unit is about to reconnect.
        stage.says("south", "health", &sent("south", at(-200)), true, 1);
        assert_eq!(stage.condition("south").0, Condition::InService);
        stage.0.tick(at(91));
        assert_eq!(stage.condition("south").0, Condition::Silent);
    }

    #[test]
    fn while_we_are_cut_off_nobody_is_called_silent() {
        let mut stage = Stage::new();
        stage.says("north", "health", &sent("north", at(0)), false, 0);
        stage.0.disconnected(&LinkFault::Closed, at(30));
        stage.0.tick(at(3000));
        assert_eq!(stage.condition("north").0, Condition::InService);
        stage.0.connected(at(3000));
        stage.says("north", "health", &sent("north", at(2990)), true, 3000);
        stage.0.tick(at(3001));
        assert_eq!(stage.condition("north").0, Condition::InService);
    }

    #[test]
    fn hostile_messages_change_nothing_that_a_unit_said() {
        let mut stage = Stage::new();
        stage.says("north", "health", &sent("north", at(0)), false, 0);
        stage.says("north", "health", &sent("south", at(0)), false, 1);
        stage.says("north", "health", &json!("x".repeat(PAYLOAD_MAX)), false, 1);
        stage.0.hear("milepost/v1/units/north/health", b"{\"unit\":", false, at(1));
        stage.0.hear("milepost/v1/units/north/status", b"[]", false, at(1));
        stage.0.hear("milepost/v1/units/North/health", b"{}", false, at(1));
        stage.0.hear("something/else", b"{}", false, at(1));
        let refused = stage.0.refused();
        assert_eq!((refused.foreign, refused.oversized, refused.unreadable), (1, 1, 2));
        assert_eq!(stage.0.len(), 1);
        let unit = stage.unit("north");
        assert_eq!(unit.judged.condition, Condition::InService);
        assert!(unit.why()[0].contains("presence message could not be read"), "{:?}", unit.why());
        stage.says("north", "health", &sent("north", at(2)), false, 2);
        assert!(stage.unit("north").why().is_empty(), "a good report ends the trouble");
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_counted() {
        let mut stage = Stage::new();
        for number in 0..1000 {
            let name = format!("unit-{number}");
            stage.says(&name, "health", &sent(&name, at(0)), false, 0);
        }
        assert_eq!((stage.0.len(), stage.0.refused().beyond), (3, 997));
        stage.says("unit-1", "status", &online(1), false, 1);
        assert_eq!(stage.0.refused().beyond, 997, "known units are still heard");
    }

    #[test]
    fn counts_follow_and_a_retired_unit_is_forgotten() {
        let mut stage = Stage::new();
        stage.says("north", "status", &online(0), false, 0);
        let mut report = sent("north", at(0));
        report["service"]["state"] = json!("degraded");
        stage.says("north", "health", &report, false, 0);
        stage.says("south", "health", &sent("south", at(0)), false, 0);
        assert_eq!(&stage.counts(), &[0, 0, 0, 1, 1]);
        stage.0.hear("milepost/v1/units/north/health", b"", false, at(1));
        assert_eq!(&stage.counts(), &[1, 0, 0, 0, 1]);
        stage.0.hear("milepost/v1/units/north/status", b"", false, at(1));
        assert_eq!((&stage.counts(), stage.0.len()), (&[0, 0, 0, 0, 1], 1));
    }
}

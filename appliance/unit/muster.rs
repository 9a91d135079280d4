//! The department's roster on its way from the broker to the console's accounts.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::{info, warn};

use super::refusals::Refusals;
use crate::audit::{Audit, Event, Who};
use crate::console::{Admission, RosterChange};
use crate::delivery::{Delivery, Topic, UnitTopic};
use crate::roster::{Judgement, RosterReport, Rosters};
use crate::words::{Moment, PersonName, UnitId};

/// As many names as stand in one entry of the audit log.
const NAMES: usize = 50;

/// What health says of the roster.
pub type Report = Arc<Mutex<Option<RosterReport>>>;

pub struct Muster {
    rosters: Rosters,
    /// None where the console does not run.
    admission: Option<Admission>,
    delivery: Arc<Delivery>,
    audit: Arc<Audit>,
    report: Report,
    /// Why the roster that is held does not count, as it was last told to the console.
    rests: Option<String>,
    /// Whether the broker has this unit's memory.
    remembered: bool,
    refusals: Refusals,
}

/// What a unit subscribes to for its roster.
pub fn subscriptions(unit: &UnitId, rosters: &Rosters) -> Vec<String> {
    let topics = |name| [Topic::Unit(unit.clone(), UnitTopic::RosterMemory), Topic::Roster(name)];
    rosters.name().cloned().map(topics).into_iter().flatten().map(|topic| topic.to_string()).collect()
}

impl Muster {
    /// Has the console's accounts be those of the roster that is held.
    pub fn begin(
        rosters: Rosters,
        admission: Option<Admission>,
        delivery: Arc<Delivery>,
        audit: Arc<Audit>,
        report: Report,
        date: Timestamp,
    ) -> Self {
        let mut muster = Self {
            rosters,
            admission,
            delivery,
            audit,
            report,
            rests: None,
            remembered: false,
            refusals: Refusals::default(),
        };
        muster.put_in_force(date, false);
        muster
    }

    /// `date`: by the kept clock, or the last that was known.
    pub fn take(&mut self, payload: &[u8], now: Moment, date: Timestamp) {
        if payload.is_empty() {
            // Somebody cleared the topic, which takes no account away.
            return;
        }
        match self.rosters.judge(payload, date) {
            Ok(Judgement::Known) => {}
            Ok(Judgement::Taken(unwritten)) => {
                if let Some(error) = unwritten {
                    warn!(%error, "the roster counts until a restart, and then comes again from the broker");
                }
                self.remember();
                self.put_in_force(date, true);
            }
            Err(why) => self.refuse(why.to_string(), now),
        }
    }

    /// Takes what the broker kept of rosters.
    pub fn recall(&mut self, kept: &[u8], now: Moment, date: Timestamp) {
        match self.rosters.recall(kept) {
            Some(true) => {
                self.remember();
                self.put_in_force(date, false);
            }
            Some(false) => {}
            None => self.refuse("what the broker kept of rosters does not open".to_owned(), now),
        }
    }

    /// To be called about once a second.
    pub fn tick(&mut self, date: Timestamp) {
        // By now the broker has been asked for what it kept.
        if !self.remembered && self.rosters.held().is_some() && self.delivery.is_answered() {
            self.remember();
        }
        let rests = self.rosters.in_force(date).and_then(|roster| roster.view.rests);
        if rests != self.rests {
            self.put_in_force(date, false);
        }
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = self.rosters.report(date);
    }

    fn remember(&mut self) {
        self.delivery.remember_rosters(self.rosters.for_the_broker());
        self.remembered = true;
    }

    /// `new`: it has just come, and is told.
    fn put_in_force(&mut self, date: Timestamp, new: bool) {
        let roster = self.rosters.in_force(date);
        let view = roster.as_ref().map(|roster| roster.view.clone());
        let people = roster.as_ref().map_or(0, |roster| roster.members.len() as u64);
        let mut changes =
            self.admission.as_ref().map_or(Vec::new(), |admission| admission.take_roster(roster));
        let Some(view) = view else { return self.tell_of_no_roster(changes.len()) };
        let who = view.signed_by.first().cloned().map_or(Who::Unit, Who::Department);
        if new {
            info!(roster = %view.roster, version = view.version, people, "the department's roster is in force");
            let (roster, version, keys) = (view.roster.clone(), view.version, view.signed_by);
            self.audit.note(who.clone(), Event::RosterTaken { roster, version, keys, people });
        } else {
            // Said when it came.
            changes.retain(|(change, _)| *change != RosterChange::LocalKept);
        }
        for (what, accounts) in by_change(changes) {
            for accounts in accounts.chunks(NAMES) {
                let (roster, version) = (view.roster.clone(), view.version);
                let (what, accounts) = (what.words().to_owned(), accounts.to_vec());
                self.audit.note(who.clone(), Event::AccountsChanged { roster, version, what, accounts });
            }
        }
        if let Some(why) = view.rests.clone().filter(|_| view.rests != self.rests) {
            warn!(roster = %view.roster, version = view.version, why, "nobody of the roster may sign in");
            self.audit
                .note(Who::Unit, Event::RosterRests { roster: view.roster, version: view.version, why });
        }
        self.rests = view.rests;
    }

    /// The configuration names none, or another one.
    fn tell_of_no_roster(&self, removed: usize) {
        if removed > 0 {
            let what = format!("{removed} accounts of a roster that counts no more are removed");
            self.audit.note(Who::Unit, Event::ConfigurationChanged { what });
        }
    }

    fn refuse(&mut self, why: String, now: Moment) {
        let Some(roster) = self.rosters.name().cloned() else { return };
        if let Some(why) = self.refusals.tell("a roster", why, now) {
            self.audit.note(Who::Unit, Event::RosterRefused { roster, why });
        }
    }
}

fn by_change(mut changes: Vec<(RosterChange, PersonName)>) -> Vec<(RosterChange, Vec<PersonName>)> {
    changes.sort();
    let alike = changes.chunk_by(|(one, _), (other, _)| one == other);
    alike.map(|alike| (alike[0].0, alike.iter().map(|(_, name)| name.clone()).collect())).collect()
}

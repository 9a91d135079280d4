//! Answers to alerts, by people at the console and by the department's server: recorded, remembered and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::error;

use super::board::Board;
use super::refusals::Refusals;
use super::saved::Saved;
use crate::alert::{Answer, AnswerError, Disposition, Verdict};
use crate::audit::{Audit, Event, Who};
use crate::crypto::VerifyingKey;
use crate::health::AnswerReport;
use crate::record::{Kind, NewRecord, RecordError, Records};
use crate::system::Clock;
use crate::words::{RecordId, UnitId};

/// What the unit's own rate of false hits is of.
const COUNTED_DAYS: u32 = 30;

/// Longer than any message is good: see [`Answer`].
const REMEMBERED: SignedDuration = SignedDuration::from_hours(62 * 24);

/// More are no unit's; the oldest go first.
const REMEMBERED_MOST: usize = 5000;

/// The last answer to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    pub verdict: Verdict,
    pub at: Timestamp,
}

/// By alert.
pub type Remembered = BTreeMap<RecordId, Answered>;

/// Where answers go, and what is remembered of them.
pub struct Answers {
    unit: UnitId,
    /// Whose signed answers count: the receivers'.
    trusted: Vec<VerifyingKey>,
    board: Arc<Board>,
    records: Arc<Records>,
    audit: Arc<Audit>,
    saved: Arc<Saved>,
    clock: Arc<dyn Clock>,
    /// Held by whoever takes an answer, for as long as the disk takes; always taken before `remembered`.
    turn: Mutex<()>,
    /// Held for moments only.
    remembered: Mutex<Remembered>,
    refusals: Mutex<Refusals>,
}

impl Answers {
    pub fn open(
        unit: UnitId,
        trusted: Vec<VerifyingKey>,
        board: Arc<Board>,
        records: Arc<Records>,
        audit: Arc<Audit>,
        saved: Arc<Saved>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let remembered = saved.answers().unwrap_or_else(|error| {
            error!(%error, "the rate of false hits begins anew");
            Remembered::new()
        });
        let remembered = Mutex::new(remembered);
        let (turn, refusals) = (Mutex::default(), Mutex::default());
        Self { unit, trusted, board, records, audit, saved, clock, turn, remembered, refusals }
    }

    /// A person's answer at the console. False if the alert is no longer on the board.
    pub fn given(&self, disposition: Disposition) -> Result<bool, RecordError> {
        let _turn = self.turn();
        if !self.board.answer(disposition.clone(), self.clock.now()) {
            return Ok(false);
        }
        let who = Who::Person(disposition.by.clone());
        let answer = disposition.verdict.words().to_owned();
        self.take(disposition, who, answer).map(|()| true)
    }

    /// A signed message from the server.
    pub fn heard(&self, payload: &[u8]) {
        let now = self.clock.now().wall;
        let opened = Answer::open(payload, &self.unit, &self.trusted, now);
        let _turn = self.turn();
        let known = |alert| self.lock().get(&alert).copied();
        let newer = opened.and_then(|(disposition, key)| match known(disposition.alert) {
            Some(known) if known.at >= disposition.at => {
                Err(AnswerError::Superseded { alert: disposition.alert, at: known.at })
            }
            _ => Ok((disposition, key)),
        });
        let (disposition, key) = match newer {
            Ok(newer) => newer,
            Err(why) => return self.refuse(why.to_string()),
        };
        self.board.answer(disposition.clone(), self.clock.now());
        let answer = format!("{}, says {}", disposition.verdict.words(), disposition.by);
        if let Err(error) = self.take(disposition, Who::Department(key), answer) {
            error!(%error, "an answer to an alert could not be stored");
        }
    }

    fn refuse(&self, why: String) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = refusals.tell("an answer to an alert", why, self.clock.now()) {
            self.audit.note(Who::Unit, Event::AnswerRefused { why });
        }
    }

    pub fn report(&self) -> AnswerReport {
        let since = self.clock.now().wall - SignedDuration::from_hours(24 * i64::from(COUNTED_DAYS));
        let remembered = self.lock();
        let count = |verdict| {
            let counted = |answered: &&Answered| answered.verdict == verdict && answered.at >= since;
            remembered.values().filter(counted).count() as u64
        };
        AnswerReport::of(COUNTED_DAYS, Verdict::ALL.map(|verdict| (verdict, count(verdict))))
    }

    /// Stored as a record first: that is what goes to the department.
    fn take(&self, disposition: Disposition, who: Who, answer: String) -> Result<(), RecordError> {
        let now = self.clock.now();
        let body = serde_json::to_vec(&disposition).expect("a disposition is plain data with string keys");
        let record = NewRecord::of(Kind::Disposition, now, body);
        let clock_trusted = record.clock_trusted;
        self.records.store(NewRecord { hit: true, belongs_to: Some(disposition.alert), ..record })?;
        let Disposition { alert, verdict, at, .. } = disposition;
        let remembered = {
            let mut remembered = self.lock();
            remembered.insert(alert, Answered { verdict, at });
            // A clock that may be years ahead makes nothing old.
            let is_good = |answered: &Answered| now.wall.duration_since(answered.at) < REMEMBERED;
            remembered.retain(|_, answered| !clock_trusted || is_good(answered));
            while remembered.len() > REMEMBERED_MOST {
                remembered.pop_first();
            }
            remembered.clone()
        };
        if let Err(error) = self.saved.keep_answers(&remembered) {
            error!(%error, "the rate of false hits will miss an answer after a restart");
        }
        self.audit.note(who, Event::AlertAnswered { alert, answer });
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        // Entries are whole at every instant.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::alert::Verified;
    use crate::crypto::{Letter, SigningKey, UnitKey};
    use crate::record;
    use crate::system::{ManualClock, SimulatedDisk};
    use crate::words::PersonName;

    #[test]
    fn an_answer_that_is_sent_again_is_refused_also_after_a_restart() {
        let clock = Arc::new(ManualClock::at("2026-06-01T12:00:00Z".parse().unwrap()));
        let (disk, key) = (Arc::new(SimulatedDisk::default()), UnitKey::generate());
        let folder = tempfile::tempdir().unwrap();
        let saved = Arc::new(Saved::new(folder.path(), &key));
        let (audit, _) = Audit::open(Path::new("/audit"), disk.clone(), clock.clone()).unwrap();
        let audit = Arc::new(audit);
        let records = Path::new("/records");
        let config = record::Config::default();
        let records = Records::open(config, records, &key, disk, clock.clone(), audit.clone()).unwrap().0;
        let records = Arc::new(records);
        let (unit, server) = (UnitId::parse("north").unwrap(), SigningKey::generate());
        let start = || {
            Answers::open(
                unit.clone(),
                vec![server.verifying_key()],
                Arc::default(),
                records.clone(),
                audit.clone(),
                saved.clone(),
                clock.clone(),
            )
        };
        let stored = || records.waiting_of(Kind::Disposition, true, 10).len();
        let refused = || {
            let log = audit.after(0, 100).unwrap();
            log.iter().filter(|line| line.contains("answer-refused")).count()
        };
        let alert = RecordId::new();
        let answer = |verdict, after| {
            let verified = Verified { characters: true, state: true, status: true };
            let by = PersonName::parse("Ann Lee").unwrap();
            let at = clock.now().wall + SignedDuration::from_secs(after);
            let disposition = Disposition::new(alert, verdict, verified, by, at).unwrap();
            Answer::new(unit.clone(), disposition).unwrap().sign(&server)
        };
        let first = answer(Verdict::CorrectRead, 0);

        let answers = start();
        answers.heard(&first);
        assert_eq!((stored(), refused()), (1, 0));
        answers.heard(&first);
        assert_eq!((stored(), refused()), (1, 1));
        let answers = start();
        answers.heard(&first);
        assert_eq!((stored(), refused()), (1, 2));
        answers.heard(&answer(Verdict::CorrectRead, 60));
        answers.heard(&first);
        assert_eq!((stored(), refused()), (2, 3), "a later word counts, and the earlier one never again");
    }
}

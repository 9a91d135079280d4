//! The alerts, who saw their pictures, and what people found of them.

use std::sync::PoisonError;

use tokio::sync::watch;

use super::Window;
use crate::alert::{self, Disposition};
use crate::audit::{Event, Who};
use crate::console::{AlertView, Alerting, PictureKind, Refused, Verdict, Verification, Verified};
use crate::unit::board::Posted;
use crate::words::{PersonName, RecordId, sentence};

/// More than a board of alerts shows to a whole station; past it the log says some things twice.
const HANDED_OUT_MOST: usize = 2000;

impl Alerting for Window {
    fn alerts(&self, limit: usize) -> Vec<AlertView> {
        self.board.latest(limit, self.clock.now()).into_iter().map(alert_view).collect()
    }

    fn alert(&self, id: RecordId) -> Option<AlertView> {
        self.board.alert(id, self.clock.now()).map(alert_view)
    }

    fn alert_picture(&self, id: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>> {
        let posted = self.board.alert(id, self.clock.now())?;
        let jpeg = match kind {
            PictureKind::Crop => posted.crop,
            PictureKind::Scene => posted.scene,
        };
        let jpeg = jpeg?.to_vec();
        self.handed_out(id, kind, by);
        Some(jpeg)
    }

    fn newest_alert(&self) -> watch::Receiver<Option<RecordId>> {
        self.newest_alert.clone()
    }

    fn verify_alert(&self, id: RecordId, what: Verification, by: &PersonName) -> Result<(), Refused> {
        let now = self.clock.now().wall;
        let verified = alert::Verified {
            characters: what.characters_match,
            state: what.state_matches,
            status: what.status_verified,
        };
        let disposition = Disposition::new(id, verdict(what.verdict), verified, by.clone(), now)
            .map_err(|error| Refused(sentence(error)))?;
        match self.answers.given(disposition) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Refused("The alert is no longer on this unit; answer it at the department.".into()))
            }
            Err(error) => Err(Refused(sentence(error))),
        }
    }
}

impl Window {
    /// A picture has left the unit for a browser: noted once for each person, who may look often.
    pub(super) fn handed_out(&self, record: RecordId, kind: PictureKind, by: &PersonName) {
        let what = match kind {
            PictureKind::Crop => "picture of the plate of an alert",
            PictureKind::Scene => "picture of the scene of an alert",
        };
        let mut known = self.handed_out.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == HANDED_OUT_MOST {
            known.clear();
        }
        if known.insert((by.clone(), record, what)) {
            let event = Event::Disseminated {
                what: what.to_owned(),
                to: by.to_string(),
                records: 1,
                reason: "shown at the console".to_owned(),
                record: Some(record),
                sha256: None,
            };
            self.audit.note(Who::Person(by.clone()), event);
        }
    }
}

fn alert_view(posted: Posted) -> AlertView {
    AlertView {
        has_crop: posted.crop.is_some(),
        has_scene: posted.scene.is_some(),
        verified: posted.disposition.map(|disposition| Verified {
            what: Verification {
                characters_match: disposition.verified.characters,
                state_matches: disposition.verified.state,
                status_verified: disposition.verified.status,
                verdict: verdict_view(disposition.verdict),
            },
            by: disposition.by,
            at: disposition.at,
        }),
        alert: posted.alert,
    }
}

fn verdict(verdict: Verdict) -> alert::Verdict {
    match verdict {
        Verdict::CorrectRead => alert::Verdict::CorrectRead,
        Verdict::WrongState => alert::Verdict::WrongState,
        Verdict::IncorrectRead => alert::Verdict::IncorrectRead,
        Verdict::Dismissed => alert::Verdict::Dismissed,
    }
}

fn verdict_view(verdict: alert::Verdict) -> Verdict {
    match verdict {
        alert::Verdict::CorrectRead => Verdict::CorrectRead,
        alert::Verdict::WrongState => Verdict::WrongState,
        alert::Verdict::IncorrectRead => Verdict::IncorrectRead,
        alert::Verdict::Dismissed => Verdict::Dismissed,
    }
}

//! Its alerts, and the one that it has stored.

use super::*;

impl Alerting for Twin {
    fn alerts(&self, limit: usize) -> Vec<AlertView> {
        lock(&self.alerts).iter().take(limit).cloned().collect()
    }

    fn alert(&self, id: RecordId) -> Option<AlertView> {
        lock(&self.alerts).iter().find(|view| view.alert.id == id).cloned()
    }

    fn alert_picture(&self, id: RecordId, kind: PictureKind, _: &PersonName) -> Option<Vec<u8>> {
        let view = self.alert(id)?;
        Some(match kind {
            PictureKind::Crop => crop(view.alert.text.as_str()),
            PictureKind::Scene => picture(7).jpeg.to_vec(),
        })
    }

    fn newest_alert(&self) -> watch::Receiver<Option<RecordId>> {
        self.newest.subscribe()
    }

    fn verify_alert(&self, id: RecordId, what: Verification, by: &PersonName) -> Result<(), Refused> {
        let mut alerts = lock(&self.alerts);
        let view = alerts.iter_mut().find(|view| view.alert.id == id).ok_or(Refused("gone".into()))?;
        view.verified = Some(Verified { by: by.clone(), at: NOW, what });
        Ok(())
    }
}

impl Storing for Twin {
    fn records(&self) -> Records {
        let stock = |kind: &str, waiting| Stock { kind: kind.into(), waiting };
        Records {
            stock: vec![stock("alerts", 0), stock("pictures", 2), stock("reads", 311)],
            lost: vec![],
            disk_used_bytes: 412_000_000,
            disk_free_bytes: 27_600_000_000,
            delivered: 18_204,
            purged: [("received", 17_950), ("expired", 254)]
                .map(|(reason, count)| Counted { reason: reason.into(), count })
                .into(),
            purges: vec![Purge {
                certificate: RecordId::new(),
                at: before(50),
                reason: "received".into(),
                policy: "massachusetts-model".into(),
                records: 31,
                sha256: "5f".repeat(32),
                waiting: true,
            }],
            alerts: vec![StoredAlert { record: self.stored, critical: true, captured: before(340) }],
        }
    }

    fn stored_alert(&self, record: RecordId) -> Option<AlertView> {
        (record == self.stored).then(|| amber("MRG7712", 340))
    }

    fn stored_picture(&self, record: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>> {
        let alert = lock(&self.alerts)[1].alert.id;
        (record == self.stored).then(|| self.alert_picture(alert, kind, by))?
    }
}

pub fn stolen(plate: &str, seconds_ago: i64) -> AlertView {
    let entry = json!({
        "plate": plate.replace('8', "B"), "state": "ma", "category": "stolen",
        "reason": "Taken from Elm Street, grey Honda Accord", "authority": "Elmwood Police", "case": "26-4471",
        "instructions": "Approach with caution. Confirm by radio before any stop.",
    });
    alert(plate, seconds_ago, &[0], "high", "possible", "look-alike", 0.41, entry)
}

pub fn amber(plate: &str, seconds_ago: i64) -> AlertView {
    let entry = json!({
        "plate": plate, "state": "ma", "category": "amber", "reason": "Child, 6, with a man of 40; white van",
        "authority": "State Police",
    });
    alert(plate, seconds_ago, &[], "critical", "full", "exact", 0.98, entry)
}

#[allow(clippy::too_many_arguments)]
pub(super) fn alert(
    plate: &str,
    seconds_ago: i64,
    doubtful: &[u8],
    level: &str,
    hit: &str,
    kind: &str,
    probability: f64,
    entry: serde_json::Value,
) -> AlertView {
    let alert: Alert = serde_json::from_value(json!({
        "id": RecordId::new(), "revision": 1, "unit": "barrel-7", "camera": "north", "seen": before(seconds_ago),
        "read": RecordId::new(), "text": plate, "confidence": probability, "doubtful": doubtful,
        "state": "ma", "state_confidence": 0.93, "lane": "2", "direction": "receding", "level": level, "hit": hit,
        "matched": {
            "entry": entry, "kind": kind, "probability": probability, "read_as": plate, "state": "equal",
            "list": {"list": "state-stolen", "version": 2107, "issued": before(11_700)},
        },
        "list_age_s": 11_660,
        "notice": "Not a ground for a stop by itself: compare characters and state, and verify the status.",
    }))
    .unwrap();
    AlertView { alert, has_crop: true, has_scene: true, verified: None }
}

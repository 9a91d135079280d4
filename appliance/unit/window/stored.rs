//! What the unit still holds of its records, and alerts as they lie there until the server has them.

use serde::Deserialize;

use super::{Window, logbook};
use crate::alert::Alert;
use crate::console::{AlertView, Counted, PictureKind, Records as RecordsView, Stock, StoredAlert, Storing};
use crate::record::{Kind, Records};
use crate::words::{PersonName, RecordId};

/// As many as a person looks through.
const PURGES_SHOWN: usize = 20;
const ALERTS_SHOWN: usize = 50;

impl Storing for Window {
    fn records(&self) -> RecordsView {
        let counts = self.records.counts();
        let free = self.report().and_then(|report| report.device.disk_free_mb).unwrap_or(0);
        let stock = |kind: &Kind| Stock {
            kind: plural(*kind).to_owned(),
            waiting: counts.held.get(kind).copied().unwrap_or(0),
        };
        RecordsView {
            stock: Kind::ALL.iter().filter(|kind| kind.is_counted()).map(stock).collect(),
            delivered: counts.received,
            purged: counts.purged.iter().map(tally).collect(),
            purges: logbook::purges(&self.audit, &self.records, PURGES_SHOWN),
            alerts: alerts(&self.records, ALERTS_SHOWN),
            lost: counts.lost.iter().map(tally).collect(),
            disk_used_bytes: counts.bytes,
            disk_free_bytes: free * 1_000_000,
        }
    }

    fn stored_alert(&self, record: RecordId) -> Option<AlertView> {
        alert(&self.records, record).map(|stored| stored.view)
    }

    fn stored_picture(&self, record: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>> {
        let jpeg = picture(&self.records, record, kind)?;
        self.handed_out(record, kind, by);
        Some(jpeg)
    }
}

/// A stored alert with the names of its pictures.
struct Stored {
    view: AlertView,
    pictures: Vec<Reference>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    alert: Alert,
    pictures: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    id: RecordId,
    kind: PictureKind,
}

/// What is stored, newest first, without its content.
fn alerts(records: &Records, limit: usize) -> Vec<StoredAlert> {
    let held = |kind| records.held_of(kind, true, limit).into_iter().map(move |id| (id, kind));
    let all = [Kind::AmberAlert, Kind::CriticalAlert, Kind::Alert].into_iter().flat_map(held);
    let view = |(record, kind): (RecordId, Kind)| {
        // Purged meanwhile, or damaged, which the store tells of itself.
        let captured = records.fetch(record).ok()?.head.captured;
        Some(StoredAlert { record, critical: kind != Kind::Alert, captured })
    };
    let mut alerts: Vec<StoredAlert> = all.filter_map(view).collect();
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.captured));
    alerts.truncate(limit);
    alerts
}

fn alert(records: &Records, record: RecordId) -> Option<Stored> {
    let fetched = records.fetch(record).ok()?;
    matches!(fetched.head.kind, Kind::AmberAlert | Kind::CriticalAlert | Kind::Alert).then_some(())?;
    let Body { alert, pictures } = serde_json::from_slice(&fetched.body).ok()?;
    let has = |kind| pictures.iter().any(|picture| picture.kind == kind);
    let (has_crop, has_scene) = (has(PictureKind::Crop), has(PictureKind::Scene));
    Some(Stored { view: AlertView { alert, has_crop, has_scene, verified: None }, pictures })
}

fn picture(records: &Records, record: RecordId, kind: PictureKind) -> Option<Vec<u8>> {
    let stored = alert(records, record)?;
    let picture = stored.pictures.iter().find(|picture| picture.kind == kind)?;
    records.fetch(picture.id).ok().map(|fetched| fetched.body)
}

fn tally((reason, count): (&impl std::fmt::Display, &u64)) -> Counted {
    Counted { reason: reason.to_string(), count: *count }
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::AmberAlert => "AMBER alerts",
        Kind::CriticalAlert => "alerts of the highest level",
        Kind::Alert => "alerts",
        Kind::Picture => "pictures",
        Kind::Disposition => "answers to alerts",
        Kind::ManualEntry => "steps of manual entries",
        Kind::Health => "changes of health",
        Kind::Audit => "batches of the audit log",
        Kind::Certificate => "purge certificates",
        Kind::Read => "reads",
        Kind::Canary => "canaries",
    }
}

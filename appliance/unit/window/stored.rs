//! Alerts as they lie in the store until the server has them.

use serde::Deserialize;

use crate::alert::Alert;
use crate::console::{AlertView, PictureKind, StoredAlert};
use crate::record::{Kind, Records};
use crate::words::RecordId;

/// A stored alert with the names of its pictures.
pub struct Stored {
    pub view: AlertView,
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
pub fn alerts(records: &Records, limit: usize) -> Vec<StoredAlert> {
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

pub fn alert(records: &Records, record: RecordId) -> Option<Stored> {
    let fetched = records.fetch(record).ok()?;
    matches!(fetched.head.kind, Kind::AmberAlert | Kind::CriticalAlert | Kind::Alert).then_some(())?;
    let Body { alert, pictures } = serde_json::from_slice(&fetched.body).ok()?;
    let has = |kind| pictures.iter().any(|picture| picture.kind == kind);
    let (has_crop, has_scene) = (has(PictureKind::Crop), has(PictureKind::Scene));
    Some(Stored { view: AlertView { alert, has_crop, has_scene, verified: None }, pictures })
}

pub fn picture(records: &Records, record: RecordId, kind: PictureKind) -> Option<Vec<u8>> {
    let stored = alert(records, record)?;
    let picture = stored.pictures.iter().find(|picture| picture.kind == kind)?;
    records.fetch(picture.id).ok().map(|fetched| fetched.body)
}

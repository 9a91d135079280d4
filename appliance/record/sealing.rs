use super::index::{Entry, State};
use super::kind::{Head, NewRecord};
use super::recovery::decis;
use super::slot::{Extent, Slot};
use super::writer::Sealed;
use crate::crypto::{Digest, SealKey, random};

/// Gives a record a key of its own and encrypts its body with it, bound to its id.
pub(super) fn seal(record: NewRecord) -> Sealed {
    let key = random();
    let body = SealKey::new(key).seal(record.id.as_bytes(), &record.body);
    let head = Head {
        id: record.id,
        kind: record.kind,
        hit: record.hit,
        belongs_to: record.belongs_to,
        captured: record.captured.wall,
        clock_trusted: record.clock_trusted,
        sha256: Digest::of(&record.body),
    };
    let slot = Slot { key, head, extent: Extent::default() };
    Sealed { slot, born: decis(record.captured.uptime), body }
}

/// None if it is not what was sealed.
pub(super) fn open_body(slot: &Slot, sealed: &[u8]) -> Option<Vec<u8>> {
    let body = SealKey::new(slot.key).open(slot.head.id.as_bytes(), sealed).ok()?;
    (Digest::of(&body) == slot.head.sha256).then_some(body)
}

pub(super) fn entry_of(sealed: &Sealed, extent: Extent, state: State) -> Entry {
    let Head { id, kind, hit, .. } = sealed.slot.head;
    let length = extent.length;
    Entry { id, born: sealed.born, length, pack: extent.pack, kind, hit, state }
}

use jiff::Timestamp;

use super::kind::{Class, Head, Kind, Shelf};
use crate::crypto::{Digest, SealKey};
use crate::words::RecordId;

/// Bytes of a key slot on the disk.
pub(super) const SLOT: usize = 160;

/// Begins a slot that is in use; the digit is the version of the format.
const MARK: [u8; 4] = *b"MPS1";

const PLAIN: usize = 128;

/// Where a slot lies. It is part of what the slot is sealed with, so no slot can be moved to another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub shelf: Shelf,
    pub segment: u32,
    pub slot: u16,
}

/// Where a sealed body lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    /// The number of the pack that holds it; 0: the bodies of the slot's own segment.
    pub pack: u32,
    pub offset: u32,
    pub length: u32,
}

/// All that is known of a record but its body, and the key that opens the body.
#[derive(Clone)]
pub(super) struct Slot {
    pub key: [u8; 32],
    pub head: Head,
    pub extent: Extent,
}

/// What stands in a slot of the disk.
pub(super) enum Found {
    /// Never used, or destroyed.
    Empty,
    InUse(Box<Slot>),
    /// Torn while it was written or destroyed, or damaged since: its key is gone either way.
    Unreadable,
}

impl Slot {
    pub fn class(&self) -> Class {
        Class::of(self.head.kind, self.head.hit)
    }

    pub fn seal(&self, key: &SealKey, place: Place) -> [u8; SLOT] {
        let mut plain = [0; PLAIN];
        let head = &self.head;
        let flags = u8::from(head.hit) | u8::from(head.clock_trusted) << 1;
        let parts: [&[u8]; 10] = [
            &self.key,
            head.id.as_bytes(),
            head.belongs_to.as_ref().map_or([0; 16].as_slice(), |owner| owner.as_bytes()),
            head.sha256.as_bytes(),
            &head.captured.as_microsecond().to_le_bytes(),
            &self.extent.pack.to_le_bytes(),
            &self.extent.offset.to_le_bytes(),
            &self.extent.length.to_le_bytes(),
            &[head.kind.code()],
            &[flags],
        ];
        let mut end = 0;
        for part in parts {
            plain[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        let mut slot = [0; SLOT];
        slot[..MARK.len()].copy_from_slice(&MARK);
        slot[MARK.len()..].copy_from_slice(&key.seal(&place.context(), &plain));
        slot
    }

    pub fn find(bytes: &[u8], key: &SealKey, place: Place) -> Found {
        if bytes.iter().all(|&byte| byte == 0) {
            return Found::Empty;
        }
        let plain = bytes.strip_prefix(&MARK).and_then(|sealed| key.open(&place.context(), sealed).ok());
        match plain.and_then(|plain| Self::parse(&plain)) {
            Some(slot) => Found::InUse(Box::new(slot)),
            None => Found::Unreadable,
        }
    }

    fn parse(plain: &[u8]) -> Option<Self> {
        let mut rest = plain;
        let key = take(&mut rest)?;
        let id = RecordId::from_bytes(take(&mut rest)?);
        let owner: [u8; 16] = take(&mut rest)?;
        let sha256 = Digest::from_bytes(take(&mut rest)?);
        let captured = Timestamp::from_microsecond(i64::from_le_bytes(take(&mut rest)?)).ok()?;
        let extent = Extent {
            pack: u32::from_le_bytes(take(&mut rest)?),
            offset: u32::from_le_bytes(take(&mut rest)?),
            length: u32::from_le_bytes(take(&mut rest)?),
        };
        let [kind, flags] = take(&mut rest)?;
        let head = Head {
            id,
            kind: Kind::from_code(kind)?,
            hit: flags & 1 != 0,
            belongs_to: (owner != [0; 16]).then(|| RecordId::from_bytes(owner)),
            captured,
            clock_trusted: flags & 2 != 0,
            sha256,
        };
        Some(Self { key, head, extent })
    }
}

impl Place {
    fn context(&self) -> Vec<u8> {
        format!("{}-{:08}/{}", self.shelf.name(), self.segment, self.slot).into_bytes()
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::UnitKey;

    #[test]
    fn a_slot_opens_only_in_its_own_place() {
        let key = UnitKey::generate().derive("record keys");
        let head = Head {
            id: RecordId::new(),
            kind: Kind::Picture,
            hit: true,
            belongs_to: Some(RecordId::new()),
            captured: Timestamp::from_second(1_772_000_000).unwrap(),
            clock_trusted: true,
            sha256: Digest::of(b"body"),
        };
        let extent = Extent { pack: 3, offset: 4, length: 5 };
        let slot = Slot { key: [7; 32], head: head.clone(), extent };
        let place = Place { shelf: Shelf::Kept, segment: 1, slot: 2 };
        let bytes = slot.seal(&key, place);

        let Found::InUse(found) = Slot::find(&bytes, &key, place) else { panic!("it was just sealed") };
        assert_eq!((found.key, found.head, found.extent), ([7; 32], head, extent));
        let elsewhere = Place { slot: 3, ..place };
        assert!(matches!(Slot::find(&bytes, &key, elsewhere), Found::Unreadable));
        assert!(matches!(Slot::find(&bytes[..SLOT - 1], &key, place), Found::Unreadable));
        assert!(matches!(Slot::find(&[0; SLOT], &key, place), Found::Empty));
    }
}

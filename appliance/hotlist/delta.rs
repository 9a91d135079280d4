//! The signed step from one version of a list to the next.
//!
//! A short one is a signed envelope and nothing else. A long one carries its changes behind the envelope,
//! compressed: `ENVELOPE LF ZSTD`, where the signed payload names the SHA-256 of the zstd data. So a unit verifies
//! first and unpacks then, as with a snapshot's chunks.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::chunk;
use super::entry::Entry;
use super::listed::Listed;
use super::message::{ENTRIES_MAX, check_dates, check_identity, check_length};
use super::refusal::{ChunkError, Refusal};
use crate::crypto::{Digest, KeyId, Signed, SigningKey, VerifyingKey};
use crate::words::{ListName, State};

const PURPOSE: &str = "hotlist delta";

/// From so many bytes on the changes travel compressed. Shorter ones stay as text, which any tool shows.
const PACK_FROM: usize = 16 << 10;
/// A delta is packed once and sent to every unit over links that are paid by the byte; this level takes 1.5 s for
/// 20,000 changes and leaves a fifth less than the level of the chunks.
const PACK_LEVEL: i32 = 19;

/// The step from one version to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delta {
    pub list: ListName,
    pub base: u64,
    pub version: u64,
    pub issued: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Entries in the list once this is applied.
    pub count: u64,
    /// Taken out first.
    pub remove: Vec<Removal>,
    pub add: Vec<Entry>,
}

/// Takes out every entry that lists this plate with this state (or, without one, for any state).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Removal {
    pub plate: Listed,
    /// Absent: every entry with this plate that is listed for any state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

impl Removal {
    pub fn of(entry: &Entry) -> Self {
        Self { plate: entry.plate, state: entry.state }
    }
}

/// The payload that is signed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Letter {
    list: ListName,
    /// The version that it starts from: a unit that holds another waits.
    base: u64,
    /// As in the topic; higher than `base`.
    version: u64,
    /// The list's own date from then on. At most a day ahead of the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    issued: Timestamp,
    /// From then on the list is called out of date. It still matches, and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    expires: Option<Timestamp>,
    /// Entries in the list once this is applied; 5,000,000 at most.
    count: u64,
    /// Taken out first. One that takes out nothing refuses the delta.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<Removal>,
    /// Put in after that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    add: Vec<Entry>,
    /// SHA-256 of what follows the envelope: [`Changes`] as JSON, compressed with zstd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<Digest>,
}

/// What a long delta carries behind its envelope; empty ones may be left out.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Taken out first.
    remove: Vec<Removal>,
    /// Put in after that.
    add: Vec<Entry>,
}

impl Delta {
    /// As [`super::Manifest::open`]; `version` is the one that its topic names.
    pub fn open(
        payload: &[u8],
        list: &ListName,
        version: u64,
        trusted: &[VerifyingKey],
        now: Timestamp,
    ) -> Result<(Self, KeyId), Refusal> {
        check_length(payload)?;
        let (envelope, behind) = split(payload);
        let (letter, by): (Letter, KeyId) = Signed::verify(envelope, PURPOSE, trusted)?;
        check_identity(&letter.list, list)?;
        check_dates(letter.issued, letter.expires, now)?;
        if letter.version != version || letter.base >= letter.version {
            return Err(Refusal::Versions { base: letter.base, version: letter.version });
        }
        if letter.count > ENTRIES_MAX {
            return Err(Refusal::TooLarge { count: letter.count, chunks: 0 });
        }
        Ok((letter.with(behind)?, by))
    }

    pub fn sign(&self, keys: &[&SigningKey]) -> Vec<u8> {
        let Self { list, base, version, issued, expires, count, remove, add } = self.clone();
        let changes = Changes { remove, add };
        let text = changes.to_json();
        let letter = |Changes { remove, add }, changes| {
            let letter = Letter { list, base, version, issued, expires, count, remove, add, changes };
            Signed::new(PURPOSE, &letter, keys).to_json()
        };
        if text.len() < PACK_FROM {
            return letter(changes, None);
        }
        let packed =
            zstd::bulk::compress(&text, PACK_LEVEL).expect("compressing memory to memory cannot fail");
        let envelope = letter(Changes::default(), Some(Digest::of(&packed)));
        [&envelope, b"\n".as_slice(), &packed].concat()
    }
}

impl Letter {
    /// The delta, with what stands behind the envelope if the letter names it.
    fn with(self, behind: &[u8]) -> Result<Delta, Refusal> {
        let Self { list, base, version, issued, expires, count, remove, add, changes } = self;
        let here = Changes { remove, add };
        let Changes { remove, add } = match changes {
            None if behind.trim_ascii().is_empty() => here,
            Some(digest) if here.is_empty() && Digest::of(behind) == digest => Changes::unpack(behind)?,
            _ => return Err(Refusal::Changes),
        };
        Ok(Delta { list, base, version, issued, expires, count, remove, add })
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }

    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("changes are plain data with string keys")
    }

    fn unpack(packed: &[u8]) -> Result<Self, ChunkError> {
        let text = chunk::decompress(packed)?;
        serde_json::from_slice(&text).map_err(|error| chunk::wrong(error.line(), &error))
    }
}

/// The envelope, which is one JSON value, and what stands behind it and its line feed.
fn split(payload: &[u8]) -> (&[u8], &[u8]) {
    let mut values = serde_json::Deserializer::from_slice(payload).into_iter::<IgnoredAny>();
    let end = match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        // Whoever opens the envelope says what is wrong with it.
        _ => payload.len(),
    };
    let (envelope, behind) = payload.split_at(end);
    (envelope, behind.strip_prefix(b"\n").unwrap_or(behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hotlist::{Category, Manifest};

    fn list() -> ListName {
        ListName::parse("state").unwrap()
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn delta(changes: usize) -> Delta {
        let entry = |n: usize| Entry::new(Listed::parse(&format!("ABC{n:05}")).unwrap(), Category::Stolen);
        Delta {
            list: list(),
            base: 7,
            version: 8,
            issued: now(),
            expires: None,
            count: 1,
            remove: (0..changes).map(|n| Removal::of(&entry(n))).collect(),
            add: (0..changes).map(entry).collect(),
        }
    }

    fn open(payload: &[u8], version: u64, key: &SigningKey) -> Result<Delta, Refusal> {
        Delta::open(payload, &list(), version, &[key.verifying_key()], now()).map(|(delta, _)| delta)
    }

    #[test]
    fn it_must_be_what_its_topic_says_and_lead_upwards() {
        let key = SigningKey::generate();
        let delta = delta(0);
        let open = |delta: &Delta, version| open(&delta.sign(&[&key]), version, &key);
        assert_eq!(open(&delta, 8).unwrap(), delta);
        assert!(matches!(open(&delta, 9), Err(Refusal::Versions { .. })));
        assert!(matches!(open(&Delta { base: 8, ..delta.clone() }, 8), Err(Refusal::Versions { .. })));
        let as_manifest = Manifest::open(&delta.sign(&[&key]), &list(), &[key.verifying_key()], now());
        assert!(matches!(as_manifest, Err(Refusal::Signature(_))), "signed for another purpose");
    }

    #[test]
    fn a_short_one_is_text_and_a_long_one_is_packed() {
        let key = SigningKey::generate();
        let (short, long) = (delta(3), delta(5000));
        let text = short.sign(&[&key]);
        assert!(std::str::from_utf8(&text).unwrap().contains("ABC00002"));
        assert_eq!(open(&text, 8, &key).unwrap(), short);
        let packed = long.sign(&[&key]);
        assert!(packed.len() < 20_000, "{} bytes for 10,000 changes", packed.len());
        assert_eq!(open(&packed, 8, &key).unwrap(), long);
        let spaced = [text.as_slice(), b"\n"].concat();
        assert_eq!(open(&spaced, 8, &key).unwrap(), short, "a line feed at the end is nothing");
    }

    /// As publishers wrote every delta before long ones were packed.
    #[test]
    fn a_long_one_may_also_be_text() {
        let key = SigningKey::generate();
        let long = delta(1000);
        assert_eq!(open(&Signed::new(PURPOSE, &long, &[&key]).to_json(), 8, &key).unwrap(), long);
    }

    #[test]
    fn nothing_is_unpacked_that_was_not_signed() {
        let key = SigningKey::generate();
        let packed = delta(5000).sign(&[&key]);
        let end = packed.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        let with = |behind: &[u8]| open(&[&packed[..end], behind].concat(), 8, &key);
        assert!(matches!(with(&packed[end..packed.len() - 1]), Err(Refusal::Changes)), "cut");
        assert!(matches!(with(b""), Err(Refusal::Changes)), "taken away");
        let other = zstd::bulk::compress(b"{}", 3).unwrap();
        assert!(matches!(with(&other), Err(Refusal::Changes)), "swapped");
        let text = delta(3).sign(&[&key]);
        let added = [&text, b"\n".as_slice(), &other].concat();
        assert!(matches!(open(&added, 8, &key), Err(Refusal::Changes)), "added");
        assert!(matches!(open(&[&text[..], b"x"].concat(), 8, &key), Err(Refusal::Changes)));
    }

    #[test]
    fn a_signed_bomb_is_refused_before_it_fills_memory() {
        let key = SigningKey::generate();
        let bomb = zstd::bulk::compress(&vec![b' '; 200 << 20], 1).unwrap();
        let Delta { list, base, version, issued, expires, count, remove, add } = delta(0);
        let changes = Some(Digest::of(&bomb));
        let letter = Letter { list, base, version, issued, expires, count, remove, add, changes };
        let envelope = Signed::new(PURPOSE, &letter, &[&key]).to_json();
        let refused = open(&[&envelope, b"\n".as_slice(), &bomb].concat(), 8, &key);
        assert!(matches!(refused, Err(Refusal::ChangesContent(ChunkError::Bomb(_)))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let key = SigningKey::generate();
            prop_assert!(open(&bytes, 1, &key).is_err());
        }
    }
}

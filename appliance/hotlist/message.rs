//! What travels: topics and the signed manifest of a snapshot; the signed delta is in `delta`.
//!
//! Everything here is a plain function from bytes to a checked value or a [`Refusal`], so that it can be
//! fuzzed. Another program writes the same from `config/messages.md`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::crypto::{Digest, KeyId, Signed, SigningKey, VerifyingKey};
use crate::words::ListName;

/// No message about a list may be longer, chunks included.
pub const MESSAGE_MAX: usize = 1 << 20;
/// No list may hold more. Five times what the largest state lists, and a bound for memory and disk.
pub const ENTRIES_MAX: u64 = 5_000_000;
/// Keeps the manifest under [`MESSAGE_MAX`].
const CHUNKS_MAX: usize = 8192;
/// How far ahead of the unit's clock a list may be dated.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

const ROOT: &str = "milepost/v1/lists";
const MANIFEST_PURPOSE: &str = "hotlist manifest";

/// A topic under which a list travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    Manifest(ListName),
    Chunk { list: ListName, version: u64, index: u32 },
    Delta { list: ListName, version: u64 },
}

impl Topic {
    pub fn parse(topic: &str) -> Option<Self> {
        let mut parts = topic.strip_prefix(ROOT)?.strip_prefix('/')?.split('/');
        let list = ListName::parse(parts.next()?).ok()?;
        let parsed = match (parts.next()?, parts.next(), parts.next()) {
            ("manifest", None, None) => Self::Manifest(list),
            ("deltas", Some(version), None) => Self::Delta { list, version: number(version)? },
            ("chunks", Some(version), Some(index)) => {
                Self::Chunk { list, version: number(version)?, index: number(index)?.try_into().ok()? }
            }
            _ => return None,
        };
        parts.next().is_none().then_some(parsed)
    }

    pub fn list(&self) -> &ListName {
        match self {
            Self::Manifest(list) | Self::Chunk { list, .. } | Self::Delta { list, .. } => list,
        }
    }

    /// The filter for all deltas of a list.
    pub fn all_deltas(list: &ListName) -> String {
        format!("{ROOT}/{list}/deltas/+")
    }

    /// The filter for all chunks of one edition.
    pub fn all_chunks(list: &ListName, version: u64) -> String {
        format!("{ROOT}/{list}/chunks/{version}/+")
    }
}

/// Digits only, so that one topic has one spelling: `+7` and `007` are not numbers here.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Manifest(list) => write!(f, "{ROOT}/{list}/manifest"),
            Self::Chunk { list, version, index } => write!(f, "{ROOT}/{list}/chunks/{version}/{index}"),
            Self::Delta { list, version } => write!(f, "{ROOT}/{list}/deltas/{version}"),
        }
    }
}

/// The digest of an edition: SHA-256 over its chunks' digests, 32 bytes each, in order.
pub fn digest_of_chunks(chunks: &[Digest]) -> Digest {
    Digest::of(&chunks.iter().flat_map(|digest| *digest.as_bytes()).collect::<Vec<u8>>())
}

/// Announces a snapshot: what its chunks must be, all told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub list: ListName,
    /// From 1 on; it only rises. Seconds since 1970 do well.
    pub version: u64,
    /// The oldest version from which published deltas lead to this one: a unit that holds it, or a newer
    /// one, waits a little for them before it fetches the chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// The list's own date; its age counts from here.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub issued: Timestamp,
    /// From then on the publisher calls the list out of date. It still matches, and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub expires: Option<Timestamp>,
    /// Entries in all chunks together.
    pub count: u64,
    pub digest: Digest,
    /// SHA-256 of each chunk as it travels (compressed), in order.
    pub chunks: Vec<Digest>,
}

impl Manifest {
    /// Checks the signature, then everything that the manifest alone can tell.
    pub fn open(
        payload: &[u8],
        list: &ListName,
        trusted: &[VerifyingKey],
        now: Timestamp,
    ) -> Result<(Self, KeyId), Refusal> {
        check_length(payload)?;
        let (manifest, by): (Self, KeyId) = Signed::verify(payload, MANIFEST_PURPOSE, trusted)?;
        check_identity(&manifest.list, list)?;
        check_dates(manifest.issued, manifest.expires, now)?;
        if manifest.version == 0 || manifest.base.is_some_and(|base| base >= manifest.version) {
            return Err(Refusal::Versions { base: manifest.base.unwrap_or(0), version: manifest.version });
        }
        if manifest.count > ENTRIES_MAX || manifest.chunks.len() > CHUNKS_MAX {
            return Err(Refusal::TooLarge { count: manifest.count, chunks: manifest.chunks.len() });
        }
        if digest_of_chunks(&manifest.chunks) != manifest.digest {
            return Err(Refusal::Digest);
        }
        Ok((manifest, by))
    }

    pub fn sign(&self, keys: &[&SigningKey]) -> Vec<u8> {
        Signed::new(MANIFEST_PURPOSE, self, keys).to_json()
    }
}

pub(super) fn check_length(payload: &[u8]) -> Result<(), Refusal> {
    if payload.len() > MESSAGE_MAX { Err(Refusal::MessageTooLong(payload.len())) } else { Ok(()) }
}

pub(super) fn check_identity(named: &ListName, topic: &ListName) -> Result<(), Refusal> {
    if named == topic { Ok(()) } else { Err(Refusal::OtherList(named.clone())) }
}

pub(super) fn check_dates(
    issued: Timestamp,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if expires.is_some_and(|expires| expires <= issued) {
        return Err(Refusal::ExpiresBeforeIssue);
    }
    if issued.duration_since(now) > AHEAD_MAX {
        return Err(Refusal::FromTheFuture { issued, now });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list() -> ListName {
        ListName::parse("state").unwrap()
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn manifest() -> Manifest {
        let chunks = vec![Digest::of(b"one"), Digest::of(b"two")];
        Manifest {
            list: list(),
            version: 7,
            base: None,
            issued: now(),
            expires: None,
            count: 2,
            digest: digest_of_chunks(&chunks),
            chunks,
        }
    }

    fn open(manifest: &Manifest) -> Result<(Manifest, KeyId), Refusal> {
        let key = SigningKey::generate();
        Manifest::open(&manifest.sign(&[&key]), &list(), &[key.verifying_key()], now())
    }

    #[test]
    fn opens_what_it_signed() {
        assert_eq!(open(&manifest()).unwrap().0, manifest());
    }

    #[test]
    fn refuses_each_contradiction_by_name() {
        let later = now() + SignedDuration::from_hours(25);
        let earlier = now() - SignedDuration::from_hours(1);
        let cases = [
            (Manifest { list: ListName::parse("other").unwrap(), ..manifest() }, "list other"),
            (Manifest { version: 0, ..manifest() }, "do not rise"),
            (Manifest { base: Some(7), ..manifest() }, "do not rise"),
            (Manifest { issued: later, ..manifest() }, "ahead of this unit's clock"),
            (Manifest { expires: Some(earlier), ..manifest() }, "expires before"),
            (Manifest { count: u64::MAX, ..manifest() }, "more than a list may hold"),
            (Manifest { digest: Digest::of(b"else"), ..manifest() }, "digest"),
        ];
        for (manifest, said) in cases {
            let refusal = open(&manifest).unwrap_err().to_string();
            assert!(refusal.contains(said), "{refusal}");
        }
    }

    #[test]
    fn topics_have_one_spelling() {
        for topic in [
            Topic::Manifest(list()),
            Topic::Chunk { list: list(), version: 3, index: 0 },
            Topic::Delta { list: list(), version: 4 },
        ] {
            assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }
        for wrong in [
            "milepost/v1/lists",
            "milepost/v1/lists/state",
            "milepost/v1/lists/state/manifest/x",
            "milepost/v1/lists/state/chunks/3",
            "milepost/v1/lists/state/chunks/03/1",
            "milepost/v1/lists/state/chunks/3/+1",
            "milepost/v1/lists/state/chunks/3/99999999999",
            "milepost/v1/lists/state/deltas/",
            "milepost/v1/lists/St\u{e4}te/manifest",
        ] {
            assert_eq!(Topic::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), topic in ".{0,80}") {
            let key = SigningKey::generate().verifying_key();
            prop_assert!(Manifest::open(&bytes, &list(), &[key], now()).is_err());
            Topic::parse(&topic);
        }
    }
}

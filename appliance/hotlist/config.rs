use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

use super::manual_message::Signatory;
use crate::crypto::{VerifyingKey, one_key_each};
use crate::words::{ListName, Probability};

/// The list of manual entries goes by this name, so no pushed list may.
pub const MANUAL_LIST: &str = "manual";

/// `[hotlist]` in milepost.toml.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[[hotlist.lists]]`: the lists that this unit takes, each with the keys that may sign it.
    /// Default: none. Add one for each authority (state, county, department).
    #[serde(deserialize_with = "lists_with_one_name_each")]
    pub lists: Vec<List>,
    /// `[[hotlist.people]]`: who may ask for or approve manual entries by signed message. Default: nobody; the
    /// console's officers and administrators always may.
    #[serde(deserialize_with = "one_key_each")]
    pub people: Vec<Signatory>,
    /// `[hotlist.matching]`
    pub matching: Matching,
    /// Past this age, by the list's own date, health warns. Default: 12, since federal extracts come twice a
    /// day. Raise it for a list that is published less often.
    pub warn_age_h: u32,
    /// Past this age health reports a fault; matching never stops for age. Default: 24.
    pub fault_age_h: u32,
    /// How long to wait for deltas that lead to a newer edition before its chunks are fetched. Default: 10.
    /// Raise it on links where messages trickle in; a snapshot costs 20 to 30 MB for a million entries.
    pub catch_up_wait_s: u32,
    /// How long before a manual entry ends people are told, so that it can be extended in time. Default: 4; at most
    /// 720, as long as an entry may be in force.
    #[serde(deserialize_with = "up_to_thirty_days")]
    pub remind_before_h: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lists: Vec::new(),
            people: Vec::new(),
            matching: Matching::default(),
            warn_age_h: 12,
            fault_age_h: 24,
            catch_up_wait_s: 10,
            remind_before_h: 4,
        }
    }
}

impl Config {
    pub fn catch_up_wait(&self) -> Duration {
        Duration::from_secs(self.catch_up_wait_s.into())
    }

    pub fn remind_before(&self) -> SignedDuration {
        SignedDuration::from_hours(self.remind_before_h.into())
    }
}

/// One list and who may sign it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// As it stands in the list's topics.
    pub name: ListName,
    /// Ed25519 public keys, 44 characters each, as `milepost hotlist keygen` prints them. Give two while a
    /// key is being replaced.
    #[serde(deserialize_with = "at_least_one_key")]
    pub keys: Vec<VerifyingKey>,
}

/// `[hotlist.matching]`: when a read plate and a listed one are held to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// A text that the plate carries with less than this probability is not looked up. Default: 0.05.
    /// Lower finds more vehicles whose plates were hard to read, and more that are not the listed one.
    pub floor: Probability,
    /// How many characters may be taken for one that looks like them (0/O, 1/I, 8/B, ...): 0, 1 or 2.
    /// Default: 1. A second one finds more badly read plates and multiplies matches that are false.
    pub look_alikes: LookAlikes,
    /// A list with more entries than this is matched without look-alikes. Default: 2000000. The larger the
    /// list, the likelier that some other vehicle's plate is one character away.
    pub exact_only_above: u64,
}

impl Default for Matching {
    fn default() -> Self {
        Self { floor: Probability::clamped(0.05), look_alikes: LookAlikes(1), exact_only_above: 2_000_000 }
    }
}

/// 0, 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "u8")]
pub struct LookAlikes(u8);

impl LookAlikes {
    pub const NONE: Self = Self(0);

    pub fn count(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for LookAlikes {
    type Error = String;

    fn try_from(count: u8) -> Result<Self, Self::Error> {
        if count <= 2 {
            Ok(Self(count))
        } else {
            Err(format!("{count} look-alikes are too many: use 0, 1 or 2"))
        }
    }
}

fn up_to_thirty_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let hours = u32::deserialize(deserializer)?;
    if hours > 720 {
        return Err(serde::de::Error::custom(format!(
            "{hours} hours are longer than any entry is in force: at most 720"
        )));
    }
    Ok(hours)
}

fn at_least_one_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<VerifyingKey>, D::Error> {
    let keys = Vec::deserialize(deserializer)?;
    if keys.is_empty() {
        return Err(serde::de::Error::custom("a list needs at least one key that may sign it"));
    }
    Ok(keys)
}

fn lists_with_one_name_each<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<List>, D::Error> {
    let lists: Vec<List> = Vec::deserialize(deserializer)?;
    for (index, list) in lists.iter().enumerate() {
        let name = &list.name;
        if name.as_str() == MANUAL_LIST {
            return Err(serde::de::Error::custom(format!("the name {name} is kept for manual entries")));
        }
        if lists[..index].iter().any(|earlier| earlier.name == *name) {
            return Err(serde::de::Error::custom(format!("the list {name} is given twice")));
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    #[test]
    fn defaults_are_what_the_comments_say() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    }

    #[test]
    fn mistakes_are_named() {
        let key = SigningKey::generate().verifying_key();
        let list = |name: &str| format!("[[lists]]\nname = {name:?}\nkeys = [\"{key}\"]\n");
        let person = |name: &str| format!("[[people]]\nname = {name:?}\nkey = \"{key}\"\n");
        assert_eq!(toml::from_str::<Config>(&list("state")).unwrap().lists.len(), 1);
        assert_eq!(toml::from_str::<Config>(&person("Ann")).unwrap().people.len(), 1);
        for (text, said) in [
            (list("state") + &list("state"), "given twice"),
            (list("manual"), "manual entries"),
            (list("State List"), "not a name"),
            ("[[lists]]\nname = \"a\"\nkeys = []".to_owned(), "at least one key"),
            ("[[lists]]\nname = \"a\"\nkeys = [\"abc\"]".to_owned(), "Ed25519"),
            ("[matching]\nlook_alikes = 3".to_owned(), "0, 1 or 2"),
            ("[matching]\nfloor = 1.5".to_owned(), "probability"),
            ("warn_age = 3".to_owned(), "unknown field"),
            ("remind_before_h = 4294967295".to_owned(), "at most 720"),
            (person("Ann") + &person("Bo"), "given twice"),
        ] {
            let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

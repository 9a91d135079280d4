//! Whether a read vehicle is a listed one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::{LookAlikes, Matching};
use super::entry::{Category, Entry};
use super::listed::Listed;
use super::refusal::StoreError;
use super::texts::{self, Text};
use crate::words::{ListName, Plate, Probability, Reading, State, StateReading};

/// One listed vehicle that a read may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Match {
    pub entry: Entry,
    pub kind: MatchKind,
    /// How likely the vehicle carries the listed plate.
    pub probability: Probability,
    /// The candidate of the read that matched; equals the entry's plate unless a look-alike or pattern.
    pub read_as: Plate,
    pub state: StateAgreement,
    /// How likely the plate is of the entry's state; none if the entry is for any state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_probability: Option<Probability>,
    pub list: ListVersion,
}

/// How the read and the entry agree on the characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MatchKind {
    /// The best candidate is the listed plate.
    Exact,
    /// Another candidate is, or one with characters that are easily mistaken for each other.
    LookAlike,
    /// The entry is a partial plate.
    Pattern,
}

/// How the read and the entry agree on the state of issuance. `Differs` never makes a full hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StateAgreement {
    Equal,
    Differs,
    /// The entry is for any state, or the plate's state could not be read.
    Unknown,
}

impl StateAgreement {
    pub fn of(listed: Option<State>, seen: &StateReading) -> Self {
        match (listed, seen.best()) {
            (Some(listed), Some((read, _))) if read == listed => Self::Equal,
            (Some(_), Some(_)) => Self::Differs,
            _ => Self::Unknown,
        }
    }
}

/// Which edition of which list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListVersion {
    pub list: ListName,
    /// 0 for the list `manual`.
    pub version: u64,
    /// The list's own date: its age counts from here, not from its arrival.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub issued: Timestamp,
}

impl ListVersion {
    /// Zero where the unit's clock is behind the list's.
    pub fn age_s(&self, now: Timestamp) -> u64 {
        now.duration_since(self.issued).as_secs().try_into().unwrap_or(0)
    }
}

/// Where entries are looked up: an edition at rest, the manual entries, or a plain list in a test.
pub trait Lookup {
    fn version(&self) -> &ListVersion;
    fn count(&self) -> u64;
    /// Every entry that lists exactly this plate.
    fn find(&self, plate: &Plate) -> Result<Vec<Entry>, StoreError>;
    fn each_pattern(&self, take: &mut dyn FnMut(&Entry));
}

/// One read, prepared to be held against lists.
pub struct Look<'a> {
    texts: Vec<Text>,
    state: &'a StateReading,
    now: Timestamp,
    matching: Matching,
}

impl<'a> Look<'a> {
    pub fn new(reading: &Reading, state: &'a StateReading, now: Timestamp, matching: Matching) -> Self {
        Self { texts: texts::texts(reading, &matching), state, now, matching }
    }

    /// The same read on another date.
    pub fn on(self, date: Timestamp) -> Self {
        Self { now: date, ..self }
    }

    /// Adds the matches of one list to `matches`.
    pub fn at(&self, list: &impl Lookup, matches: &mut Vec<Match>) -> Result<(), StoreError> {
        let exact_only =
            list.count() > self.matching.exact_only_above || self.matching.look_alikes == LookAlikes::NONE;
        let texts = || self.texts.iter().filter(|text| !exact_only || text.put_in == 0);
        for text in texts() {
            for entry in list.find(&text.plate)? {
                let best = text.plate == self.texts[0].plate;
                let kind = if best { MatchKind::Exact } else { MatchKind::LookAlike };
                matches.extend(self.matched(list, entry, kind, text.probability, text.seen));
            }
        }
        list.each_pattern(&mut |entry| matches.extend(self.pattern(list, entry)));
        Ok(())
    }

    fn pattern(&self, list: &impl Lookup, entry: &Entry) -> Option<Match> {
        let Listed::Pattern(pattern) = entry.plate else { return None };
        // Texts exclude each other, so their probabilities add up; look-alikes would count one twice.
        let fits = |text: &&Text| text.put_in == 0 && pattern.fits(&text.plate);
        let likeliest = self.texts.iter().find(fits)?;
        let sum = self.texts.iter().filter(fits).map(|text| text.probability.value()).sum();
        self.matched(list, entry.clone(), MatchKind::Pattern, Probability::clamped(sum), likeliest.plate)
    }

    fn matched(
        &self,
        list: &impl Lookup,
        entry: Entry,
        kind: MatchKind,
        probability: Probability,
        read_as: Plate,
    ) -> Option<Match> {
        entry.in_force(self.now).then(|| Match {
            kind,
            probability,
            read_as,
            state: StateAgreement::of(entry.state, self.state),
            state_probability: entry.state.map(|state| self.state.probability_of(state)),
            list: list.version().clone(),
            entry,
        })
    }
}

/// Puts what a person must look at first, first: AMBER, then by level, then by how likely it is.
pub fn sort(matches: &mut [Match]) {
    let urgency = |matched: &Match| (matched.entry.category == Category::Amber, matched.entry.level());
    matches.sort_by(|a, b| {
        urgency(b).cmp(&urgency(a)).then(b.probability.value().total_cmp(&a.probability.value()))
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hotlist::Level;
    use crate::words::{ALPHABET, Slot};

    /// A list as anyone would write it first.
    struct Plain {
        version: ListVersion,
        entries: Vec<Entry>,
    }

    impl Lookup for Plain {
        fn version(&self) -> &ListVersion {
            &self.version
        }

        fn count(&self) -> u64 {
            self.entries.len() as u64
        }

        fn find(&self, plate: &Plate) -> Result<Vec<Entry>, StoreError> {
            Ok(self.entries.iter().filter(|entry| entry.plate == Listed::Plate(*plate)).cloned().collect())
        }

        fn each_pattern(&self, take: &mut dyn FnMut(&Entry)) {
            self.entries.iter().filter(|entry| matches!(entry.plate, Listed::Pattern(_))).for_each(take);
        }
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn listed(plate: &str, state: Option<State>) -> Entry {
        Entry { state, ..Entry::new(Listed::parse(plate).unwrap(), Category::Stolen) }
    }

    fn plain(entries: Vec<Entry>) -> Plain {
        let list = ListName::parse("state").unwrap();
        Plain { version: ListVersion { list, version: 1, issued: now() }, entries }
    }

    /// Each position sure of its character up to 3 %.
    fn reading(text: &str) -> Reading {
        let slot = |position: usize| {
            let mut logits = [0.0; 37];
            let seen = text.as_bytes().get(position);
            let index = seen.map_or(36, |seen| ALPHABET.iter().position(|c| c == seen).unwrap());
            logits[index] = (0.97f32 / 0.03 * 36.0).ln();
            Slot::from_logits(&logits)
        };
        Reading::new((0..8).map(slot).collect())
    }

    fn state(seen: Option<State>) -> StateReading {
        let mut logits = [0.0; 52];
        logits[seen.map_or(51, |state| state as usize)] = 8.0;
        StateReading::from_logits(&logits)
    }

    fn look(text: &str, seen: Option<State>, matching: Matching, list: &Plain) -> Vec<Match> {
        let mut matches = Vec::new();
        Look::new(&reading(text), &state(seen), now(), matching).at(list, &mut matches).unwrap();
        matches
    }

    #[test]
    fn exact_look_alike_and_pattern_are_told_apart() {
        let list = plain(vec![listed("ABC120", None), listed("ABC12O", None), listed("?BC1*", None)]);
        let found = look("ABC120", None, Matching::default(), &list);
        let kinds: Vec<_> = found.iter().map(|m| (m.entry.plate.as_str(), m.kind)).collect();
        assert_eq!(
            kinds,
            [("ABC120", MatchKind::Exact), ("ABC12O", MatchKind::LookAlike), ("?BC1*", MatchKind::Pattern)]
        );
        assert!(found.iter().all(|m| m.read_as.as_str() == "ABC120"), "the read is never rewritten");
        assert!(found[0].probability > found[1].probability);
    }

    #[test]
    fn amber_stands_first_then_the_level_then_the_likelier() {
        let of = |category, level| Entry { category, level, ..listed("ABC123", None) };
        let list = plain(vec![
            of(Category::Stolen, None),
            of(Category::MissingChild, None),
            of(Category::Bolo, Some(Level::Critical)),
            of(Category::Amber, Some(Level::Low)),
        ]);
        let mut found = look("ABC123", None, Matching::default(), &list);
        sort(&mut found);
        let categories: Vec<_> = found.iter().map(|matched| matched.entry.category).collect();
        assert_eq!(categories, [Category::Amber, Category::MissingChild, Category::Bolo, Category::Stolen]);
    }

    #[test]
    fn a_long_list_is_matched_without_look_alikes() {
        let list = plain(vec![listed("ABC12O", None)]);
        let matching = Matching { exact_only_above: 0, ..Matching::default() };
        assert_eq!(look("ABC120", None, matching, &list), []);
    }

    #[test]
    fn the_state_is_equal_different_or_unknown() {
        for (entry, seen, agreement) in [
            (Some(State::Ma), Some(State::Ma), StateAgreement::Equal),
            (Some(State::Ma), Some(State::Nh), StateAgreement::Differs),
            (Some(State::Ma), None, StateAgreement::Unknown),
            (None, Some(State::Ma), StateAgreement::Unknown),
        ] {
            let found = look("ABC123", seen, Matching::default(), &plain(vec![listed("ABC123", entry)]));
            assert_eq!(found[0].state, agreement);
            assert_eq!(found[0].state_probability.is_some(), entry.is_some());
        }
    }

    #[test]
    fn out_of_force_matches_nothing() {
        let over = Entry { until: Some(now()), ..listed("ABC123", None) };
        let ahead =
            Entry { from: Some(now() + jiff::SignedDuration::from_secs(1)), ..listed("ABC123", None) };
        assert_eq!(look("ABC123", None, Matching::default(), &plain(vec![over, ahead])), []);
    }

    proptest! {
        /// The naive matcher asks of every entry how likely the reading carries it.
        #[test]
        fn without_look_alikes_it_finds_what_asking_every_entry_finds(
            texts in proptest::collection::vec("[AB08]{1,4}", 0..40),
            shares in proptest::collection::vec((0.0f32..3.0, 0.0f32..3.0, 0.0f32..3.0, 0.0f32..3.0), 4),
            floor in 0.02f64..0.3,
        ) {
            let slot = |&(a, b, zero, eight): &(f32, f32, f32, f32)| {
                let mut logits = [-20.0; 37];
                for (character, share) in [(b'A', a), (b'B', b), (b'0', zero), (b'8', eight)] {
                    logits[ALPHABET.iter().position(|&c| c == character).unwrap()] = share;
                }
                logits[36] = 1.0;
                Slot::from_logits(&logits)
            };
            let reading = Reading::new(shares.iter().map(slot).collect());
            let list = plain(texts.iter().map(|text| listed(text, None)).collect());
            let floor_of = Probability::clamped(floor);
            let matching = Matching { look_alikes: LookAlikes::NONE, floor: floor_of, ..Matching::default() };
            let mut matches = Vec::new();
            Look::new(&reading, &state(None), now(), matching).at(&list, &mut matches).unwrap();
            let mut found: Vec<_> = matches.iter().map(|m| m.entry.plate.to_string()).collect();
            let probability = |text: &str| reading.probability_of(&Plate::parse(text).unwrap()).value();
            let mut expected: Vec<_> = texts.iter().filter(|text| probability(text) >= floor).cloned().collect();
            prop_assume!(texts.iter().all(|text| (probability(text) - floor).abs() > 1e-9));
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}

//! Whether messages of a unit are missing: each carries a counter that begins anew with each of its sessions.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::words::UnitId;

/// Where each unit's counter stands. In memory: a receiver that has just started begins where it comes in.
#[derive(Default)]
pub struct Counters(HashMap<UnitId, Counter>);

#[derive(Default)]
struct Counter {
    session: Option<u64>,
    /// None until the first event that is seen of a session that had begun before.
    next: Option<u64>,
}

impl Counters {
    /// The unit has said that it is there. `retained`: it said so before we listened, and may have sent since.
    pub fn born(&mut self, unit: &UnitId, session: u64, retained: bool) {
        let counter = self.0.entry(unit.clone()).or_default();
        if counter.session != Some(session) {
            *counter = Counter { session: Some(session), next: (!retained).then_some(0) };
        }
    }

    /// An event has come; gives the numbers that are missing before it.
    pub fn counted(&mut self, unit: &UnitId, sequence: u64) -> Option<RangeInclusive<u64>> {
        let counter = self.0.entry(unit.clone()).or_default();
        let expected = counter.next.unwrap_or(sequence);
        // A lower one is a second delivery by the broker.
        counter.next = Some(expected.max(sequence.saturating_add(1)));
        (sequence > expected).then(|| expected..=sequence - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_once_and_second_deliveries_and_new_sessions_are_none() {
        let unit = UnitId::parse("north-7").unwrap();
        let mut counters = Counters::default();
        assert_eq!(counters.counted(&unit, 40), None, "joined in the middle");
        assert_eq!(counters.counted(&unit, 41), None);
        assert_eq!(counters.counted(&unit, 44), Some(42..=43));
        assert_eq!(counters.counted(&unit, 45), None);
        assert_eq!(counters.counted(&unit, 43), None, "late after all, or again");
        assert_eq!(counters.counted(&unit, 46), None);
        counters.born(&unit, 7, false);
        assert_eq!(counters.counted(&unit, 0), None);
        counters.born(&unit, 7, false);
        assert_eq!(counters.counted(&unit, 1), None, "the same birth once more");
        counters.born(&unit, 8, false);
        assert_eq!(counters.counted(&unit, 2), Some(0..=1), "the first of a session count");
        counters.born(&unit, 9, true);
        assert_eq!(counters.counted(&unit, 90), None, "a session that had begun before");
    }
}

//! The unit's clock as a person sets it: what comes of another time, and who set it.

use jiff::Timestamp;
use tracing::error;

use super::Window;
use crate::console::{ClockChange, Refused};
use crate::delivery::tls::Credentials;
use crate::hotlist::{Freshness, ListSummary};
use crate::words::{PersonName, sentence};

impl Window {
    pub(super) fn look_at_time(&self, to: Timestamp) -> Result<ClockChange, Refused> {
        self.network.errands().may_set_clock(to)?;
        let identity = self.renewal.in_use.identity();
        let valid = identity.and_then(|identity| identity.certificate.facts()).ok();
        let valid = valid.map(|facts| (facts.not_before, facts.not_after));
        let from = self.clock.now().wall;
        Ok(judged(from, to, &self.hotlist.summary(to), valid))
    }

    pub(super) fn set_time(&self, to: Timestamp, sure: bool, by: &PersonName) -> Result<(), Refused> {
        let begun = self.clock.now();
        let change = self.look_at_time(to)?;
        if let Some(doubt) = change.doubts.first().filter(|_| !sure) {
            return Err(Refused(format!("{doubt} Set it all the same if you are sure of it.")));
        }
        let to = to.saturating_add(self.clock.now().since(&begun)).unwrap_or(Timestamp::MAX);
        let set = self.network.errands().set_clock(to, self.clock.as_ref(), &self.audit, by);
        let (from, now) = set?;
        if let Err(error) = self.hotlist.clock_was_set(from, now) {
            error!(%error, "manual entries may end by the wrong time after a restart");
        }
        Ok(())
    }
}

/// What speaks against this time, and what comes of it. `valid`: from when and until when the unit's certificate is good.
fn judged(
    from: Timestamp,
    to: Timestamp,
    lists: &[ListSummary],
    valid: Option<(Timestamp, Timestamp)>,
) -> ClockChange {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let dated = lists.iter().filter_map(|list| Some((list, list.issued?)));
    let unborn = dated.filter(|(_, issued)| *issued > to);
    let mut doubts: Vec<String> = unborn
        .map(|(list, issued)| {
            format!("The hot list {} was made on {}, which would be still to come.", list.list, day(issued))
        })
        .collect();
    if let Some((not_before, not_after)) = valid {
        if to < not_before {
            doubts.push(format!(
                "The unit's certificate is good from {} on: before that no broker takes it.",
                day(not_before)
            ));
        }
        if to > not_after {
            doubts.push(format!(
                "The unit's certificate ended on {}: after that no broker takes it.",
                day(not_after)
            ));
        }
    }
    let stale = |list: &&ListSummary| matches!(list.freshness, Freshness::Ageing | Freshness::Stale);
    let old = lists.iter().filter(stale).map(|list| match list.freshness {
        Freshness::Stale => sentence(format!("the hot list {} is stale by it", list.list)),
        _ => sentence(format!("the hot list {} is ageing by it", list.list)),
    });
    let mut follows: Vec<String> = old.collect();
    follows.push(match to > from {
        true => {
            "Manual entries and the department's roster end by it once it has stood for an hour.".to_owned()
        }
        false => "Manual entries and the department's roster end by it, so later than before.".to_owned(),
    });
    ClockChange { from, to, doubts, follows }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::words::ListName;

    fn list(issued: Timestamp, freshness: Freshness) -> ListSummary {
        ListSummary {
            list: ListName::parse("state").unwrap(),
            freshness,
            version: Some(7),
            issued: Some(issued),
            age_s: None,
            expires: None,
            installed: None,
            signed_by: None,
            entries: 1,
            on_its_way: None,
            last_refusal: None,
            refusals: 0,
        }
    }

    #[test]
    fn what_speaks_against_a_time_is_told_and_what_comes_of_it() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let day = SignedDuration::from_hours(24);
        let valid = Some((now - 100 * day, now + 265 * day));
        let judge = |to, freshness| judged(now, to, &[list(now - day, freshness)], valid);

        let change = judge(now + day, Freshness::Stale);
        assert_eq!((change.from, change.to, change.doubts.len()), (now, now + day, 0));
        assert_eq!(change.follows[0], "The hot list state is stale by it.");
        assert!(change.follows[1].contains("once it has stood for an hour"), "{change:?}");
        let change = judge(now - 2 * day, Freshness::Fresh);
        assert!(change.doubts[0].contains("state was made on 2026-05-31 12:00 UTC"), "{change:?}");
        assert!(change.follows[0].contains("later than before"), "{change:?}");
        let change = judge(now + 300 * day, Freshness::Fresh);
        assert!(change.doubts[0].contains("certificate ended on 2027-02-21"), "{change:?}");
        let change = judge(now - 200 * day, Freshness::Fresh);
        assert!(change.doubts[1].contains("good from 2026-02-21"), "{change:?}");
    }
}

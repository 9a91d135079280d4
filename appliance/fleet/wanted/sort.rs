use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use jiff::Timestamp;

use crate::fleet::unit::Unit;

/// In what order; of equals by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The worst condition first, in each the latest change first.
    #[default]
    Worst,
    Name,
    Since,
    ListAge,
    Backlog,
    LastRead,
    Certificate,
    FalseHits,
}

impl Sort {
    pub const ALL: [Self; 8] = [
        Self::Worst,
        Self::Name,
        Self::Since,
        Self::ListAge,
        Self::Backlog,
        Self::LastRead,
        Self::Certificate,
        Self::FalseHits,
    ];

    pub fn token(self) -> &'static str {
        match self {
            Self::Worst => "worst",
            Self::Name => "name",
            Self::Since => "since",
            Self::ListAge => "list",
            Self::Backlog => "backlog",
            Self::LastRead => "read",
            Self::Certificate => "certificate",
            Self::FalseHits => "false-hits",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Worst => "worst first",
            Self::Name => "name",
            Self::Since => "latest change",
            Self::ListAge => "oldest list",
            Self::Backlog => "most records waiting",
            Self::LastRead => "longest without a read",
            Self::Certificate => "certificate that ends first",
            Self::FalseHits => "most false hits",
        }
    }

    /// Stable, so that equals stay in the order of their names.
    pub(super) fn apply(self, units: &mut [Arc<Unit>], now: Timestamp) {
        let report = |unit: &Arc<Unit>| unit.report.is_some();
        match self {
            // As they come from the roster.
            Self::Name => {}
            Self::Worst => units.sort_by_key(|unit| (unit.judged.condition, Reverse(unit.judged.since))),
            Self::Since => units.sort_by_key(|unit| Reverse(unit.judged.since)),
            Self::ListAge => {
                units.sort_by_key(|unit| {
                    Reverse(unit.report.as_ref().and_then(|report| report.list_age_s(now)))
                });
            }
            Self::Backlog => {
                units.sort_by_key(|unit| Reverse(unit.report.as_ref().map(|report| report.records.waiting)));
            }
            // One that reported and never read anything has waited longest.
            Self::LastRead => units.sort_by_key(|unit| {
                (!report(unit), unit.report.as_ref().and_then(|report| report.last_read))
            }),
            Self::Certificate => units.sort_by_key(|unit| {
                let days = unit.report.as_ref().and_then(|report| report.broker.certificate_days_left);
                (days.is_none(), days)
            }),
            Self::FalseHits => units.sort_by(|one, other| {
                let rate =
                    |unit: &Unit| unit.report.as_ref().and_then(|report| report.answers.false_hit_rate);
                rate(other).partial_cmp(&rate(one)).unwrap_or(Ordering::Equal)
            }),
        }
    }
}

use askama::Template;
use jiff::Timestamp;

use crate::console::pages::wording;
use crate::fleet::report::Report;
use crate::fleet::unit::Unit;
use crate::hotlist::Freshness;

/// One unit in the list.
#[derive(Template)]
#[template(path = "row.html", config = "appliance/fleet/askama.toml")]
pub struct Row<'a> {
    unit: &'a Unit,
    why: Vec<String>,
    now: Timestamp,
}

/// Days of a certificate from which it is marked: the unit's own default.
const CERTIFICATE_SOON_DAYS: i64 = 21;
/// Field reports put false hits at 5 to 35 per cent.
const FALSE_HITS_HIGH: f64 = 0.2;

impl<'a> Row<'a> {
    pub fn of(unit: &'a Unit, now: Timestamp) -> Self {
        Self { unit, why: unit.why(), now }
    }

    fn report(&self) -> Option<&Report> {
        self.unit.report.as_ref()
    }

    fn ago(&self, at: &Timestamp) -> String {
        wording::ago(at, &self.now)
    }

    /// The age of its oldest list, and the class that colours it.
    fn list(&self) -> Option<(String, &'static str)> {
        let report = self.report()?;
        let class = match report.freshness()? {
            Freshness::Fresh => "",
            Freshness::Ageing => "fair",
            Freshness::Stale | Freshness::Missing => "bad",
        };
        let age = report.list_age_s(self.now).map(|age| wording::duration(&age));
        Some((age.unwrap_or_else(|| "none".to_owned()), class))
    }

    fn certificate(&self) -> Option<(String, &'static str)> {
        certificate(self.report()?.broker.certificate_days_left?)
    }

    fn false_hits(&self) -> Option<(String, &'static str)> {
        let rate = self.report()?.answers.false_hit_rate?;
        Some((format!("{:.0} %", 100.0 * rate), if rate >= FALSE_HITS_HIGH { "fair" } else { "" }))
    }
}

pub fn certificate(days: i64) -> Option<(String, &'static str)> {
    Some(match days {
        ..=-1 => ("ended".to_owned(), "bad"),
        0 => ("today".to_owned(), "bad"),
        1 => ("1 day".to_owned(), "fair"),
        _ => (format!("{days} days"), if days <= CERTIFICATE_SOON_DAYS { "fair" } else { "" }),
    })
}

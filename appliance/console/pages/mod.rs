//! The pages: each asks the unit, puts the answer into words, and renders its template.

pub mod accounts;
pub mod aim;
pub mod alerts;
pub mod audit;
pub mod configuration;
pub mod deployment;
pub mod entrance;
pub mod lists;
pub mod maintenance;
pub mod overview;
pub mod records;
pub mod screen;
mod wording;

use std::sync::Arc;

use jiff::Timestamp;

use super::accounts::{Person, Role};
use super::answer::Failure;
use super::desk::Desk;
use super::gate::Visit;
use super::routes::{Route, table};
use super::unit::{Overview, ServiceState};
use crate::words::{RecordId, UnitId};

/// What surrounds every page of somebody signed in: navigation, the unit's name and state, the way out.
pub struct Frame {
    title: &'static str,
    unit: UnitId,
    service: ServiceState,
    person: Person,
    csrf: String,
    links: Vec<NavigationLink>,
    /// The newest alert when the page was made: what comes after it is news.
    newest_alert: Option<RecordId>,
    /// A configuration on trial, for who may keep it.
    trial_until: Option<Timestamp>,
    now: Timestamp,
}

struct NavigationLink {
    path: &'static str,
    label: &'static str,
    current: bool,
}

impl Frame {
    /// `title` is the label of the page's entry in the navigation, or another for a page that has none.
    pub async fn new(
        desk: &Arc<Desk>,
        visit: Visit,
        title: &'static str,
    ) -> Result<(Self, Overview), Failure> {
        let overview = desk.ask(|unit| unit.overview()).await?;
        let links = table().into_iter().filter(|row| row.rule.allowed.admits(Some(visit.person.role)));
        let link = |row: Route| {
            row.label.map(|label| NavigationLink { path: row.path, label, current: label == title })
        };
        let frame = Self {
            title,
            unit: desk.unit.name(),
            service: overview.service.state,
            links: links.filter_map(link).collect(),
            trial_until: desk.unit.trial_until().filter(|_| visit.person.role == Role::Administrator),
            newest_alert: *desk.unit.newest_alert().borrow(),
            person: visit.person,
            csrf: visit.csrf,
            now: desk.clock.now().wall,
        };
        Ok((frame, overview))
    }

    /// Whether the navigation of this person leads to `path`.
    fn leads_to(&self, path: &str) -> bool {
        self.links.iter().any(|link| link.path == path)
    }

    /// Who may see alerts hears of them on every page.
    fn hears_alerts(&self) -> bool {
        self.leads_to("/alerts")
    }

    fn service_class(&self) -> &'static str {
        wording::service_class(&self.service)
    }

    fn ago(&self, at: &Timestamp) -> String {
        wording::ago(at, &self.now)
    }

    fn clock(&self, at: &Timestamp) -> String {
        wording::clock(at)
    }
}

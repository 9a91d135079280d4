//! The pages: each asks the unit, puts the answer into words, and renders its template.

pub mod accounts;
pub mod aim;
pub mod alerts;
pub mod audit;
pub mod bundle;
pub mod certificates;
pub mod clock;
pub mod configuration;
pub mod deployment;
pub mod entrance;
pub mod lists;
pub mod maintenance;
pub mod network;
pub mod overview;
pub mod records;
pub mod screen;
pub mod wording;

use std::sync::Arc;

use jiff::Timestamp;

use super::accounts::{Person, Role};
use super::answer::Failure;
use super::desk::{Desk, sign};
use super::gate::Visit;
use super::reception::{Reception, Sign};
use super::unit::{Overview, Unit};

/// What surrounds every page of somebody signed in: navigation, the place's name and state, the way out.
pub struct Frame {
    pub title: &'static str,
    pub place: String,
    pub sign: Sign,
    pub person: Person,
    pub csrf: String,
    pub links: Vec<NavigationLink>,
    pub now: Timestamp,
}

pub struct NavigationLink {
    pub path: &'static str,
    pub label: &'static str,
    pub current: bool,
}

impl Frame {
    /// For a page of a unit, which shows more of its overview.
    pub async fn new(
        desk: &Arc<Desk>,
        visit: Visit,
        title: &'static str,
    ) -> Result<(Self, Overview), Failure> {
        let glance = |unit: &dyn Unit| {
            let overview = unit.overview();
            (sign(unit, &overview), overview)
        };
        let (sign, overview) = desk.ask(glance).await?;
        Ok((Self::under(desk, visit, title, sign), overview))
    }

    /// For a page that any place has.
    pub async fn at(reception: &Reception, visit: Visit, title: &'static str) -> Result<Self, Failure> {
        let sign = reception.ask(|place| place.sign()).await?;
        Ok(Self::under(reception, visit, title, sign))
    }

    /// `title` is the label of the page's entry in the navigation, or another for a page that has none.
    fn under(reception: &Reception, visit: Visit, title: &'static str, sign: Sign) -> Self {
        let role = visit.person.role;
        let link = |(path, label)| NavigationLink { path, label, current: label == title };
        Self {
            title,
            place: reception.place.name(),
            sign: Sign {
                trial_until: sign.trial_until.filter(|_| role == Role::Administrator),
                network_trial_until: sign.network_trial_until.filter(|_| role != Role::Officer),
                ..sign
            },
            links: reception.place.navigation(role).into_iter().map(link).collect(),
            person: visit.person,
            csrf: visit.csrf,
            now: reception.clock.now().wall,
        }
    }

    /// Whether the navigation of this person leads to `path`.
    pub fn leads_to(&self, path: &str) -> bool {
        self.links.iter().any(|link| link.path == path)
    }

    /// Who may see alerts hears of them on every page.
    pub fn hears_alerts(&self) -> bool {
        self.leads_to("/alerts")
    }

    pub fn ago(&self, at: &Timestamp) -> String {
        wording::ago(at, &self.now)
    }

    pub fn clock(&self, at: &Timestamp) -> String {
        wording::clock(at)
    }
}

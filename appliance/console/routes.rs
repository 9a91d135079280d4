//! Every path of the console, with who may go there: the one table that the gate, the navigation and the
//! tests read.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{MethodRouter, get, post};

use super::accounts::Role;
use super::desk::Desk;
use super::pages::{
    accounts, aim, alerts, audit, bundle, certificates, clock, configuration, deployment, entrance, lists,
    maintenance, network, overview, records, screen,
};
use super::reception::Reception;
use super::{answer, api, gate, live, metrics};

/// How the gate treats a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person opens it: counts as use, is written down; who is not signed in is led to the door.
    Page,
    /// An open page fetches it for itself: neither. Where it stands for a page, the page that it renews.
    Data,
    /// The same for a screen in a vehicle, which the CJIS Security Policy lets stay signed in: use where the unit
    /// rides in one, else not.
    Screen,
    /// A monitoring system fetches it: by its token instead of a session.
    Scrape,
    /// A person sends it: must come from one of our pages, is written down with its outcome.
    Form,
    /// A department's tool asks, with a token in place of the cookie: written down, and answered in JSON.
    Ask,
    /// A department's tool has something done: the same, by a POST in JSON.
    Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    Anyone,
    Roles(&'static [Role]),
}

impl Allowed {
    /// Whether somebody in this role may go there; None is somebody who is not signed in.
    pub fn admits(self, role: Option<Role>) -> bool {
        match (self, role) {
            (Self::Anyone, _) => true,
            (Self::Roles(roles), Some(role)) => roles.contains(&role),
            (Self::Roles(_), None) => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub kind: Kind,
    pub allowed: Allowed,
}

/// One path for `S`, the state that its handler asks.
pub struct Route<S = Arc<Desk>> {
    pub path: &'static str,
    pub rule: Rule,
    /// The name in the navigation, where it stands there.
    pub label: Option<&'static str>,
    handler: MethodRouter<S>,
}

pub const EVERYONE: Allowed = Allowed::Roles(&Role::ALL);
const OFFICERS: Allowed = Allowed::Roles(&[Role::Officer, Role::Administrator]);
pub const TECHNICIANS: Allowed = Allowed::Roles(&[Role::Technician, Role::Administrator]);
pub const ADMINISTRATORS: Allowed = Allowed::Roles(&[Role::Administrator]);

/// In the order of the navigation.
#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    use Allowed::Anyone;
    let mut table = vec![
        page("/", EVERYONE, get(overview::show)).called("Overview"),
        data("/overview/now", EVERYONE, get(overview::show)),

        page("/aim", EVERYONE, get(aim::show)).called("Aim"),
        data("/aim/{camera}/picture", EVERYONE, get(live::picture)),
        data("/aim/{camera}/view/{which}", EVERYONE, get(aim::view)),
        form("/aim/{camera}/verification", TECHNICIANS, post(aim::verify)),
        form("/aim/{camera}/lanes", TECHNICIANS, post(aim::draw_by_form)),

        page("/alerts", OFFICERS, get(alerts::show)).called("Alerts"),
        data("/alerts/now", OFFICERS, get(alerts::show)),
        data("/alerts/news", OFFICERS, get(live::news)),
        page("/alerts/{id}", OFFICERS, get(alerts::one)),
        data("/alerts/{id}/{picture}", OFFICERS, get(alerts::picture)),
        form("/alerts/{id}/verification", OFFICERS, post(alerts::verify)),
        page("/screen", OFFICERS, get(screen::show)),
        Route { rule: Rule { kind: Kind::Screen, allowed: OFFICERS }, ..data("/screen/now", OFFICERS, get(screen::show)) },

        page("/lists", OFFICERS, get(lists::show)).called("Hot lists"),
        form("/lists/entries", OFFICERS, post(lists::request)),
        form("/lists/entries/{id}/removal", OFFICERS, post(lists::remove)),
        form("/lists/requests/{id}/approval", OFFICERS, post(lists::approve)),
        form("/lists/requests/{id}/refusal", OFFICERS, post(lists::decline)),
        form("/lists/check", OFFICERS, post(lists::check)),

        page("/records", EVERYONE, get(records::show)).called("Records"),
        page("/records/{id}", OFFICERS, get(records::one)),
        form("/records/{id}/reason", OFFICERS, post(records::reason)),
        data("/records/{id}/{picture}", OFFICERS, get(records::picture)),

        page("/maintenance", TECHNICIANS, get(maintenance::show)).called("Maintenance"),
        form("/maintenance/service", TECHNICIANS, post(maintenance::service)),
        form("/maintenance/work", TECHNICIANS, post(maintenance::work)),
        page("/maintenance/export", TECHNICIANS, get(maintenance::export)),
        page("/deployment", TECHNICIANS, get(deployment::show)).called("Deployment"),
        form("/deployment", TECHNICIANS, post(deployment::deploy)),

        page("/network", TECHNICIANS, get(network::show)).called("Network"),
        form("/network/interface", TECHNICIANS, post(network::change_interface)),
        form("/network/time-servers", TECHNICIANS, post(network::change_time_servers)),
        form("/network/decision", TECHNICIANS, post(network::decide)),
        form("/network/clock", TECHNICIANS, post(clock::look)),
        form("/network/clock/decision", TECHNICIANS, post(clock::set)),

        page("/certificates", TECHNICIANS, get(certificates::show)).called("Certificates"),
        data("/certificates/now", TECHNICIANS, get(certificates::show)),
        form("/certificates", TECHNICIANS, post(certificates::put_in)),
        page("/certificates/request", TECHNICIANS, get(certificates::download)),
        form("/certificates/request", TECHNICIANS, post(certificates::request)),
        form("/certificates/request/withdrawal", TECHNICIANS, post(certificates::withdraw)),
        form("/certificates/bundle", ADMINISTRATORS, post(bundle::look)),
        form("/certificates/bundle/decision", ADMINISTRATORS, post(bundle::take)),
    ];
    table.extend(people());
    table.extend([
        page("/configuration", ADMINISTRATORS, get(configuration::show)).called("Configuration"),
        form("/configuration", ADMINISTRATORS, post(configuration::propose)),
        form("/configuration/decision", ADMINISTRATORS, post(configuration::decide)),
    ]);
    table.extend(log());
    table.extend([
        scrape("/metrics", get(metrics::show)),
        data("/health/history", EVERYONE, get(metrics::history)),

        data("/assets/{name}", Anyone, get(answer::asset)),

        data("/api/v1/openapi.yaml", Anyone, get(api::document)),
        order("/api/v1/session", Anyone, post(api::sign_in)),
        order("/api/v1/session/end", EVERYONE, post(api::sign_out)),
        order("/api/v1/set-up", Anyone, post(api::set_up)),
        order("/api/v1/password", EVERYONE, post(api::change_password)),
        order("/api/v1/recovery", EVERYONE, post(api::renew_recovery)),
        ask("/api/v1/overview", EVERYONE, get(api::overview)),
        ask("/api/v1/cameras", EVERYONE, get(api::cameras)),
        ask("/api/v1/cameras/{camera}/picture", EVERYONE, get(live::picture)),
        ask("/api/v1/cameras/{camera}/view/{which}", EVERYONE, get(aim::view)),
        order("/api/v1/cameras/{camera}/verification", TECHNICIANS, post(api::verify_aim)),
        ask("/api/v1/cameras/{camera}/lanes", EVERYONE, get(api::lanes)),
        order("/api/v1/cameras/{camera}/lanes", TECHNICIANS, post(api::draw_lanes)),
        ask("/api/v1/alerts", OFFICERS, get(api::alerts)),
        ask("/api/v1/alerts/news", OFFICERS, get(live::news)),
        ask("/api/v1/alerts/{id}", OFFICERS, get(api::alert)),
        ask("/api/v1/alerts/{id}/{picture}", OFFICERS, get(alerts::picture)),
        order("/api/v1/alerts/{id}/verification", OFFICERS, post(api::verify)),
        ask("/api/v1/lists", OFFICERS, get(api::lists)),
        order("/api/v1/lists/entries", OFFICERS, post(api::request_entry)),
        order("/api/v1/lists/entries/{id}/removal", OFFICERS, post(api::remove_entry)),
        order("/api/v1/lists/requests/{id}/approval", OFFICERS, post(api::approve)),
        order("/api/v1/lists/requests/{id}/refusal", OFFICERS, post(api::decline)),
        order("/api/v1/lists/check", OFFICERS, post(api::check_lists)),
        ask("/api/v1/records", EVERYONE, get(api::records)),
        order("/api/v1/records/{id}/look", OFFICERS, post(api::look)),
        ask("/api/v1/records/{id}/{picture}", OFFICERS, get(records::picture)),
        ask("/api/v1/maintenance", TECHNICIANS, get(api::logbook)),
        ask("/api/v1/maintenance/export", TECHNICIANS, get(maintenance::export)),
        order("/api/v1/maintenance/service", TECHNICIANS, post(api::change_service)),
        order("/api/v1/maintenance/work", TECHNICIANS, post(api::note_work)),
        ask("/api/v1/deployment", TECHNICIANS, get(api::deployment)),
        order("/api/v1/deployment", TECHNICIANS, post(api::deploy)),
        ask("/api/v1/network", TECHNICIANS, get(api::network)),
        order("/api/v1/network/interface", TECHNICIANS, post(api::change_interface)),
        order("/api/v1/network/time-servers", TECHNICIANS, post(api::change_time_servers)),
        order("/api/v1/network/decision", TECHNICIANS, post(api::decide_network)),
        order("/api/v1/network/clock", TECHNICIANS, post(api::look_at_time)),
        order("/api/v1/network/clock/decision", TECHNICIANS, post(api::set_time)),
        ask("/api/v1/certificates", TECHNICIANS, get(api::certificates)),
        order("/api/v1/certificates", TECHNICIANS, post(api::install_certificate)),
        order("/api/v1/certificates/request", TECHNICIANS, post(api::request_certificate)),
        order("/api/v1/certificates/request/withdrawal", TECHNICIANS, post(api::withdraw_request)),
        order("/api/v1/certificates/bundle", ADMINISTRATORS, post(api::look_into_bundle)),
        order("/api/v1/certificates/bundle/decision", ADMINISTRATORS, post(api::take_bundle)),
        ask("/api/v1/accounts", ADMINISTRATORS, get(api::accounts)),
        order("/api/v1/accounts", ADMINISTRATORS, post(api::invite)),
        order("/api/v1/accounts/change", ADMINISTRATORS, post(api::change_account)),
        ask("/api/v1/configuration", ADMINISTRATORS, get(api::configuration)),
        order("/api/v1/configuration", ADMINISTRATORS, post(api::try_configuration)),
        order("/api/v1/configuration/decision", ADMINISTRATORS, post(api::decide_trial)),
        ask("/api/v1/audit", ADMINISTRATORS, get(api::audit)),
        ask("/api/v1/audit/export", ADMINISTRATORS, get(audit::export)),
    ]);
    table.extend(entrance());
    table
}

/// The way in and out, the same at every port.
#[rustfmt::skip]
pub fn entrance<S: Clone + Send + Sync + 'static>() -> Vec<Route<S>> {
    use Allowed::Anyone;
    vec![
        page("/password", EVERYONE, get(entrance::password)),
        form("/password", EVERYONE, post(entrance::change_password)),
        form("/sign-out", EVERYONE, post(entrance::sign_out)),
        page("/recovery", EVERYONE, get(entrance::recovery)),
        form("/recovery", EVERYONE, post(entrance::renew_recovery)),
        page("/sign-in", Anyone, get(entrance::door)),
        form("/sign-in", Anyone, post(entrance::sign_in)),
        page("/set-up", Anyone, get(entrance::code)),
        form("/set-up", Anyone, post(entrance::set_up)),
    ]
}

/// Who may sign in, which only an administrator says.
#[rustfmt::skip]
pub fn people<S: Clone + Send + Sync + 'static>() -> Vec<Route<S>> {
    vec![
        page("/accounts", ADMINISTRATORS, get(accounts::show)).called("Accounts"),
        form("/accounts/invitation", ADMINISTRATORS, post(accounts::invite)),
        form("/accounts/change", ADMINISTRATORS, post(accounts::change)),
    ]
}

/// Builds what a server serves. A route gets its handler and its gate in one step: none is without.
pub fn router<S>(table: Vec<Route<S>>, reception: &Arc<Reception>, state: S) -> Router
where
    S: Clone + Send + Sync + 'static,
{
    table
        .into_iter()
        .fold(Router::new(), |router, route| {
            let gate = from_fn_with_state((reception.clone(), route.rule), gate::pass);
            router.route(route.path, route.handler.layer(gate))
        })
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(gate::BODY_MAX))
        .layer(map_response(answer::protected))
        .with_state(state)
}

/// Paths and labels of what somebody in this role finds in the navigation.
pub fn navigation<S>(table: &[Route<S>], role: Role) -> Vec<(&'static str, &'static str)> {
    let open = table.iter().filter(|row| row.rule.allowed.admits(Some(role)));
    open.filter_map(|row| row.label.map(|label| (row.path, label))).collect()
}

/// Who did what here.
#[rustfmt::skip]
pub fn log<S: Clone + Send + Sync + 'static>() -> Vec<Route<S>> {
    vec![
        page("/audit", ADMINISTRATORS, get(audit::show)).called("Audit"),
        page("/audit/export", ADMINISTRATORS, get(audit::export)),
    ]
}

impl Kind {
    /// Asked by a program, not by a page.
    pub fn is_api(self) -> bool {
        matches!(self, Self::Ask | Self::Order)
    }
}

impl<S> Route<S> {
    pub fn method(&self) -> Method {
        match self.rule.kind {
            Kind::Page | Kind::Data | Kind::Screen | Kind::Scrape | Kind::Ask => Method::GET,
            Kind::Form | Kind::Order => Method::POST,
        }
    }

    pub fn called(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }
}

pub fn page<S>(path: &'static str, allowed: Allowed, handler: MethodRouter<S>) -> Route<S> {
    Route { path, rule: Rule { kind: Kind::Page, allowed }, label: None, handler }
}

pub fn data<S>(path: &'static str, allowed: Allowed, handler: MethodRouter<S>) -> Route<S> {
    Route { path, rule: Rule { kind: Kind::Data, allowed }, label: None, handler }
}

/// For a monitoring system, by its token, and for everybody who is signed in.
pub fn scrape<S>(path: &'static str, handler: MethodRouter<S>) -> Route<S> {
    Route { path, rule: Rule { kind: Kind::Scrape, allowed: EVERYONE }, label: None, handler }
}

pub fn ask<S>(path: &'static str, allowed: Allowed, handler: MethodRouter<S>) -> Route<S> {
    Route { path, rule: Rule { kind: Kind::Ask, allowed }, label: None, handler }
}

pub fn order<S>(path: &'static str, allowed: Allowed, handler: MethodRouter<S>) -> Route<S> {
    Route { path, rule: Rule { kind: Kind::Order, allowed }, label: None, handler }
}

pub fn form<S>(path: &'static str, allowed: Allowed, handler: MethodRouter<S>) -> Route<S> {
    Route { path, rule: Rule { kind: Kind::Form, allowed }, label: None, handler }
}

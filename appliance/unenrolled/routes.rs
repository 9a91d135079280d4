//! Every path of a box that is no unit yet, with who may go there. Behind the console's gate, like all of its own.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::newcomer::Newcomer;
use super::pages::{self, api, time};
use crate::console::reception::Reception;
use crate::console::routes::{
    ADMINISTRATORS, Allowed, EVERYONE, Route, TECHNICIANS, ask, data, entrance, form, log, order, page,
    people, router as gated,
};

/// In the order of the navigation.
#[rustfmt::skip]
pub fn table() -> Vec<Route<Arc<Newcomer>>> {
    use Allowed::Anyone;
    let mut table = vec![
        page("/", EVERYONE, get(pages::overview)).called("Overview"),
        page("/enrolment", TECHNICIANS, get(pages::enrolment)).called("Enrolment"),
        page("/enrolment/request", TECHNICIANS, get(pages::download)),
        form("/enrolment/request", TECHNICIANS, post(pages::request)),
        form("/enrolment/look", ADMINISTRATORS, post(pages::look)),
        form("/enrolment/decision", ADMINISTRATORS, post(pages::take)),
        page("/time", TECHNICIANS, get(time::show)).called("Time"),
        form("/time/clock", TECHNICIANS, post(time::look)),
        form("/time/clock/decision", TECHNICIANS, post(time::set)),
        data("/assets/{name}", Anyone, get(crate::console::answer::asset)),
        data("/api/v1/openapi.yaml", Anyone, get(api::document)),
        order("/api/v1/session", Anyone, post(crate::console::api::sign_in)),
        order("/api/v1/session/end", EVERYONE, post(crate::console::api::sign_out)),
        order("/api/v1/set-up", Anyone, post(crate::console::api::set_up)),
        ask("/api/v1/enrolment", TECHNICIANS, get(api::progress)),
        order("/api/v1/enrolment/request", TECHNICIANS, post(api::request)),
        order("/api/v1/enrolment/look", ADMINISTRATORS, post(api::look)),
        order("/api/v1/enrolment/decision", ADMINISTRATORS, post(api::take)),
        ask("/api/v1/time", TECHNICIANS, get(time::told)),
        order("/api/v1/time/clock", TECHNICIANS, post(time::look_by_program)),
        order("/api/v1/time/clock/decision", TECHNICIANS, post(time::set_by_program)),
    ];
    table.extend(people());
    table.extend(log());
    table.extend(entrance());
    table
}

pub fn router(reception: &Arc<Reception>, newcomer: Arc<Newcomer>) -> Router {
    gated(table(), reception, newcomer)
}

//! Every path of the dashboard, with who may go there. Behind the console's gate, like all of its own.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::board::Board;
use super::metrics;
use super::pages::{api, assets, list, unit};
use crate::console::reception::Reception;
use crate::console::routes::{
    Allowed, EVERYONE, Route, ask, data, entrance, log, order, page, people, router as gated, scrape,
};

/// In the order of the navigation.
#[rustfmt::skip]
pub fn table() -> Vec<Route<Arc<Board>>> {
    use Allowed::Anyone;
    let mut table = vec![
        page("/", EVERYONE, get(list::show)).called("Units"),
        data("/changes", EVERYONE, get(list::changes)),
        data("/map", EVERYONE, get(list::map)),
        page("/units/{unit}", EVERYONE, get(unit::show)),
        data("/units/{unit}/now", EVERYONE, get(unit::show)),
        scrape("/metrics", get(metrics::show)),
        scrape("/metrics/units", get(metrics::show_units)),
        data("/assets/{name}", Anyone, get(assets::asset)),
        order("/api/v1/session", Anyone, post(crate::console::api::sign_in)),
        order("/api/v1/session/end", EVERYONE, post(crate::console::api::sign_out)),
        ask("/api/v1/units", EVERYONE, get(api::units)),
        ask("/api/v1/units/{unit}", EVERYONE, get(api::unit)),
    ];
    table.extend(people());
    table.extend(log());
    table.extend(entrance());
    table
}

pub fn router(reception: &Arc<Reception>, board: Arc<Board>) -> Router {
    gated(table(), reception, board)
}

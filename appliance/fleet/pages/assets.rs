use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::console::answer::{self, Failure};

/// The dashboard's own beside the console's.
pub async fn asset(name: Path<String>) -> Result<Response, Failure> {
    let (kind, content) = match name.as_str() {
        "fleet.css" => ("text/css; charset=utf-8", include_str!("../assets/fleet.css")),
        "fleet.js" => ("text/javascript; charset=utf-8", include_str!("../assets/fleet.js")),
        _ => return answer::asset(name).await,
    };
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=300")], content).into_response())
}

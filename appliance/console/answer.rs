//! What goes back to the browser: pages, failures as pages, assets, and the headers on all of them.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use tracing::error;

use super::accounts::AccountsError;
use super::unit::Refused;
use crate::words::sentence;

/// Nothing is loaded from, sent to, or framed by any other host, and nothing inline runs.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 9] = [
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    // A phone that changes hands shows nothing of what it has seen.
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Puts the protective headers on an answer, whatever it is; one that the answer has already stays.
pub async fn protected(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

pub fn page(template: &impl Template) -> Result<Response, Failure> {
    let html = template.render().map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Html(html).into_response())
}

/// After a form: the browser asks for `path` anew, so that reloading sends nothing twice.
pub fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A file to be kept, under a name of our own making.
pub fn file(name: &str, kind: &'static str, body: impl Into<Body>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body.into()).into_response()
}

/// Why a request was not answered as asked. Shown as a page with one sentence.
#[derive(Debug)]
pub enum Failure {
    NotFound,
    WrongMethod,
    /// A program whose token is missing, wrong or over.
    SignInFirst,
    /// Signed in, with a role that may not have this.
    Forbidden,
    /// The form does not come from a page of this console, or from one that has expired.
    ForeignForm,
    TooManyTries,
    /// What was asked for cannot be done; the sentence says why.
    Refused(String),
    Unavailable(String),
    /// A mistake of ours: the details go to the log.
    Broken(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(sentence(refused.0))
    }
}

impl From<AccountsError> for Failure {
    fn from(error: AccountsError) -> Self {
        use AccountsError as E;
        match error {
            E::Read { .. } | E::Damaged { .. } => Self::Broken(error.to_string()),
            E::Write { source, .. } => Self::Refused(format!(
                "Accounts and passwords cannot be changed now: the disk takes no writes ({source}). Signing in works."
            )),
            E::Name(_)
            | E::Taken(_)
            | E::Nobody(_)
            | E::FromDepartment(_)
            | E::LastAdministrator(_)
            | E::Weak(_) => Self::Refused(sentence(error)),
        }
    }
}

#[derive(Template)]
#[template(path = "message.html", config = "appliance/console/askama.toml")]
struct Message {
    title: &'static str,
    sentence: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, sentence) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not here",
                "There is nothing under this address, or it is no longer kept.".to_owned(),
            ),
            Self::WrongMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Not this way",
                "This address does not take requests of this method.".to_owned(),
            ),
            Self::SignInFirst => (
                StatusCode::UNAUTHORIZED,
                "Sign in first",
                "Sign in at /api/v1/session, and send its token as Authorization: Bearer.".to_owned(),
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "Not for your role",
                "Your role may not see or do this. An administrator can give you another one.".to_owned(),
            ),
            Self::ForeignForm => (
                StatusCode::FORBIDDEN,
                "Not accepted",
                "This form was not sent from an open page of this console. Go back, reload, and try again."
                    .to_owned(),
            ),
            Self::TooManyTries => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many tries", "Wait a minute, then try again.".to_owned())
            }
            Self::Refused(sentence) => (StatusCode::UNPROCESSABLE_ENTITY, "Not done", sentence),
            Self::Unavailable(sentence) => (StatusCode::SERVICE_UNAVAILABLE, "Not now", sentence),
            Self::Broken(details) => {
                error!(details, "the console could not answer");
                let sentence = "This could not be done. The log says why.".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, "Something failed", sentence)
            }
        };
        let message = Message { title, sentence };
        let html = message.render().unwrap_or_else(|_| message.sentence.clone());
        (status, Extension(Said(message.sentence)), Html(html)).into_response()
    }
}

/// What a failure says, beside the page that says it.
#[derive(Clone)]
struct Said(String);

/// An answer as a program wants it: a failure as JSON with its sentence, anything else as it is.
pub async fn for_program(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let said = response.extensions().get::<Said>().map(|said| said.0.clone());
    let error = match said {
        Some(said) => said,
        // What the router says of a path, a query or a body that it cannot take apart.
        None => match to_bytes(response.into_body(), REJECTION_MAX).await {
            Ok(bytes) => sentence(String::from_utf8_lossy(&bytes)),
            Err(_) => "The request cannot be understood.".to_owned(),
        },
    };
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

const REJECTION_MAX: usize = 4096;

pub async fn wrong_method() -> Failure {
    Failure::WrongMethod
}

pub async fn not_found() -> Failure {
    Failure::NotFound
}

/// Every asset is in the program; a name only picks one of these, so no request reaches a file system.
pub async fn asset(Path(name): Path<String>) -> Result<Response, Failure> {
    let (kind, content) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", include_str!("assets/console.css")),
        "console.js" => ("text/javascript; charset=utf-8", include_str!("assets/console.js")),
        "lanes.js" => ("text/javascript; charset=utf-8", include_str!("assets/lanes.js")),
        "theme.js" => ("text/javascript; charset=utf-8", include_str!("assets/theme.js")),
        "icon.svg" => ("image/svg+xml", include_str!("assets/icon.svg")),
        _ => return Err(Failure::NotFound),
    };
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=300")], content).into_response())
}

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::accounts::Role;
use crate::console::answer::{Failure, file, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{AttemptState, CertificateView, Certificates};
use crate::enroll::Offer;

#[derive(Template)]
#[template(path = "certificates.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    certificates: Certificates,
    /// Whether this person may take an enrolment bundle, which changes the configuration too.
    takes_bundles: bool,
}

impl Page {
    fn days_left(&self, certificate: &CertificateView) -> i64 {
        certificate.until.duration_since(self.frame.now).as_hours() / 24
    }
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Certificates").await?;
    let certificates = desk.ask(|unit| unit.certificates()).await?;
    let takes_bundles = frame.person.role == Role::Administrator;
    page(&Page { frame, certificates, takes_bundles })
}

pub async fn request(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.request_certificate(&visit.person.name)).await??;
    Ok(see("/certificates"))
}

pub async fn withdraw(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.withdraw_request(&visit.person.name)).await??;
    Ok(see("/certificates"))
}

/// The request that waits, as a file to be signed.
pub async fn download(State(desk): State<Arc<Desk>>) -> Result<Response, Failure> {
    let waiting = desk.ask(|unit| unit.certificates().requested).await?.ok_or(Failure::NotFound)?;
    Ok(file(&format!("{}.csr", desk.unit.name()), "application/pkcs10", waiting.request))
}

#[derive(Deserialize)]
pub struct PutIn {
    #[serde(default)]
    certificate: String,
    #[serde(default)]
    authority: String,
}

pub async fn put_in(
    desk: State<Arc<Desk>>,
    visit: Extension<Visit>,
    Form(PutIn { certificate, authority }): Form<PutIn>,
) -> Result<Response, Failure> {
    install(desk, visit, Offer { certificate, authority }).await
}

pub async fn install(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    offer: Offer,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.install_certificate(&offer, &visit.person.name)).await??;
    Ok(see("/certificates"))
}

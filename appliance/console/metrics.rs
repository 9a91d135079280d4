//! The unit's numbers for machines: Prometheus' page, and the history of health.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::answer::Failure;
use super::desk::Desk;
use super::gate::bearer;
use crate::crypto::sha256;

/// Shorter ones can be guessed.
const SHORTEST: usize = 20;

/// What a monitoring system shows to be let in without an account. Read anew each time, so that a new one needs no restart.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct MetricsToken(Option<PathBuf>);

impl MetricsToken {
    pub fn in_file(file: Option<PathBuf>) -> Self {
        Self(file)
    }

    /// Whether this request shows the token.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        match (bearer(headers), self.read()) {
            // Digests are compared, so that the time it takes tells nothing of the token.
            (Some(shown), Some(token)) => sha256(shown.as_bytes()) == sha256(token.as_bytes()),
            _ => false,
        }
    }

    fn read(&self) -> Option<String> {
        let file = crate::delivery::tls::locate(self.0.as_ref()?);
        let token = std::fs::read_to_string(&file)
            .inspect_err(|error| tracing::warn!(file = %file.display(), %error, "no metrics token"))
            .ok()?;
        let token = token.trim().to_owned();
        if token.len() < SHORTEST {
            tracing::warn!(file = %file.display(), "the metrics token is too short: give at least {SHORTEST} characters");
            return None;
        }
        Some(token)
    }
}

pub async fn show(State(desk): State<Arc<Desk>>) -> Result<Response, Failure> {
    let text = desk.ask(|unit| unit.metrics()).await?;
    let text = text.ok_or_else(|| Failure::Unavailable("The unit has not judged itself yet.".to_owned()))?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

#[derive(Deserialize)]
pub struct Back {
    hours: Option<u16>,
}

/// JSON, oldest first: the last `hours`, or a day; a week at most.
pub async fn history(State(desk): State<Arc<Desk>>, Query(back): Query<Back>) -> Result<Response, Failure> {
    let hours = back.hours.unwrap_or(24);
    let json = desk.ask(move |unit| unit.history(hours)).await?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn only_the_whole_token_lets_in_and_a_short_one_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let token = MetricsToken(Some(file.clone()));
        let shows = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, text.parse().unwrap());
            headers
        };
        let right = shows("Bearer 0123456789abcdefghij");
        assert!(!token.admits(&right), "there is no file");
        std::fs::write(&file, "0123456789abcdefghij\n").unwrap();
        assert!(token.admits(&right));
        for wrong in
            ["Bearer 0123456789abcdefghi", "Bearer ", "Basic 0123456789abcdefghij", "0123456789abcdefghij"]
        {
            assert!(!token.admits(&shows(wrong)), "{wrong}");
        }
        assert!(!token.admits(&HeaderMap::new()));
        assert!(!MetricsToken::default().admits(&right));
        std::fs::write(&file, "").unwrap();
        assert!(!token.admits(&shows("Bearer ")), "an empty file lets nobody in");
    }
}

//! The one door that every request goes through: who is it, may they, is the form ours, write it down.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{ConnectInfo, Form, FromRequest, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use futures_util::{TryStreamExt, stream};
use serde::Deserialize;

use super::accounts::Person;
use super::answer::{Failure, for_program, see};
use super::reception::Reception;
use super::routes::{Allowed, Kind, Rule};
use super::sessions::Session;
use super::unit::Act;

/// The prefix makes browsers insist on `Secure`, on the path `/` and on this very host.
const COOKIE: &str = "__Host-milepost";

/// Three times the configuration that explains itself; a stranger's upload ends there.
pub const BODY_MAX: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(10);

/// Who is asking, for handlers behind the gate.
#[derive(Clone)]
pub struct Visit {
    pub person: Person,
    pub csrf: String,
    pub from: IpAddr,
}

#[derive(Deserialize)]
struct Csrf {
    csrf: String,
}

pub async fn pass(
    State((reception, rule)): State<(Arc<Reception>, Rule)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    jar: CookieJar,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(reception.clone());
    let answer = admit(&reception, rule, peer, &jar, request, next).await.into_response();
    if rule.kind.is_api() { for_program(answer).await } else { answer }
}

async fn admit(
    reception: &Reception,
    rule: Rule,
    peer: SocketAddr,
    jar: &CookieJar,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let from = peer.ip();
    let path = shown_path(&request);
    let session = session(reception, rule, jar, request.headers());
    match (rule.allowed, &session) {
        (Allowed::Anyone, _) => as_stranger(reception, rule, from, request, next).await,
        (Allowed::Roles(roles), Some(session)) => {
            let person = &session.person;
            let answer = if roles.contains(&person.role) {
                let answer = as_person(rule, session, from, request, next);
                let Some(answer) = while_signed_in(rule, session, answer).await else {
                    return at_the_door(rule.kind);
                };
                answer
            } else {
                Err(Failure::Forbidden)
            };
            let act = match (rule.kind, &answer) {
                (_, Err(_)) => Some(Act::Denied { path }),
                (Kind::Page | Kind::Ask, Ok(_)) => Some(Act::Looked { path }),
                (Kind::Form | Kind::Order, Ok(answer)) => {
                    Some(Act::Sent { path, status: answer.status().as_u16() })
                }
                // What a page fetches for itself was said when the page was opened.
                (Kind::Data | Kind::Screen | Kind::Scrape, Ok(_)) => None,
            };
            if let Some(act) = act {
                reception.audit(person, from, act).await?;
            }
            answer
        }
        (Allowed::Roles(_), None) if rule.kind == Kind::Scrape => {
            if reception.metrics_token.admits(request.headers()) {
                Ok(next.run(request).await)
            } else if reception.throttle().admit(from, reception.clock.now()) {
                Ok(StatusCode::UNAUTHORIZED.into_response())
            } else {
                Err(Failure::TooManyTries)
            }
        }
        (Allowed::Roles(_), None) => at_the_door(rule.kind),
    }
}

/// For who is not signed in, or not any more.
fn at_the_door(kind: Kind) -> Result<Response, Failure> {
    match kind {
        Kind::Page => Ok(see("/sign-in")),
        Kind::Ask | Kind::Order => Err(Failure::SignInFirst),
        Kind::Data | Kind::Screen | Kind::Scrape | Kind::Form => Ok(StatusCode::UNAUTHORIZED.into_response()),
    }
}

/// The answer, unless the session ends first, as when the account is disabled: what waits for news then ends, and so does what
/// is still being sent. What changes something is done to its end, and written down.
async fn while_signed_in(
    rule: Rule,
    session: &Session,
    answer: impl Future<Output = Result<Response, Failure>>,
) -> Option<Result<Response, Failure>> {
    if matches!(rule.kind, Kind::Form | Kind::Order) {
        return Some(answer.await);
    }
    let answer = tokio::select! {
        answer = answer => answer,
        () = session.ended() => return None,
    };
    let is_whole = |answer: &Response| answer.body().size_hint().exact().is_some();
    Some(
        answer.map(
            |answer| if is_whole(&answer) { answer } else { answer.map(|body| cut_with(session, body)) },
        ),
    )
}

/// The rest of a long answer is not sent to who has been signed out: it breaks off, so that nobody takes it for whole.
fn cut_with(session: &Session, body: Body) -> Body {
    let (blocks, over) = (body.into_data_stream(), Box::pin(session.ended()));
    Body::from_stream(stream::try_unfold((blocks, over), |(mut blocks, mut over)| async move {
        tokio::select! {
            block = blocks.try_next() => Ok(block?.map(|block| (block, (blocks, over)))),
            () = &mut over => Err(axum::Error::new("signed out")),
        }
    }))
}

/// Sign-in and set-up write down their own story: it depends on the proof.
async fn as_stranger(
    reception: &Reception,
    rule: Rule,
    from: IpAddr,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if matches!(rule.kind, Kind::Form | Kind::Order) {
        request = match rule.kind {
            Kind::Form => own_form(request, None).await?,
            _ => bounded(request).await?.0,
        };
        if !reception.throttle().admit(from, reception.clock.now()) {
            return Err(Failure::TooManyTries);
        }
    }
    Ok(next.run(request).await)
}

async fn as_person(
    rule: Rule,
    session: &Session,
    from: IpAddr,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    match rule.kind {
        Kind::Form => request = own_form(request, Some(session)).await?,
        Kind::Order => request = bounded(request).await?.0,
        Kind::Page | Kind::Data | Kind::Screen | Kind::Scrape | Kind::Ask => {}
    }
    let visit = Visit { person: session.person.clone(), csrf: session.csrf().to_owned(), from };
    request.extensions_mut().insert(visit);
    Ok(next.run(request).await)
}

/// The cookie that begins a session.
pub fn session_cookie(token: String) -> Cookie<'static> {
    Cookie::build((COOKIE, token)).path("/").secure(true).http_only(true).same_site(SameSite::Strict).build()
}

/// Signs out: ends the session of this cookie and takes the cookie back.
pub fn sign_out(reception: &Reception, jar: CookieJar) -> CookieJar {
    if let Some(cookie) = jar.get(COOKIE) {
        reception.sessions().end(cookie.value());
    }
    jar.remove(session_cookie(String::new()))
}

fn session(reception: &Reception, rule: Rule, jar: &CookieJar, headers: &HeaderMap) -> Option<Session> {
    // A page that polls says whether someone touched it since.
    let used = headers.contains_key("milepost-present")
        || match rule.kind {
            Kind::Page | Kind::Form | Kind::Ask | Kind::Order => true,
            Kind::Data | Kind::Scrape => false,
            Kind::Screen => reception.place.rides_in_vehicle(),
        };
    let token = match rule.kind.is_api() {
        // A browser never sends this by itself, so no other site can make it sign an order.
        true => bearer(headers)?.to_owned(),
        false => jar.get(COOKIE)?.value().to_owned(),
    };
    reception.sessions().look(&token, used, reception.clock.now())
}

/// The token that a program shows.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Reads the form, and refuses it unless a page of this console sent it.
async fn own_form(request: Request, session: Option<&Session>) -> Result<Request, Failure> {
    if !same_origin(request.headers()) {
        return Err(Failure::ForeignForm);
    }
    let (request, bytes) = bounded(request).await?;
    let (parts, body) = request.into_parts();
    if let Some(session) = session {
        let again = Request::from_parts(parts.clone(), Body::from(bytes));
        let shown = Form::<Csrf>::from_request(again, &()).await;
        if !shown.is_ok_and(|Form(shown)| session.csrf_fits(&shown.csrf)) {
            return Err(Failure::ForeignForm);
        }
    }
    Ok(Request::from_parts(parts, body))
}

/// Reads the body within bounds of size and time.
async fn bounded(request: Request) -> Result<(Request, Bytes), Failure> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_MAX)).await;
    let Ok(Ok(bytes)) = read else {
        return Err(Failure::Refused(format!("The body did not arrive whole, or is over {BODY_MAX} bytes.")));
    };
    Ok((Request::from_parts(parts, Body::from(bytes.clone())), bytes))
}

/// Browsers say where a form comes from. Older ones leave `Sec-Fetch-Site` out; and with our own
/// `no-referrer` they say `Origin: null`, which a foreign page can say too: for those, the session's
/// token decides.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(ORIGIN.as_str()).filter(|origin| *origin != "null");
    let host = text(HOST.as_str()).unwrap_or_default();
    let site = text("sec-fetch-site");
    origin.is_none_or(|origin| origin.strip_prefix("https://") == Some(host))
        && site.is_none_or(|site| site == "same-origin")
}

/// For the audit log: the path alone, and no longer than a line.
fn shown_path(request: &Request) -> String {
    request.uri().path().chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::console::accounts::Role;
    use crate::console::sessions::Sessions;
    use crate::system::{Clock, SystemClock};
    use crate::words::PersonName;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), axum::http::HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_this_console_may_send_forms() {
        let host = ("host", "10.1.1.1:8443");
        assert!(same_origin(&headers(&[host, ("origin", "https://10.1.1.1:8443")])));
        assert!(same_origin(&headers(&[host, ("origin", "null"), ("sec-fetch-site", "same-origin")])));
        assert!(!same_origin(&headers(&[host, ("origin", "https://evil.example")])));
        assert!(!same_origin(&headers(&[host, ("origin", "http://10.1.1.1:8443")])));
        assert!(!same_origin(&headers(&[host, ("origin", "null"), ("sec-fetch-site", "cross-site")])));
        assert!(!same_origin(&headers(&[host, ("sec-fetch-site", "same-site")])));
    }

    #[test]
    fn a_long_answer_breaks_off_when_its_reader_is_signed_out() {
        let name = PersonName::parse("Jo Hill").unwrap();
        let person = Person { name: name.clone(), role: Role::Administrator };
        let (mut sessions, now) = (Sessions::default(), SystemClock::new().now());
        let token = sessions.begin(person, now);
        let session = sessions.look(&token, true, now).unwrap();
        let begun = stream::iter([Ok::<_, std::io::Error>("first")]).chain(stream::pending());
        let mut blocks = cut_with(&session, Body::from_stream(begun)).into_data_stream();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(blocks.try_next()).unwrap().unwrap(), "first");
        sessions.end_all_of(&name);
        assert!(runtime.block_on(blocks.try_next()).is_err(), "it does not look whole");
    }
}

//! The whole fleet: counts, map, list; and what changed of them since.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::row::Row;
use crate::console::answer::{Failure, page};
use crate::console::gate::Visit;
use crate::console::pages::{Frame, wording};
use crate::console::reception::{Reception, Sign};
use crate::fleet::board::{Board, sign};
use crate::fleet::map::{HEIGHT, LeadsTo, Map, RIM, WIDTH};
use crate::fleet::report::Told;
use crate::fleet::roster::{Broker, Roster};
use crate::fleet::unit::{Condition, Unit};
use crate::fleet::wanted::{Asked, Found, NotUnderstood, Sort, Wanted};
use crate::words::{UnitId, UnitKind};

/// How long a page waits for a change.
const PATIENCE: Duration = Duration::from_secs(25);
/// What changes within it is told together. Reports of thousands of units come many a second.
const TOGETHER: Duration = Duration::from_millis(100);
/// What a page says that it knows.
const KNOWN: &str = "milepost-known";

#[derive(Template)]
#[template(path = "list.html", config = "appliance/fleet/askama.toml")]
struct Page {
    frame: Frame,
    asked: Asked,
    known: Known,
    picture: u64,
    summary: Summary,
    pager: Pager,
    map: Option<Drawing>,
    rows: Vec<String>,
    reasons: Vec<Choice>,
}

/// Counts by condition, and the broker's trouble.
#[derive(Template)]
#[template(path = "summary.html", config = "appliance/fleet/askama.toml")]
struct Summary {
    sign: Sign,
    units: u64,
    counts: Vec<(Condition, u64)>,
    state: String,
    down: Option<(Timestamp, String)>,
    beyond: u64,
    refused: u64,
}

/// How many fit, and the ways to the others.
#[derive(Template)]
#[template(path = "pager.html", config = "appliance/fleet/askama.toml")]
struct Pager {
    total: u64,
    first: usize,
    last: usize,
    page: usize,
    pages: usize,
    before: Option<String>,
    behind: Option<String>,
    filtered: bool,
}

#[derive(Template)]
#[template(path = "map.html", config = "appliance/fleet/askama.toml")]
struct Drawing {
    map: Map,
    asked: Asked,
    total: u64,
}

struct Choice {
    token: String,
    words: String,
    chosen: bool,
}

impl From<NotUnderstood> for Failure {
    fn from(told: NotUnderstood) -> Self {
        Self::Refused(told.to_string())
    }
}

pub async fn show(
    State(board): State<Arc<Board>>,
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let wanted = asked.understood()?;
    let frame = Frame::at(&reception, visit, "Units").await?;
    let look = Look::at(&board, &wanted);
    page(&Page {
        frame,
        known: look.known(),
        picture: look.picture,
        summary: look.summary(&asked),
        pager: Pager::of(&asked, &look.found),
        map: Drawing::of(&asked, &wanted, &look.found),
        rows: look.rows(|_| true)?.into_values().collect(),
        reasons: look.choices(&asked),
        asked,
    })
}

/// The map alone, for a page whose map is no longer so.
pub async fn map(State(board): State<Arc<Board>>, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let wanted = asked.understood()?;
    let look = Look::at(&board, &wanted);
    match Drawing::of(&asked, &wanted, &look.found) {
        Some(drawing) => page(&drawing),
        None => Ok(Html(String::new()).into_response()),
    }
}

/// What a page has to change, to be what [`show`] would show now.
#[derive(Serialize)]
struct Changes {
    known: String,
    /// Changes whenever the map may have.
    picture: u64,
    summary: Option<String>,
    pager: String,
    order: Vec<UnitId>,
    /// Those of them that changed.
    rows: BTreeMap<usize, String>,
}

/// What changed since the page was made, or since the last answer, as soon as anything on it did.
pub async fn changes(
    State(board): State<Arc<Board>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let wanted = asked.understood()?;
    let shown = headers.get(KNOWN).and_then(|value| Known::parse(value.to_str().ok()?)).unwrap_or_default();
    let until = Instant::now() + PATIENCE;
    let mut changed = board.watch();
    loop {
        changed.mark_unchanged();
        let look = Look::at(&board, &wanted);
        if look.differs_from(shown) {
            return Ok(Json(look.changes(&asked, shown)?).into_response());
        }
        if timeout_at(until, changed.changed()).await.is_err() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        sleep(TOGETHER).await;
    }
}

/// What a page shows: up to which revision, and which rows in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    revision: u64,
    order: u64,
}

impl Known {
    fn parse(text: &str) -> Option<Self> {
        let (revision, order) = text.split_once('-')?;
        Some(Self { revision: revision.parse().ok()?, order: order.parse().ok()? })
    }
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.revision, self.order)
    }
}

/// One look at the roster for one page.
struct Look {
    found: Found,
    revision: u64,
    picture: u64,
    sign: Sign,
    units: u64,
    counts: Vec<(Condition, u64)>,
    down: Option<(Timestamp, String)>,
    beyond: u64,
    refused: u64,
    now: Timestamp,
}

impl Look {
    fn at(board: &Board, wanted: &Wanted) -> Self {
        let now = board.clock.now().wall;
        let roster: &Roster = &board.roster();
        let refused = roster.refused();
        Self {
            found: wanted.among(roster, now),
            revision: roster.revision(),
            picture: roster.picture(),
            sign: sign(roster),
            units: roster.len() as u64,
            counts: Condition::ALL.map(|condition| (condition, roster.count(condition) as u64)).to_vec(),
            down: match roster.broker() {
                Broker::Connected { .. } => None,
                Broker::Down { since, why } => Some((*since, why.clone())),
            },
            beyond: refused.beyond,
            refused: refused.foreign + refused.oversized + refused.unreadable,
            now,
        }
    }

    fn known(&self) -> Known {
        let mut hasher = DefaultHasher::new();
        let ids = self.found.rows().iter().map(|unit| &unit.id);
        (ids.collect::<Vec<_>>(), self.found.all.len()).hash(&mut hasher);
        // JavaScript's numbers hold 53 bits; it only hands this back, but who reads it should not stumble.
        Known { revision: self.revision, order: hasher.finish() >> 11 }
    }

    fn differs_from(&self, shown: Known) -> bool {
        self.picture > shown.revision
            || self.known().order != shown.order
            || self.found.rows().iter().any(|unit| unit.revision > shown.revision)
    }

    fn changes(&self, asked: &Asked, shown: Known) -> Result<Changes, Failure> {
        let summary = (self.picture > shown.revision).then(|| rendered(&self.summary(asked)));
        Ok(Changes {
            known: self.known().to_string(),
            picture: self.picture,
            summary: summary.transpose()?,
            pager: rendered(&Pager::of(asked, &self.found))?,
            order: self.found.rows().iter().map(|unit| unit.id.clone()).collect(),
            rows: self.rows(|unit| unit.revision > shown.revision)?,
        })
    }

    /// By their places on the page.
    fn rows(&self, which: impl Fn(&Unit) -> bool) -> Result<BTreeMap<usize, String>, Failure> {
        let rows = self.found.rows().iter().enumerate().filter(|(_, unit)| which(unit));
        rows.map(|(place, unit)| Ok((place, rendered(&Row::of(unit, self.now))?))).collect()
    }

    fn summary(&self, asked: &Asked) -> Summary {
        Summary {
            sign: self.sign.clone(),
            units: self.units,
            counts: self.counts.clone(),
            state: asked.state.clone(),
            down: self.down.clone(),
            beyond: self.beyond,
            refused: self.refused,
        }
    }

    /// The reasons in force; also one that is asked for and no longer is.
    fn choices(&self, asked: &Asked) -> Vec<Choice> {
        let choice = |token: &str, count: usize| Choice {
            words: format!("{} ({})", in_words(token), wording::count(&(count as u64))),
            chosen: token == asked.reason,
            token: token.to_owned(),
        };
        let mut choices: Vec<Choice> =
            self.found.reasons.iter().map(|(token, count)| choice(token, *count)).collect();
        if !asked.reason.is_empty() && !choices.iter().any(|choice| choice.chosen) {
            choices.push(choice(&asked.reason, 0));
        }
        choices
    }
}

/// A reason's name as words: the sentence of one that we know, without its full stop.
fn in_words(token: &str) -> String {
    let told = serde_json::from_value(token.into()).map_or_else(|_| Told::Later(token.into()), Told::Known);
    told.sentence().trim_end_matches('.').to_owned()
}

fn rendered(template: &impl Template) -> Result<String, Failure> {
    template.render().map_err(|error| Failure::Broken(error.to_string()))
}

impl Pager {
    fn of(asked: &Asked, found: &Found) -> Self {
        let to = |page: usize| Asked { page: page.to_string(), ..asked.clone() }.path();
        let rows = found.rows().len();
        let first = (found.page - 1) * crate::fleet::wanted::PAGE;
        Self {
            total: found.all.len() as u64,
            first: if rows > 0 { first + 1 } else { 0 },
            last: first + rows,
            page: found.page,
            pages: found.pages,
            before: (found.page > 1).then(|| to(found.page - 1)),
            behind: (found.page < found.pages).then(|| to(found.page + 1)),
            filtered: asked.is_filter(),
        }
    }
}

impl Drawing {
    fn of(asked: &Asked, wanted: &Wanted, found: &Found) -> Option<Self> {
        let map = Map::of(&found.all, wanted.area)?;
        Some(Self { map, asked: asked.clone(), total: found.all.len() as u64 })
    }

    /// Where a mark leads: to its unit, or to a closer look.
    fn path(&self, leads_to: &LeadsTo) -> String {
        match leads_to {
            LeadsTo::Unit(unit) => format!("/units/{}", unit.id),
            LeadsTo::Area(area) => {
                Asked { area: area.to_string(), page: String::new(), ..self.asked.clone() }.path()
            }
        }
    }

    /// The way back from a closer look.
    fn whole(&self) -> Option<String> {
        (!self.asked.area.is_empty())
            .then(|| Asked { area: String::new(), page: String::new(), ..self.asked.clone() }.path())
    }
}

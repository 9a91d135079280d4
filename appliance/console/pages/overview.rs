use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::{Frame, wording};
use crate::console::answer::{Failure, page};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{Overview, ServiceState};
use crate::hotlist::Freshness;

#[derive(Template)]
#[template(path = "overview.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
    next: NextStep,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Overview").await?;
    let next = next_step(&overview, frame.now);
    page(&Page { frame, overview, next })
}

/// The one thing that helps most now, and the page where it is done.
#[derive(Debug, PartialEq, Eq)]
struct NextStep {
    sentence: String,
    path: Option<&'static str>,
}

/// In the order in which one thing hides the next: without a picture nothing is read, without a list nothing is
/// matched, without a broker nobody hears of it.
fn next_step(overview: &Overview, now: Timestamp) -> NextStep {
    let step = |path, sentence: String| NextStep { sentence, path };
    let service = &overview.service;
    if let Some(camera) = overview.cameras.iter().find(|camera| !camera.link.up) {
        let trouble = camera.link.trouble.as_deref().unwrap_or("It gives no picture.");
        return step(Some("/aim"), format!("See to camera {}: {trouble}", camera.camera));
    }
    if service.state == ServiceState::OutOfService {
        let do_it = match &service.by {
            Some(person) => {
                format!("{person} took the unit out of service: return it when the work is done.")
            }
            None => "Mend what is named above, then return the unit to service.".to_owned(),
        };
        return step(Some("/maintenance"), do_it);
    }
    if overview.lists.iter().all(|list| list.freshness == Freshness::Missing) {
        return step(
            Some("/lists"),
            "Wait for a hot list: none has arrived, so nothing can match.".to_owned(),
        );
    }
    let stale = overview.lists.iter().find(|list| list.freshness == Freshness::Stale);
    if let Some((list, issued)) = stale.and_then(|list| Some((list, list.issued?))) {
        let age = wording::ago(&issued, &now);
        let sentence = format!("Ask for a newer hot list: {} was issued {age}.", list.list);
        return step(Some("/lists"), sentence);
    }
    if !overview.broker.up {
        let trouble = overview.broker.trouble.as_deref().unwrap_or("It does not answer.");
        return step(None, format!("See to the link to the broker: {trouble}"));
    }
    match overview.alerts_open {
        0 => {}
        1 => return step(Some("/alerts"), "Look at 1 alert that nobody has verified.".to_owned()),
        open => return step(Some("/alerts"), format!("Look at {open} alerts that nobody has verified.")),
    }
    match (overview.manual.pending, overview.manual.expiring) {
        (0, 0) => {}
        (0, _) => {
            let sentence = "Extend or let go the manual entries that soon expire.";
            return step(Some("/lists"), sentence.to_owned());
        }
        _ => {
            let sentence = "Approve or decline the manual entries that wait for a second person.";
            return step(Some("/lists"), sentence.to_owned());
        }
    }
    if let Some(camera) = overview.cameras.iter().find(|camera| camera.lanes_doubtful) {
        let sentence = "the aim was verified anew since they were drawn.";
        return step(Some("/aim"), format!("Look at the lanes of camera {}: {sentence}", camera.camera));
    }
    if service.state == ServiceState::Degraded {
        return step(Some("/maintenance"), "See to what is named above.".to_owned());
    }
    step(None, "Nothing to do. The unit works by itself.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::unit::{CameraView, Link, Service};
    use crate::health::{AnswerReport, YieldReport};
    use crate::hotlist::{ListSummary, ManualSummary};
    use crate::words::{CameraId, ListName, PersonName};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn healthy() -> Overview {
        let up = Link { up: true, since: NOW, trouble: None };
        Overview {
            service: Service { state: ServiceState::InService, reasons: vec![], since: NOW, by: None },
            cameras: vec![CameraView {
                camera: CameraId::parse("north").unwrap(),
                link: up.clone(),
                fps: 15.0,
                yields: YieldReport::default(),
                reads_by_lane: Vec::new(),
                lanes_doubtful: false,
            }],
            reads_today: 0,
            alerts_today: 0,
            alerts_open: 0,
            lists: vec![ListSummary {
                list: ListName::parse("state").unwrap(),
                freshness: Freshness::Fresh,
                version: Some(1),
                issued: Some(NOW),
                age_s: Some(0),
                expires: None,
                installed: Some(NOW),
                signed_by: None,
                entries: 1,
                on_its_way: None,
                last_refusal: None,
                refusals: 0,
            }],
            manual: ManualSummary::default(),
            answers: AnswerReport::default(),
            backlog: 0,
            broker: up,
        }
    }

    #[test]
    fn a_healthy_unit_asks_for_nothing() {
        assert_eq!(next_step(&healthy(), NOW).path, None);
        assert!(next_step(&healthy(), NOW).sentence.starts_with("Nothing to do"));
    }

    #[test]
    fn the_gravest_trouble_comes_first() {
        // Each trouble is worse than all before it, so it must take the place of theirs.
        let mut unit = healthy();
        unit.service.state = ServiceState::Degraded;
        assert_eq!(next_step(&unit, NOW).path, Some("/maintenance"));
        unit.cameras[0].lanes_doubtful = true;
        assert!(next_step(&unit, NOW).sentence.contains("the lanes of camera north"));
        unit.manual.expiring = 1;
        assert!(next_step(&unit, NOW).sentence.contains("soon expire"));
        unit.manual.pending = 1;
        assert!(next_step(&unit, NOW).sentence.contains("second person"));
        unit.alerts_open = 2;
        assert!(next_step(&unit, NOW).sentence.contains("2 alerts"));
        unit.broker.up = false;
        unit.broker.trouble = Some("the server refused the certificate".into());
        assert!(next_step(&unit, NOW).sentence.contains("refused the certificate"));
        unit.lists[0].freshness = Freshness::Stale;
        assert!(next_step(&unit, NOW).sentence.contains("newer hot list"));
        unit.service.state = ServiceState::OutOfService;
        unit.service.by = Some(PersonName::parse("Jo Hill").unwrap());
        assert!(next_step(&unit, NOW).sentence.contains("Jo Hill took"));
        unit.cameras[0].link.up = false;
        assert!(next_step(&unit, NOW).sentence.contains("camera north"));
    }
}

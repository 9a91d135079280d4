//! The unit as the console sees it.

mod bundle;
mod certificates;
mod differences;
mod lanes;
mod logbook;
pub mod network;
pub mod settings;
mod stored;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::watch;
use tracing::{error, warn};

use super::answers::Answers;
use super::board::{Board, Posted};
use super::duty::Duty;
use super::guard::Watched;
use super::history::History;
use super::manual::Ledger;
use super::renewal::Renewal;
use super::saved::Saved;
use super::tally::Tally;
use network::Network;
use settings::Settings;

use crate::alert::{self, Disposition};
use crate::audit::{Audit, Event, Who};
use crate::console::{
    self, Access, Act, AimPicture, AimView, AlertView, AuditEntry, AuditFilter, BundleSent, BundleView,
    CameraView, Certificates, Configuration, Deployed, Deployment, EntryRequest, Link, Lists, ListsChecked,
    LivePicture, ManualView, NetworkView, Overview, PictureKind, Records as RecordsView, ReferenceView,
    Refused, Service as ServiceView, ServiceChange, ServiceState as StateView, Stock, Subject, Verdict,
    Verification, Verified, Work,
};
use crate::crypto::Digest;
use crate::delivery::tls::Credentials;
use crate::delivery::{LinkState as BrokerState, LinkStatus};
use crate::enroll::{Offer, Statement};
use crate::health::{HealthReport, Reference, ServiceState, metrics};
use crate::hotlist::{
    self, Author, Entry, Freshness, Hotlist, ListSummary, Listed, ManualChange, Request, Text,
};
use crate::network::Change;
use crate::passage::DrawnLanes;
use crate::record::{Kind, Records};
use crate::system::{Clock, ClockStatus, clock_status};
use crate::words::{CameraId, PersonName, RecordId, UnitId, UnitKind, sentence};

/// As many as a person looks through.
const PURGES_SHOWN: usize = 20;
const ALERTS_SHOWN: usize = 50;
/// Years of maintenance.
const STATEMENT_ENTRIES: usize = 10_000;

/// What a statement of the unit says.
#[derive(Serialize)]
struct Told<'a> {
    unit: &'a UnitId,
    at: Timestamp,
    asked_by: &'a PersonName,
    deployment: Option<Deployed>,
    logbook: Vec<AuditEntry>,
}

/// Handles on the rooms.
pub struct Window {
    pub unit: UnitId,
    pub kind: UnitKind,
    /// None where the program cannot start anew with others.
    pub settings: Option<Arc<Settings>>,
    pub network: Arc<Network>,
    /// What the unit shows to the broker, and signs statements with.
    pub renewal: Arc<Renewal>,
    pub cameras: Arc<Vec<Watched>>,
    pub hotlist: Hotlist,
    pub records: Arc<Records>,
    pub audit: Arc<Audit>,
    pub manual: Ledger,
    pub answers: Arc<Answers>,
    pub board: Arc<Board>,
    pub newest_alert: watch::Receiver<Option<RecordId>>,
    pub broker: watch::Receiver<LinkStatus>,
    pub duty: Arc<Duty>,
    pub saved: Arc<Saved>,
    pub tally: Arc<Tally>,
    pub latest: Arc<Mutex<Option<HealthReport>>>,
    pub history: Arc<History>,
    pub clock: Arc<dyn Clock>,
    /// Which pictures went to whom, so that the log says it once.
    pub handed_out: Mutex<HashSet<(PersonName, RecordId, &'static str)>>,
}

/// More than a board of alerts shows to a whole station; past it the log says some things twice.
const HANDED_OUT_MOST: usize = 2000;

impl console::Unit for Window {
    fn name(&self) -> UnitId {
        self.unit.clone()
    }

    fn rides_in_vehicle(&self) -> bool {
        self.kind == UnitKind::Mobile
    }

    fn overview(&self) -> Overview {
        let now = self.clock.now();
        let counts = self.tally.counts(now.wall);
        Overview {
            service: self.service(),
            cameras: self.cameras.iter().map(|camera| camera.view(&self.tally, now.wall)).collect(),
            reads_today: counts.reads_today,
            alerts_today: counts.alerts_today,
            alerts_open: self.board.open(now),
            lists: self.hotlist.summary(now.wall),
            manual: self.hotlist.manual_summary(now.wall),
            answers: self.answers.report(),
            backlog: self.records.counts().held.values().sum(),
            broker: self.broker_link(),
        }
    }

    fn live(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<LivePicture>>>> {
        self.cameras
            .iter()
            .find(|watched| watched.sight.camera == *camera)
            .map(|watched| watched.sight.live())
    }

    fn aims(&self) -> Vec<AimView> {
        let now = self.clock.now().wall;
        self.cameras.iter().map(|camera| camera.aim(&self.tally, now)).collect()
    }

    fn verify_aim(&self, camera: &CameraId, by: &PersonName) -> Result<(), Refused> {
        let named = |watched: &&Watched| watched.sight.camera == *camera;
        let watched = self.cameras.iter().find(named);
        self.take_reference(watched.ok_or_else(|| Refused(format!("There is no camera {camera}.")))?, by)
    }

    fn draw_lanes(&self, camera: &CameraId, drawing: DrawnLanes, by: &PersonName) -> Result<(), Refused> {
        lanes::draw(self, camera, drawing, by)
    }

    fn aim_picture(&self, camera: &CameraId, which: AimPicture) -> Option<Vec<u8>> {
        let watched = self.cameras.iter().find(|watched| watched.sight.camera == *camera)?;
        let watch = watched.sight.watch();
        let picture = match which {
            AimPicture::Now => watch.present_jpeg(),
            AimPicture::Then(light) => watch.references()?.in_light(light).last()?.jpeg().map(Some),
        };
        picture.unwrap_or_else(|error| {
            error!(%error, "a picture of the aim could not be encoded");
            None
        })
    }

    fn alerts(&self, limit: usize) -> Vec<AlertView> {
        self.board.latest(limit, self.clock.now()).into_iter().map(alert_view).collect()
    }

    fn alert(&self, id: RecordId) -> Option<AlertView> {
        self.board.alert(id, self.clock.now()).map(alert_view)
    }

    fn alert_picture(&self, id: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>> {
        let posted = self.board.alert(id, self.clock.now())?;
        let jpeg = match kind {
            PictureKind::Crop => posted.crop,
            PictureKind::Scene => posted.scene,
        };
        let jpeg = jpeg?.to_vec();
        self.handed_out(id, kind, by);
        Some(jpeg)
    }

    fn newest_alert(&self) -> watch::Receiver<Option<RecordId>> {
        self.newest_alert.clone()
    }

    fn verify_alert(&self, id: RecordId, what: Verification, by: &PersonName) -> Result<(), Refused> {
        let now = self.clock.now().wall;
        let verified = alert::Verified {
            characters: what.characters_match,
            state: what.state_matches,
            status: what.status_verified,
        };
        let disposition = Disposition::new(id, verdict(what.verdict), verified, by.clone(), now)
            .map_err(|error| Refused(sentence(error)))?;
        match self.answers.given(disposition) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Refused("The alert is no longer on this unit; answer it at the department.".into()))
            }
            Err(error) => Err(Refused(sentence(error))),
        }
    }

    fn lists(&self) -> Lists {
        let now = self.clock.now().wall;
        let view = |manual: hotlist::ManualEntry| ManualView {
            state: manual.state(self.hotlist.date(now)),
            expires_soon: self.hotlist.manual_expires_soon(&manual, now),
            manual,
        };
        let checked = self.saved.lists_checked().unwrap_or_else(|error| {
            warn!(%error, "the last check of the lists is not known");
            None
        });
        Lists {
            lists: self.hotlist.summary(now),
            manual: self.hotlist.manual_list().into_iter().map(view).collect(),
            checked,
        }
    }

    fn request_entry(&self, request: EntryRequest, by: &PersonName) -> Result<(), Refused> {
        let now = self.clock.now().wall;
        let replaces = request.replaces;
        let entry = entry_of(request, now)?;
        self.ask(
            match replaces {
                Some(of) => Request::Change { of, entry },
                None => Request::Add { entry },
            },
            by,
        )
    }

    fn request_removal(&self, of: RecordId, reason: &str, by: &PersonName) -> Result<(), Refused> {
        let reason = text_of("reason", reason)?;
        self.ask(Request::Remove { of, reason }, by)
    }

    fn approve_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let author = Author::signed_in(by.clone());
        let change = self.hotlist.manual_approve(id, &author, self.clock.now().wall);
        self.note_manual(&change.map_err(|error| Refused(sentence(error)))?, by);
        Ok(())
    }

    fn decline_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let author = Author::signed_in(by.clone());
        let change = self.hotlist.manual_decline(id, &author, self.clock.now().wall);
        self.note_manual(&change.map_err(|error| Refused(sentence(error)))?, by);
        Ok(())
    }

    fn check_lists(&self, by: &PersonName) -> Result<(), Refused> {
        let now = self.clock.now().wall;
        let lists = self.hotlist.summary(now);
        let current = lists.iter().all(|list| list.freshness == Freshness::Fresh);
        let stands = |list: &ListSummary| match (list.version, list.age_s) {
            (Some(version), Some(age_s)) => {
                format!("{} version {version}, {} min old", list.list, age_s / 60)
            }
            _ => format!("{} missing", list.list),
        };
        let checked = ListsChecked { by: by.clone(), at: now, current };
        self.saved.keep_lists_checked(&checked).map_err(|error| Refused(sentence(error)))?;
        let lists = lists.iter().map(stands).collect::<Vec<_>>().join("; ");
        self.note(Who::Person(by.clone()), Event::ListsChecked { current, lists });
        Ok(())
    }

    fn records(&self) -> RecordsView {
        let counts = self.records.counts();
        let free = self.report().and_then(|report| report.device.disk_free_mb).unwrap_or(0);
        let stock = |kind: &Kind| Stock {
            kind: plural(*kind).to_owned(),
            waiting: counts.held.get(kind).copied().unwrap_or(0),
        };
        RecordsView {
            stock: Kind::ALL.iter().filter(|kind| kind.is_counted()).map(stock).collect(),
            delivered: counts.received,
            purged: counts.purged.iter().map(tally).collect(),
            purges: logbook::purges(&self.audit, &self.records, PURGES_SHOWN),
            alerts: stored::alerts(&self.records, ALERTS_SHOWN),
            lost: counts.lost.iter().map(tally).collect(),
            disk_used_bytes: counts.bytes,
            disk_free_bytes: free * 1_000_000,
        }
    }

    fn stored_alert(&self, record: RecordId) -> Option<AlertView> {
        stored::alert(&self.records, record).map(|stored| stored.view)
    }

    fn stored_picture(&self, record: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>> {
        let jpeg = stored::picture(&self.records, record, kind)?;
        self.handed_out(record, kind, by);
        Some(jpeg)
    }

    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused> {
        match to {
            ServiceChange::OutOfService => {
                self.duty.take_out(by, reason);
                Ok(())
            }
            ServiceChange::Return => {
                self.duty.return_to_service(by, reason).map_err(|error| Refused(sentence(error)))
            }
        }
    }

    fn note_work(&self, work: Work, done_by: &str, note: &str, by: &PersonName) -> Result<(), Refused> {
        if work == Work::Aimed {
            self.verify_aims(by)?;
        }
        let done_by = if done_by.is_empty() { String::new() } else { format!(" by {done_by}") };
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        let what = format!("{}{done_by}{note}", work.words());
        self.note(Who::Person(by.clone()), Event::Maintenance { what });
        Ok(())
    }

    fn deployment(&self) -> Option<Deployed> {
        self.saved.deployment().unwrap_or_else(|error| {
            warn!(%error, "the deployment is not known");
            None
        })
    }

    fn deploy(&self, deployment: Deployment, by: &PersonName) -> Result<(), Refused> {
        let deployed = Deployed { deployment, by: by.clone(), at: self.clock.now().wall };
        self.saved.keep_deployment(&deployed).map_err(|error| Refused(sentence(error)))?;
        let Deployment { site, purpose, authority, approval, from, until } = deployed.deployment;
        let event = Event::Deployed { site, purpose, authority, approval, from, until };
        self.note(Who::Person(by.clone()), event);
        Ok(())
    }

    fn logbook(&self, limit: usize) -> Vec<AuditEntry> {
        let filter = AuditFilter { subject: Some(Subject::Maintenance), ..AuditFilter::default() };
        console::logbook::search(&self.audit, &filter, limit)
    }

    fn statement(&self, by: &PersonName) -> Result<Vec<u8>, Refused> {
        let told = Told {
            unit: &self.unit,
            at: self.clock.now().wall,
            asked_by: by,
            deployment: self.deployment(),
            logbook: self.logbook(STATEMENT_ENTRIES),
        };
        let text = serde_json::to_string(&told).expect("a statement is plain data with string keys");
        let identity = self.renewal.in_use.identity().map_err(|error| Refused(sentence(error)))?;
        let signed = Statement::sign(text, &identity).map_err(|error| Refused(sentence(error)))?;
        Ok(signed.to_json())
    }

    fn metrics(&self) -> Option<String> {
        let tally = self.tally.counts(self.clock.now().wall);
        self.report().map(|report| metrics(&report, tally.reads, tally.alerts))
    }

    fn history(&self, hours: u16) -> String {
        let samples = self.history.since(SignedDuration::from_hours(hours.into()), self.clock.now().wall);
        serde_json::to_string(&samples).expect("samples are plain data with string keys")
    }

    fn certificates(&self) -> Certificates {
        certificates::show(&self.renewal)
    }

    fn request_certificate(&self, by: &PersonName) -> Result<(), Refused> {
        self.renewal.request(by).map(|_| ())
    }

    fn withdraw_request(&self, by: &PersonName) -> Result<(), Refused> {
        self.renewal.withdraw(by)
    }

    fn install_certificate(&self, offer: &Offer, by: &PersonName) -> Result<(), Refused> {
        self.renewal.install(offer, by).map(|_| ())
    }

    fn look_into_bundle(&self, sent: &BundleSent) -> Result<BundleView, Refused> {
        Ok(self.bundles()?.plan(sent)?.view)
    }

    fn take_bundle(&self, sent: &BundleSent, by: &PersonName) -> Result<(), Refused> {
        let bundles = self.bundles()?;
        let plan = bundles.plan(sent)?;
        bundles.take(plan, by)
    }

    fn configuration(&self) -> Configuration {
        let facts = self.renewal.in_use.identity().and_then(|identity| identity.certificate.facts());
        let clock = match clock_status() {
            ClockStatus::Synchronised => "kept by a time service",
            ClockStatus::Free => "no time service keeps it: records say so",
            ClockStatus::Unknown => "the system does not tell whether it is kept",
        };
        Configuration {
            text: self.settings.as_ref().map(|settings| settings.text().to_owned()),
            former: self.settings.as_ref().and_then(|settings| settings.former()).map(str::to_owned),
            trial_until: self.trial_until(),
            clock: clock.to_owned(),
            certificate: facts.map(certificates::view).map_err(sentence),
        }
    }

    fn trial_until(&self) -> Option<Timestamp> {
        self.settings.as_ref()?.until()
    }

    fn try_configuration(&self, text: &str, by: &PersonName) -> Result<String, Refused> {
        if self.network_trial_until().is_some() {
            return Err(Refused("Keep or take back the network that is on trial first.".to_owned()));
        }
        let address = self.settings()?.propose(text)?;
        let digest = Digest::of(text.as_bytes());
        let what = format!("tries another configuration (SHA-256 {digest})");
        self.note(Who::Person(by.clone()), Event::ConfigurationChanged { what });
        Ok(address)
    }

    fn decide_trial(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        let settings = self.settings()?;
        let what = if keep { "keeps the configuration" } else { "returns to the old configuration" };
        if keep {
            settings.keep()?
        } else {
            settings.leave()?
        }
        self.note(Who::Person(by.clone()), Event::ConfigurationChanged { what: what.to_owned() });
        Ok(())
    }

    fn network(&self) -> NetworkView {
        self.network.view(self.broker_link().up, self.clock.now().wall)
    }

    fn network_trial_until(&self) -> Option<Timestamp> {
        self.network.until(self.clock.now().wall)
    }

    fn try_network(&self, change: Change, by: &PersonName) -> Result<(), Refused> {
        if self.trial_until().is_some() {
            return Err(Refused("Keep or leave the configuration that is on trial first.".to_owned()));
        }
        self.network.propose(change, by)
    }

    fn decide_network(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        self.network.decide(keep, by)
    }

    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        console::logbook::search(&self.audit, filter, limit)
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String> {
        self.audit.after(after, limit).unwrap_or_else(|error| {
            error!(%error, "the audit log could not be read");
            Vec::new()
        })
    }

    fn audit(&self, access: Access) {
        let shown = shown_alert(&access);
        let (who, event) = console::logbook::entry(access, shown);
        self.note(who, event);
    }
}

impl Window {
    fn settings(&self) -> Result<&Arc<Settings>, Refused> {
        let none = || Refused("This unit was not started from a file that can be changed here.".to_owned());
        self.settings.as_ref().ok_or_else(none)
    }

    fn bundles(&self) -> Result<bundle::Hands, Refused> {
        Ok(bundle::Hands {
            settings: self.settings()?.clone(),
            renewal: self.renewal.clone(),
            audit: self.audit.clone(),
            state_dir: self.saved.folder().to_owned(),
            now: self.clock.now().wall,
        })
    }

    fn service(&self) -> ServiceView {
        let report = self.duty.report();
        let reason = |standing: &crate::health::Standing| match standing.detail.as_str() {
            "" => standing.reason.sentence().to_owned(),
            detail => format!("{} ({detail})", standing.reason.sentence()),
        };
        let mut standing = report.reasons;
        standing.sort_by_key(|standing| std::cmp::Reverse(standing.reason.severity()));
        ServiceView {
            state: match report.state {
                ServiceState::InService => StateView::InService,
                ServiceState::Degraded => StateView::Degraded,
                ServiceState::OutOfService => StateView::OutOfService,
            },
            reasons: standing.iter().map(reason).collect(),
            since: report.since,
            by: standing.iter().find_map(|standing| standing.by.clone()),
        }
    }

    fn broker_link(&self) -> Link {
        let status = self.broker.borrow();
        let (up, since, trouble) = match &status.link {
            BrokerState::Connected { since } => (true, Some(*since), status.trouble()),
            BrokerState::Down { since, .. } => (false, Some(*since), status.trouble()),
            BrokerState::Connecting => (false, None, Some("It is being connected.".to_owned())),
            BrokerState::Stopped => (false, None, Some("The unit is stopping.".to_owned())),
        };
        Link { up, since: since.unwrap_or_else(|| self.clock.now().wall), trouble }
    }

    /// A picture has left the unit for a browser: noted once for each person, who may look often.
    fn handed_out(&self, record: RecordId, kind: PictureKind, by: &PersonName) {
        let what = match kind {
            PictureKind::Crop => "picture of the plate of an alert",
            PictureKind::Scene => "picture of the scene of an alert",
        };
        let mut known = self.handed_out.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == HANDED_OUT_MOST {
            known.clear();
        }
        if known.insert((by.clone(), record, what)) {
            let event = Event::Disseminated {
                what: what.to_owned(),
                to: by.to_string(),
                records: 1,
                reason: "shown at the console".to_owned(),
                record: Some(record),
                sha256: None,
            };
            self.note(Who::Person(by.clone()), event);
        }
    }

    fn report(&self) -> Option<HealthReport> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn verify_aims(&self, by: &PersonName) -> Result<(), Refused> {
        self.cameras.iter().try_for_each(|camera| self.take_reference(camera, by))
    }

    /// Makes the present view of a camera its reference, on this person's word.
    fn take_reference(&self, camera: &Watched, by: &PersonName) -> Result<(), Refused> {
        let name = camera.sight.camera.clone();
        let now = self.clock.now();
        let captured = camera.sight.watch().verify_aim(by.clone(), now);
        let references = captured.map_err(|error| Refused(sentence(error)))?.ok_or_else(|| {
            Refused(format!("The view of {name} has not settled yet: try again in ten seconds."))
        })?;
        self.saved.keep_aim(&name, &references).map_err(|error| Refused(sentence(error)))?;
        self.note(Who::Person(by.clone()), Event::AimVerified { camera: name });
        Ok(())
    }

    fn ask(&self, request: Request, by: &PersonName) -> Result<(), Refused> {
        let author = Author::signed_in(by.clone());
        let asked = self.hotlist.manual_request(RecordId::new(), request, &author, self.clock.now().wall);
        if let Some(change) = asked.map_err(|error| Refused(sentence(error)))? {
            self.note_manual(&change, by);
        }
        Ok(())
    }

    fn note_manual(&self, change: &ManualChange, by: &PersonName) {
        self.manual.note(Who::Person(by.clone()), change, self.clock.now());
    }

    fn note(&self, who: Who, event: Event) {
        if let Err(error) = self.audit.append(who, event) {
            error!(%error, "the audit log could not be written");
        }
    }
}

impl Watched {
    fn aim(&self, tally: &Tally, now: Timestamp) -> AimView {
        let drawn = self.sight.drawn();
        let reads_by_lane = self.reads_by_lane(tally, now);
        let watch = self.sight.watch();
        let view = watch.view();
        let references = watch.references();
        let verified = references.map(|verified| verified.at);
        let shown =
            |view: &Reference| ReferenceView { light: view.light, at: view.at, learned: view.learned };
        AimView {
            camera: self.sight.camera.clone(),
            verified: references.map(|verified| (verified.by.clone(), verified.at)),
            references: references.map(|all| all.views().iter().map(shown).collect()).unwrap_or_default(),
            displacement: view.displacement,
            lanes: references.map(|all| all.lanes().known().to_vec()).unwrap_or_default(),
            lane_shift: view.lanes,
            lanes_doubtful: drawn.as_ref().is_some_and(|drawn| drawn.is_doubtful(verified)),
            drawn,
            reads_by_lane,
        }
    }

    fn view(&self, tally: &Tally, now: Timestamp) -> CameraView {
        use crate::capture::LinkState;
        let status = self.capture.status();
        let (up, fps, trouble) = match &status.state {
            LinkState::Streaming(stream) => (true, stream.fps, None),
            LinkState::Connecting => (false, 0.0, Some("It is being connected.".to_owned())),
            LinkState::Faulted(fault) => (false, 0.0, Some(format!("{fault}. {}", fault.mend()))),
            LinkState::Ended => (false, 0.0, Some("Its pictures have come to their end.".to_owned())),
        };
        let link = Link { up, since: status.since.wall, trouble };
        CameraView {
            camera: self.sight.camera.clone(),
            link,
            fps,
            yields: self.sight.yields().report(),
            reads_by_lane: self.reads_by_lane(tally, now),
            lanes_doubtful: self.sight.lanes_doubtful(),
        }
    }
}

fn alert_view(posted: Posted) -> AlertView {
    AlertView {
        has_crop: posted.crop.is_some(),
        has_scene: posted.scene.is_some(),
        verified: posted.disposition.map(|disposition| Verified {
            what: Verification {
                characters_match: disposition.verified.characters,
                state_matches: disposition.verified.state,
                status_verified: disposition.verified.status,
                verdict: verdict_view(disposition.verdict),
            },
            by: disposition.by,
            at: disposition.at,
        }),
        alert: posted.alert,
    }
}

fn verdict(verdict: Verdict) -> alert::Verdict {
    match verdict {
        Verdict::CorrectRead => alert::Verdict::CorrectRead,
        Verdict::WrongState => alert::Verdict::WrongState,
        Verdict::IncorrectRead => alert::Verdict::IncorrectRead,
        Verdict::Dismissed => alert::Verdict::Dismissed,
    }
}

fn verdict_view(verdict: alert::Verdict) -> Verdict {
    match verdict {
        alert::Verdict::CorrectRead => Verdict::CorrectRead,
        alert::Verdict::WrongState => Verdict::WrongState,
        alert::Verdict::IncorrectRead => Verdict::IncorrectRead,
        alert::Verdict::Dismissed => Verdict::Dismissed,
    }
}

fn entry_of(request: EntryRequest, now: Timestamp) -> Result<Entry, Refused> {
    let plate = Listed::parse(&request.plate).map_err(|error| Refused(sentence(error)))?;
    Ok(Entry {
        state: request.state,
        reason: text_of("reason", &request.reason)?,
        authority: text_of("authority", &request.authority)?,
        case: text_of("case", &request.case)?,
        instructions: text_of("instructions", &request.instructions)?,
        until: request.hours.map(|hours| now + SignedDuration::from_hours(hours.into())),
        ..Entry::new(plate, request.category)
    })
}

fn text_of<const MAX: usize>(field: &str, typed: &str) -> Result<Text<MAX>, Refused> {
    Text::parse(typed).map_err(|error| Refused(format!("The {field} cannot be taken: {error}.")))
}

fn tally((reason, count): (&impl std::fmt::Display, &u64)) -> console::Counted {
    console::Counted { reason: reason.to_string(), count: *count }
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::AmberAlert => "AMBER alerts",
        Kind::CriticalAlert => "alerts of the highest level",
        Kind::Alert => "alerts",
        Kind::Picture => "pictures",
        Kind::Disposition => "answers to alerts",
        Kind::ManualEntry => "steps of manual entries",
        Kind::Health => "changes of health",
        Kind::Audit => "batches of the audit log",
        Kind::Certificate => "purge certificates",
        Kind::Read => "reads",
        Kind::Canary => "canaries",
    }
}

/// The alert that a page showed.
fn shown_alert(access: &Access) -> Option<RecordId> {
    match &access.act {
        Act::Looked { path } => path.strip_prefix("/alerts/")?.split('/').next()?.parse().ok(),
        _ => None,
    }
}

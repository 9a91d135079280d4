//! Reads to alerts and stored records: the one thread that decides what a read leads to.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tracing::{error, info};

use super::board::{Board, Posted};
use super::duty::Duty;
use super::news::{Glance, News};
use super::place::Whereabouts;
use super::pulse::Pulse;
use super::read_record::ReadRecord;
use super::sight::Handed;
use super::tally::Tally;
use crate::alert::{Alert, Alerts, Urgency};
use crate::audit::{Audit, Event, Who};
use crate::crypto::Digest;
use crate::hotlist::{Hotlist, Match};
use crate::passage::{Read, Verdict};
use crate::record::{Kind, NewRecord, Records};
use crate::system::{Clock, clock_status};
use crate::vision::jpeg;
use crate::words::{ListName, Moment, Position, RecordId, UnitId};

/// How long the thread waits for a read before it shows a sign of life and sweeps the store.
const PATIENCE: Duration = Duration::from_secs(1);

/// A picture of a read or an alert: where to find it, and what it must be.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PictureRef {
    pub id: RecordId,
    pub kind: PictureKind,
    pub sha256: Digest,
}

/// What a picture shows: the plate alone, or the whole view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PictureKind {
    Crop,
    Scene,
}

/// A picture with its name.
struct Pictured {
    reference: PictureRef,
    jpeg: Vec<u8>,
}

impl Pictured {
    fn record(&self, owner: RecordId, read: &Read, hit: bool) -> NewRecord {
        record(Kind::Picture, self.reference.id, Some(owner), read, hit, self.jpeg.clone())
    }
}

/// An alert as it travels: with the names of its pictures.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AlertRecord<'a> {
    #[serde(flatten)]
    pub alert: &'a Alert,
    /// Follow as messages of their own, on the topic `pictures`.
    pub pictures: &'a [PictureRef],
}

impl AlertRecord<'_> {
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an alert is plain data with string keys")
    }
}

/// Everything that this thread asks and tells.
pub struct Evidence {
    pub unit: UnitId,
    pub hotlist: Hotlist,
    pub alerts: Alerts,
    pub duty: Arc<Duty>,
    pub records: Arc<Records>,
    pub audit: Arc<Audit>,
    pub board: Arc<Board>,
    pub tally: Arc<Tally>,
    pub whereabouts: Arc<Whereabouts>,
    pub pulse: Arc<Pulse>,
    pub clock: Arc<dyn Clock>,
    pub news: broadcast::Sender<News>,
    /// For pages that wait for the next alert.
    pub newest_alert: watch::Sender<Option<RecordId>>,
}

impl Evidence {
    /// Starts the thread; it ends when every sender of `reads` is gone.
    pub fn start(self, reads: Receiver<Handed>) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("evidence".into()).spawn(move || self.run(&reads))
    }

    fn run(mut self, reads: &Receiver<Handed>) {
        let mut swept = self.clock.now();
        loop {
            let passed = reads.recv_timeout(PATIENCE);
            let now = self.clock.now();
            self.pulse.beat(now);
            match passed {
                Ok(Handed::Vehicle(verdict)) => self.take(&verdict, now),
                Ok(Handed::Canary(read)) => {
                    read.pass(&self.unit, &self.hotlist, &self.alerts, &self.records, now);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if now.since(&swept) >= PATIENCE {
                swept = now;
                if let Err(error) = self.records.sweep() {
                    error!(%error, "records could not be swept");
                }
            }
        }
    }

    fn take(&mut self, verdict: &Verdict, now: Moment) {
        let read = verdict.read();
        let found = self.hotlist.matches(&read.reading, &read.state, now.wall);
        let matches: Vec<Match> =
            found.iter().filter(|matched| self.alerts.concerns(matched)).cloned().collect();
        let position = self.whereabouts.position(read.last_seen);
        let alerts = self.alerts.decide(read, matches.clone(), now);
        for alert in alerts {
            if self.duty.is_in_service() {
                self.raise(alert.seen_from(position), read, now);
            } else {
                let why = "the unit is out of service".to_owned();
                self.suppress(read, alert.matched.list.list.clone(), why);
            }
        }
        if let Verdict::Final(read) = verdict {
            for (list, why) in self.alerts.suppressed(read, &found) {
                self.suppress(read, list, why);
            }
            self.keep(read, &matches, position, now);
        }
    }

    /// Stored with its pictures before anybody hears of it.
    fn raise(&self, alert: Alert, read: &Read, now: Moment) {
        let pictures = self.pictures(read);
        let references: Vec<PictureRef> = pictures.iter().map(|picture| picture.reference).collect();
        let body = AlertRecord { alert: &alert, pictures: &references }.to_json();
        // A better read of the same alert is a record of its own; `alert.id` joins them.
        let kind = match alert.urgency() {
            Urgency::Amber => Kind::AmberAlert,
            Urgency::Critical => Kind::CriticalAlert,
            Urgency::Other => Kind::Alert,
        };
        let mut records = vec![record(kind, RecordId::new(), None, read, true, body)];
        records.extend(pictures.iter().map(|picture| picture.record(alert.id, read, true)));
        self.store(records, "alert");
        info!(alert = %alert.id, revision = alert.revision, level = ?alert.level, hit = ?alert.hit, "alert");
        self.audit.note(
            Who::Unit,
            Event::AlertRaised { alert: alert.id, read: alert.read, list: alert.matched.list.list.clone() },
        );
        if alert.revision == 1 {
            self.tally.alert(now.wall);
        }
        let jpeg = |kind| {
            let picture = pictures.iter().find(|picture| picture.reference.kind == kind)?;
            Some(Arc::from(picture.jpeg.as_slice()))
        };
        self.board.post(Posted {
            at: read.last_seen,
            crop: jpeg(PictureKind::Crop),
            scene: jpeg(PictureKind::Scene),
            disposition: None,
            alert: alert.clone(),
        });
        self.newest_alert.send_replace(Some(alert.id));
        self.tell(News::Alert(Box::new(alert)));
    }

    fn suppress(&self, read: &Read, list: ListName, why: String) {
        self.audit.note(Who::Unit, Event::AlertSuppressed { read: read.id, list, why });
    }

    fn keep(&self, read: &Read, matches: &[Match], position: Option<Position>, now: Moment) {
        let hit = !matches.is_empty();
        let mut pictures = self.pictures(read);
        if !hit {
            // The scene is for those that a person must judge.
            pictures.retain(|picture| picture.reference.kind == PictureKind::Crop);
        }
        let references: Vec<PictureRef> = pictures.iter().map(|picture| picture.reference).collect();
        let body = ReadRecord::of(&self.unit, read, matches, &references, position, clock_status()).to_json();
        let mut records = vec![record(Kind::Read, read.id, None, read, hit, body)];
        records.extend(pictures.iter().map(|picture| picture.record(read.id, read, hit)));
        self.store(records, "read");
        let lane = read.lane.as_ref().map(|lane| lane.name());
        self.tally.read(read.last_seen.wall, now.wall, &read.camera, lane);
        if let Some(glance) = Glance::of(read) {
            self.tell(News::Read(glance));
        }
    }

    fn store(&self, records: Vec<NewRecord>, what: &str) {
        if let Err(error) = self.records.store_all(records) {
            error!(%error, what, "evidence could not be stored");
        }
    }

    /// Crop and scene of the best sighting. The alert is worth more than its pictures, so one that cannot
    /// be encoded is left out.
    fn pictures(&self, read: &Read) -> Vec<Pictured> {
        let encoded = [
            (PictureKind::Crop, jpeg::plate(&read.scene, &read.corners)),
            (PictureKind::Scene, jpeg::scene(&read.scene)),
        ];
        let keep = |(kind, body): (PictureKind, Result<Vec<u8>, _>)| match body {
            Ok(jpeg) => {
                let sha256 = Digest::of(&jpeg);
                Some(Pictured { reference: PictureRef { id: RecordId::new(), kind, sha256 }, jpeg })
            }
            Err(error) => {
                error!(read = %read.id, ?kind, %error, "a picture could not be encoded");
                None
            }
        };
        encoded.into_iter().filter_map(keep).collect()
    }

    fn tell(&self, news: News) {
        // Fails when nobody listens.
        let _ = self.news.send(news);
    }
}

fn record(
    kind: Kind,
    id: RecordId,
    belongs_to: Option<RecordId>,
    read: &Read,
    hit: bool,
    body: Vec<u8>,
) -> NewRecord {
    NewRecord { id, hit, belongs_to, ..NewRecord::of(kind, read.last_seen, body) }
}

//! The unit's own test plate on its way: laid and looked at by `vision`, held against the lists and stored by
//! `evidence`, followed to the broker and back by `health`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tracing::{debug, error};

use crate::alert::Alerts;
use crate::capture::Frame;
use crate::crypto::random;
use crate::health::{Canary, CanaryReport, Finding, Stage, TestPlate, Timing, Whereabouts, place};
use crate::hotlist::Hotlist;
use crate::passage::{self, Passages, Read, Verdict};
use crate::record::{Kind, NewRecord, Records, Stored};
use crate::vision::{Corners, Sighting, Vision};
use crate::words::{CameraId, Moment, Plate, Probability, RecordId, UnitId};

/// Frames that show the plate: a vote, as over a passing vehicle.
const LOOKS: u32 = 3;

/// A read this sure shows where plates are read on this camera.
const TELLING: f64 = 0.95;

/// The part of an outline that must lie where the plate was laid for it to be that plate.
const SAME_PLACE: f32 = 0.5;

/// One camera's canary, shared by the threads that it passes.
#[derive(Clone)]
pub struct Flight(Arc<Mutex<Canary>>);

impl Flight {
    pub fn new(timing: Timing, now: Moment) -> Self {
        Self(Arc::new(Mutex::new(Canary::new(timing, now))))
    }

    /// Asks the store how far it has come; gives the record that nobody follows any more. To be called about once a
    /// second.
    pub fn follow(&self, records: &Records, now: Moment) -> Option<RecordId> {
        let whereabouts = |id| match records.is_published(id) {
            None => Whereabouts::Received,
            Some(true) => Whereabouts::Acknowledged,
            Some(false) => Whereabouts::Waiting,
        };
        self.canary().follow(whereabouts, now)
    }

    pub fn finding(&self, camera: &CameraId) -> Option<Finding> {
        self.canary().finding(camera)
    }

    pub fn report(&self) -> CanaryReport {
        self.canary().report()
    }

    fn lost(&self, stage: Stage, now: Moment) {
        debug!(?stage, "the test plate was lost");
        self.canary().lost(stage, now);
    }

    fn canary(&self) -> MutexGuard<'_, Canary> {
        // Every method of Canary leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what an earlier start left in the store: nobody follows it any more.
pub fn drop_left_behind(records: &Records) {
    for waiting in records.waiting_of(Kind::Canary, false, usize::MAX) {
        drop_canary(records, waiting.id);
    }
}

pub fn drop_canary(records: &Records, id: RecordId) {
    if let Err(error) = records.drop_canary(id) {
        error!(%id, %error, "the record of a test plate could not be dropped");
    }
}

/// A test plate that was seen, voted on, and read right.
pub struct CanaryRead {
    flight: Flight,
    plate: Plate,
    read: Read,
    laid: Moment,
}

/// The vision thread's part.
pub struct CanaryEye {
    flight: Flight,
    config: passage::Config,
    laying: Option<Laying>,
    /// Where the last vehicle of this camera was read best.
    usual: Option<Corners>,
}

/// One plate that is being looked at.
struct Laying {
    test: TestPlate,
    place: Corners,
    at: Moment,
    /// Its own, so that it never meets a vehicle's.
    passages: Passages,
    looks: u32,
    seen: u32,
    read: Option<Read>,
}

impl CanaryEye {
    pub fn new(flight: Flight, config: passage::Config) -> Self {
        Self { flight, config, laying: None, usual: None }
    }

    /// Learns from a vehicle where plates are read.
    pub fn note(&mut self, verdict: &Verdict) {
        if let Verdict::Final(read) = verdict
            && read.candidates.first().is_some_and(|best| best.probability.value() >= TELLING)
        {
            self.usual = Some(read.corners);
        }
    }

    /// Lays the plate into a copy of this frame and looks at it, if one is due or being looked at. `calm`: whether
    /// nothing moves in the frame; `plates`: the real ones that were last seen in it.
    pub fn see(
        &mut self,
        vision: &mut Vision,
        frame: &Frame,
        calm: bool,
        plates: &[Corners],
    ) -> Option<CanaryRead> {
        if self.laying.is_none() && self.flight.canary().is_due(calm, frame.taken) {
            self.begin(frame, plates);
        }
        let laying = self.laying.as_mut()?;
        let copy = laying.test.laid_into(frame, &laying.place);
        let sightings = vision.look(copy.luma()).unwrap_or_else(|error| {
            error!(%error, "a frame with the test plate could not be read");
            Vec::new()
        });
        laying.take(&copy, sightings);
        (laying.looks >= LOOKS)
            .then(|| self.laying.take())
            .flatten()
            .and_then(|laying| self.end(laying, frame.taken))
    }

    fn begin(&mut self, frame: &Frame, plates: &[Corners]) {
        let size = (frame.luma().width, frame.luma().height);
        // After a loss where nothing is assumed: what was learned may mislead.
        let usual = self.usual.as_ref().filter(|_| self.flight.report().losses == 0);
        let place = place(size, usual, plates);
        self.flight.canary().laid(frame.taken);
        self.laying = Some(Laying {
            test: TestPlate::invented(random()),
            place,
            at: frame.taken,
            passages: Passages::new(self.config.clone()),
            looks: 0,
            seen: 0,
            read: None,
        });
    }

    fn end(&self, mut laying: Laying, now: Moment) -> Option<CanaryRead> {
        let last = laying.passages.finish();
        laying.keep(last);
        let plate = laying.test.text();
        let stage = match laying.read {
            None if laying.seen == 0 => Stage::Vision,
            None => Stage::Passage,
            Some(read) if read.candidates.first().is_some_and(|best| best.plate == plate) => {
                self.flight.canary().was_read(now);
                return Some(CanaryRead { flight: self.flight.clone(), plate, read, laid: laying.at });
            }
            Some(_) => Stage::Reading,
        };
        self.flight.lost(stage, now);
        None
    }
}

impl Laying {
    fn take(&mut self, copy: &Frame, sightings: Vec<Sighting>) {
        let there = sightings.into_iter().find(|sighting| sighting.corners.overlap(&self.place) > SAME_PLACE);
        self.looks += 1;
        self.seen += u32::from(there.is_some());
        let verdicts = self.passages.see(copy, there.into_iter().collect());
        self.keep(verdicts);
    }

    fn keep(&mut self, verdicts: Vec<Verdict>) {
        for verdict in verdicts {
            if let Verdict::Final(read) = verdict {
                self.read.get_or_insert(read);
            }
        }
    }
}

/// What a canary tells whoever listens. It does not say what the plate's text was: nobody may take it for a vehicle's.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CanaryRecord<'a> {
    unit: &'a UnitId,
    camera: &'a CameraId,
    /// When it was laid into the picture.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    laid: Timestamp,
    /// Looks in which it was found.
    sightings: u32,
    /// In pixels of the frame.
    width_px: f32,
    /// How sure the vote was of the text.
    confidence: Probability,
    /// How likely it was held to be the vehicle of its entry.
    matched: Probability,
}

impl CanaryRead {
    /// The evidence thread's part: from the lists to the store.
    pub fn pass(self, unit: &UnitId, hotlist: &Hotlist, alerts: &Alerts, records: &Records, now: Moment) {
        let Self { flight, plate, read, laid } = self;
        let matched = match hotlist.try_out(&read.reading, &read.state, plate, now.wall) {
            Ok(matched) => matched.filter(|matched| alerts.concerns(matched)),
            Err(error) => {
                error!(%error, "the test plate could not be looked up");
                None
            }
        };
        let Some(matched) = matched else { return flight.lost(Stage::Matching, now) };
        let record = CanaryRecord {
            unit,
            camera: &read.camera,
            laid: laid.wall,
            sightings: read.sightings,
            width_px: read.width_px,
            confidence: read.reading.probability_of(&plate),
            matched: matched.probability,
        };
        let body = serde_json::to_vec(&record).expect("a canary is plain data with string keys");
        let record = NewRecord::of(Kind::Canary, laid, body);
        let id = record.id;
        match records.store(record) {
            Ok(Stored::OnDisk) => {
                flight.canary().stored(id, now);
            }
            Ok(Stored::InMemory | Stored::NotByPolicy) => {
                drop_canary(records, id);
                flight.lost(Stage::Record, now);
            }
            Err(error) => {
                error!(%error, "the record of the test plate could not be stored");
                flight.lost(Stage::Record, now);
            }
        }
    }
}

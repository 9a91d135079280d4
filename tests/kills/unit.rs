//! The process that is killed: a unit without cameras, which stores alerts, pictures and reads as fast as they are
//! delivered, and says on its standard output what it was promised.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milepost::audit::Audit;
use milepost::crypto::{Digest, UnitKey, random};
use milepost::delivery::{Acceptance, Config, Delivery, Kind, Parcel, Received, Shelf, ShelfError};
use milepost::record::{self, NewRecord, Records, Stored};
use milepost::system::{Clock, RealDisk, SystemClock};
use milepost::words::{RecordId, UnitId};
use tokio::sync::watch;

pub const NAME: &str = "north-7";
/// Where the process works; without it, it is no such process.
pub const FOLDER: &str = "MILEPOST_KILLED_UNIT";
const DRAIN: &str = "MILEPOST_KILLED_UNIT_DRAINS";
/// Stands in every body, and nowhere on the disk.
pub const MARKER: &str = "plate-8ABC123";
/// Stored and not purged, at most: so that a life has something to purge, and what waits can be looked at often.
const BACKLOG: u64 = 120;

/// What the process says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// In the records when they were opened.
    Holds(RecordId),
    /// At work from now on.
    Ready,
    /// Acknowledged as durable.
    Stored(RecordId, Digest),
    /// By a receipt.
    Purged(RecordId),
    /// Nothing is held any more.
    Empty,
}

impl Told {
    fn line(&self) -> String {
        match self {
            Self::Holds(id) => format!("holds {id}\n"),
            Self::Ready => "ready\n".to_owned(),
            Self::Stored(id, digest) => format!("stored {id} {digest}\n"),
            Self::Purged(id) => format!("purged {id}\n"),
            Self::Empty => "empty\n".to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        Some(match words[..] {
            ["holds", id] => Self::Holds(id.parse().ok()?),
            ["ready"] => Self::Ready,
            ["stored", id, digest] => Self::Stored(id.parse().ok()?, digest.parse().ok()?),
            ["purged", id] => Self::Purged(id.parse().ok()?),
            ["empty"] => Self::Empty,
            _ => return None,
        })
    }
}

/// One process, as its killer sees it.
pub struct Life {
    child: Child,
    lines: Receiver<Told>,
    said: Vec<Told>,
}

impl Life {
    /// The test program runs itself. `drains`: it stores nothing.
    pub fn begin(folder: &Path, drains: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["unit_that_is_killed", "--exact", "--nocapture"]).env(FOLDER, folder);
        if drains {
            command.env(DRAIN, "yes");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for told in stdout.lines().map_while(Result::ok).filter_map(|line| Told::parse(&line)) {
                if sender.send(told).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    pub fn wait_until_ready(&mut self) {
        assert!(self.waits_for(Told::Ready, Duration::from_secs(60)), "a unit could not open its records");
    }

    pub fn wait_until_empty(&mut self, patience: Duration) -> bool {
        self.waits_for(Told::Empty, patience)
    }

    fn waits_for(&mut self, wanted: Told, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(told) => {
                    self.said.push(told);
                    if told == wanted {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// `kill -9`; gives all that it had said.
    pub fn kill(mut self) -> Vec<Told> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        self.said
    }
}

/// The store of records, which says what it lets go.
struct Telling(Arc<Records>);

impl Shelf for Telling {
    fn waiting(&self, kind: Kind, limit: usize) -> Vec<RecordId> {
        Shelf::waiting(self.0.as_ref(), kind, limit)
    }

    fn fetch(&self, id: RecordId) -> Result<Option<Parcel>, ShelfError> {
        Shelf::fetch(self.0.as_ref(), id)
    }

    fn published(&self, ids: &[RecordId]) {
        Shelf::published(self.0.as_ref(), ids);
    }

    fn received(&self, receipts: &[Received]) -> Vec<Acceptance> {
        let answers = Shelf::received(self.0.as_ref(), receipts);
        let purged = receipts.iter().zip(&answers).filter(|(_, answer)| **answer == Acceptance::Accepted);
        say(purged.map(|(receipt, _)| Told::Purged(receipt.id)));
        answers
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        Shelf::subscribe(self.0.as_ref())
    }
}

/// Works until it is killed.
pub fn live(folder: &Path) -> ! {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (audit, _) = Audit::open(&folder.join("audit"), Arc::new(RealDisk), clock.clone()).unwrap();
    let key = UnitKey::load(&folder.join("unit.key")).unwrap();
    // Small segments, so that they are closed and removed often.
    let config = record::Config { segment_records: 40, ..record::Config::default() };
    let place = folder.join("records");
    let records = Records::open(config, &place, &key, Arc::new(RealDisk), clock.clone(), Arc::new(audit));
    let records = Arc::new(records.unwrap().0);
    say(records.waiting(None, usize::MAX).iter().map(|waiting| Told::Holds(waiting.id)));

    let text = std::fs::read_to_string(folder.join("delivery.toml")).unwrap();
    let config: Config = toml::from_str(&text).unwrap();
    let shelf = Arc::new(Telling(records.clone()));
    let unit = UnitId::parse(NAME).unwrap();
    let (_delivery, _inbound) = Delivery::start(config, unit, Vec::new(), shelf, clock.clone()).unwrap();
    // The first random number of a process takes tens of milliseconds; kills are to fall into the work.
    let _ = random::<1>();
    say([Told::Ready]);
    if std::env::var_os(DRAIN).is_some() {
        drain(&records);
    }
    std::thread::scope(|scope| {
        for first in [alert, read, read] {
            let (records, clock) = (&records, &clock);
            scope.spawn(move || {
                loop {
                    store(records, first(clock.as_ref()));
                    while held(records) > BACKLOG {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
    });
    unreachable!("the workers never end")
}

fn drain(records: &Records) -> ! {
    loop {
        if held(records) == 0 {
            // Counted out before its files go: the sweep waits for the purge that is under way.
            records.sweep().unwrap();
            say([Told::Empty]);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn held(records: &Records) -> u64 {
    records.counts().held.values().sum()
}

fn store(records: &Records, group: Vec<NewRecord>) {
    let told: Vec<_> = group.iter().map(|new| Told::Stored(new.id, Digest::of(&new.body))).collect();
    assert_eq!(records.store_all(group).unwrap(), Stored::OnDisk);
    say(told);
}

/// An alert with two pictures, a change of health beside it.
fn alert(clock: &dyn Clock) -> Vec<NewRecord> {
    let alert = new(record::Kind::Alert, true, text(), clock);
    let pictures = [8_000, 40_000].map(|size| {
        let picture = new(record::Kind::Picture, true, jpeg(size), clock);
        NewRecord { belongs_to: Some(alert.id), ..picture }
    });
    let health = new(record::Kind::Health, false, text(), clock);
    [vec![alert, health], pictures.into()].concat()
}

/// A read without a match, and its picture.
fn read(clock: &dyn Clock) -> Vec<NewRecord> {
    let read = new(record::Kind::Read, false, text(), clock);
    let picture =
        NewRecord { belongs_to: Some(read.id), ..new(record::Kind::Picture, false, jpeg(20_000), clock) };
    vec![read, picture]
}

fn new(kind: record::Kind, hit: bool, body: Vec<u8>, clock: &dyn Clock) -> NewRecord {
    let (id, captured) = (RecordId::new(), clock.now());
    NewRecord { id, kind, hit, belongs_to: None, captured, clock_trusted: true, body }
}

fn text() -> Vec<u8> {
    format!(
        "{{\"text\":\"{MARKER}\",\"at\":\"{}\",\"n\":{}}}",
        Timestamp::now(),
        u16::from_be_bytes(random())
    )
    .into_bytes()
}

fn jpeg(size: usize) -> Vec<u8> {
    [MARKER.as_bytes(), &random::<64>().repeat(size / 64)].concat()
}

/// In one write, so that a kill cannot tear a line out of the middle.
fn say(told: impl IntoIterator<Item = Told>) {
    let text: String = told.into_iter().map(|told| told.line()).collect();
    std::io::stdout().lock().write_all(text.as_bytes()).expect("the killer listens");
}

//! Preserve, release, expire, export: on a real folder, beside a vault that goes on storing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::audit::verify;
use crate::crypto::Digest;
use crate::delivery::{Kind, Parcel};
use crate::hotlist::Text;
use crate::system::ManualClock;
use crate::words::{PersonName, Plate, RecordId};

const DAY: &str = "2026-03-01";
/// More than a year after [`DAY`].
const LATER: &str = "2027-03-05T09:00:00Z";

struct Desk {
    place: tempfile::TempDir,
    vault: Vault,
    clock: Arc<dyn Clock>,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn unit() -> UnitId {
    UnitId::parse("north-7").unwrap()
}

fn deed() -> Deed {
    Deed { by: PersonName::parse("Ann Lee").unwrap(), why: Text::parse("court order 12").unwrap() }
}

fn case() -> Text<100> {
    Text::parse("2026-114").unwrap()
}

fn id_of(day: &str) -> RecordId {
    let time = time(&format!("{day}T08:00:00Z"));
    let mut bytes = *RecordId::new().as_bytes();
    bytes[..6].copy_from_slice(&time.as_millisecond().to_be_bytes()[2..]);
    RecordId::from_bytes(bytes)
}

impl Desk {
    fn open(now: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let vault = Vault::open(&place.path().join("received")).unwrap();
        Self { place, vault, clock: Arc::new(ManualClock::at(time(now))) }
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.place.path().join("received")).unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.place.path().join("received").join(path)
    }

    fn store(&mut self, book: Book, kind: Kind, id: RecordId, body: &Value, received: &str) {
        let captured = time(&format!("{DAY}T08:00:00Z"));
        let parcel = Parcel { id, kind, captured, clock_trusted: true, body: body.to_string().into_bytes() };
        let event = Event::wrap(&unit(), parcel, 0, false).unwrap();
        let entered = self.vault.enter().unwrap();
        self.vault.store_event(&unit(), book, &event, time(received)).unwrap();
        self.vault.commit().unwrap();
        drop(entered);
    }

    /// An alert for this plate with a picture, its read, and the answer to it; gives the alert's id.
    fn alert(&mut self, plate: &str, received: &str) -> RecordId {
        let [alert, read, picture] = [(); 3].map(|()| id_of(DAY));
        let jpeg = plate.as_bytes();
        let pictures = json!([{"id": picture, "kind": "crop", "sha256": Digest::of(jpeg)}]);
        let matched = json!({"entry": {"plate": plate}});
        let body =
            json!({"id": alert, "read": read, "text": plate, "matched": matched, "pictures": pictures});
        self.store(Book::Alerts, Kind::Alert, id_of(DAY), &body, received);
        let body = json!({"id": read, "candidates": [{"plate": "MISREAD"}], "matches": [{}], "pictures": []});
        self.store(Book::Reads, Kind::Read, read, &body, received);
        let body = json!({"alert": alert, "verdict": "dismissed"});
        self.store(Book::Events, Kind::Disposition, id_of(DAY), &body, received);
        let entered = self.vault.enter().unwrap();
        self.vault.store_picture(&unit(), picture, jpeg).unwrap();
        self.vault.commit().unwrap();
        drop(entered);
        let path = self.path(&format!("{DAY}/north-7/pictures/{picture}.jpg"));
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(time(received).as_second() as u64);
        File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
        alert
    }

    fn read(&mut self, plate: &str, received: &str) -> RecordId {
        let id = id_of(DAY);
        let body = json!({"id": id, "candidates": [{"plate": plate}], "matches": [], "pictures": []});
        self.store(Book::Reads, Kind::Read, id, &body, received);
        id
    }

    fn expire(&self) -> Amount {
        expire(&self.ledger(), &self.clock, Keep::default(), None).unwrap()
    }

    fn lines(&self, file: &str) -> usize {
        fs::read_to_string(self.path(&format!("{DAY}/north-7/{file}"))).map_or(0, |text| text.lines().count())
    }

    fn pictures(&self) -> usize {
        fs::read_dir(self.path(&format!("{DAY}/north-7/pictures"))).map_or(0, Iterator::count)
    }

    /// The events of the receiver's log, whose chain is whole.
    fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("ledger/log/000000000001.jsonl")).unwrap();
        verify(text.as_bytes(), None, None).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["what"].take()).collect()
    }
}

#[test]
fn a_year_after_its_receipt_a_record_goes_and_leaves_a_line_of_proof() {
    let mut desk = Desk::open(LATER);
    desk.alert("ABC123", "2026-03-01T08:00:05Z");
    // Of the same day, and delivered a week late: kept a week longer.
    let late = desk.read("XYZ789", "2026-03-08T10:00:00Z");
    assert_eq!(desk.expire(), Amount { events: 3, pictures: 1 });
    assert_eq!((desk.lines("alerts.jsonl"), desk.lines("events.jsonl"), desk.pictures()), (0, 0, 0));
    let reads = fs::read_to_string(desk.path("2026-03-01/north-7/reads.jsonl")).unwrap();
    assert!(reads.lines().count() == 1 && reads.contains(&late.to_string()));
    let proofs = fs::read(desk.path("2026-03-01/north-7/expired.jsonl")).unwrap();
    let text = String::from_utf8(proofs.clone()).unwrap();
    assert!(text.lines().count() == 4 && text.contains("\"picture\"") && !text.contains("ABC123"), "{text}");
    let log = desk.log();
    assert_eq!((log.len(), &log[0]["event"], &log[0]["records"]), (1, &json!("records-expired"), &json!(4)));
    assert_eq!(log[0]["sha256"], json!(Digest::of(&proofs)));
    assert_eq!(desk.expire(), Amount::default());
    // The vault has the replaced book open, and goes on with the new one.
    desk.read("NEW456", "2027-03-05T09:00:00Z");
    assert_eq!(desk.lines("reads.jsonl"), 2);
}

#[test]
fn what_is_preserved_stays_with_all_that_belongs_to_it_until_it_is_released() {
    let mut desk = Desk::open(LATER);
    let alert = desk.alert("ABC123", "2026-03-01T08:00:05Z");
    desk.alert("XYZ789", "2026-03-01T08:00:05Z");
    let selection = Selection { records: [alert].into(), ..Selection::default() };
    let (hold, amount) = preserve(&desk.ledger(), &desk.clock, case(), deed(), selection).unwrap();
    assert_eq!(amount, Amount { events: 3, pictures: 1 }, "alert, read, answer; picture");
    let by_plate = Selection { plate: Plate::parse("abc 123").ok(), ..Selection::default() };
    let (second, _) = preserve(&desk.ledger(), &desk.clock, case(), deed(), by_plate).unwrap();
    assert_eq!(desk.expire(), Amount { events: 3, pictures: 1 });
    assert_eq!((desk.lines("alerts.jsonl"), desk.lines("reads.jsonl"), desk.pictures()), (1, 1, 1));

    assert_eq!(holds(&desk.ledger()).unwrap(), [hold.clone(), second.clone()]);
    release(&desk.ledger(), &desk.clock, hold.id, deed()).unwrap();
    assert_eq!(desk.expire(), Amount::default(), "the other hold still needs it");
    // What fits a hold and comes later is held as well.
    desk.read("ABC123", "2026-03-01T09:00:00Z");
    assert_eq!(desk.expire(), Amount::default());
    release(&desk.ledger(), &desk.clock, second.id, deed()).unwrap();
    assert_eq!(desk.expire(), Amount { events: 4, pictures: 1 });
    let log = desk.log();
    let events: Vec<&str> = log.iter().map(|what| what["event"].as_str().unwrap()).collect();
    let expected = [
        "records-preserved",
        "records-preserved",
        "records-expired",
        "hold-released",
        "hold-released",
        "records-expired",
    ];
    assert_eq!(events, expected);
    assert_eq!((&log[0]["case"], &log[0]["reason"]), (&json!("2026-114"), &json!("court order 12")));
    let gone = release(&desk.ledger(), &desk.clock, hold.id, deed()).unwrap_err();
    assert!(matches!(gone, VaultError::NoHold(id) if id == hold.id));
}

#[test]
fn an_expiry_that_the_power_cut_short_is_finished_without_a_second_proof() {
    let mut desk = Desk::open(LATER);
    desk.alert("ABC123", "2026-03-01T08:00:05Z");
    let book = desk.path("2026-03-01/north-7/alerts.jsonl");
    let alerts = fs::read(&book).unwrap();
    desk.expire();
    // The removal of the book had not reached the disk, and a proof for something else is torn.
    fs::write(&book, alerts).unwrap();
    let proofs = desk.path("2026-03-01/north-7/expired.jsonl");
    let mut text = fs::read(&proofs).unwrap();
    text.extend(b"{\"expired\":\"2027-");
    fs::write(&proofs, &text).unwrap();
    assert_eq!(desk.expire(), Amount { events: 1, pictures: 0 });
    assert!(!book.exists());
    assert_eq!((desk.lines("expired.jsonl"), desk.log().len()), (4, 1));
}

#[test]
fn a_hold_that_cannot_be_read_stops_all_expiry() {
    let mut desk = Desk::open(LATER);
    desk.alert("ABC123", "2026-03-01T08:00:05Z");
    fs::create_dir_all(desk.path("ledger/holds")).unwrap();
    fs::write(desk.path("ledger/holds/damaged.json"), b"{").unwrap();
    let error = expire(&desk.ledger(), &desk.clock, Keep::default(), None).unwrap_err();
    assert!(matches!(error, VaultError::DamagedHold { .. }), "{error}");
    assert_eq!(desk.lines("alerts.jsonl"), 1);
}

#[test]
fn an_export_explains_itself_can_be_checked_and_is_noted() {
    let mut desk = Desk::open("2026-04-01T09:00:00Z");
    desk.alert("ABC123", "2026-03-01T08:00:05Z");
    desk.read("XYZ789", "2026-03-01T08:00:05Z");
    let to = desk.place.path().join("export");
    let recipient = Text::parse("State central repository").unwrap();
    let hits = Selection { hits: true, from: Some(time("2026-03-01T00:00:00Z")), ..Selection::default() };
    let out =
        |to: &Path, selection| export(&desk.ledger(), &desk.clock, selection, recipient.clone(), deed(), to);
    let manifest = out(&to, hits.clone()).unwrap();
    assert_eq!(manifest.amount, Amount { events: 3, pictures: 1 });
    let checked = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&to)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let said: Value = serde_json::from_slice(&fs::read(to.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&said["format"], &said["by"]), (&json!("milepost-export/1"), &json!("Ann Lee")));
    assert!(!fs::read_to_string(to.join("reads.jsonl")).unwrap().contains("XYZ789"));
    let log = desk.log();
    assert_eq!((log.len(), &log[0]["event"]), (1, &json!("disseminated")));
    assert_eq!((&log[0]["to"], &log[0]["records"]), (&json!("State central repository"), &json!(4)));
    let list = fs::read(desk.path(&format!("ledger/exports/{}.jsonl", manifest.id))).unwrap();
    assert_eq!(log[0]["sha256"], json!(Digest::of(&list)));

    assert!(matches!(out(&to, hits), Err(VaultError::ExportExists(_))));
    let nothing = Selection { unit: UnitId::parse("south-1").ok(), ..Selection::default() };
    let other = desk.place.path().join("other");
    assert!(matches!(out(&other, nothing), Err(VaultError::NothingToExport)));
    assert!(!other.exists() && desk.log().len() == 1);
}

#[test]
fn bad_questions_get_sentences() {
    let desk = Desk::open(LATER);
    let everything = preserve(&desk.ledger(), &desk.clock, case(), deed(), Selection::default());
    assert!(matches!(everything, Err(VaultError::HoldsEverything)));
    let backwards = Selection { from: Some(time(LATER)), until: Some(time(LATER)), ..Selection::default() };
    let backwards = preserve(&desk.ledger(), &desk.clock, case(), deed(), backwards);
    assert!(matches!(backwards, Err(VaultError::Backwards)));
    let nowhere = Ledger::open(desk.place.path()).unwrap_err();
    assert!(nowhere.to_string().contains("holds no received records"), "{nowhere}");
    let second = Vault::open(&desk.path("")).err().unwrap();
    assert!(second.to_string().contains("another receiver stores in"), "{second}");
}

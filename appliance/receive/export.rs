//! Exports for the state's central repository, or whoever else may have records: a folder that explains itself.
//!
//! ```text
//! README.txt      what the files are, for whoever opens the folder years later
//! manifest.json   who exported what, for whom and why; every other file with its length and SHA-256
//! alerts.jsonl    lines as they were stored: {"received": ..., "sha256": ..., "event": {...}}
//! reads.jsonl
//! events.jsonl    answers to alerts, changes of health, ...
//! pictures/{record}.jpg
//! SHA256SUMS      for `sha256sum --check SHA256SUMS`
//! ```
//!
//! The folder gets its name when it is whole and the receiver's log says that it is to leave, with the digest of
//! the list of all ids and digests; the list stays in `ledger/exports`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::book::{self, Book, StoredLine};
use super::hold::{Amount, Deed};
use super::ledger::{Ledger, VaultError};
use super::selection::{Facts, Meant, Selection};
use crate::audit::{Event, Who};
use crate::crypto::{Digest, hex};
use crate::hotlist::Text;
use crate::system::{Clock, Disk, RealDisk, at_once, write_durably};
use crate::words::{PersonName, RecordId};

/// What `manifest.json` says.
#[derive(Debug, Serialize)]
pub struct Manifest {
    format: &'static str,
    pub id: RecordId,
    made: Timestamp,
    by: PersonName,
    recipient: Text<100>,
    why: Text<200>,
    selection: Selection,
    #[serde(flatten)]
    pub amount: Amount,
    /// Named by a record here and not received, or expired.
    pub missing_pictures: Vec<RecordId>,
    files: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    path: String,
    bytes: u64,
    sha256: Digest,
}

/// A line of the list that stays.
#[derive(Serialize)]
struct Left {
    id: RecordId,
    sha256: Digest,
}

const FORMAT: &str = "milepost-export/1";

const README: &str = "\
This folder holds records of licence-plate readers, exported by Milepost (`milepost receive export`).

manifest.json   who exported it, when, for whom, why, what was selected, and every file with its length
                and SHA-256. `format` names this layout.
alerts.jsonl    one line of JSON for each alert: `received` (when the department received it), `sha256` (of
                `event.data`, to the byte as it stands there) and `event`, a CloudEvent 1.0: `id` and `source` (the
                unit) name the record, `time` is when it happened by the unit's clock, `data` is the record.
reads.jsonl     the same for reads, also of plates that matched no list
events.jsonl    the same for answers to alerts, changes of health, the units' audit log, certificates of purge
pictures/       JPEGs, named by record id; `data.pictures` of an alert or read names them with their SHA-256
SHA256SUMS      check with: sha256sum --check SHA256SUMS

Books without a line are left out. A record that stands twice was sent again with other content: the last line
counts. A read or an alert is a hint and no proof; see `notice` in each alert.
";

/// Exports what is selected into a new folder.
pub fn export(
    ledger: &Ledger,
    clock: &Arc<dyn Clock>,
    selection: Selection,
    recipient: Text<100>,
    deed: Deed,
    to: &Path,
) -> Result<Manifest, VaultError> {
    selection.check()?;
    if to.exists() {
        return Err(VaultError::ExportExists(to.into()));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut parcel = Parcel::begin(&part)?;
    parcel.collect(ledger, &selection)?;
    if parcel.amount == Amount::default() {
        fs::remove_dir_all(&part).map_err(VaultError::disk(&part))?;
        return Err(VaultError::NothingToExport);
    }
    let (id, made) = (RecordId::new(), clock.now().wall);
    let (left, amount) = (std::mem::take(&mut parcel.left), parcel.amount);
    let missing_pictures = std::mem::take(&mut parcel.missing);
    parcel.write("README.txt", README.as_bytes())?;
    let Deed { by, why } = deed;
    let files = std::mem::take(&mut parcel.files);
    let manifest =
        Manifest { format: FORMAT, id, made, by, recipient, why, selection, amount, missing_pictures, files };
    let json = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data with string keys");
    parcel.write("manifest.json", &json)?;
    let sums: String = manifest.files.iter().chain(&parcel.files).map(Listed::sum).collect();
    parcel.write("SHA256SUMS", sums.as_bytes())?;
    parcel.sync()?;

    let kept = ledger.place("exports");
    RealDisk.create_folder(&kept).map_err(VaultError::disk(&kept))?;
    let list = kept.join(format!("{id}.jsonl"));
    write_durably(&list, &left).map_err(VaultError::disk(&list))?;
    let event = Event::Disseminated {
        what: format!("export {id}: {amount}"),
        to: manifest.recipient.as_str().to_owned(),
        records: amount.events + amount.pictures,
        reason: manifest.why.as_str().to_owned(),
        record: None,
        sha256: Some(Digest::of(&left)),
    };
    ledger.note(&ledger.enter()?, clock, Who::Person(manifest.by.clone()), event)?;
    fs::rename(&part, to).map_err(VaultError::disk(to))?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(above).and_then(|above| above.sync_all()).map_err(VaultError::disk(above))?;
    Ok(manifest)
}

/// An export that is being made.
struct Parcel {
    folder: PathBuf,
    amount: Amount,
    files: Vec<Listed>,
    missing: Vec<RecordId>,
    /// Lines of [`Left`].
    left: Vec<u8>,
}

impl Parcel {
    /// Takes the place of what an export that was cut off has left.
    fn begin(folder: &Path) -> Result<Self, VaultError> {
        let fault = VaultError::disk(folder);
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(&fault)?;
        }
        fs::create_dir_all(folder.join("pictures")).map_err(&fault)?;
        let (files, missing, left) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { folder: folder.into(), amount: Amount::default(), files, missing, left })
    }

    fn collect(&mut self, ledger: &Ledger, selection: &Selection) -> Result<(), VaultError> {
        let days: Vec<_> = ledger.days()?.into_iter().filter(|day| selection.reaches(day)).collect();
        let meant = Meant::of(&[selection], &days)?;
        let mut wanted = Vec::new();
        for book in Book::ALL {
            let path = self.folder.join(book.file_name());
            let fault = VaultError::disk(&path);
            let mut file = BufWriter::new(File::create(&path).map_err(&fault)?);
            for day in &days {
                let from = day.folder.join(book.file_name());
                let mut lines = Vec::new();
                let each = |text: &[u8], line: Option<StoredLine>| {
                    let Some(line) = line.filter(|line| meant.has_event(line.event.id)) else { return };
                    let pictures = Facts::of(&line).pictures.into_iter();
                    wanted.extend(pictures.map(|picture| picture.id));
                    self.amount.events += 1;
                    self.left.extend(Left::line(line.event.id, line.sha256));
                    lines.extend_from_slice(text);
                    lines.push(b'\n');
                };
                // The receiver may be adding to the book: nobody else is in while it is read.
                let entered = ledger.enter()?;
                book::read(&from, each).map_err(VaultError::disk(&from))?;
                drop(entered);
                file.write_all(&lines).map_err(&fault)?;
            }
            file.flush().map_err(&fault)?;
            drop(file);
            self.list_or_remove(book)?;
        }
        for day in &days {
            for (id, from) in day.pictures()?.into_iter().filter(|(id, _)| meant.has_picture(*id)) {
                // Gone since the folder was listed: expired.
                let Ok(jpeg) = fs::read(&from) else { continue };
                self.write(&format!("pictures/{id}.jpg"), &jpeg)?;
                self.amount.pictures += 1;
                self.left.extend(Left::line(id, Digest::of(&jpeg)));
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|id| !self.folder.join(format!("pictures/{id}.jpg")).exists());
        self.missing = wanted;
        Ok(())
    }

    fn list_or_remove(&mut self, book: Book) -> Result<(), VaultError> {
        let path = self.folder.join(book.file_name());
        let fault = VaultError::disk(&path);
        let bytes = fs::read(&path).map_err(&fault)?;
        if bytes.is_empty() {
            return fs::remove_file(&path).map_err(&fault);
        }
        self.files.push(Listed::of(book.file_name(), &bytes));
        Ok(())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(VaultError::disk(&path))?;
        self.files.push(Listed::of(name, bytes));
        Ok(())
    }

    fn sync(&self) -> Result<(), VaultError> {
        let sync = || -> std::io::Result<()> {
            let mut all = Vec::new();
            for folder in [&self.folder, &self.folder.join("pictures")] {
                for entry in fs::read_dir(folder)? {
                    all.push(entry?.path());
                }
            }
            at_once(&all, |path| File::open(path)?.sync_all())?;
            File::open(&self.folder)?.sync_all()
        };
        sync().map_err(VaultError::disk(&self.folder))
    }
}

impl Listed {
    fn of(path: &str, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), bytes: bytes.len() as u64, sha256: Digest::of(bytes) }
    }

    /// As `sha256sum` writes it.
    fn sum(&self) -> String {
        format!("{}  {}\n", hex(self.sha256.as_bytes()), self.path)
    }
}

impl Left {
    fn line(id: RecordId, sha256: Digest) -> Vec<u8> {
        let mut line = serde_json::to_vec(&Self { id, sha256 }).expect("an id and a digest are plain data");
        line.push(b'\n');
        line
    }
}

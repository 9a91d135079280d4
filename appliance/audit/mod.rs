//! The log of accesses and decisions: who did what when, in a form that shows if anybody touched it.
//!
//! Owns the log's files, its chain, and the check of both. Must not know who reads it, nor judge what
//! the entries mean.
//!
//! # Format
//!
//! JSON lines, one entry each, in this order of fields and without spaces between them:
//!
//! ```json
//! {"number":2,"at":"2026-03-01T07:15:00Z","clock_trusted":true,"who":{"person":"A. Smith"},
//!  "what":{"event":"signed-out"},"previous":"<64 hexadecimal digits>","hash":"<64 hexadecimal digits>"}
//! ```
//!
//! (broken here for the page only). `hash` is the SHA-256 of the line's own text up to, not including,
//! `,"hash":`. `previous` is the `hash` of the line before; in the first line it is 64 zeros. `number`
//! counts from 1 without a gap. So everybody can check a line with nothing but a shell:
//!
//! ```sh
//! line=$(sed -n 2p audit.jsonl); printf '%s' "${line%,\"hash\":*}" | sha256sum
//! ```
//!
//! Whoever changes, removes, moves or doubles a line must make every later `hash` anew. That a *last*
//! part was cut off shows only against a position known from elsewhere: purge certificates and the batches
//! that the server gets carry them, and `milepost audit verify --head` takes one.
//!
//! # On disk
//!
//! `<number of its first entry, 12 digits>.jsonl`; a new file begins when one is full. The chain runs on
//! through all files, so their concatenation is the export.
//!
//! An entry is written and synced (a new file with its folder) before [`Audit::append`] returns: what it
//! says happened was decided, and a power cut cannot make it unsaid. At start the last line is dropped if
//! it is torn, which only an append that never returned can leave behind, and an entry of its own says
//! so. Damage anywhere else stays as it is, for the check to find, and an entry says that it was found.
//!
//! Entries are never dropped to make room for others. While the disk refuses, a thousand wait in memory with
//! their times; what finds no room there is counted, and an entry says how many.

mod chain;
mod event;
mod log;
mod recovery;

#[cfg(test)]
pub(crate) use chain::Body;
pub use chain::{Broken, Chain, Fault, Position, Summary, VerifyError, verify};
pub use event::{Event, ServiceChange, Who};
pub use log::{Audit, AuditError, export};
pub use recovery::Recovered;

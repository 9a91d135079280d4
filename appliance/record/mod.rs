//! Every stored read, alert, picture, change of health, audit batch and certificate of purge.
//!
//! Owns records from their storing to their end: encryption, durability, the order in which they wait,
//! retention, purge and its proof, and what is lost when the disk is full. Must not know how a record
//! travels, nor what stands in its body.
//!
//! # The promise
//!
//! 1. What [`Records::store_all`] has answered with [`Stored::OnDisk`] survives a power cut at any instant.
//! 2. What was purged, by a receipt or by the policy, cannot be read again by anybody, at once and after
//!    any power cut, even with the unit's key.
//! 3. No id stands for two records, and no record is handed out twice by one look at what waits.
//! 4. A certificate of purge is handed out only when its records are destroyed, and no record that shows a
//!    vehicle is purged without one.
//! 5. Evidence of a hit is never dropped for want of room. Whatever is lost is counted, with its reason.
//! 6. A thief without the unit's key learns how many records there are and how long, and nothing else.
//!
//! # Constraints
//!
//! Flash that is slow to sync and cannot be overwritten for sure; power that goes at any instant; files that
//! come back torn by sectors where they were not synced; a backlog of a million reads on a unit with
//! little memory; a wall clock that jumps. sled's flush empties no disk cache, so nothing here relies on it.
//!
//! # On the disk
//!
//! ```text
//! keys/<shelf>-<number>.keys       slots of 160 bytes: "MPS1", nonce, then sealed with a key derived from the
//!                                  unit's key and bound to the place: the record's own key, id, owner, SHA-256 of
//!                                  the body, time of capture, where the body lies, kind, flags; then the tag
//! bodies/<shelf>-<number>.bodies   small bodies one behind another: nonce, AES-256-GCM with the record's own key,
//!                                  bound to its id; tag
//! bodies/<number>.pack             large bodies (pictures) of one commit, likewise
//! counters                         numbers that must not fall back
//! check                            a constant, sealed: whether this is the key of these records
//! steps                            how the wall clock was set, sealed: an age is told by it after a restart
//! ```
//!
//! A keys file and a bodies file with the same name are a *segment*. Three *shelves* keep apart what may be
//! lost first: `reads` without a match, their `pictures`, and what is `kept`. Numbers only rise. Each start
//! and each failed commit begins new segments, so nothing is ever written behind bytes of unknown state.
//!
//! # Order of writes
//!
//! **Store**, for all callers that came together:
//! packs and bodies written and synced → their folder synced, if a file is new → slots written and synced → their
//! folder synced, if a file is new → answered. So a slot that opens has a durable body, and a body without
//! a slot was never acknowledged. Two fsyncs for an ordinary commit, however many records are in it.
//!
//! **Purge**: entry in the audit log → certificate stored as above, seen by nobody → slots overwritten with zeros
//! and synced → small bodies overwritten, packs and segments that hold nothing else removed → certificate waits
//! to be sent → answered. The certificate is the intention: what it names is destroyed at the next start, if
//! the power went in between.
//!
//! A removal is not synced: should a file come back, no key in it opens, and the next start removes it.
//!
//! What recovery does in each case stands in `recovery.rs`.

mod certificate;
mod config;
mod counters;
mod counts;
mod error;
mod group;
mod index;
mod kind;
mod memory;
mod policy;
mod purge;
mod records;
mod recovery;
mod sealing;
mod slot;
mod steps;
mod storing;
mod writer;

pub use certificate::{Certificate, PurgedRecord};
pub use config::Config;
pub use counters::Counter;
pub use counts::{Counts, Loss, Reason};
pub use error::RecordError;
pub use kind::{Fetched, Head, Kind, NewRecord};
pub use policy::{Policy, PolicyError, WithoutMatch};
pub use purge::{Received, Swept};
pub use records::{Cursor, Records, Waiting};
pub use recovery::Recovered;
pub use storing::Stored;

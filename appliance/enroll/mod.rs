//! Who a unit is: its key, the request for a certificate, and the installing of what the authority signed.
//!
//! Owns the unit's TLS files and the small authority that the demo, the tests and a department without one
//! of its own use. Must not know brokers or sessions, and of the configuration only whether a bundle's can be read. A
//! private key is made where it is used and never leaves.

mod authority;
mod bundle;
mod enrolment;
mod identity;
mod in_use;
mod keys;
mod statement;

pub use authority::{Authority, IssueError, Issued};
pub use bundle::{Bundle, BundleError, FLEET_KEYS, OpenedBundle, apply, trusted_by};
pub use enrolment::{Enrolment, Judged, settle};
pub use identity::{EnrollError, Installed, install, make_keys, request, request_for};
pub use in_use::{
    Accepted, InUse, InUseError, Offer, OfferError, Origin, Requested, STANDS, Trial, Verdict, WITHIN,
};
pub use keys::Keys;
pub use statement::{Statement, StatementError};

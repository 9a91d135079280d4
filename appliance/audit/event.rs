use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::crypto::{Digest, KeyId};
use crate::words::{CameraId, ListName, PersonName, RecordId, RosterName, UnitId};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The unit by itself.
    Unit,
    /// Somebody who did not sign in.
    Stranger,
    /// A person who signed in, or said this name when signing in failed.
    Person(PersonName),
    /// The department, by a message signed with this key.
    Department(KeyId),
    /// The department's receiver by itself, in its own log.
    Receiver,
}

/// What was done or decided. No plate stands here: the log outlives records, and lies open on the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    Started {
        version: String,
        /// SHA-256 of the configuration file; none where there is no file, as in the demo.
        configuration: Option<Digest>,
    },
    Stopped,
    SignedIn {
        from: String,
    },
    SignInFailed {
        from: String,
        why: String,
    },
    SignedOut,
    /// Somebody looked at data: which, and what for.
    Accessed {
        what: String,
        record: Option<RecordId>,
        reason: String,
    },
    /// Data left by another way than to the server: shown or handed out at a unit, exported by the receiver.
    Disseminated {
        what: String,
        to: String,
        records: u64,
        reason: String,
        /// The one record, where it is one.
        record: Option<RecordId>,
        /// Of the list of all of them, where it is a list.
        sha256: Option<Digest>,
    },
    /// The receiver holds records for a case: what is here and what comes later.
    RecordsPreserved {
        hold: RecordId,
        case: String,
        reason: String,
        records: u64,
    },
    HoldReleased {
        hold: RecordId,
        case: String,
        reason: String,
    },
    /// The receiver kept these as long as it was told to, and destroys them now. `sha256` is the digest of
    /// the lines that name them, added to the day's `expired.jsonl` just before.
    RecordsExpired {
        unit: UnitId,
        day: String,
        records: u64,
        sha256: Digest,
    },
    AlertRaised {
        alert: RecordId,
        read: RecordId,
        list: ListName,
    },
    AlertSuppressed {
        read: RecordId,
        list: ListName,
        why: String,
    },
    AlertAnswered {
        alert: RecordId,
        answer: String,
    },
    /// A signed answer that was not taken.
    AnswerRefused {
        why: String,
    },
    /// The decision to purge. The certificate says that it was done and names the records; `sha256` is the
    /// digest of its list.
    PurgeDecided {
        certificate: RecordId,
        reason: String,
        policy: String,
        records: u64,
        sha256: Digest,
    },
    /// Gone without having been received.
    RecordsLost {
        reason: String,
        kind: String,
        count: u64,
    },
    ListChanged {
        list: ListName,
        version: u64,
        entries: u64,
    },
    ListRefused {
        list: ListName,
        why: String,
    },
    /// By a person at the shift's start: whether every list was current, and which stood where.
    ListsChecked {
        current: bool,
        lists: String,
    },
    /// Of manual entries the log names no plate, no category and no reason, since it lies open on the disk: those go with the
    /// record of the same entry.
    ManualEntryRequested {
        entry: RecordId,
        /// The entry whose place it is to take.
        replaces: Option<RecordId>,
    },
    ManualEntryApproved {
        entry: RecordId,
        requested_by: PersonName,
        replaces: Option<RecordId>,
    },
    ManualEntryDeclined {
        entry: RecordId,
        requested_by: PersonName,
    },
    ManualRemovalRequested {
        entry: RecordId,
    },
    ManualRemovalDeclined {
        entry: RecordId,
    },
    ManualEntryRemoved {
        entry: RecordId,
        requested_by: PersonName,
    },
    ManualEntryExpiresSoon {
        entry: RecordId,
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        until: Timestamp,
    },
    ManualEntryExpired {
        entry: RecordId,
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        until: Timestamp,
    },
    ManualMessageRefused {
        why: String,
    },
    /// From the department: who may sign in. What it changed is told behind it.
    RosterTaken {
        roster: RosterName,
        version: u64,
        /// That it is signed by, of those that this unit was given.
        keys: Vec<KeyId>,
        people: u64,
    },
    /// What a roster did to these accounts.
    AccountsChanged {
        roster: RosterName,
        version: u64,
        what: String,
        accounts: Vec<PersonName>,
    },
    RosterRefused {
        roster: RosterName,
        why: String,
    },
    /// The one that is held does not count any more: nobody of it may sign in.
    RosterRests {
        roster: RosterName,
        version: u64,
        why: String,
    },
    ServiceStateChanged(ServiceChange),
    ConfigurationChanged {
        what: String,
    },
    /// By hand, as no server keeps it: what it showed, and what it shows since. This entry is dated by the new time.
    ClockSet {
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        from: Timestamp,
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        to: Timestamp,
    },
    /// By signed message. What came of it is said by the events of the thing itself.
    CommandTaken {
        command: RecordId,
        what: String,
        reason: String,
    },
    /// The answer that the sender got.
    CommandAnswered {
        command: RecordId,
        outcome: String,
        said: String,
        picture: Option<RecordId>,
    },
    CommandRefused {
        why: String,
    },
    CameraFault {
        camera: CameraId,
        fault: String,
    },
    CameraRecovered {
        camera: CameraId,
    },
    /// A key was made on the unit, and waits for its certificate.
    CertificateRequested,
    CertificateRequestWithdrawn,
    /// In use from now on, after the session has stood with it.
    CertificateInstalled {
        subject: String,
        fingerprint: String,
        /// Fingerprints of the authorities that are trusted with it.
        trusted: Vec<String>,
    },
    /// Offered, and not taken: the old one was in use all the time.
    CertificateRefused {
        why: String,
    },
    /// An enrolment bundle. What came of its parts is said by their own events.
    BundleTaken {
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        issued: Timestamp,
        signed_by: KeyId,
    },
    /// The unit went back to the one before.
    CertificateLeft {
        fingerprint: String,
        why: String,
    },
    AimVerified {
        camera: CameraId,
    },
    /// A person drew a camera's lanes, or said that they still fit: their names, with the way of their traffic.
    LanesDrawn {
        camera: CameraId,
        lanes: String,
    },
    Maintenance {
        what: String,
    },
    /// A person wrote down where the unit stands, what for, and on whose word.
    Deployed {
        site: String,
        purpose: String,
        authority: String,
        approval: String,
        #[cfg_attr(test, schemars(with = "crate::contract::Day"))]
        from: Date,
        #[cfg_attr(test, schemars(with = "crate::contract::Day"))]
        until: Date,
    },
    /// Something stored was found damaged: what, and what became of it.
    DamageFound {
        what: String,
    },
    /// The log ends before an entry that it once had: somebody cut it off, or exchanged the storage.
    LogShortened {
        /// The last entry that was found.
        held: u64,
        /// The last one that is known to have been written.
        written: u64,
    },
    /// The disk refused entries for so long that memory could not hold them.
    EntriesLost {
        count: u64,
    },
    /// The log's last line was torn by a power cut and dropped: an append that had not returned.
    TornLineDropped {
        bytes: u64,
    },
}

/// From one service state to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct ServiceChange {
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// In words.
    pub reason: String,
}

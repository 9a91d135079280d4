use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that can keep a unit from being trusted: a closed list, so that reasons can be shown,
/// counted and looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    TakenOut,
    CameraMoved,
    CameraLost,
    AllCamerasLost,
    LanesMoved,
    ViewCovered,
    ViewPartlyCovered,
    ViewBlinded,
    ViewFogged,
    ViewDark,
    LampDead,
    WindowDirty,
    OutOfFocus,
    ExposureWrong,
    PictureFrozen,
    AimUnverified,
    NoList,
    ListLate,
    ListStale,
    ListRefused,
    ClockFree,
    DiskLow,
    StoreFailing,
    RecordsLost,
    BrokerLost,
    Unreceipted,
    CertificateExpiring,
    CertificateExpired,
    CertificateLeft,
    RosterRests,
    TooHot,
    YieldLow,
    NothingPasses,
    ReadsUnsure,
    PlatesUnread,
    CanaryUnseen,
    CanaryMisread,
    CanaryUnfollowed,
    CanaryUnmatched,
    CanaryUnstored,
    CanaryUnacknowledged,
    CanaryUnreceipted,
    StorageWorn,
    MemoryLow,
    UnderVoltage,
    Throttled,
    ClockOff,
    BacklogOld,
    PositionLost,
    SiteLeft,
    Tilted,
    Knocked,
    AuditDamaged,
    StateDamaged,
    ListsDamaged,
    RecordsDamaged,
}

/// What a reason does to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Degrades,
    Disables,
}

impl Reason {
    pub fn severity(self) -> Severity {
        match self {
            Self::TakenOut
            | Self::CameraMoved
            | Self::AllCamerasLost
            | Self::ViewCovered
            | Self::PictureFrozen
            | Self::SiteLeft
            | Self::Tilted => Severity::Disables,
            damage if damage.is_damage() => Severity::Disables,
            _ => Severity::Degrades,
        }
    }

    /// A latched reason stays, even when its cause is gone and over a restart, until a person returns the unit.
    pub fn latches(self) -> bool {
        matches!(self, Self::TakenOut | Self::CameraMoved | Self::SiteLeft | Self::Tilted) || self.is_damage()
    }

    /// An integrity fault: something that this unit wrote, chained or sealed is no longer what it wrote. A power
    /// cut is none: whatever one can leave behind is mended at start and not told here.
    pub fn is_damage(self) -> bool {
        matches!(self, Self::AuditDamaged | Self::StateDamaged | Self::ListsDamaged | Self::RecordsDamaged)
    }

    /// How long the cause must last before it counts: a passing lorry covers the view, a gust shakes the pole.
    pub fn raise_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::CameraMoved => 15,
            Self::ViewCovered => 10,
            // A lorry that waits before the camera covers as much.
            Self::ViewPartlyCovered => 20,
            // What passes is left out by the middle of several looks.
            Self::OutOfFocus => 4,
            Self::ViewBlinded => 20,
            Self::ViewDark | Self::ViewFogged | Self::LampDead | Self::TooHot => 60,
            // Drops dry, and wipe themselves off.
            Self::WindowDirty => 120,
            // A receiver's reflection off a lorry; a mast that gives way and comes back.
            Self::SiteLeft | Self::Tilted => 60,
            // A start of the engine or of the heater dips the voltage; heat has its own reason.
            Self::UnderVoltage => 5,
            Self::Throttled | Self::MemoryLow => 60,
            // A receiver that starts cold takes minutes; so does a clock.
            Self::PositionLost | Self::ClockOff => 300,
            // A reconnect after a broker's restart is no event.
            Self::BrokerLost => 15,
            _ => 0,
        })
    }

    /// How long the cause must be gone before the reason goes: a report that flaps is not read.
    pub fn clear_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::CameraLost | Self::AllCamerasLost | Self::BrokerLost => 5,
            Self::NoList | Self::ListLate | Self::ListStale | Self::ListRefused | Self::AimUnverified => 0,
            // One that came back proves the whole way.
            Self::CanaryUnseen
            | Self::CanaryMisread
            | Self::CanaryUnfollowed
            | Self::CanaryUnmatched
            | Self::CanaryUnstored
            | Self::CanaryUnacknowledged
            | Self::CanaryUnreceipted => 0,
            Self::ViewFogged | Self::WindowDirty => 300,
            // Numbers that hover about their limit.
            Self::DiskLow
            | Self::MemoryLow
            | Self::TooHot
            | Self::Throttled
            | Self::UnderVoltage
            | Self::ClockOff => 300,
            _ => 30,
        })
    }

    /// For people, as it stands on the console and in the report.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::TakenOut => "A person has taken the unit out of service.",
            Self::CameraMoved => "The camera no longer looks where it was aimed.",
            Self::CameraLost => "A camera gives no picture.",
            Self::AllCamerasLost => "No camera gives a picture.",
            Self::ViewCovered => "The picture shows nothing: the view is covered or fogged.",
            Self::LanesMoved => "Vehicles pass elsewhere in the picture than they used to.",
            Self::ViewPartlyCovered => "A part of the view is covered.",
            Self::ViewBlinded => "The sun or headlights blind the camera.",
            Self::ViewFogged => "The view is hazy: fog, heavy rain, or a fogged window.",
            Self::LampDead => {
                "The infra-red lamp gives no light: the night is darker than the infra-red reference."
            }
            Self::WindowDirty => "Dirt or drops on the window blur a part of the view.",
            Self::ExposureWrong => "The exposure is wrong: plates are smeared or burnt out.",
            Self::ViewDark => {
                "The picture is dark and empty: it is night without light, or the lens is covered."
            }
            Self::OutOfFocus => "The picture is much less sharp than when the aim was verified.",
            Self::PictureFrozen => "The camera sends the same picture again and again.",
            Self::AimUnverified => "Nobody has verified the camera's aim yet.",
            Self::NoList => "The unit has no hot list.",
            Self::ListLate => "The hot list is older than its warning age.",
            Self::ListStale => "The hot list is too old.",
            Self::ListRefused => "The last hot list that arrived was refused; the one before is in force.",
            Self::ClockFree => "No time service keeps the clock: times on records may be wrong.",
            Self::DiskLow => "Little storage is left.",
            Self::StoreFailing => "Records cannot be written to storage; they are kept in memory.",
            Self::RecordsLost => "Records were lost to keep the unit reading.",
            Self::BrokerLost => "The broker cannot be reached; records are kept until it can.",
            Self::Unreceipted => {
                "The broker is reached, but no receipts come back; records are kept until they do."
            }
            Self::CertificateExpiring => "The unit's certificate ends soon.",
            Self::CertificateExpired => "The unit's certificate has ended: the broker will refuse it.",
            Self::CertificateLeft => {
                "A new certificate or authority did not work, and the unit went back to the one before."
            }
            Self::RosterRests => "Nobody of the department's roster may sign in at the unit.",
            Self::TooHot => "The device is too hot.",
            Self::YieldLow => {
                "Far fewer plates are read than is usual at this hour, though as much moves as ever."
            }
            Self::NothingPasses => {
                "For a day there was neither a plate nor any movement where both are usual: the road is closed, or the \
                 camera looks elsewhere."
            }
            Self::ReadsUnsure => "More of the reads are unsure than is usual here.",
            Self::PlatesUnread => "More of the plates that are found cannot be read than is usual here.",
            Self::CanaryUnseen => "The unit does not find its own test plate in the camera's picture.",
            Self::CanaryMisread => "The unit reads its own test plate wrongly.",
            Self::CanaryUnfollowed => "The unit's own test plate was seen, and no passage came of it.",
            Self::CanaryUnmatched => {
                "The unit's own test plate was read, and not matched with its list entry."
            }
            Self::CanaryUnstored => "The record of the unit's own test plate could not be stored.",
            Self::CanaryUnacknowledged => {
                "The broker does not acknowledge the record of the unit's own test plate."
            }
            Self::CanaryUnreceipted => "No receiver confirms the record of the unit's own test plate.",
            Self::StorageWorn => "The storage medium is nearly worn out.",
            Self::MemoryLow => "Little memory is left.",
            Self::UnderVoltage => "The device gets too little voltage.",
            Self::Throttled => "The processor is slowed down, for heat or for want of power.",
            Self::ClockOff => "The clock may be wrong by more than is allowed.",
            Self::BacklogOld => "Records have waited long to be received.",
            Self::PositionLost => "The unit does not know where it is.",
            Self::SiteLeft => "The unit is not at the site where it was deployed.",
            Self::Tilted => "The unit leans differently than when its aim was verified.",
            Self::Knocked => "Something has struck the unit.",
            Self::AuditDamaged => {
                "The audit log is not as the unit wrote it: lines were changed or are missing."
            }
            Self::StateDamaged => "The stored service state is gone or not as the unit wrote it.",
            Self::ListsDamaged => "The stored hot lists are not as the unit wrote them.",
            Self::RecordsDamaged => "Stored records are gone or not as the unit wrote them.",
        }
    }

    /// What a person can do about it.
    pub fn mend(self) -> &'static str {
        match self {
            Self::TakenOut => "Return it to service on the console once the cause is mended.",
            Self::CameraMoved => {
                "Aim the camera again by the reference picture, verify the aim, and return the unit to service."
            }
            Self::CameraLost | Self::AllCamerasLost => {
                "Check the camera's power, cable, address and password."
            }
            Self::LanesMoved => {
                "Look whether the lanes were laid anew or the camera was turned, and verify the aim again."
            }
            Self::ViewCovered | Self::ViewPartlyCovered => {
                "Clean the window and clear what stands before it."
            }
            Self::ViewBlinded => "Give the camera a hood, or turn it away from the light and verify the aim.",
            Self::ViewFogged => {
                "Wait for the fog to lift; if the air is clear, dry the window and its heater."
            }
            Self::LampDead => "Check the infra-red lamp, its power and its switch.",
            Self::WindowDirty => "Clean the window.",
            Self::ExposureWrong => {
                "Set the camera to a shorter exposure (1/1000 s or less) or less gain, and its lamp to more light."
            }
            Self::ViewDark => "Check the infra-red lamp and the window.",
            Self::OutOfFocus => "Clean the window, then focus on a standing plate.",
            Self::PictureFrozen => "Restart the camera.",
            Self::AimUnverified => "Look at the Aim page with a vehicle in the lane, then verify the aim.",
            Self::NoList => "Check that the department publishes a list to this unit.",
            Self::ListLate | Self::ListStale => {
                "Check the link to the broker, then ask the department for a current list."
            }
            Self::ListRefused => "Read why on the Hot lists page and tell the department.",
            Self::ClockFree => "Give the unit a time server (chrony or systemd-timesyncd) or a GPS clock.",
            Self::DiskLow => "Let the backlog drain, or give the unit more storage.",
            Self::StoreFailing => "Check the disk: it is full, read-only or failing.",
            Self::RecordsLost => "See the counts on the Records page; let the backlog drain.",
            Self::BrokerLost => "Check the network, then the broker's address and certificates.",
            Self::Unreceipted => {
                "Check the department's receiver, then what the broker's access list grants this unit."
            }
            Self::CertificateExpiring | Self::CertificateExpired => {
                "Renew the certificate on the Certificates page, or by `milepost command`."
            }
            Self::CertificateLeft => {
                "Read why on the Certificates page, and have the authority or the broker mended; this is told for a day."
            }
            Self::RosterRests => "Sign and publish a new roster (`milepost roster`).",
            Self::TooHot => "Shade the unit and check its fan.",
            Self::YieldLow => {
                "Clean the window, then look at the Aim page: does the camera still see the lane, and sharply?"
            }
            Self::NothingPasses => "If the road is closed, nothing is to be done; else look at the Aim page.",
            Self::ReadsUnsure | Self::PlatesUnread => {
                "Clean the window and check focus, exposure and the infra-red lamp on the Aim page."
            }
            Self::CanaryUnseen | Self::CanaryMisread => {
                "Look at the Aim page: is the picture clear? If it is, set [vision] and [passage] back to their defaults and \
                 restart the unit."
            }
            Self::CanaryUnfollowed => "Set [passage] back to its defaults and restart the unit.",
            Self::CanaryUnmatched => {
                "Set [hotlist.matching] and [alert] back to their defaults and restart the unit; if that does not help, have \
                 the department publish its lists anew."
            }
            Self::CanaryUnstored => "Check the disk: it is full, read-only or failing.",
            Self::CanaryUnacknowledged => "Check the network, then the broker.",
            Self::CanaryUnreceipted => {
                "Check that the department's receiver runs, and that the unit is configured with its key and may write its \
                 topics at the broker."
            }
            Self::StorageWorn => "Replace the medium, or the unit, before it fails.",
            Self::MemoryLow => "Restart the unit; if it comes back, tell whoever maintains it.",
            Self::UnderVoltage => "Check the supply, its cable and the battery.",
            Self::Throttled => "Shade the unit, check its fan, then its supply.",
            Self::ClockOff => "Check the way to the time server, or the GPS receiver.",
            Self::BacklogOld => "Check the link to the broker, then whether the department's receiver works.",
            Self::PositionLost => "Check the receiver's antenna and that gpsd runs.",
            Self::SiteLeft => {
                "Find the unit. If it was moved on purpose, set its new site in the configuration, verify the aim, \
                 and return it to service."
            }
            Self::Tilted => {
                "Look at the mast and the bracket, verify the aim, and return the unit to service."
            }
            Self::Knocked => "Look at the unit and its bracket when somebody is near; compare the aim.",
            Self::AuditDamaged => {
                "Export the log, find out who had the storage in hand (milepost audit verify names the place), \
                 then return the unit to service."
            }
            Self::StateDamaged => {
                "Find out who had the storage in hand, verify the aim, then return the unit to service."
            }
            Self::ListsDamaged => {
                "Check the storage; the lists come again from the broker, manual entries must be entered again; \
                 then return the unit to service."
            }
            Self::RecordsDamaged => {
                "Check the storage for wear and for who had it in hand, then return the unit to service."
            }
        }
    }
}

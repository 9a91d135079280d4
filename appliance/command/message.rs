use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::config::Commander;
use crate::console::Role;
use crate::crypto::{Heading, Letter, LetterError, SealedFileError};
use crate::enroll::Offer;
use crate::hotlist::Text;
use crate::words::{CameraId, PersonName, RecordId, UnitId};

/// One person's command to one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Command {
    pub unit: UnitId,
    /// Made for this command alone: a second message with it is the same command, and acts no second time.
    pub nonce: RecordId,
    /// At most an hour ahead of the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub issued: Timestamp,
    /// At most a day after `issued`.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub expires: Timestamp,
    /// Why, in the person's words, for the audit log.
    pub reason: Text<200>,
    pub act: Act,
}

/// What a unit can be commanded to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// Raise no alerts until it is returned.
    TakeOut {},
    /// Back into service, if the checks pass.
    Return {},
    /// Make the present view the reference, on this person's word; of every camera if none is named.
    VerifyAim {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<CameraId>,
    },
    /// Send a picture of what a camera sees now; of the first camera if none is named.
    SendSnapshot {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<CameraId>,
    },
    /// Start anew with the configuration from before the latest change that was kept, and keep it if the unit then
    /// reaches the broker; else start anew with the present one.
    RollBackConfiguration {},
    /// Make a key, and answer with the certificate request for it; with the one that waits, if there is one.
    RequestCertificate {},
    /// Try another certificate or authority, and keep it if the session stands with it.
    InstallCertificate(Offer),
}

/// Why a command was refused.
#[derive(Debug, thiserror::Error)]
pub enum CommandRefusal {
    #[error(transparent)]
    Letter(#[from] LetterError),
    #[error("a command needs a reason")]
    NoReason,
    #[error("{name} may not command this as {role}: see `role` under [[command.people]]")]
    NotAllowed { name: PersonName, role: Role },
    #[error("too many commands are still good; wait until some have expired")]
    TooMany,
    #[error("it could not be noted, and so was not carried out: {0}")]
    NotNoted(#[from] SealedFileError),
}

impl Act {
    /// As it stands in the audit log.
    pub fn words(&self) -> String {
        let of = |camera: &Option<CameraId>, without: &str| {
            camera.as_ref().map_or_else(|| without.to_owned(), |camera| format!(" of {camera}"))
        };
        match self {
            Self::TakeOut {} => "take out of service".to_owned(),
            Self::Return {} => "return to service".to_owned(),
            Self::VerifyAim { camera } => format!("verify the aim{}", of(camera, " of every camera")),
            Self::SendSnapshot { camera } => format!("send a snapshot{}", of(camera, "")),
            Self::RollBackConfiguration {} => "roll the configuration back".to_owned(),
            Self::RequestCertificate {} => "make a certificate request".to_owned(),
            Self::InstallCertificate(_) => "install another certificate or authority".to_owned(),
        }
    }

    /// As at the console: whoever may see the live picture there may have one sent.
    pub(super) fn admits(&self, role: Role) -> bool {
        match self {
            Self::TakeOut {}
            | Self::Return {}
            | Self::VerifyAim { .. }
            | Self::RequestCertificate {}
            | Self::InstallCertificate(_) => role != Role::Officer,
            // Who changes the configuration at the console.
            Self::RollBackConfiguration {} => role == Role::Administrator,
            Self::SendSnapshot { .. } => true,
        }
    }
}

impl Letter for Command {
    const PURPOSE: &'static str = "command";
    /// A certificate with its chain and some authorities, and the envelope around it.
    const LONGEST: usize = 64 << 10;
    const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);

    fn heading(&self) -> Heading<'_> {
        Heading { unit: &self.unit, issued: self.issued, expires: self.expires }
    }
}

impl Command {
    pub fn new(
        unit: UnitId,
        act: Act,
        reason: Text<200>,
        issued: Timestamp,
        good_for: SignedDuration,
    ) -> Self {
        Self { unit, nonce: RecordId::new(), issued, expires: issued + good_for, reason, act }
    }

    /// Everything but time and memory: whose word it is, and whether it is for this unit.
    pub fn open<'a>(
        payload: &[u8],
        unit: &UnitId,
        people: &'a [Commander],
    ) -> Result<(Self, &'a Commander), CommandRefusal> {
        let (command, person) = Self::verify_from(payload, unit, people)?;
        if command.reason.is_empty() {
            return Err(CommandRefusal::NoReason);
        }
        Ok((command, person))
    }
}

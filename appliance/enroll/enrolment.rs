use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bundle::{Bundle, BundleError, Given, LARGEST, OpenedBundle, write};
use super::identity::{EnrollError, Installed, install_judged, judge};
use super::keys::{Keys, Secret};
use crate::config::{self, Config};
use crate::crypto::{SealKey, UnitKey};
use crate::delivery::tls::{CertificateFacts, Pem};
use crate::system::{remove_durably, write_durably};
use crate::words::UnitId;

/// Where it is laid within the state folder.
const FILE: &str = "enrolment";
const CONTEXT: &[u8] = b"enrolment 1";

/// All that makes a unit of a box: what a bundle holds, or what a person gave in its parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    pub unit: UnitId,
    /// PEM; over the key that the unit made.
    pub certificate: String,
    /// PEM; signed the certificate, and the broker's.
    pub authority: String,
    /// The whole of milepost.toml.
    pub configuration: String,
    /// The bundle that it came in, if it did.
    given: Option<Given>,
}

/// An enrolment that can be installed.
#[derive(Debug)]
pub struct Judged {
    pub facts: CertificateFacts,
    /// Of each certificate that is trusted from then on.
    pub trusted: Vec<CertificateFacts>,
    pub config: Config,
}

impl Enrolment {
    /// From the parts; the configuration names the unit.
    pub fn of_parts(
        certificate: String,
        authority: String,
        configuration: String,
    ) -> Result<Self, BundleError> {
        let config: Config = config::parse(&configuration, Path::new("the configuration"))?;
        Ok(Self { unit: config.unit.id, certificate, authority, configuration, given: None })
    }

    /// Checks all of it against the unit's key (PEM) and the clock. Nothing is installed.
    pub fn judge(&self, key: &Pem, now: Timestamp) -> Result<Judged, BundleError> {
        let (certificate, authority) = self.pems();
        let facts = judge(&self.unit, key, &certificate, &authority, now).map_err(|error| match error {
            EnrollError::OtherKey { .. } => BundleError::OtherUnit(error),
            other => other.into(),
        })?;
        let config: Config = config::parse(&self.configuration, Path::new("the configuration"))?;
        if config.unit.id != self.unit {
            let (bundle, configuration) = (self.unit.clone(), config.unit.id);
            return Err(BundleError::Contradiction { bundle, configuration });
        }
        let trusted = authority.facts_of_all().map_err(EnrollError::Files)?;
        Ok(Judged { facts, trusted, config })
    }

    /// Makes this box the unit: certificate and authority beside its keys, and the configuration last, which is what a unit starts
    /// from. A power cut before that leaves a box that is enrolled by doing the same again.
    pub fn install(
        &self,
        keys: &Keys,
        configuration: &Path,
        now: Timestamp,
    ) -> Result<Installed, BundleError> {
        let name = keys.path(Secret::Identity);
        let unreadable = |source| BundleError::Read { path: name.clone(), source };
        let Some(text) = keys.read(Secret::Identity).map_err(unreadable)? else {
            return Err(BundleError::OtherUnit(EnrollError::NoRequest { key: name }));
        };
        let judged = self.judge(&Pem { name, text }, now)?;
        let (certificate, authority) = self.pems();
        let installed = install_judged(keys, &certificate, &authority, judged.facts)?;
        if let Some(given) = &self.given {
            given.remember(keys.folder())?;
        }
        write(configuration, &self.configuration)?;
        Ok(installed)
    }

    /// Lays it down for whoever may install it. From then on a power cut does not lose it.
    pub fn hand_in(&self, state_dir: &Path, key: &UnitKey) -> Result<(), BundleError> {
        let json = serde_json::to_vec(self).expect("an enrolment is plain data");
        let path = state_dir.join(FILE);
        write_durably(&path, &seal(key).seal(CONTEXT, &json))
            .map_err(|source| BundleError::Write { path, source })
    }

    /// What was handed in and is not installed; None where nothing lies there, or nothing of this unit's.
    pub fn handed_in(state_dir: &Path, key: &UnitKey) -> Option<Self> {
        // Root reads what the service laid down: neither a link nor a pipe is followed.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(state_dir.join(FILE)).ok()?;
        let mut sealed = Vec::new();
        let is_file = file.metadata().is_ok_and(|facts| facts.is_file());
        is_file.then(|| file.take(LARGEST).read_to_end(&mut sealed))?.ok()?;
        seal(key).open_json(CONTEXT, &sealed)
    }

    pub fn forget(state_dir: &Path) -> std::io::Result<()> {
        remove_durably(&state_dir.join(FILE))
    }

    fn pems(&self) -> (Pem, Pem) {
        let named = |name: &str, text: &String| Pem { name: PathBuf::from(name), text: text.clone().into() };
        (named("the certificate", &self.certificate), named("the authority", &self.authority))
    }
}

impl From<&OpenedBundle> for Enrolment {
    fn from(opened: &OpenedBundle) -> Self {
        let Bundle { unit, certificate, authority, configuration, .. } = opened.bundle.clone();
        Self { unit, certificate, authority, configuration, given: Some(opened.given.clone()) }
    }
}

/// Makes the keys of a box that has none, and installs what was handed in at its console, unless it is a unit already. What was
/// installed, if anything was.
pub fn settle(
    keys: &Keys,
    configuration: &Path,
    state_dir: &Path,
    now: Timestamp,
) -> Result<Option<Installed>, BundleError> {
    super::identity::make_keys(keys)?;
    if configuration.exists() {
        return Ok(None);
    }
    let path = keys.path(Secret::Seal);
    let key = keys.unit_key().map_err(|source| BundleError::Read { path, source })?;
    let enrolment = key.and_then(|key| Enrolment::handed_in(state_dir, &key));
    enrolment.map(|enrolment| enrolment.install(keys, configuration, now)).transpose()
}

fn seal(key: &UnitKey) -> SealKey {
    key.derive("enrolment")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SAMPLE;
    use crate::enroll::{Authority, make_keys, request_for};

    #[test]
    fn what_was_handed_in_is_installed_once_whole_and_again_after_a_power_cut() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let keys = Keys::files(folder.path());
        let now = Timestamp::now();
        assert!(settle(&keys, &at("milepost.toml"), folder.path(), now).unwrap().is_none());
        make_keys(&keys).expect("asking again keeps the keys");

        let authority = Authority::create("Test Department").unwrap();
        let text = std::fs::read_to_string(at("unit.key")).unwrap();
        let configuration = SAMPLE.to_owned();
        let unit = config::parse::<Config>(SAMPLE, Path::new("the sample")).unwrap().unit.id;
        let asked = request_for(&rcgen::KeyPair::from_pem(&text).unwrap(), &unit).unwrap();
        let certificate = authority.sign(&asked, &unit).unwrap();
        let enrolment =
            Enrolment::of_parts(certificate, authority.certificate_pem(), configuration.clone()).unwrap();
        let key = keys.unit_key().unwrap().unwrap();
        enrolment.hand_in(folder.path(), &key).unwrap();
        assert!(Enrolment::handed_in(folder.path(), &UnitKey::generate()).is_none(), "another box's");

        // Cut off before the configuration, which comes last.
        settle(&keys, &at("nowhere/milepost.toml"), folder.path(), now).unwrap_err();
        assert!(at("unit.pem").exists() && at("authority.pem").exists() && !at("milepost.toml").exists());
        settle(&keys, &at("milepost.toml"), folder.path(), now).unwrap().expect("it is installed");
        assert_eq!(std::fs::read_to_string(at("milepost.toml")).unwrap(), configuration);
        assert!(settle(&keys, &at("milepost.toml"), folder.path(), now).unwrap().is_none(), "it is a unit");
        Enrolment::forget(folder.path()).unwrap();
        assert!(Enrolment::handed_in(folder.path(), &key).is_none());
    }
}

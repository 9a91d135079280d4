//! One signed file that makes a unit of a box: certificate, authority and configuration, for that box alone.
//!
//! The department packs it, a USB stick carries it, the unit opens it. It is no secret: it holds no private key, and serves
//! only the unit that made the key behind its certificate.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::enrolment::Enrolment;
use super::identity::{EnrollError, Installed};
use super::in_use::Offer;
use super::keys::Keys;
use crate::config::{self, Config, Mistake};
use crate::crypto::{KeyError, KeyId, SignatureError, Signed, SigningKey, VerifyingKey, hex, sha256};
use crate::system::write_durably;
use crate::words::UnitId;

/// Whose bundles an image takes, one key a line.
pub const FLEET_KEYS: &str = "/usr/share/milepost/fleet.keys";

/// What a unit remembers of the bundle that it was given last.
const MEMORY: &str = "bundle.json";

/// What a signature over a bundle is good for.
const PURPOSE: &str = "enrolment 1";

/// A bundle and what the unit remembers of it are a few kilobytes; past this it is something else.
pub(super) const LARGEST: u64 = 1024 * 1024;

/// What a department gives to one unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub(super) unit: UnitId,
    issued: Timestamp,
    /// From then on nobody can use it any more.
    expires: Timestamp,
    /// PEM; over the key that the unit made.
    pub(super) certificate: String,
    /// PEM; signed the certificate, and the broker's.
    pub(super) authority: String,
    /// The whole of milepost.toml: broker, lists and their keys, receivers, policy.
    pub(super) configuration: String,
}

/// Which bundle a unit was given last.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    issued: Timestamp,
    digest: String,
}

/// Why a bundle was not made, or not taken. Nothing is installed unless every check passes.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is larger than any bundle")]
    TooLarge { path: PathBuf },
    #[error(
        "the bundle is for the unit {bundle}, and this is {unit}: ask for the one that was packed for {unit}"
    )]
    OtherName { bundle: UnitId, unit: UnitId },
    #[error(
        "this unit was not told whose bundles to take: give --signed-by KEY, or put the keys into {path}"
    )]
    NoTrust { path: PathBuf },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the bundle is not what the department signed: {0}")]
    Signature(#[from] SignatureError),
    #[error(
        "the bundle ended on {expires}; by this unit's clock it is {now}. Have a new one packed, or set the clock"
    )]
    Expired { expires: Timestamp, now: Timestamp },
    #[error(
        "the bundle is of {issued:.3}, and this unit was given one of {had:.3}: an older one is not taken"
    )]
    Older { issued: Timestamp, had: Timestamp },
    #[error("the bundle's configuration is of no use: {0}")]
    Configuration(#[from] Box<Mistake>),
    #[error("the bundle is for {bundle}, and its configuration for {configuration}")]
    Contradiction { bundle: UnitId, configuration: UnitId },
    #[error("the bundle is not for this unit: {0}")]
    OtherUnit(EnrollError),
    #[error(transparent)]
    Enroll(#[from] EnrollError),
}

impl Bundle {
    /// Puts a bundle together. `template` is a milepost.toml for the whole fleet, whose unit id is replaced; the certificate is
    /// judged by the unit, which has the key.
    pub fn new(
        unit: UnitId,
        [certificate, authority]: [String; 2],
        template: &str,
        [issued, expires]: [Timestamp; 2],
    ) -> Result<Self, BundleError> {
        let file = Path::new("the template");
        let mut table: toml::Table = config::parse(template, file)?;
        if let Some(section) = table.get_mut("unit").and_then(toml::Value::as_table_mut) {
            section.insert("id".into(), unit.as_str().into());
        }
        let configuration = format!(
            "# From the bundle of {issued:.0}. /usr/share/milepost/milepost.toml explains every field.\n\n{table}"
        );
        config::parse::<Config>(&configuration, file)?;
        Ok(Self { unit, issued, expires, certificate, authority, configuration })
    }

    /// As a file that may travel openly.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Signed::new(PURPOSE, self, &[key]).to_json()
    }

    /// Certificate and authority.
    pub fn offer(&self) -> Offer {
        Offer { certificate: self.certificate.clone(), authority: self.authority.clone() }
    }

    /// The whole of milepost.toml.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    pub fn issued(&self) -> Timestamp {
        self.issued
    }

    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// A bundle that is believed and has not ended; nothing of it is taken yet.
#[derive(Debug)]
pub struct OpenedBundle {
    pub bundle: Bundle,
    pub signed_by: KeyId,
    pub(super) given: Given,
}

impl OpenedBundle {
    /// Believes bytes that one of `trusted` signed and that have not ended.
    pub fn open(bytes: &[u8], trusted: &[VerifyingKey], now: Timestamp) -> Result<Self, BundleError> {
        let (bundle, signed_by): (Bundle, _) = Signed::verify(bytes, PURPOSE, trusted)?;
        if now > bundle.expires {
            return Err(BundleError::Expired { expires: bundle.expires, now });
        }
        let given = Given { issued: bundle.issued, digest: hex(&sha256(bytes)) };
        let config: Config = config::parse(&bundle.configuration, Path::new("the bundle's configuration"))?;
        if config.unit.id != bundle.unit {
            return Err(BundleError::Contradiction { bundle: bundle.unit, configuration: config.unit.id });
        }
        Ok(Self { bundle, signed_by, given })
    }

    pub fn is_for(&self, unit: &UnitId) -> Result<(), BundleError> {
        match self.bundle.unit == *unit {
            true => Ok(()),
            false => Err(BundleError::OtherName { bundle: self.bundle.unit.clone(), unit: unit.clone() }),
        }
    }

    /// Refuses one that is older than another that the unit was given, as one of these folders remembers.
    pub fn is_newest(&self, memories: &[PathBuf]) -> Result<(), BundleError> {
        let read = |folder: &PathBuf| std::fs::read(folder.join(MEMORY)).ok();
        let known = memories.iter().filter_map(read);
        for had in known.filter_map(|bytes| serde_json::from_slice::<Given>(&bytes).ok()) {
            if self.given.digest != had.digest && self.given.issued <= had.issued {
                return Err(BundleError::Older { issued: self.given.issued, had: had.issued });
            }
        }
        Ok(())
    }

    /// From now on an older one is refused.
    pub fn remember(&self, folder: &Path) -> Result<(), BundleError> {
        self.given.remember(folder)
    }
}

impl Given {
    pub(super) fn remember(&self, folder: &Path) -> Result<(), BundleError> {
        write(&folder.join(MEMORY), &serde_json::to_string(self).expect("plain data"))
    }
}

/// Opens a bundle and makes this box the unit that it names: certificate and authority as by [`install`](super::install), and
/// `milepost.toml` in the same folder. The same bundle may be applied again, as after a power cut; an older one is refused, and so
/// is one for another unit.
pub fn apply(
    keys: &Keys,
    file: &Path,
    trusted: &[VerifyingKey],
    now: Timestamp,
) -> Result<Installed, BundleError> {
    let opened = OpenedBundle::open(&read(file)?, trusted, now)?;
    let folder = keys.folder();
    opened.is_newest(&[folder.to_owned()])?;
    Enrolment::from(&opened).install(keys, &folder.join("milepost.toml"), now)
}

/// A file that is no secret.
pub(super) fn write(path: &Path, text: &str) -> Result<(), BundleError> {
    write_durably(path, text.as_bytes())
        .and_then(|()| readable(path))
        .map_err(|source| BundleError::Write { path: path.into(), source })
}

fn read(file: &Path) -> Result<Vec<u8>, BundleError> {
    use std::io::Read;
    let path = || file.to_owned();
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|source| BundleError::Read { path: path(), source })?;
    match bytes.len() as u64 > LARGEST {
        true => Err(BundleError::TooLarge { path: path() }),
        false => Ok(bytes),
    }
}

/// The keys whose bundles a unit takes, one a line, as its image brings them.
pub fn trusted_by(file: &Path) -> Result<Vec<VerifyingKey>, BundleError> {
    let text = std::fs::read_to_string(file).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BundleError::NoTrust { path: file.into() },
        _ => BundleError::Read { path: file.into(), source },
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(VerifyingKey::parse).collect::<Result<_, _>>()?)
}

/// Neither holds a secret, and the service that reads them is not root.
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;
    use crate::config::SAMPLE;
    use crate::enroll::{Authority, request};

    struct Fleet {
        folder: tempfile::TempDir,
        authority: Authority,
        key: SigningKey,
    }

    impl Fleet {
        fn new() -> Self {
            let authority = Authority::create("Test Department").unwrap();
            Self { folder: tempfile::tempdir().unwrap(), authority, key: SigningKey::generate() }
        }

        fn unit(&self, name: &str) -> (Keys, UnitId) {
            let folder = self.folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            (Keys::files(&folder), UnitId::parse(name).unwrap())
        }

        /// A bundle for a unit whose request was just made, as a file.
        fn pack(&self, keys: &Keys, unit: &UnitId, issued: Timestamp) -> PathBuf {
            let asked = std::fs::read_to_string(request(keys, unit).unwrap()).unwrap();
            self.pack_certificate(self.authority.sign(&asked, unit).unwrap(), unit, issued)
        }

        fn pack_certificate(&self, certificate: String, unit: &UnitId, issued: Timestamp) -> PathBuf {
            let expires = issued + 240.hours();
            let pems = [certificate, self.authority.certificate_pem()];
            let bundle = Bundle::new(unit.clone(), pems, SAMPLE, [issued, expires]).unwrap();
            let path = self.folder.path().join(format!("{unit}-{}.enrolment", issued.as_second()));
            std::fs::write(&path, bundle.sign(&self.key)).unwrap();
            path
        }

        fn apply(&self, keys: &Keys, file: &Path, now: Timestamp) -> Result<Installed, BundleError> {
            apply(keys, file, &[self.key.verifying_key()], now)
        }
    }

    #[test]
    fn one_file_makes_the_unit_and_may_be_applied_again() {
        let fleet = Fleet::new();
        let (keys, unit) = fleet.unit("north-7");
        let now = Timestamp::now();
        let file = fleet.pack(&keys, &unit, now);
        for _ in 0..2 {
            let installed = fleet.apply(&keys, &file, now).unwrap();
            assert_eq!(installed.facts.common_name.as_deref(), Some("north-7"));
        }
        let config = Config::load(&keys.folder().join("milepost.toml")).unwrap();
        assert_eq!(config.unit.id, unit);
        assert_eq!(config.hotlist.lists.len(), 1, "the template's lists came along");
        assert!(!keys.folder().join("offered.pem").exists());
    }

    #[test]
    fn a_bundle_makes_nothing_of_another_unit() {
        let fleet = Fleet::new();
        let now = Timestamp::now();
        let (north, name) = fleet.unit("north-7");
        let file = fleet.pack(&north, &name, now);
        let (south, south_name) = fleet.unit("south-1");
        let refused = |south: &Keys| fleet.apply(south, &file, now).unwrap_err();
        assert!(matches!(refused(&south), BundleError::OtherUnit(EnrollError::NoRequest { .. })));
        request(&south, &south_name).unwrap();
        assert!(matches!(refused(&south), BundleError::OtherUnit(EnrollError::OtherKey { .. })));
        for name in ["unit.pem", "authority.pem", "milepost.toml", "bundle.json", "offered.pem"] {
            assert!(!south.folder().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn an_older_ended_changed_or_foreign_bundle_is_refused() {
        let fleet = Fleet::new();
        let (keys, unit) = fleet.unit("north-7");
        let now = Timestamp::now();
        let file = fleet.pack(&keys, &unit, now);
        let fault = |file: &Path, now| fleet.apply(&keys, file, now).unwrap_err();

        assert!(matches!(fault(&file, now + 241.hours()), BundleError::Expired { .. }));
        let stranger = [SigningKey::generate().verifying_key()];
        let untrusted = apply(&keys, &file, &stranger, now).unwrap_err();
        assert!(matches!(untrusted, BundleError::Signature(SignatureError::UnknownKey(_))));
        let text = std::fs::read_to_string(&file).unwrap();
        let changed = fleet.folder.path().join("changed.enrolment");
        std::fs::write(&changed, text.replace("broker.department.example", "broker.elsewhere.example"))
            .unwrap();
        assert!(matches!(fault(&changed, now), BundleError::Signature(SignatureError::Wrong(_))));

        let earlier = fleet.pack(&keys, &unit, now - 1.hour());
        fleet.apply(&keys, &file, now).unwrap();
        assert!(matches!(fault(&earlier, now), BundleError::Older { .. }));
    }

    #[test]
    fn a_template_with_a_mistake_is_not_packed() {
        let unit = UnitId::parse("north-7").unwrap();
        let times = [Timestamp::UNIX_EPOCH; 2];
        let pack =
            |template: &str| Bundle::new(unit.clone(), Default::default(), template, times).unwrap_err();
        assert!(matches!(pack("[unit]\nid = \"x\"\n"), BundleError::Configuration(_)));
        assert!(matches!(pack("no toml"), BundleError::Configuration(_)));
    }
}

//! What the unit must remember over a restart besides records and lists: latched reasons, verified aims, drawn lanes, the
//! last check of the lists, the deployment.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use super::answers::Remembered;
use super::place::Stance;
use crate::console::{Deployed, Drawn, ListsChecked, Past};
use crate::crypto::{Digest, SealKey, UnitKey};
use crate::health::{Kept, Learned, References};
use crate::system::write_durably;
use crate::words::CameraId;

/// Small files in the state directory, each replaced whole.
pub struct Saved {
    folder: PathBuf,
    /// The service state is sealed: whoever has the storage must not return the unit to service.
    seal: SealKey,
}

const SERVICE: &str = "service";
const CONTEXT: &[u8] = b"service state 2";
/// Of versions that left the console's accounts open on the disk: what is sealed so was written before there were sealed ones.
const FORMER: &[u8] = b"service state 1";

/// What is known of the service state from before the start.
#[derive(Debug, PartialEq)]
pub enum KeptState {
    Whole(Kept),
    /// No file: at the first start, or because somebody took it away.
    Absent,
    /// It does not open; moved aside.
    Damaged,
}

/// A file that is there but cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is damaged ({source})", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Saved {
    pub fn new(state_dir: &Path, key: &UnitKey) -> Self {
        Self { folder: state_dir.to_owned(), seal: key.derive("service state") }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn service(&self) -> Result<KeptState, SavedError> {
        Ok(match self.open(SERVICE, CONTEXT)? {
            Opened::Whole(kept) => KeptState::Whole(kept),
            Opened::Absent => KeptState::Absent,
            Opened::Damaged => KeptState::Damaged,
        })
    }

    /// What the service state tells of the console's accounts: to be asked before it is kept anew. It is first written behind the
    /// first accounts and before the log; where it is missing, `ran_before` says whether there must be one.
    pub fn past_of_accounts(&self, ran_before: bool) -> Past {
        match std::fs::read(self.folder.join(SERVICE)) {
            Ok(sealed) if self.seal.open(FORMER, &sealed).is_ok() => Past::Open,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !ran_before => Past::None,
            _ => Past::Sealed,
        }
    }

    pub fn keep_service(&self, kept: &Kept) -> Result<(), SavedError> {
        self.seal(SERVICE, CONTEXT, kept)
    }

    /// None where nobody has verified the aim, or where what was kept does not open; that is moved aside.
    pub fn aim(&self, camera: &CameraId) -> Result<Option<References>, SavedError> {
        Ok(match self.open(&aim_file(camera), aim_context(camera).as_bytes())? {
            Opened::Whole(references) => Some(references),
            Opened::Absent => None,
            Opened::Damaged => {
                warn!(%camera, "the verified aim does not open; somebody has to verify it again");
                None
            }
        })
    }

    /// Sealed: a reference is a picture of a street.
    pub fn keep_aim(&self, camera: &CameraId, references: &References) -> Result<(), SavedError> {
        self.seal(&aim_file(camera), aim_context(camera).as_bytes(), references)
    }

    /// None where nobody has drawn any, or where what was kept does not open; that is moved aside.
    pub fn lanes(&self, camera: &CameraId) -> Result<Option<Drawn>, SavedError> {
        Ok(match self.open(&lanes_file(camera), lanes_context(camera).as_bytes())? {
            Opened::Whole(drawn) => Some(drawn),
            Opened::Absent => None,
            Opened::Damaged => {
                warn!(%camera, "the drawn lanes do not open; reads go without lanes until somebody draws them again");
                None
            }
        })
    }

    /// Sealed as the aim is: evidence says in which lane a vehicle was.
    pub fn keep_lanes(&self, camera: &CameraId, drawn: &Drawn) -> Result<(), SavedError> {
        self.seal(&lanes_file(camera), lanes_context(camera).as_bytes(), drawn)
    }

    pub fn stance(&self) -> Result<Option<Stance>, SavedError> {
        self.load("stance.json")
    }

    pub fn keep_stance(&self, stance: &Stance) -> Result<(), SavedError> {
        self.store("stance.json", stance)
    }

    pub fn yields(&self, camera: &CameraId) -> Result<Option<Learned>, SavedError> {
        self.load(&yields_file(camera))
    }

    pub fn keep_yields(&self, camera: &CameraId, learned: &Learned) -> Result<(), SavedError> {
        self.store(&yields_file(camera), learned)
    }

    pub fn lists_checked(&self) -> Result<Option<ListsChecked>, SavedError> {
        self.load("lists-checked.json")
    }

    pub fn keep_lists_checked(&self, checked: &ListsChecked) -> Result<(), SavedError> {
        self.store("lists-checked.json", checked)
    }

    pub fn answers(&self) -> Result<Remembered, SavedError> {
        Ok(self.load("answers.json")?.unwrap_or_default())
    }

    pub fn keep_answers(&self, answers: &Remembered) -> Result<(), SavedError> {
        self.store("answers.json", answers)
    }

    pub fn deployment(&self) -> Result<Option<Deployed>, SavedError> {
        self.load("deployment.json")
    }

    pub fn keep_deployment(&self, deployed: &Deployed) -> Result<(), SavedError> {
        self.store("deployment.json", deployed)
    }

    /// SHA-256 of the configuration file that the unit last started with.
    pub fn configuration(&self) -> Result<Option<Digest>, SavedError> {
        self.load("configuration.json")
    }

    pub fn keep_configuration(&self, digest: &Digest) -> Result<(), SavedError> {
        self.store("configuration.json", digest)
    }

    /// What does not open is moved aside.
    fn open<T: DeserializeOwned>(&self, name: &str, context: &[u8]) -> Result<Opened<T>, SavedError> {
        let path = self.folder.join(name);
        let sealed = match std::fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Absent),
            Err(source) => return Err(SavedError::Read { path, source }),
        };
        let former = || if name == SERVICE { self.seal.open(FORMER, &sealed).ok() } else { None };
        let opened = self.seal.open(context, &sealed).ok().or_else(former);
        if let Some(value) = opened.and_then(|json| serde_json::from_slice(&json).ok()) {
            return Ok(Opened::Whole(value));
        }
        let aside = self.folder.join(format!("{name}.damaged"));
        // On a disk that cannot be written it stays, and is told again at the next start.
        let _ = std::fs::rename(&path, aside);
        Ok(Opened::Damaged)
    }

    fn seal<T: Serialize>(&self, name: &str, context: &[u8], value: &T) -> Result<(), SavedError> {
        let path = self.folder.join(name);
        let json = serde_json::to_vec(value).expect("saved values are plain data with string keys");
        let sealed = self.seal.seal(context, &json);
        write_durably(&path, &sealed).map_err(|source| SavedError::Write { path, source })
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SavedError> {
        let path = self.folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| SavedError::Damaged { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SavedError::Read { path, source }),
        }
    }

    fn store<T: Serialize>(&self, name: &str, value: &T) -> Result<(), SavedError> {
        let path = self.folder.join(name);
        let bytes = serde_json::to_vec(value).expect("saved values are plain data with string keys");
        write_durably(&path, &bytes).map_err(|source| SavedError::Write { path, source })
    }
}

enum Opened<T> {
    Whole(T),
    Absent,
    Damaged,
}

fn yields_file(camera: &CameraId) -> String {
    format!("yields-{camera}.json")
}

fn aim_file(camera: &CameraId) -> String {
    format!("aim-{camera}")
}

fn aim_context(camera: &CameraId) -> String {
    format!("aim 1 {camera}")
}

fn lanes_file(camera: &CameraId) -> String {
    format!("lanes-{camera}")
}

fn lanes_context(camera: &CameraId) -> String {
    format!("lanes 1 {camera}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::health::{Reason, Standing};
    use crate::words::PersonName;

    #[test]
    fn latched_reasons_come_back_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let key = UnitKey::generate();
        let saved = Saved::new(folder.path(), &key);
        assert_eq!(saved.service().unwrap(), KeptState::Absent);
        let moved = Standing {
            reason: Reason::CameraMoved,
            camera: Some(CameraId::parse("lane-1").unwrap()),
            detail: "the camera points 43 px to the left".into(),
            since: Timestamp::UNIX_EPOCH,
            by: None,
        };
        let kept = Kept { latched: vec![moved], accepted: vec![] };
        saved.keep_service(&kept).unwrap();
        assert_eq!(saved.service().unwrap(), KeptState::Whole(kept));
        let stranger = Saved::new(folder.path(), &UnitKey::generate());
        stranger.keep_service(&Kept::default()).unwrap();
        assert_eq!(saved.service().unwrap(), KeptState::Damaged);
        assert!(folder.path().join("service.damaged").exists(), "what was there is kept");
    }

    #[test]
    fn lanes_come_back_for_their_own_camera() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path(), &UnitKey::generate());
        let camera = |name: &str| CameraId::parse(name).unwrap();
        let lanes = r#"[{"name":"exit","travel":"away","outline":[[0.1,0.1],[0.9,0.1],[0.5,0.9]]}]"#;
        let drawn = Drawn {
            lanes: serde_json::from_str(lanes).unwrap(),
            by: PersonName::parse("Tess Grant").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            aim: None,
        };
        assert_eq!(saved.lanes(&camera("north")).unwrap(), None);
        saved.keep_lanes(&camera("north"), &drawn).unwrap();
        assert_eq!(saved.lanes(&camera("north")).unwrap(), Some(drawn));
        std::fs::copy(folder.path().join("lanes-north"), folder.path().join("lanes-south")).unwrap();
        assert_eq!(saved.lanes(&camera("south")).unwrap(), None, "another camera's lanes do not open");
    }
}

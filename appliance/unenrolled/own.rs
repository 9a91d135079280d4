use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::{Table, Value};
use tracing::{error, info};

use super::Config;
use crate::config::keep_own_files;
use crate::crypto::{SealError, UnitKey};
use crate::delivery::tls::{Pem, TlsError};
use crate::enroll::{EnrollError, Keys, make_keys, settle};

/// What a box has of its own before it is a unit: its two keys, and where its files lie.
pub struct Own {
    pub seal: UnitKey,
    /// PEM; proves who the unit is.
    pub identity: Pem,
    /// Where the configuration will lie, and certificate and authority beside it.
    pub configuration: PathBuf,
    /// The file of the key that seals; None where systemd lends it.
    key_file: Option<PathBuf>,
}

/// Why a box has no keys.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Identity(#[from] TlsError),
    #[error(transparent)]
    Make(#[from] EnrollError),
}

impl Own {
    /// As systemd lends them.
    pub fn lent(credentials: &Path, configuration: &Path) -> Result<Self, OwnError> {
        Ok(Self {
            seal: UnitKey::load(&credentials.join("seal-key"))?,
            identity: Pem::load(&credentials.join("unit.key"))?,
            configuration: configuration.to_owned(),
            key_file: None,
        })
    }

    /// As files beside the configuration, which are made where there are none. What was handed in and not installed, since the
    /// power was cut, is installed first: `configuration` is there then.
    pub fn files(configuration: &Path, config: &Config) -> Result<Self, OwnError> {
        let keys = Keys::files(folder(configuration));
        make_keys(&keys)?;
        match settle(&keys, configuration, &config.unit.state_dir, Timestamp::now()) {
            Ok(None) => {}
            Ok(Some(installed)) => info!(certificate = %installed.certificate.display(), "enrolled"),
            Err(error) => error!(%error, "what was handed in is not installed"),
        }
        let [seal, identity] = ["seal.key", "unit.key"].map(|name| folder(configuration).join(name));
        Ok(Self {
            seal: UnitKey::load(&seal)?,
            identity: Pem::load(&identity)?,
            configuration: configuration.to_owned(),
            key_file: Some(seal),
        })
    }

    /// Where certificate and authority are installed.
    pub fn folder(&self) -> &Path {
        folder(&self.configuration)
    }

    /// A fleet's configuration with this box's own files in the place of those that it names.
    pub fn fit(&self, fleet: &str, state_dir: &Path) -> Result<String, toml::de::Error> {
        let mut table: Table = fleet.parse()?;
        let before = table.clone();
        keep_own_files(&mut table, &self.files_as_configured(state_dir));
        // As it was written, with its comments, where it fits already.
        let fits = table == before;
        Ok(if fits { fleet.to_owned() } else { table.to_string() })
    }

    fn files_as_configured(&self, state_dir: &Path) -> Table {
        let text = |path: PathBuf| Value::String(path.display().to_string());
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let configuration = absolute(&self.configuration);
        let folder = folder(&configuration);
        let mut unit = Table::new();
        unit.insert("state_dir".into(), text(absolute(state_dir)));
        let mut broker = Table::new();
        broker.insert("authority".into(), text(folder.join("authority.pem")));
        broker.insert("certificate".into(), text(folder.join("unit.pem")));
        if let Some(file) = &self.key_file {
            unit.insert("key_file".into(), text(absolute(file)));
            broker.insert("key".into(), text(folder.join("unit.key")));
        }
        let mut delivery = Table::new();
        delivery.insert("broker".into(), Value::Table(broker));
        Table::from_iter([
            ("unit".to_owned(), Value::Table(unit)),
            ("delivery".to_owned(), Value::Table(delivery)),
        ])
    }
}

fn folder(configuration: &Path) -> &Path {
    configuration.parent().unwrap_or(Path::new("."))
}

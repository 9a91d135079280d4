//! What production prints for a new unit, so that who unpacks it can tell it from another.

use std::path::Path;

use tracing::warn;

use super::accounts::OneTimeCode;
use crate::system::{remove_durably, write_durably};

const NAME: &str = "label.txt";

/// Writes `label.txt`. A unit without it works; the journal says the same.
pub fn write(folder: &Path, unit: &str, address: &str, fingerprint: &str, code: &OneTimeCode) {
    let text = format!(
        "Milepost unit   {unit}\nconsole         https://{address}\none-time code   {code}\n\
         certificate     SHA-256 {fingerprint}\n"
    );
    if let Err(error) = write_durably(&folder.join(NAME), text.as_bytes()) {
        warn!(%error, "the label could not be written");
    }
}

/// The code on it has been used.
pub fn remove(folder: &Path) {
    if let Err(error) = remove_durably(&folder.join(NAME)) {
        warn!(%error, "the label could not be removed");
    }
}

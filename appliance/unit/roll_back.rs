//! Going back to the configuration from before the latest change, by command: over a restart, and proved by the broker.
//!
//! ```text
//! command noted ─► older text laid down ─► left open, durably ─► the program starts anew, on trial
//!     ─► broker reached ─► kept ─► "done"
//!     ─► not in time, does not start, cut off ─► the program starts anew without ─► "refused"
//! ```

use std::sync::Arc;

use tracing::error;

use super::window::settings::{Settings, Trial};
use crate::command::{Command, Commands, OverRestart};
use crate::crypto::Digest;
use crate::words::{PersonName, RecordId};

pub struct RollBack {
    /// None where the program cannot start anew.
    settings: Option<Arc<Settings>>,
    open: Option<OverRestart>,
    /// This program is about to end: the next one knows what came of it.
    leaving: bool,
}

/// What came of it.
pub struct CameOf {
    pub order: OverRestart,
    pub went_back: bool,
    /// A sentence for whoever commanded it.
    pub said: String,
}

impl RollBack {
    /// With what was left open before this start.
    pub fn begin(settings: Option<Arc<Settings>>, commands: &Commands) -> Self {
        Self { settings, open: commands.left_open().pop(), leaving: false }
    }

    /// Whether this command's result is still to come.
    pub fn is_open(&self, nonce: RecordId) -> bool {
        self.open.as_ref().is_some_and(|open| open.command.nonce == nonce)
    }

    /// Lays everything down for the next start, and has the program start anew. Gives the digest of the configuration that
    /// is tried, or a sentence.
    pub fn start(
        &mut self,
        commands: &mut Commands,
        command: &Command,
        by: &PersonName,
    ) -> Result<Digest, String> {
        let none = || "This unit was not started from a file that it can go back from.".to_owned();
        let settings = self.settings.clone().ok_or_else(none)?;
        let text = settings.prepare_former().map_err(|refused| refused.0)?;
        let configuration = Digest::of(text.as_bytes());
        let order = OverRestart { command: command.clone(), by: by.clone(), configuration };
        commands.leave_open(order.clone()).map_err(|error| format!("It could not be noted: {error}."))?;
        self.open = Some(order);
        self.leaving = true;
        settings.try_it();
        Ok(configuration)
    }

    /// To be asked about once a second. `reached`: the broker has answered all that the unit asked of it.
    pub fn tick(&mut self, reached: bool) -> Option<CameOf> {
        let open = self.open.as_ref().filter(|_| !self.leaving)?;
        let is_it = |settings: &&Arc<Settings>| Digest::of(settings.text().as_bytes()) == open.configuration;
        let went_back = match self.settings.as_ref().filter(is_it) {
            None => false,
            Some(settings) => match settings.trial() {
                Trial::None | Trial::Kept => true,
                Trial::Running if !reached => return None,
                Trial::Running => {
                    if let Err(refused) = settings.keep() {
                        error!(%refused, "the configuration from before works and cannot be kept");
                        self.leaving = settings.leave().is_ok();
                        return None;
                    }
                    true
                }
            },
        };
        let said = if went_back {
            format!(
                "The unit works with the configuration from before the latest change (SHA-256 {}).",
                open.configuration
            )
        } else {
            "The unit works with the configuration that it had: with the one from before it did not start, did not reach \
             the broker in time, or was cut off."
                .to_owned()
        };
        self.open.take().map(|order| CameOf { order, went_back, said })
    }
}

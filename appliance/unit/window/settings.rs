//! The configuration as it is changed at the console: checked, tried, kept or left.

use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::differences::differences;
use crate::config::{Config, Source, keep_own_files};
use crate::console::{FieldChange, Refused};
use crate::delivery::{Broker, tls};

/// What the program is to start anew with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    OnTrial,
    WithoutTrial,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// This program does not try anything.
    None,
    Running,
    Kept,
}

/// The configuration of a unit that its program can start anew.
pub struct Settings {
    source: Source,
    running: Config,
    /// When the trial ends by itself, whatever the wall clock is set to; None where nothing is on trial, or it was kept.
    ends: Mutex<Option<Instant>>,
    again: watch::Sender<Option<Again>>,
}

/// A fleet's configuration, made this unit's.
pub struct Fitted {
    pub text: String,
    pub changes: Vec<FieldChange>,
    /// Where the console would listen.
    pub console: String,
    /// Whether the unit would deliver where it delivers now.
    pub same_broker: bool,
}

impl Settings {
    pub fn new(source: Source, running: Config) -> Self {
        let lasts = Duration::from_secs(running.console.confirm_s.get().into());
        let ends = source.on_trial.then(|| Instant::now() + lasts);
        Self { source, running, ends: Mutex::new(ends), again: watch::Sender::new(None) }
    }

    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// For how long the trial goes on; None where nothing is on trial.
    pub fn left(&self) -> Option<Duration> {
        self.lock().map(|ends| ends.saturating_duration_since(Instant::now()))
    }

    /// When the trial ends, by a wall clock that now shows `now`.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.left().map(|left| now.saturating_add(left).unwrap_or(Timestamp::MAX))
    }

    /// For the program, which starts anew when told to.
    pub fn again(&self) -> watch::Receiver<Option<Again>> {
        self.again.subscribe()
    }

    /// Checks a text and has the program try it; where the console will listen.
    pub fn propose(&self, text: &str) -> Result<String, Refused> {
        if self.left().is_some() {
            return Err(Refused("Keep or leave the configuration that is on trial first.".to_owned()));
        }
        let proposed = self.source.read(text).map_err(|mistake| Refused(mistake.to_string()))?;
        self.judge(&proposed)?;
        let unwritten = |error| Refused(format!("The change could not be laid down: {error}."));
        self.source.propose(text.to_owned()).map_err(unwritten)?;
        self.again.send_replace(Some(Again::OnTrial));
        Ok(proposed.console.listen.socket().to_string())
    }

    /// What counted before the latest change that was kept.
    pub fn former(&self) -> Option<&str> {
        self.source.former()
    }

    pub fn trial(&self) -> Trial {
        match (self.source.on_trial, self.left()) {
            (false, _) => Trial::None,
            (true, Some(_)) => Trial::Running,
            (true, None) => Trial::Kept,
        }
    }

    /// Lays down the configuration from before the latest change, if it is one that may be tried; gives its text.
    /// [`try_it`](Self::try_it) comes next.
    pub fn prepare_former(&self) -> Result<String, Refused> {
        if self.left().is_some() {
            return Err(Refused("A configuration is on trial: keep or leave it first.".to_owned()));
        }
        let none = "No change of the configuration was kept at this unit, so there is nothing to go back to.";
        let former = self.former().ok_or_else(|| Refused(none.to_owned()))?.to_owned();
        let proposed = self.source.read(&former).map_err(|mistake| Refused(mistake.to_string()))?;
        self.judge(&proposed)?;
        let unwritten = |error| Refused(format!("It could not be laid down: {error}."));
        self.source.propose_former().map_err(unwritten)?;
        Ok(former)
    }

    /// Has the program start anew with what was laid down.
    pub fn try_it(&self) {
        self.again.send_replace(Some(Again::OnTrial));
    }

    /// A fleet's configuration as this unit would run with it, judged, and what it changes; nothing is tried yet.
    pub fn fit(&self, fleet: &str) -> Result<Fitted, Refused> {
        let table = |text: &str| {
            text.parse::<toml::Table>().map_err(|error| Refused(format!("It is no configuration: {error}")))
        };
        let (present, mut fleets) = (table(self.text())?, table(fleet)?);
        keep_own_files(&mut fleets, &present);
        let text = format!(
            "# From an enrolment bundle. /usr/share/milepost/milepost.toml explains every field.\n\n{fleets}"
        );
        let proposed = self.source.read(&text).map_err(|mistake| Refused(mistake.to_string()))?;
        self.judge(&proposed)?;
        let broker = |config: &Config| {
            let broker = &config.delivery.broker;
            (broker.host.clone(), broker.port)
        };
        Ok(Fitted {
            text,
            changes: differences(&present, &fleets),
            console: proposed.console.listen.socket().to_string(),
            same_broker: broker(&proposed) == broker(&self.running),
        })
    }

    /// What would lock people out, or cost the unit what it keeps, is not even tried.
    fn judge(&self, proposed: &Config) -> Result<(), Refused> {
        let (old, new) = (&self.running.unit, &proposed.unit);
        if (&old.id, &old.state_dir, &old.key_file) != (&new.id, &new.state_dir, &new.key_file) {
            let why = "[unit] id, state_dir and key_file are changed on the unit itself: with them go its \
                       certificate, its accounts and all that it keeps.";
            return Err(Refused(why.to_owned()));
        }
        let listen = proposed.console.listen.socket();
        TcpListener::bind((listen.ip(), 0)).map_err(|error| {
            Refused(format!("No interface of this unit has the address {}: {error}.", listen.ip()))
        })?;
        let files = |config: &Config| {
            let Broker { authority, certificate, key, .. } = &config.delivery.broker;
            [authority, certificate, key].map(|file| tls::locate(file))
        };
        let [authority, certificate, key] = files(proposed);
        // What was put in at the console counts for as long as these stay what they are, whether they can be read or not.
        if files(&self.running) != [authority.clone(), certificate.clone(), key.clone()] {
            tls::client_config(&authority, &certificate, &key)
                .map_err(|error| Refused(format!("{error}.")))?;
        }
        Ok(())
    }

    pub fn keep(&self) -> Result<(), Refused> {
        let mut ends = self.lock();
        if ends.is_none() {
            return Err(Refused("No configuration is on trial.".to_owned()));
        }
        self.source.keep().map_err(|error| Refused(format!("The change could not be kept: {error}.")))?;
        *ends = None;
        Ok(())
    }

    /// Ends the trial: the program starts anew as it was before.
    pub fn leave(&self) -> Result<(), Refused> {
        if self.left().is_none() {
            return Err(Refused("No configuration is on trial.".to_owned()));
        }
        self.again.send_replace(Some(Again::WithoutTrial));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_whose_certificate_was_put_in_at_the_console_is_configured_without_the_installed_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("milepost.toml");
        let text = format!(
            "[unit]\nid = \"unit-1\"\nstate_dir = {:?}\n[[camera]]\nsource = \"scene:traffic\"\n[console]\nlock_min = 31\n",
            folder.path()
        );
        std::fs::write(&file, &text).unwrap();
        let (source, running) = Source::open(&file, false).unwrap();
        let settings = Settings::new(source, running);
        settings.propose(&text.replace("31", "32")).unwrap();
        let elsewhere = format!("{text}[delivery.broker]\ncertificate = \"/nowhere/unit.pem\"\n");
        assert!(settings.propose(&elsewhere).is_err_and(|refused| refused.0.contains("cannot be read")));
    }
}

use std::time::Duration;

use systemd::daemon;

/// The line to systemd: readiness, a status sentence, the watchdog.
///
/// Without systemd (no `NOTIFY_SOCKET`) every call does nothing.
pub struct ServiceManager {
    watchdog: Option<Duration>,
}

impl ServiceManager {
    pub fn from_environment() -> Self {
        let micros = daemon::watchdog_enabled().unwrap_or(0);
        Self { watchdog: (micros > 0).then(|| Duration::from_micros(micros)) }
    }

    pub fn ready(&self) {
        tell(daemon::STATE_READY, "1");
    }

    pub fn stopping(&self) {
        tell(daemon::STATE_STOPPING, "1");
    }

    /// One sentence that `systemctl status` shows.
    pub fn status(&self, sentence: &str) {
        tell(daemon::STATE_STATUS, sentence);
    }

    /// How often [`ServiceManager::alive`] must be called: half of what the unit file allows.
    /// None where no watchdog waits.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// To be called only after every stage has shown progress: a watchdog fed by a bare timer guards nothing.
    pub fn alive(&self) {
        tell(daemon::STATE_WATCHDOG, "1");
    }
}

fn tell(key: &'static str, value: &str) {
    if let Err(error) = daemon::notify([(key, value)].iter()) {
        tracing::warn!(%error, key, "systemd could not be told");
    }
}

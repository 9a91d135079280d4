use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends events to the journal with their fields where a journal reads our standard error, else there as
/// plain lines. Returns a sentence that says which. `RUST_LOG` chooses what is told; default `info`.
pub fn start(default_filter: &str) -> &'static str {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_filter));
    let registry = tracing_subscriber::registry().with(filter);
    // systemd sets this variable when, and only when, standard error is connected to the journal.
    if std::env::var_os("JOURNAL_STREAM").is_some()
        && let Ok(journal) = tracing_journald::layer()
    {
        registry.with(journal).init();
        return "logging to the journal: journalctl -u milepost";
    }
    // Colours are for people's terminals: in a file they break every search.
    let colours = std::io::stderr().is_terminal();
    registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours)).init();
    "logging to standard error"
}

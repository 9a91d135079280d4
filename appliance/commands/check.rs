//! `milepost check`: is this unit fit for work?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::in_full;
use super::run::unit_key;
use crate::capture::{self, Capture, Frame, Latest, LinkFault, LinkState};
use crate::config::Config;
use crate::crypto::{Module, UnitKey};
use crate::delivery::Link;
use crate::delivery::tls::{self, Credentials, Identity};
use crate::enroll::{InUse, Origin};
use crate::system::{ClockStatus, Device, SystemClock, is_held, write_durably};
use crate::vision::Vision;

/// Say whether this unit is fit for work: one line for each thing it needs
///
/// Looks at the configuration, the unit key, storage, clock, cryptography, models, each camera, the certificates and the
/// broker. The exit status is 0 if all is well, 1 if something must be mended first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The unit's configuration
    #[arg(long, short, default_value = "/etc/milepost/milepost.toml", value_name = "FILE")]
    config: PathBuf,
}

/// A camera that works gives its first picture well within this.
const CAMERA_PATIENCE: Duration = Duration::from_secs(12);

/// What was found of one thing.
enum Finding {
    Good(String),
    /// The unit works, and somebody should see to it.
    Fair(String),
    Bad(String),
}

use Finding::{Bad, Fair, Good};

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            tell("configuration", &Bad(error.to_string()));
            return Ok(ExitCode::FAILURE);
        }
    };
    tell("configuration", &Good(args.config.display().to_string()));
    let mut fit = true;
    let mut check = |what: &str, finding: Finding| {
        fit &= !matches!(finding, Bad(_));
        tell(what, &finding);
    };
    let key = unit_key(&config);
    check("unit key", key.as_ref().map_or_else(|error| Bad(in_full(error)), |_| Good("there".into())));
    check("storage", storage(&config));
    check("clock", clock());
    check("cryptography", cryptography());
    check("models", models(&config));
    let unit_runs = is_held(&config.unit.state_dir.join("records"));
    for camera in &config.camera {
        check(&format!("camera {}", camera.name), watch(camera, unit_runs));
    }
    let in_use = in_use(&config, key.ok());
    check("certificate", certificate(&config, &in_use));
    check("broker", broker(&config, &in_use)?);
    check("hot lists", lists(&config));
    check("receipts", receipts(&config));
    Ok(if fit { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(what: &str, finding: &Finding) {
    let (mark, text) = match finding {
        Good(text) => ("ok  ", text),
        Fair(text) => ("note", text),
        Bad(text) => ("BAD ", text),
    };
    println!("{mark}  {what:<16} {text}");
}

fn storage(config: &Config) -> Finding {
    let folder = &config.unit.state_dir;
    let probe = folder.join("check");
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| write_durably(&probe, b"milepost check"))
        .and_then(|()| std::fs::remove_file(&probe));
    if let Err(error) = written {
        return Bad(format!("{} cannot be written: {error}", folder.display()));
    }
    match Device::new(folder).facts().disk_free_mb {
        Some(free) if free < config.health.disk_low_mb => {
            Fair(format!("only {free} MB free in {}", folder.display()))
        }
        Some(free) => Good(format!("{free} MB free in {}", folder.display())),
        None => Good(format!("{} can be written", folder.display())),
    }
}

fn clock() -> Finding {
    match crate::system::clock_status() {
        ClockStatus::Synchronised => Good("kept by a time service".into()),
        ClockStatus::Free => Fair("no time service keeps it: records will say so".into()),
        ClockStatus::Unknown => Fair("the system does not tell whether it is kept".into()),
    }
}

fn cryptography() -> Finding {
    match Module::running(&tls::provider()) {
        Ok(module) => Good(module.to_string()),
        Err(error) => Bad(error.to_string()),
    }
}

fn models(config: &Config) -> Finding {
    match Vision::load(&config.vision) {
        Ok(_) => Good("localiser and reader run".into()),
        Err(error) => Bad(error.to_string()),
    }
}

fn watch(camera: &capture::Config, unit_runs: bool) -> Finding {
    let newest: Latest<Frame> = Latest::new();
    let capture = match Capture::start(camera.clone(), Arc::new(SystemClock::new()), newest.clone()) {
        Ok(capture) => capture,
        Err(error) => return Bad(error.to_string()),
    };
    let deadline = Instant::now() + CAMERA_PATIENCE;
    let mut quiet = None;
    while Instant::now() < deadline {
        if let Some(frame) = newest.take(Duration::from_millis(200)) {
            let luma = frame.luma();
            return Good(format!("pictures of {}x{} from {}", luma.width, luma.height, camera.source));
        }
        match capture.status().state {
            // Connected anew by itself: many cameras wake slowly, or wait for their next key frame.
            LinkState::Faulted(fault @ (LinkFault::Silent(_) | LinkFault::NoPicture(_))) => {
                quiet = Some(fault)
            }
            LinkState::Faulted(fault) => return broken(&fault, camera, unit_runs),
            _ => {}
        }
    }
    let mend = quiet.map_or(String::new(), |fault| format!(". {}", fault.mend()));
    Bad(format!("no picture from {} within {} s{mend}", camera.source, CAMERA_PATIENCE.as_secs()))
}

fn broken(fault: &LinkFault, camera: &capture::Config, unit_runs: bool) -> Finding {
    match fault {
        // The daily check runs beside the appliance, and a device file gives pictures to one program alone.
        LinkFault::Busy(_) if unit_runs => {
            Good(format!("{} is in use by the running unit, which watches it itself", camera.source))
        }
        fault => Bad(format!("{fault}. {}", fault.mend())),
    }
}

/// The identity in use, and where it comes from; without the unit key only the installed one can be judged.
fn in_use(config: &Config, key: Option<UnitKey>) -> anyhow::Result<(Identity, Origin)> {
    let Some(key) = key else { return Ok((config.delivery.broker.identity()?, Origin::Installed)) };
    let unit = config.unit.id.clone();
    let in_use = InUse::open(&config.unit.state_dir, &key, unit, &config.delivery.broker)?;
    Ok((in_use.identity()?, in_use.origin()))
}

fn certificate(config: &Config, in_use: &anyhow::Result<(Identity, Origin)>) -> Finding {
    let (identity, origin) = match in_use {
        Ok(in_use) => in_use,
        Err(error) => return Bad(in_full(error)),
    };
    let facts = match identity.certificate.facts() {
        Ok(facts) => facts,
        Err(error) => return Bad(error.to_string()),
    };
    let origin = match origin {
        Origin::Installed => String::new(),
        Origin::Changed { by, at } => format!(
            "; {by} put it in on {at:.0}, and it counts instead of {} until another is installed there",
            config.delivery.broker.certificate.display()
        ),
    };
    let days = facts.not_after.duration_since(Timestamp::now()).as_hours() / 24;
    let name = facts.common_name.unwrap_or_default();
    if name != config.unit.id.as_str() {
        Bad(format!("it is for {name:?}, and this unit is {:?}: enrol it anew", config.unit.id.as_str()))
    } else if days < 0 {
        Bad(format!("it ended {} days ago: renew it on the Certificates page, or enrol the unit anew", -days))
    } else if days <= i64::from(config.health.certificate_warning_days) {
        Fair(format!("it ends in {days} days: renew it on the Certificates page or by command{origin}"))
    } else {
        Good(format!("for {name}, {days} days left{origin}"))
    }
}

fn broker(config: &Config, in_use: &anyhow::Result<(Identity, Origin)>) -> anyhow::Result<Finding> {
    let Ok((identity, _)) = in_use else {
        return Ok(Bad("not asked: there is no certificate to show".into()));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Under another name than the running unit's, which the broker would else throw out.
    let name = format!("{}-check", config.unit.id);
    let address = format!("{}:{}", config.delivery.broker.host, config.delivery.broker.port);
    Ok(runtime.block_on(async {
        match Link::prove(identity, &config.delivery.broker, &name).await {
            Ok(()) => Good(format!("{address} takes our certificate")),
            Err(fault) => Bad(format!("{address}: {fault}: {}", fault.mend())),
        }
    }))
}

fn lists(config: &Config) -> Finding {
    let names: Vec<&str> = config.hotlist.lists.iter().map(|list| list.name.as_str()).collect();
    if names.is_empty() {
        Fair("none is configured: only manual entries can match".into())
    } else {
        Good(names.join(", "))
    }
}

fn receipts(config: &Config) -> Finding {
    if config.delivery.receivers.is_empty() {
        Bad("no receiver's key is trusted, so nothing is ever purged: fill [delivery] receivers".into())
    } else {
        Good(format!("{} keys are trusted", config.delivery.receivers.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_the_running_unit_holds_is_no_fault_and_one_that_somebody_else_holds_is() {
        let camera: capture::Config = toml::from_str(r#"source = "/dev/video0""#).unwrap();
        let busy = LinkFault::Busy("Device '/dev/video0' is busy".into());
        assert!(
            matches!(broken(&busy, &camera, true), Good(text) if text.contains("/dev/video0 is in use by the running unit"))
        );
        assert!(matches!(broken(&busy, &camera, false), Bad(text) if text.contains("another program")));
        let gone = LinkFault::Missing("/dev/video0".into());
        assert!(matches!(broken(&gone, &camera, true), Bad(_)));
    }

    #[test]
    fn a_unit_runs_while_it_holds_its_records() {
        use crate::system::{Disk, RealDisk};
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path()), "nothing is there yet");
        let held = RealDisk.lock(folder.path()).unwrap();
        assert!(is_held(folder.path()));
        drop(held);
        assert!(!is_held(folder.path()), "the file stays, its lock does not");
    }
}

//! `milepost apply-network`: what root does for the console. What it may be asked, and why, is [`crate::network`]'s; this reads
//! the request, writes the files, and has systemd take them up.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::network::{self, Addressing, Change, Keeper, Reading, Request, Status, Step, Wanted};
use crate::system::network::{active, network_facts, running_time_services, time_facts, tool, uptime};
use crate::system::{log, write_durably};

/// How often a request is looked for while a change is on trial.
const TICK: Duration = Duration::from_millis(250);
/// Within which systemd-networkd goes by a new file, in looks of [`TICK`].
const LOOKS: u32 = 20;
/// The services of time that were stopped to set the clock, a line for each: whoever runs next starts what stands here.
const STOPPED: &str = "/run/milepost-network/stopped";
/// At once: each of our runs is a job of systemd's own before which systemd-timesyncd does not start.
const AT_ONCE: &str = "--job-mode=ignore-dependencies";

/// Change network and time as asked at the console: what milepost-network.service starts, as root
///
/// Lays down what was kept, then takes the console's request, watches over a change that is on trial, and takes it back
/// unless somebody keeps it. Sets the clock where no server keeps it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The console's request
    #[arg(long, default_value = "/run/milepost/network-request.json", value_name = "FILE")]
    request: PathBuf,
    /// Only lay down what was kept, and end a trial that nobody watches over
    #[arg(long)]
    settle: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    log::start("info");
    let before = fs::read(network::STATUS).ok().and_then(|json| serde_json::from_slice::<Status>(&json).ok());
    start_again().unwrap_or_else(|error| warn!(%error, "a service of time stays stopped"));
    let mut keeper = Keeper::resume(kept(), before);
    let kept = keeper.status().kept.clone();
    carry_out(&mut keeper, Step::Return(kept))?;
    if !args.settle {
        attend(&mut keeper, &args.request)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Answers the request, and as long as a change is on trial watches over it and answers others.
fn attend(keeper: &mut Keeper, request: &Path) -> anyhow::Result<()> {
    loop {
        let step = match read(request).filter(|request| !keeper.knows(request)) {
            Some(request) => {
                info!(?request, "asked");
                keeper.hear(request, &network_facts(), &time_facts(), uptime())
            }
            None => match keeper.tick(uptime()) {
                Step::Nothing if keeper.on_trial() => {
                    std::thread::sleep(TICK);
                    continue;
                }
                Step::Nothing => return Ok(()),
                step => step,
            },
        };
        carry_out(keeper, step)?;
    }
}

/// What was kept. A file that cannot be read counts for nothing: then the system's own files do.
fn kept() -> Wanted {
    let read = fs::read_to_string(network::KEPT);
    match read.map(|text| toml::from_str(&text)) {
        Ok(Ok(wanted)) => wanted,
        Ok(Err(error)) => {
            warn!(file = network::KEPT, %error, "what was kept is damaged: the system's own files count");
            Wanted::default()
        }
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                warn!(file = network::KEPT, %error, "what was kept cannot be read: the system's own files count");
            }
            Wanted::default()
        }
    }
}

/// What lies there as a request. Neither a link nor a pipe is followed, and no more is read than one takes.
fn read(path: &Path) -> Option<Request> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(Request::READ_MOST).read_to_end(&mut bytes).ok()?;
    Request::parse(&bytes).inspect_err(|error| warn!(%error, "what was asked is no request")).ok()
}

/// Takes steps until there is nothing left to do, and tells the service how things stand.
fn carry_out(keeper: &mut Keeper, mut step: Step) -> anyhow::Result<()> {
    while step != Step::Nothing {
        let outcome = match &step {
            Step::Nothing => Ok(()),
            Step::Try { wanted, change } => install(wanted).and_then(|()| took_effect(change)),
            Step::Return(wanted) => install(wanted),
            Step::Store(wanted) => store(wanted),
            Step::SetClock(reading) => set_clock(reading),
        };
        if let Err(error) = &outcome {
            warn!(%error, "that did not work");
        }
        step = keeper.done(step, outcome);
    }
    let json = serde_json::to_vec(keeper.status()).expect("a status is plain data with string keys");
    write(Path::new(network::STATUS), &json).with_context(|| format!("{} cannot be written", network::STATUS))
}

/// Writes the files for this, and has those read that changed. At a start the services come later and read them by themselves.
fn install(wanted: &Wanted) -> Result<(), String> {
    let folder = fs::read_dir(network::folder()).into_iter().flatten().flatten();
    let there: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
    let (mut networks, mut time) = (false, false);
    for file in network::files(wanted, &there) {
        if fs::read_to_string(&file.path).ok() == file.text {
            continue;
        }
        let written = match &file.text {
            Some(text) => write(&file.path, text.as_bytes()),
            None => fs::remove_file(&file.path),
        };
        info!(file = %file.path.display(), there = file.text.is_some(), "changed");
        written.map_err(|error| format!("{} cannot be written: {error}", file.path.display()))?;
        if file.is_of_time() { time = true } else { networks = true }
    }
    let running = active(&["systemd-networkd.service", "systemd-timesyncd.service"]);
    if networks && running[0] {
        tool(&["networkctl", "reload"])?;
    }
    if time && running[1] {
        tool(&["systemctl", AT_ONCE, "try-restart", "systemd-timesyncd.service"])?;
    }
    Ok(())
}

/// Another file may come before ours, or systemd-networkd not like it. Without a link there are no addresses to wait for.
fn took_effect(change: &Change) -> Result<(), String> {
    let Change::Interface { name, addressing } = change else { return Ok(()) };
    let ours = network::network_file(name);
    let due: Vec<IpAddr> = addressing.iter().flat_map(Addressing::given).collect();
    let mut why = String::new();
    for _ in 0..LOOKS {
        let facts = network_facts().interfaces.into_iter().find(|facts| facts.name == name.as_str());
        let facts = facts.ok_or_else(|| format!("{name} is gone"))?;
        let file = facts.file.as_deref().unwrap_or("no file");
        let missing = due.iter().find(|address| facts.link && facts.has(**address).is_none());
        why = match missing {
            _ if (Path::new(file) == ours) != addressing.is_some() => {
                format!("systemd-networkd goes by {file} for {name}, and not by what was asked")
            }
            Some(address) => format!("systemd-networkd did not give {name} the address {address}"),
            None => return Ok(()),
        };
        std::thread::sleep(TICK);
    }
    Err(why)
}

fn store(wanted: &Wanted) -> Result<(), String> {
    let text = toml::to_string(wanted).map_err(|error| error.to_string())?;
    let text = format!(
        "# What was kept of changes at Milepost's console: milepost-network.service lays it down.\n{text}"
    );
    write_durably(Path::new(network::KEPT), text.as_bytes())
        .map_err(|error| format!("{} cannot be written: {error}", network::KEPT))
}

/// By systemd-timedated, which asks nothing of root but to be root, and sets the hardware's clock as well. It refuses while a
/// service of time runs, though that one has no server to set the clock by; so those stop for the while.
fn set_clock(reading: &Reading) -> Result<(), String> {
    let services = running_time_services();
    write(Path::new(STOPPED), services.join("\n").as_bytes())
        .map_err(|error| format!("{STOPPED} cannot be written: {error}"))?;
    let set =
        services.iter().try_for_each(|service| tool(&["systemctl", AT_ONCE, "stop", service]).map(drop));
    let set = set.and_then(|()| {
        let (now, to) = (Timestamp::now(), reading.by(uptime()));
        let seconds = format!("@{}.{:06}", to.as_second(), to.subsec_microsecond());
        info!(from = %now, %to, "setting the clock");
        tool(&["timedatectl", "set-time", &seconds])?;
        if to < now && services.contains(&"systemd-timesyncd.service") {
            // What it noted as the latest time that there was: it would set the clock forward to that again.
            tool(&["systemctl", AT_ONCE, "clean", "--what=state", "systemd-timesyncd.service"])?;
        }
        Ok(())
    });
    set.map_err(|error| format!("the system did not set the clock: {error}")).and(start_again())
}

/// Starts the services of time that were stopped to set the clock.
fn start_again() -> Result<(), String> {
    let Ok(stopped) = fs::read_to_string(STOPPED) else { return Ok(()) };
    stopped.lines().try_for_each(|service| tool(&["systemctl", AT_ONCE, "start", service]).map(drop))?;
    fs::remove_file(STOPPED).map_err(|error| format!("{STOPPED} cannot be removed: {error}"))
}

/// A whole file or none, which everybody may read.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, bytes)?;
    fs::set_permissions(&beside, Permissions::from_mode(0o644))?;
    fs::rename(&beside, path)
}

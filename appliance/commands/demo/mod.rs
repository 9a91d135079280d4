//! `milepost demo`: the whole product on one machine, with everything real but the street.

mod department;
mod lines;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep_until};

use super::run::until_told_to_stop;
use crate::capture::scene::{ScenePlate, invented_plates};
use crate::config::{self, Config};
use crate::crypto::{UnitKey, hex, random};
use crate::record::{Counts, Kind};
use crate::system::log;
use crate::unit::Unit;
use crate::words::{PersonName, UnitId};

use department::Department;

/// Show the whole product on this machine: no camera, no network, no configuration
///
/// Rendered traffic drives past a unit; a department publishes a hot list through a real broker with mutual
/// TLS; a listed car raises an alert; its evidence is delivered, confirmed and purged.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End by itself after this many seconds of traffic
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Vehicles that pass before the first comes again, and the places of the listed ones among them.
const VEHICLES: usize = 12;
const LISTED: [usize; 2] = [1, 4];

/// How long the last records may take to be delivered and purged.
const DRAIN: Duration = Duration::from_secs(15);

/// The view must have settled before somebody can vouch for the camera's aim.
const AIM_AFTER: Duration = Duration::from_secs(12);

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    log::start("error");
    let folder = Folder::make()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(demo(args, folder.path()))?;
    Ok(ExitCode::SUCCESS)
}

async fn demo(args: &Args, folder: &Path) -> anyhow::Result<()> {
    println!("Milepost demo: rendered traffic, everything else real.\n");
    println!(
        "The department starts its MQTT broker (mutual TLS) and its receiver, and publishes a hot list:"
    );
    let name = UnitId::parse("demo")?;
    let traffic = invented_plates(VEHICLES, 7);
    let listed: Vec<ScenePlate> = LISTED.iter().map(|&index| traffic[index]).collect();
    let mut department = {
        let (folder, name) = (folder.to_owned(), name.clone());
        // Certificates and child processes take their time; the runtime's threads are for tasks.
        tokio::task::spawn_blocking(move || {
            let department = Department::open(&folder, &name)?;
            department.publish(&folder, &listed)?;
            anyhow::Ok(department)
        })
        .await??
    };

    let file = folder.join("milepost.toml");
    std::fs::write(&file, configuration(folder, &name, &department, &traffic))?;
    let config: Config = config::parse(&std::fs::read_to_string(&file)?, &file)?;
    let mut unit = Unit::start(config, &UnitKey::generate())?;
    introduce(&mut unit, &file);

    watch(args, &unit, &mut department).await?;

    println!("\nThe traffic ends; what is under way is delivered.");
    tokio::task::block_in_place(|| unit.stop_reading());
    let counts = drained(&unit).await;
    let tally = unit.tally();
    unit.stop().await;
    tokio::task::spawn_blocking(move || department.receiver.stop()).await?;
    println!(
        "demo: reads={} alerts={} delivered={} purged={}",
        tally.reads,
        tally.alerts,
        counts.received,
        counts.purged.values().sum::<u64>()
    );
    Ok(())
}

/// Prints what happens until the time is over or somebody presses Ctrl-C.
async fn watch(args: &Args, unit: &Unit, department: &mut Department) -> anyhow::Result<()> {
    let begun = Instant::now();
    let end = args.seconds.map(|seconds| begun + Duration::from_secs(seconds));
    let mut news = unit.news();
    let stop = until_told_to_stop();
    tokio::pin!(stop);
    let mut aim_at = Some(begun + AIM_AFTER);
    loop {
        tokio::select! {
            event = news.recv() => if let Ok(event) = event { lines::unit(&event) },
            Some(event) = department.news.recv() => lines::department(&event),
            () = until(aim_at) => {
                let someone = PersonName::parse("the demo").context("a constant name")?;
                aim_at = unit.verify_aim(&someone).err().map(|_| Instant::now() + Duration::from_secs(1));
                if aim_at.is_none() {
                    lines::note("the demo vouches for the camera's aim");
                }
            }
            () = until(end) => return Ok(()),
            result = &mut stop => return Ok(result?),
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Waits until every piece of evidence is delivered and purged.
async fn drained(unit: &Unit) -> Counts {
    let deadline = Instant::now() + DRAIN;
    loop {
        let counts = unit.records().counts();
        let held = |kind| counts.held.get(&kind).copied().unwrap_or(0);
        let evidence: u64 = Kind::ALL.into_iter().filter(|kind| kind.is_captured()).map(held).sum();
        if evidence == 0 || Instant::now() > deadline {
            return counts;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn introduce(unit: &mut Unit, file: &Path) {
    println!("\nThe unit has started with {}.", file.display());
    if let Some(console) = unit.console() {
        println!("Its console: https://{}", console.address());
        println!("  certificate (SHA-256): {}", console.fingerprint());
        if let Some(code) = console.take_first_code() {
            println!("  one-time code for the first administrator: {code}");
        }
    }
    println!("Ctrl-C ends.\n");
}

fn configuration(folder: &Path, name: &UnitId, department: &Department, traffic: &[ScenePlate]) -> String {
    let plates: Vec<String> =
        traffic.iter().map(|vehicle| format!("\"{};{}\"", vehicle.plate, vehicle.state.code())).collect();
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        r#"[unit]
id = "{name}"
state_dir = "{state}"

[[camera]]
name = "lane-1"
source = "scene:traffic"
plates = [{plates}]

[[hotlist.lists]]
name = "demo"
keys = ["{list_key}"]

[delivery]
receivers = ["{receipt_key}"]
batch_wait_ms = 500

[delivery.broker]
host = "localhost"
port = {port}
authority = "{authority}"
certificate = "{certificate}"
key = "{key}"

[console]
listen = "127.0.0.1:0"
"#,
        state = path("state"),
        plates = plates.join(", "),
        list_key = department.list_key,
        receipt_key = department.receipt_key,
        port = department.broker.port,
        authority = path("authority.pem"),
        certificate = path(&format!("{name}.pem")),
        key = path(&format!("{name}.key")),
    )
}

/// A private folder that is gone when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("milepost-demo-{}", hex(&random::<6>())));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in the temporary folder, which the system clears.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//! `milepost simulate`: many light units in one process, at a real broker.

use std::io::Write;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use tokio::time::{Instant, sleep_until, timeout};

use super::local_broker::Broker as LocalBroker;
use super::publish_list::publish_list;
use super::run::until_told_to_stop;
use crate::crypto::VerifyingKey;
use crate::delivery::{Broker, Link, LinkEvent, Subscriptions};
use crate::hotlist::List;
use crate::receive;
use crate::simulate::{
    Config, Counts, Day, Fleet, Folder, Follow, Latencies, Vehicle, allow_open_files, vehicles,
};
use crate::system::log;
use crate::words::{ListName, UnitId};

/// Simulate a department: many light units in one process, with a real broker and real messages
///
/// Each unit has a certificate and a session of its own, and traffic by the hour of the day: it sends reads, alerts and
/// their pictures, reports its health, keeps every record until its signed receipt, follows hot lists, and has the
/// troubles of real ones. What passes is drawn, not seen: no camera, no disk, and of a list only its version.
///
/// Try it in one folder: milepost simulate --units 200 --with-broker; it prints what to start beside it.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// How many units
    #[arg(long, value_name = "N")]
    units: NonZeroU32,
    /// Start a mosquitto with the example configuration that ships, on a free port of this machine, and publish a list
    #[arg(long, conflicts_with_all = ["host", "port", "authority", "list"])]
    with_broker: bool,
    /// Host name of the broker, as it stands in its certificate
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Port of the broker
    #[arg(long, default_value = "8883")]
    port: NonZeroU16,
    /// Where the units' certificates and the department's keys lie, made where they are missing
    #[arg(long, value_name = "FOLDER", default_value = "simulation")]
    folder: PathBuf,
    /// PEM file of the authority that the broker trusts, which issues the units' certificates; without it one is made
    /// in the folder
    #[arg(long, value_name = "FILE", requires = "authority_key")]
    authority: Option<PathBuf>,
    /// PEM file of the authority's private key
    #[arg(long, value_name = "FILE", requires = "authority")]
    authority_key: Option<PathBuf>,
    /// Public key of a receiver whose receipts count, as `milepost receive` prints it; may be given several times.
    /// Default: the one of receipts.key in the folder
    #[arg(long, value_name = "BASE64", value_parser = VerifyingKey::parse)]
    receiver: Vec<VerifyingKey>,
    /// The hot list that units follow, and the public key that signs it: NAME=BASE64
    #[arg(long, value_name = "NAME=BASE64", value_parser = list)]
    list: Option<List>,
    /// Have each unit fetch whole snapshots of the list, and not only deltas
    #[arg(long)]
    snapshots: bool,
    /// Units are called NAME-0001, NAME-0002, ...
    #[arg(long, default_value = "sim")]
    name: UnitId,
    /// The same seed brings the same vehicles and troubles
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much faster than a real one the day passes
    #[arg(long, default_value_t = 1.0, value_parser = factor)]
    speed: f64,
    /// Time of day at which it begins, such as 07:30; without it the present one
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// How many of 1,000 vehicles are listed
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = per_thousand)]
    hits_per_1000: f64,
    /// Draw no faults: no camera moves, no list grows stale, no unit falls silent, no network fails
    #[arg(long)]
    no_faults: bool,
    /// Seconds between a unit's health reports
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    report_every_s: NonZeroU32,
    /// How many units come up in a second
    #[arg(long, value_name = "N", default_value = "300")]
    start_per_s: NonZeroU32,
    /// End by itself after this many seconds of traffic
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Different vehicles; more would only take longer to render.
const VEHICLES: usize = 16;
/// Between two lines about how it goes.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How long the last records may take to be receipted: one that was lost on the way is sent again after a minute.
const DRAIN: Duration = Duration::from_secs(90);
/// What the list of `--with-broker` is called.
const LIST: &str = "demo";

pub fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    log::start("error");
    allow_open_files(args.units.get().into())?;
    let given = args.authority.as_deref().zip(args.authority_key.as_deref());
    let folder = Folder::open(&args.folder, given)?;
    let receipts = folder.signing_key("receipts")?.verifying_key();
    let broker = if args.with_broker { Some(department(&folder)?) } else { None };
    let port = match &broker {
        Some(broker) => NonZeroU16::new(broker.port).context("port 0 is no port")?,
        None => args.port,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // Records lie in memory, so what a session hands to another thread takes no time.
    let runtime = runtime.max_blocking_threads(4).worker_threads(2).enable_all().build()?;
    if args.with_broker {
        runtime.block_on(expect_receiver(&folder, port))?;
    }
    println!("Certificates are issued and {VEHICLES} vehicles are rendered and read.");
    let vehicles = Arc::new(vehicles(VEHICLES, args.seed)?);
    let list = match &args.list {
        None if args.with_broker => {
            publish_list(folder.path(), LIST, port.get(), &export(&vehicles))?;
            let keys = vec![folder.signing_key("lists")?.verifying_key()];
            Some(List { name: ListName::parse(LIST)?, keys })
        }
        given => given.clone(),
    };
    let begins = args.from.unwrap_or_else(|| Timestamp::now().to_zoned_datetime(TimeZone::system()).time());
    let width = args.units.to_string().len().max(4);
    let units = (1..=args.units.get()).map(|number| {
        let name = UnitId::parse(&format!("{}-{number:0width$}", args.name))?;
        let broker = folder.unit(&name, &args.host, port)?;
        anyhow::Ok((name, broker))
    });
    let config = Config {
        units: units.collect::<anyhow::Result<_>>()?,
        seed: args.seed,
        receivers: if args.receiver.is_empty() { vec![receipts] } else { args.receiver.clone() },
        list: list.map(|list| Follow { list, snapshots: args.snapshots }),
        day: Day::new(begins, args.speed),
        hits_per_1000: args.hits_per_1000,
        faults: !args.no_faults,
        report_every: Duration::from_secs(args.report_every_s.get().into()),
        start_per_s: args.start_per_s,
    };
    introduce(args, &folder, port, begins);
    runtime.block_on(simulate(args, config, vehicles))
}

/// The department's side on this machine: its broker, and certificates for its programs.
fn department(folder: &Folder) -> anyhow::Result<LocalBroker> {
    folder.broker()?;
    for client in ["receiver", "publisher", "dispatcher", "dashboard"] {
        folder.client(client)?;
    }
    folder.signing_key("lists")?;
    LocalBroker::start(folder.path())
}

/// Has the broker keep what units send from now on, for a receiver that comes later: as in a department, where it has
/// been there before.
async fn expect_receiver(folder: &Folder, port: NonZeroU16) -> anyhow::Result<()> {
    let broker = Broker {
        port,
        authority: folder.authority().into(),
        certificate: folder.path().join("receiver.pem"),
        key: folder.path().join("receiver.key"),
        ..Broker::default()
    };
    let subscriptions = Subscriptions { filters: receive::filters(), renew: true };
    let mut link = Link::open(&broker, "receiver", None, &subscriptions).await?;
    while !matches!(link.next().await, LinkEvent::Subscribed | LinkEvent::Lost(_)) {}
    link.close().await;
    Ok(())
}

/// Every vehicle as a department's system would export it; which of them hit is drawn anew at each passage.
fn export(vehicles: &[Vehicle]) -> String {
    let line =
        |vehicle: &Vehicle| format!("{},{},stolen,simulated\n", vehicle.plate.plate, vehicle.plate.state);
    format!("plate,state,category,reason\n{}", vehicles.iter().map(line).collect::<String>())
}

fn introduce(args: &SimulateArgs, folder: &Folder, port: NonZeroU16, begins: Time) {
    let (path, authority) = (folder.path().display(), folder.authority().display());
    let at = format!("--host {} --port {port} --authority {authority}", args.host);
    println!(
        "\n{} units at {}:{port}, seed {}; the day begins at {} and passes {} times as fast as a real one.",
        args.units,
        args.host,
        args.seed,
        begins.strftime("%H:%M"),
        args.speed
    );
    if args.with_broker {
        println!("In other terminals, in this folder:");
        println!(
            "  milepost receive {at} --certificate {path}/receiver.pem --key {path}/receiver.key --signing-key \
             {path}/receipts.key --folder {path}/received"
        );
        println!(
            "  milepost fleet {at} --certificate {path}/dashboard.pem --key {path}/dashboard.key --folder {path}/fleet"
        );
        println!(
            "Until the first runs, the broker keeps what units send, and every record waits for its receipt."
        );
    } else if args.receiver.is_empty() {
        println!("Receipts count that are signed by {path}/receipts.key (milepost receive --signing-key).");
    }
    println!("Ctrl-C ends.\n");
}

async fn simulate(
    args: &SimulateArgs,
    config: Config,
    vehicles: Arc<Vec<Vehicle>>,
) -> anyhow::Result<ExitCode> {
    let fleet = Fleet::start(config, vehicles);
    let end = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    watch(&fleet, end).await?;
    println!("The traffic ends; what waits is delivered. Ctrl-C ends at once.");
    let drained = tokio::select! {
        drained = fleet.drain(DRAIN) => drained,
        told = until_told_to_stop() => { told?; false }
    };
    let counts = fleet.gauge().counts();
    let within = in_words(&fleet.gauge().latencies());
    // A broker that does not answer must not hold the program.
    let _ = timeout(Duration::from_secs(30), fleet.stop()).await;
    let Counts { units, reads, alerts, made, received, .. } = counts;
    println!(
        "simulate: units={units} reads={reads} alerts={alerts} records={made} receipted={received} waiting={} \
         reconnects={} list_bytes_per_unit={}{within}",
        counts.waiting(),
        counts.reconnects(),
        counts.list_bytes / units.max(1),
    );
    if !drained {
        eprintln!(
            "milepost: {} records have no receipt: is a receiver at work whose key the units trust?",
            counts.waiting()
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells how it goes until the time is over or somebody presses Ctrl-C.
async fn watch(fleet: &Fleet, end: Option<Instant>) -> anyhow::Result<()> {
    let stop = until_told_to_stop();
    tokio::pin!(stop);
    let mut tell_at = Instant::now() + TELL_EVERY;
    let (mut counts, mut latencies) = (fleet.gauge().counts(), fleet.gauge().latencies());
    loop {
        let wake = end.map_or(tell_at, |end| end.min(tell_at));
        tokio::select! {
            () = sleep_until(wake) => {}
            told = &mut stop => return Ok(told?),
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(());
        }
        tell_at += TELL_EVERY;
        let (now, all) = (fleet.gauge().counts(), fleet.gauge().latencies());
        tell(&counts, &now, &all.since(&latencies));
        (counts, latencies) = (now, all);
    }
}

fn tell(before: &Counts, now: &Counts, lately: &Latencies) {
    let a_second = |count: u64| count as f64 / TELL_EVERY.as_secs_f64();
    let time = Timestamp::now().to_zoned_datetime(TimeZone::system());
    let refused = match now.list_refusals {
        0 => String::new(),
        count => format!("; {count} list messages refused"),
    };
    // A closed pipe is no reason to stop.
    let _ = writeln!(
        std::io::stdout(),
        "{}  {} of {} units connected; {:.1} reads/s, {:.1} alerts/s{}; {} records wait; {} reconnects{refused}",
        time.strftime("%H:%M:%S"),
        now.connected,
        now.units,
        a_second(now.reads - before.reads),
        a_second(now.alerts - before.alerts),
        in_words(lately),
        now.waiting(),
        now.reconnects(),
    );
}

fn in_words(latencies: &Latencies) -> String {
    latencies.within(0.99).map_or_else(String::new, |time| {
        format!(", 99 of 100 receipted within {:.0} ms", time.as_secs_f64() * 1e3)
    })
}

fn list(text: &str) -> Result<List, String> {
    let (name, key) =
        text.split_once('=').ok_or("write it as NAME=BASE64: the list's name and its public key")?;
    let name = ListName::parse(name).map_err(|error| error.to_string())?;
    let key = VerifyingKey::parse(key).map_err(|error| error.to_string())?;
    Ok(List { name, keys: vec![key] })
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    let fits = (0.1..=1000.0).contains(&factor);
    if fits { Ok(factor) } else { Err("a day can pass from 0.1 to 1000 times as fast".to_owned()) }
}

fn per_thousand(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.0..=1000.0).contains(&share) {
        Ok(share)
    } else {
        Err("of 1,000 vehicles 0 to 1000 can be listed".to_owned())
    }
}

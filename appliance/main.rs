//! `milepost`: the program. Everything it does is in the library; this starts it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use milepost::commands::in_full;
use milepost::commands::{
    apply_enrolment, apply_network, audit, check, command, demo, enroll, fleet, hotlist, read, receive,
    recover, roster, run, simulate,
};
use milepost::crypto::Module;
use milepost::delivery::tls;
use milepost::system;

/// Roadside licence-plate reader: reads plates, matches hot lists, delivers evidence, and knows when it
/// can no longer be trusted
#[derive(Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Milepost {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Demo(demo::Args),
    Read(read::Args),
    Check(check::Args),
    /// Import, sign and publish hot lists (for the department)
    #[command(subcommand)]
    Hotlist(hotlist::Command),
    #[command(name = "command")]
    Order(command::CommandArgs),
    Roster(roster::RosterArgs),
    Receive(receive::ReceiveArgs),
    Fleet(fleet::FleetArgs),
    Simulate(simulate::SimulateArgs),
    Enroll(enroll::EnrollArgs),
    Audit(audit::AuditArgs),
    ApplyEnrolment(apply_enrolment::Args),
    ApplyNetwork(apply_network::Args),
    Recover(recover::Args),
}

fn main() -> ExitCode {
    abort_on_panic();
    let Milepost { command } = Milepost::parse();
    if let Err(error) = Module::running(&tls::provider()) {
        eprintln!("milepost: {error}");
        return ExitCode::FAILURE;
    }
    let outcome = match command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Read(args) => read::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Hotlist(command) => hotlist::run(command).map(|()| ExitCode::SUCCESS),
        Command::Order(args) => args.run(),
        Command::Roster(args) => args.run(),
        Command::Receive(args) => receive::run(args).map(|()| ExitCode::SUCCESS),
        Command::Fleet(args) => fleet::run(args).map(|()| ExitCode::SUCCESS),
        Command::Simulate(args) => simulate::run(&args),
        Command::Enroll(args) => enroll::run(args).map(|()| ExitCode::SUCCESS),
        Command::Audit(args) => args.run(),
        Command::ApplyEnrolment(args) => apply_enrolment::run(&args).map(|()| ExitCode::SUCCESS),
        Command::ApplyNetwork(args) => apply_network::run(&args),
        Command::Recover(args) => recover::run(&args).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("milepost: {}", in_full(&error));
        ExitCode::FAILURE
    })
}

/// A dead thread must never leave a ghost of a unit behind: systemd starts a whole one.
///
/// Not `panic = "abort"` in the profile: test programs must unwind, and then a machine would compile every
/// dependency twice.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Whoever read what we print has left, as `head` does: nothing failed.
        if panic.payload_as_str().is_some_and(|said| said.starts_with("failed printing to stdout")) {
            std::process::exit(0);
        }
        report(panic);
        if !system::is_caught() {
            std::process::abort();
        }
    }));
}

//! From the unit's disk to the department's and back: how many records a second, how fast a backlog drains,
//! and how long an alert takes. Figures go to `target/bench/summary.json`.
//!
//! Everything is as in the field: the store of records on a real disk with its fsyncs, a mosquitto behind mutual
//! TLS from the configuration that ships, and `milepost receive` as a process of its own that syncs, answers
//! with signed receipts, and has the unit purge. *One core* means that all threads of the unit (this process)
//! are held to the first core by `sched_setaffinity`, and broker and receiver to the others, as on a machine
//! beside it; what the three used of a core is in the figures. The folder of both disks can be chosen with
//! MILEPOST_BENCH_FOLDER, because fsync on a memory disk costs nothing.

#[path = "../../support/mod.rs"]
mod support;

#[path = "../../support/datasets.rs"]
mod datasets;
#[path = "../../support/receiver.rs"]
#[allow(dead_code, reason = "the kill test does more with it")]
mod receiver;
#[path = "../support/road.rs"]
mod road;
#[path = "../support/summary.rs"]
mod summary;

mod alert;
mod camera;
mod cores;
mod department;
mod throughput;

fn main() {
    // First, while no thread is held to a core.
    summary::add(alert::measure());
    summary::add(throughput::measure());
}

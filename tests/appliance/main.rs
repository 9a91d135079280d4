//! The whole program against real parts: an RTSP camera, a mosquitto with mutual TLS, a receiver that answers, a service
//! manager that listens, a person at the console; each of them killed and brought back.

mod accounts;
mod among_many;
mod audit;
mod canary;
mod certificates;
#[allow(dead_code, reason = "the console's own tests use more of it")]
#[path = "../support/client.rs"]
mod client;
mod commands;
#[path = "../support/department.rs"]
mod department;
mod disk;
#[path = "../support/door.rs"]
mod door;
mod icsa_24_165_19;
mod lanes;
mod life;
mod position;
#[path = "../support/program.rs"]
mod program;
mod receive;
mod roll_back;
mod roster;
#[allow(dead_code, reason = "the camera's own tests use more of it")]
#[path = "../support/rtsp.rs"]
mod rtsp;
mod simulate;
#[path = "../support/site.rs"]
mod site;
#[allow(dead_code, reason = "the broker's tests use one part of it, these another")]
#[path = "../support/small_disk.rs"]
mod small_disk;
#[path = "../support/mod.rs"]
mod support;
mod unenrolled;

/// Not a test: the process in which the camera serves.
#[test]
#[ignore = "the RTSP server of the other tests, started by them"]
fn rtsp_server_process() {
    rtsp::serve();
}

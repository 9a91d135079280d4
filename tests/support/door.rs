//! The console of a running unit, as somebody comes to it.

use std::path::Path;

use crate::client::Client;
use crate::program::Appliance;
use crate::support::eventually;

/// Chosen by everybody in these tests.
pub const PASSPHRASE: &str = "four lanes, wet road";

/// Before the port that the program opened last; `folder` is the console's.
pub fn at_console(unit: &Appliance, folder: &Path) -> Client {
    let mut address = None;
    eventually("the console listens", || {
        let said = unit.said();
        let behind = said.rsplit_once("the console listens address=").map(|(_, rest)| rest);
        address = behind.and_then(|rest| rest.split_once(' ')).and_then(|(word, _)| word.parse().ok());
        address.is_some()
    });
    let mut client = Client::new(address.unwrap(), folder);
    client.get("/sign-in");
    client
}

/// Becomes somebody with a one-time code; the status that answered it.
pub fn enter(client: &mut Client, code: &str, name: &str) -> u16 {
    let form = [("code", code), ("name", name), ("password", PASSPHRASE), ("again", PASSPHRASE)];
    let status = client.post("/set-up", &form).status;
    client.get("/password");
    status
}

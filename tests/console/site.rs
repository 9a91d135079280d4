//! A running console with people, around a unit that the test holds in its hand.
#![allow(dead_code, reason = "tests use one part of it, the benchmark another")]

use std::sync::Arc;
use std::time::Duration;

use milepost::console::{Accounts, Config, Console};
use milepost::system::ManualClock;

use crate::client::Client;
use crate::twin::{self, Twin, lock};

pub const PASSWORD: &str = "four lanes, wet road";

/// A running console with one administrator, one officer and one technician.
pub struct Site {
    pub folder: tempfile::TempDir,
    pub unit: Arc<Twin>,
    pub clock: Arc<ManualClock>,
    pub console: Console,
    pub code: String,
    pub runtime: tokio::runtime::Runtime,
}

pub const ADMINISTRATOR: &str = "Ada Moss";
pub const OFFICER: &str = "Omar Fields";
pub const TECHNICIAN: &str = "Tess Grant";

impl Site {
    pub fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let unit = Twin::new();
        let clock = Arc::new(ManualClock::at(twin::NOW));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let config: Config = toml::from_str("listen = \"127.0.0.1:0\"").unwrap();
        let _inside = runtime.enter();
        let accounts = Accounts::open(folder.path(), config.lock()).unwrap();
        let mut console =
            Console::start(&config, folder.path(), accounts, unit.clone(), clock.clone()).unwrap();
        let code = console.take_first_code().expect("first boot makes a code").to_string();
        drop(_inside);
        Self { folder, unit, clock, console, code, runtime }
    }

    pub fn peopled() -> Self {
        let site = Self::fresh();
        let mut administrator = site.client();
        assert_eq!(site.set_up(&mut administrator, &site.code, ADMINISTRATOR), 303);
        for (name, role) in [(OFFICER, "officer"), (TECHNICIAN, "technician")] {
            let page = administrator.post("/accounts/invitation", &[("name", name), ("role", role)]).text();
            let code = page.split("<code class=\"big\">").nth(1).unwrap().split('<').next().unwrap();
            assert_eq!(site.set_up(&mut site.client(), code, name), 303);
        }
        lock(&site.unit.accesses).clear();
        site
    }

    pub fn client(&self) -> Client {
        Client::new(self.console.address(), self.folder.path())
    }

    /// Signs in, some time after the last one did.
    pub fn signed_in(&self, name: &str) -> Client {
        self.clock.advance(Duration::from_secs(60));
        let mut client = self.client();
        assert_eq!(client.sign_in(name, PASSWORD).status, 303);
        client
    }

    pub fn set_up(&self, client: &mut Client, code: &str, name: &str) -> u16 {
        let fields = [("code", code), ("name", name), ("password", PASSWORD), ("again", PASSWORD)];
        let status = client.post("/set-up", &fields).status;
        client.get("/password");
        status
    }
}

//! A configuration is rolled back by signed command: with the real program, which starts anew for it, and a real broker, which
//! the older configuration must reach to stay.

use std::net::{SocketAddr, TcpListener};

use jiff::{SignedDuration, Timestamp};
use milepost::command::{Act, Command};
use milepost::crypto::{Letter, SigningKey};
use milepost::delivery::{Link, LinkEvent, Subscriptions, Topic, UnitTopic};
use milepost::hotlist::Text;
use milepost::network::{Change, OnTrial, Status};
use milepost::system::network::uptime;
use milepost::words::{RecordId, UnitId};

use crate::client::Client;
use crate::program::{Appliance, milepost, milepost_ok, said};
use crate::site::{Site, UNIT};
use crate::support::{eventually, not_run};

const ADMINISTRATOR: &str = "Ada Moss";
const PASSPHRASE: &str = "four lanes, wet road";

#[test]
fn a_unit_goes_back_by_command_stays_if_it_reaches_the_broker_and_returns_if_not() {
    let site = Site::open();
    let post = Post::new(&site);
    let port = site.broker.client(UNIT).port;
    let text = |lock_min: u32| post.configuration(lock_min, 120);
    std::fs::write(site.folder().join("milepost.toml"), text(31)).unwrap();
    let mut unit = Appliance::start(site.folder());
    let code = unit.word_behind("one-time code code=");
    let mut person = post.client();
    let form =
        [("code", code.as_str()), ("name", ADMINISTRATOR), ("password", PASSPHRASE), ("again", PASSPHRASE)];
    assert_eq!(person.post("/set-up", &form).status, 303);
    let (well, told) = post.roll_back();
    assert!(!well && told.contains("there is nothing to go back to"), "{told}");

    // There, by somebody at the console, and back again, by the department.
    let mut person = post.change(&mut unit, person, &text(32));
    assert!(person.get("/configuration").text().contains("lock_min = 31"), "what it had is shown");
    let (well, told) = post.roll_back();
    assert!(well && told.contains("north-7: The unit works with the configuration from before"), "{told}");
    let mut person = post.signed_in();
    let page = person.get("/configuration").text();
    assert!(page.contains("lock_min = 31") && !page.contains("On trial") && !page.contains("lock_min = 32"));
    let last = |event: &str| site.audited(event).pop().unwrap()["what"].take();
    assert_eq!(last("command-answered")["outcome"], "done");
    // Kept over whatever comes.
    unit.kill();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    let mut person = post.signed_in();
    assert!(person.get("/configuration").text().contains("lock_min = 31"));

    // To one that reaches no broker, and so back to what it had; sent twice, it acts once.
    let lost = post.configuration(33, 6).replace(&format!("port = {port}"), "port = 9");
    let person = post.change(&mut unit, person, &lost);
    let person = post.change(&mut unit, person, &text(34));
    drop(person);
    let taken = site.audited("command-taken").len();
    let order = post.order();
    post.send(&order);
    post.send(&order);
    eventually("it has tried", || unit.said().contains("nobody kept the configuration on trial"));
    post.send(&order);
    eventually("it has answered", || {
        last("command-answered")["said"].to_string().contains("did not reach the broker")
    });
    assert_eq!(last("command-answered")["outcome"], "refused");
    let mut person = post.signed_in();
    assert!(person.get("/configuration").text().contains("lock_min = 34"));
    assert_eq!(site.audited("command-taken").len(), taken + 1);
    assert_eq!(unit.said().matches("nobody kept the configuration on trial").count(), 1);
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
}

/// The program starts anew to go back, and with it would end whoever could keep the network.
#[test]
fn while_a_network_is_on_trial_no_configuration_is_tried() {
    let site = Site::open();
    let post = Post::new(&site);
    std::fs::write(site.folder().join("milepost.toml"), post.configuration(31, 120)).unwrap();
    let told = tempfile::tempdir().unwrap();
    let tell = |trial: Option<OnTrial>| {
        let status = Status { trial, ..Status::default() };
        std::fs::write(told.path().join("status.json"), serde_json::to_vec(&status).unwrap()).unwrap();
    };
    tell(None);
    let mut unit = match Appliance::start_told(site.folder(), told.path()) {
        Ok(unit) => unit,
        Err(error) => return not_run("while_a_network_is_on_trial_no_configuration_is_tried", &error),
    };
    let code = unit.word_behind("one-time code code=");
    let mut person = post.client();
    let form =
        [("code", code.as_str()), ("name", ADMINISTRATOR), ("password", PASSPHRASE), ("again", PASSPHRASE)];
    assert_eq!(person.post("/set-up", &form).status, 303);
    let mut person = post.change(&mut unit, person, &post.configuration(32, 120));

    let change = Change::of_time_servers("time.example.org").unwrap();
    tell(Some(OnTrial { id: RecordId::new(), change, until_uptime_s: uptime().as_secs() + 600 }));
    let (well, said) = post.roll_back();
    assert!(!well && said.contains("Another network is on trial at the console"), "{said}");
    person.get("/configuration");
    let proposed = person.post("/configuration", &[("text", post.configuration(33, 120).as_str())]);
    assert!(proposed.status == 422 && proposed.text().contains("network that is on trial first"));
    assert!(person.get("/configuration").text().contains("lock_min = 32"), "nothing has changed");

    tell(None);
    let (well, said) = post.roll_back();
    assert!(well && said.contains("works with the configuration from before"), "{said}");
}

/// A unit whose configuration one administrator of the department may roll back.
struct Post<'a> {
    site: &'a Site,
    console: SocketAddr,
    key: SigningKey,
}

impl<'a> Post<'a> {
    fn new(site: &'a Site) -> Self {
        milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", "ann.key"], site.folder());
        let key = SigningKey::load(&site.folder().join("ann.key")).unwrap();
        let console = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { site, console, key }
    }

    fn configuration(&self, lock_min: u32, confirm_s: u32) -> String {
        let key = self.key.verifying_key();
        let person =
            format!("[[command.people]]\nname = \"Ann Lee\"\nkey = \"{key}\"\nrole = \"administrator\"\n");
        let console = format!("lock_min = {lock_min}\nconfirm_s = {confirm_s}\n");
        self.site.configuration("scene:traffic", self.console) + &console + &person
    }

    /// Once it listens.
    fn client(&self) -> Client {
        let folder = self.site.folder().join("state/console");
        eventually("the console listens", || {
            folder.join("certificate.pem").exists() && std::net::TcpStream::connect(self.console).is_ok()
        });
        let mut client = Client::new(self.console, &folder);
        client.get("/sign-in");
        client
    }

    fn signed_in(&self) -> Client {
        let mut client = self.client();
        assert_eq!(client.sign_in(ADMINISTRATOR, PASSPHRASE).status, 303);
        client
    }

    /// A person proposes this text, signs in again and keeps it.
    fn change(&self, unit: &mut Appliance, mut person: Client, text: &str) -> Client {
        person.get("/configuration");
        let proposed = person.post("/configuration", &[("text", text)]);
        assert_eq!(proposed.status, 200, "{}", proposed.text());
        unit.tells("READY=1");
        let mut person = self.signed_in();
        person.get("/configuration");
        assert_eq!(person.post("/configuration/decision", &[("decision", "keep")]).status, 303);
        person
    }

    /// By the command that people use: whether it went well, and what it said.
    fn roll_back(&self) -> (bool, String) {
        let client = self.site.broker.client("dispatcher");
        let [ca, cert, key] =
            [&client.authority, &client.certificate, &client.key].map(|file| file.display().to_string());
        let broker = format!("localhost:{}", client.port);
        let to = ["--broker", &broker, "--ca", &ca, "--cert", &cert, "--key", &key, "--sign-key", "ann.key"];
        let order = ["--unit", UNIT, "roll-back", "--reason", "the change was wrong"];
        let output = milepost(&[&["command"], &to[..], &order].concat(), self.site.folder());
        (output.status.success(), said(&output))
    }

    fn order(&self) -> Vec<u8> {
        let (unit, reason) = (UnitId::parse(UNIT).unwrap(), Text::parse("the change was wrong").unwrap());
        let act = Act::RollBackConfiguration {};
        Command::new(unit, act, reason, Timestamp::now(), SignedDuration::from_mins(5)).sign(&self.key)
    }

    /// Returns once the broker has acknowledged it.
    fn send(&self, payload: &[u8]) {
        let topic = Topic::Unit(UnitId::parse(UNIT).unwrap(), UnitTopic::Commands).to_string();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let nothing = Subscriptions { filters: Vec::new(), renew: false };
            let broker = self.site.broker.client("dispatcher");
            let mut link = Link::open(&broker, "dispatcher-by-hand", None, &nothing).await.unwrap();
            link.publish(topic, payload.to_vec(), false).unwrap();
            while !matches!(link.next().await, LinkEvent::Acknowledged(_)) {}
        });
    }
}

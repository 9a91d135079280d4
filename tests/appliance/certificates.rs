//! Certificates and authorities are changed under a unit at work: with the real program, a real broker over mutual TLS that
//! changes its own, and a receiver that counts every record.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use milepost::crypto::SigningKey;
use milepost::enroll::Authority;
use milepost::words::UnitId;

use crate::client::Client;
use crate::program::{self, Appliance, milepost, milepost_ok, said};
use crate::site::{self, Site, UNIT};
use crate::support::eventually;

const WORD: &str = "three herons by the weir";

/// A department with a unit at work, which Ann Lee may command.
struct Desk {
    site: Site,
}

impl Desk {
    fn open() -> Self {
        let site = Site::open();
        milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", "ann.key"], site.folder());
        let key = SigningKey::load(&site.folder().join("ann.key")).unwrap().verifying_key();
        site.configure_scene("127.0.0.1:0".parse().unwrap());
        let mut configuration = std::fs::read_to_string(site.folder().join("milepost.toml")).unwrap();
        let plates = site::TRAFFIC.map(|plate| format!("\"{plate}\"")).join(", ");
        let scene = "source = \"scene:traffic\"\n";
        configuration = configuration.replace(scene, &format!("{scene}plates = [{plates}]\n"));
        configuration +=
            &format!("[[command.people]]\nname = \"Ann Lee\"\nkey = \"{key}\"\nrole = \"technician\"\n");
        std::fs::write(site.folder().join("milepost.toml"), configuration).unwrap();
        Self { site }
    }

    fn folder(&self) -> &Path {
        self.site.folder()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder().join(name), text).unwrap();
        name.to_owned()
    }

    fn sign(&self, authority: &Authority) -> String {
        let request = std::fs::read_to_string(self.folder().join(format!("{UNIT}.csr"))).unwrap();
        authority.sign(&request, &UnitId::parse(UNIT).unwrap()).unwrap()
    }

    /// Whether `milepost command` succeeded, and what it said.
    fn command(&self, act: &[&str]) -> (bool, String) {
        let client = self.site.broker.client("dispatcher");
        let [ca, cert, key] =
            [&client.authority, &client.certificate, &client.key].map(|file| file.display().to_string());
        let broker = format!("localhost:{}", client.port);
        let to = ["--broker", &broker, "--ca", &ca, "--cert", &cert, "--key", &key, "--sign-key", "ann.key"];
        let why = ["--reason", "the certificate ends"];
        let output = milepost(&[&["command", "--unit", UNIT], &to[..], act, &why].concat(), self.folder());
        (output.status.success(), said(&output))
    }

    /// Both steps at once, with a program that has the broker's authority sign.
    fn rotate(&self, more: &[&str]) -> String {
        let [asked, signed] = ["asked.csr", "signed-for-it.pem"].map(|name| self.folder().join(name));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                eventually("the program is run", || asked.exists());
                let request = std::fs::read_to_string(&asked).unwrap();
                let pem = self.site.broker.authority().sign(&request, &UnitId::parse(UNIT).unwrap());
                let beside = signed.with_extension("new");
                std::fs::write(&beside, pem.unwrap()).unwrap();
                std::fs::rename(beside, &signed).unwrap();
            });
            let program = "test $UNIT = north-7 && cat > asked.new && mv asked.new asked.csr && \
                           while ! test -e signed-for-it.pem; do sleep 0.1; done; cat signed-for-it.pem";
            self.command_ok(&[&["rotate-certificate", "--sign-with", program], more].concat())
        })
    }

    /// The console of a unit that has listened so many times.
    fn console(&self, unit: &Appliance, times: usize) -> Client {
        let mut address = None;
        eventually("the console listens", || {
            let said = unit.said();
            let behind = said.split("the console listens address=").skip(1).nth(times - 1);
            address = behind.and_then(|rest| rest.split_once(' ')).and_then(|(word, _)| word.parse().ok());
            address.is_some()
        });
        Client::new(address.unwrap(), &self.folder().join("state/console"))
    }

    fn replace_in_configuration(&self, old: &str, new: &str) {
        let file = self.folder().join("milepost.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(old));
        std::fs::write(&file, text.replace(old, new)).unwrap();
    }

    fn command_ok(&self, act: &[&str]) -> String {
        let (well, said) = self.command(act);
        assert!(well, "{said}");
        said
    }

    /// Fingerprint of the installed certificate, or of the one that is shown instead.
    fn shown(&self) -> String {
        let said = milepost_ok(&["enroll", "show", "--folder", "."], self.folder());
        said.rsplit_once("fingerprint  ").unwrap().1.trim().to_owned()
    }

    fn has_installed(&self, times: usize) -> bool {
        self.site.audited("certificate-installed").len() == times
    }

    /// Every alert that the unit raised until now has come, and none is missing between.
    fn nothing_is_lost(&self) {
        let raised = self.site.audited("alert-raised").len();
        eventually("more alerts are raised", || self.site.audited("alert-raised").len() > raised);
        eventually("every alert arrives", || self.site.alerts_on_their_way() == 0);
        assert!(self.site.audited("records-lost").is_empty());
    }
}

#[test]
fn a_certificate_and_then_the_authority_are_changed_while_the_unit_delivers() {
    let mut desk = Desk::open();
    let mut unit = Appliance::start(desk.folder());
    unit.tells("READY=1");
    eventually("an alert arrives", || !desk.site.department.events("alerts").is_empty());
    let first = desk.shown();

    // A certificate over a new key, by hand.
    let said = desk.command_ok(&["request-certificate"]);
    assert!(said.contains("north-7.csr"), "{said}");
    let again = std::fs::read(desk.folder().join("north-7.csr")).unwrap();
    desk.command_ok(&["request-certificate"]);
    assert_eq!(std::fs::read(desk.folder().join("north-7.csr")).unwrap(), again, "the same one waits");
    let stranger = Authority::create("Somebody Else").unwrap();
    desk.write("signed.pem", &desk.sign(&stranger));
    let (well, said) = desk.command(&["install-certificate", "--certificate", "signed.pem"]);
    assert!(!well && said.contains("not signed for a client by the authority in use"), "{said}");
    desk.write("stranger.pem", &stranger.certificate_pem());
    let wrong = ["install-certificate", "--certificate", "signed.pem", "--authority", "stranger.pem"];
    let (well, said) = desk.command(&wrong);
    assert!(!well && said.contains("give the old and the new one together"), "{said}");
    assert_eq!((desk.shown(), desk.site.audited("certificate-refused").len()), (first.clone(), 2));
    desk.nothing_is_lost();

    desk.write("north-7.pem", &desk.sign(desk.site.broker.authority()));
    let said = desk.command_ok(&["install-certificate", "--certificate", "{unit}.pem"]);
    assert!(said.contains("It is in use"), "{said}");
    let second = desk.shown();
    assert_ne!(second, first);
    assert!(desk.has_installed(1) && desk.site.department.presence()["state"] == "online");
    desk.nothing_is_lost();

    // The authority, in steps; the broker changes in the middle.
    let next = Authority::create("Next Department").unwrap();
    let old = desk.site.broker.authority().certificate_pem();
    desk.write("both.pem", &format!("{old}{}", next.certificate_pem()));
    desk.write("next.pem", &next.certificate_pem());
    let said = desk.command_ok(&["install-certificate", "--authority", "both.pem"]);
    assert!(said.contains("It is in use"), "{said}");
    let (well, said) = desk.command(&["install-certificate", "--authority", "next.pem"]);
    assert!(
        !well && said.contains("by the new authority"),
        "the certificate is still by the old one: {said}"
    );
    desk.site.broker.change_authority(next);
    desk.nothing_is_lost();
    let said = desk.rotate(&["--authority", "next.pem"]);
    assert!(said.contains("It is in use"), "{said}");
    assert!(desk.has_installed(3) && desk.shown() != second);
    desk.site.broker.forget_old_authorities();
    desk.nothing_is_lost();

    // What was changed counts at the next start, and `milepost check` says so.
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    let checked = program::said(&milepost(&["check", "--config", "milepost.toml"], desk.folder()));
    assert!(
        checked.contains("takes our certificate") && checked.contains("Ann Lee put it in on"),
        "{checked}"
    );
    let mut unit = Appliance::start(desk.folder());
    unit.tells("READY=1");
    desk.nothing_is_lost();
}

/// Request, certificate and bundle by the pages, as a technician and an administrator do it beside the unit.
#[test]
fn a_person_renews_at_the_console_and_takes_a_bundle() {
    let desk = Desk::open();
    let mut unit = Appliance::start(desk.folder());
    unit.tells("READY=1");
    eventually("the unit is there", || desk.site.department.presence()["state"] == "online");
    let first = desk.shown();
    let mut person = desk.console(&unit, 1);
    let code = unit.word_behind("one-time code code=");
    person.get("/set-up");
    let set_up = [("code", code.as_str()), ("name", "Dana Ruiz"), ("password", WORD), ("again", WORD)];
    assert_eq!(person.post("/set-up", &set_up).status, 303);

    person.get("/certificates");
    assert_eq!(person.post("/certificates/request", &[]).status, 303);
    desk.write("north-7.csr", &person.get("/certificates/request").text());
    let signed = desk.sign(desk.site.broker.authority());
    let stranger = Authority::create("Somebody Else").unwrap().certificate_pem();
    person.get("/certificates");
    let refused = person.post("/certificates", &[("certificate", &signed), ("authority", &stranger)]);
    assert!(refused.status == 422 && refused.text().contains("by the new authority"), "{}", refused.text());
    person.get("/certificates");
    assert_eq!(person.post("/certificates", &[("certificate", &signed), ("authority", "")]).status, 303);
    eventually("the page says that it is in use", || {
        person
            .get("/certificates")
            .text()
            .contains("It is in use: the session with the broker stands with it.")
    });
    assert!(desk.shown() != first && desk.has_installed(1));
    assert!(person.get("/certificates").text().contains("here or by command"));

    // A bundle of the department: another certificate for the same key, and another configuration.
    milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", "fleet.key"], desk.folder());
    let key = SigningKey::load(&desk.folder().join("fleet.key")).unwrap().verifying_key().to_string();
    let template = std::fs::read_to_string(desk.folder().join("milepost.toml")).unwrap();
    let template = template
        .replace("repeat_after_s = 1", "repeat_after_s = 2")
        .replace("state_dir = \"state\"", "state_dir = \"/var/elsewhere\"");
    desk.write("fleet.toml", &template);
    desk.write("ca.pem", &desk.site.broker.authority().certificate_pem());
    let pack = |unit: &str, name: &str| {
        desk.write("signed.pem", &desk.sign(desk.site.broker.authority()));
        let from = ["--certificate", "signed.pem", "--authority", "ca.pem", "--config", "fleet.toml"];
        let to = ["--sign-key", "fleet.key", "--out", name];
        milepost_ok(&[&["enroll", "pack", unit][..], &from, &to].concat(), desk.folder());
        std::fs::read_to_string(desk.folder().join(name)).unwrap()
    };
    let old = pack(UNIT, "old.enrolment");
    let bundle = pack(UNIT, "north-7.enrolment");
    let other = pack("south-1", "south-1.enrolment");
    let look = |person: &mut Client, bundle: &str, key: &str| {
        person.get("/certificates");
        person.post("/certificates/bundle", &[("bundle", bundle), ("key", key)])
    };
    for (bundle, key, says) in [
        (&bundle, "", "This unit was not told whose bundles to take"),
        (&bundle, "abc", "not an Ed25519 public key"),
        (&bundle.replace("repeat_after_s = 2", "repeat_after_s = 9"), key.as_str(), "it was changed"),
        (&other, key.as_str(), "is for the unit south-1"),
    ] {
        let answer = look(&mut person, bundle, key);
        assert!(answer.status == 422 && answer.text().contains(says), "{says}: {}", answer.text());
    }
    let page = look(&mut person, &bundle, &key).text();
    for told in ["alert.repeat_after_s", "compare it with what the department told you", &key[..20]] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<code>unit.state_dir</code>"), "the unit's own folder stays: {page}");
    assert!(desk.has_installed(1), "nothing is done yet");
    unit.tells("WATCHDOG=1");
    let taken = person.post("/certificates/bundle/decision", &[("bundle", &bundle), ("key", &key)]);
    assert_eq!(taken.status, 303, "{}", taken.text());
    eventually("its certificate is in use", || desk.has_installed(2));
    unit.tells("READY=1");
    let mut person = desk.console(&unit, 2);
    person.get("/sign-in");
    assert_eq!(person.sign_in("Dana Ruiz", WORD).status, 303);
    let page = person.get("/configuration").text();
    assert!(page.contains("On trial until") && page.contains("repeat_after_s = 2"), "{page}");
    assert_eq!(person.post("/configuration/decision", &[("decision", "keep")]).status, 303);
    let late = look(&mut person, &old, &key);
    assert!(late.status == 422 && late.text().contains("an older one is not taken"), "{}", late.text());
    assert_eq!(desk.site.audited("bundle-taken").len(), 1);
    desk.nothing_is_lost();
}

#[test]
fn a_power_cut_at_any_point_leaves_one_whole_identity() {
    let desk = Desk::open();
    let identity = desk.folder().join("state/identity");
    let mut unit = Appliance::start(desk.folder());
    unit.tells("READY=1");
    for round in 0..4 {
        eventually("the unit is there", || desk.site.department.presence()["state"] == "online");
        desk.command_ok(&["request-certificate"]);
        desk.write("signed.pem", &desk.sign(desk.site.broker.authority()));
        let (before, known) = (desk.shown(), std::fs::read(&identity).ok());
        let taken = desk.site.audited("command-taken").len();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                desk.command(&["--wait-s", "9", "install-certificate", "--certificate", "signed.pem"])
            });
            eventually("it is begun", || desk.site.audited("command-taken").len() > taken);
            match round {
                0 => {}
                1 => eventually("the session shows it", || unit.said().contains("on_trial=true")),
                2 => std::thread::sleep(Duration::from_millis(4_950)),
                _ => eventually("it is written", || std::fs::read(&identity).ok() != known),
            }
            unit.kill();
        });
        let after = desk.shown();
        let file = milepost::delivery::tls::Pem::load(&desk.folder().join("signed.pem")).unwrap();
        let new = file.facts().unwrap().fingerprint;
        assert!(after == before || after == new, "round {round}: {after} is neither {before} nor {new}");
        assert!(round > 0 || after == before, "nothing was written yet");
        assert!(round < 3 || after == new, "it was written");
        let checked = program::said(&milepost(&["check", "--config", "milepost.toml"], desk.folder()));
        assert!(checked.contains("takes our certificate"), "round {round}: {checked}");
        unit = Appliance::start(desk.folder());
        unit.tells("READY=1");
    }
}

/// A broker of two nodes behind one address, of which one knows nothing of the new authority.
#[test]
fn a_unit_whose_session_does_not_stand_with_the_new_certificate_goes_back_by_itself() {
    let mut desk = Desk::open();
    let next = Authority::create("Next Department").unwrap();
    desk.site.broker.admit_clients_of(&next);
    let other = desk.site.broker.another();
    let gate = Gate::before([desk.site.broker.port(), other.port()]);
    desk.replace_in_configuration(
        &format!("port = {}\n", desk.site.broker.port()),
        &format!("port = {}\n", gate.port),
    );
    let mut unit = Appliance::start(desk.folder());
    unit.tells("READY=1");
    eventually("the unit is there", || desk.site.department.presence()["state"] == "online");
    let first = desk.shown();
    let session = desk.site.department.presence()["session"].clone();
    desk.command_ok(&["request-certificate"]);
    desk.write("signed.pem", &desk.sign(&next));
    let old = desk.site.broker.authority().certificate_pem();
    desk.write("both.pem", &format!("{old}{}", next.certificate_pem()));
    let install = ["install-certificate", "--certificate", "signed.pem", "--authority", "both.pem"];

    // The proof reaches the one node, the session the other: it never leaves its old connection.
    gate.lead(&[0, 1, 0]);
    let (well, said) = desk.command(&install);
    assert!(!well && said.contains("The unit went back to the one before"), "{said}");
    assert!(said.contains("does not know the authority that signed our certificate"), "{said}");
    eventually("the broker knows why", || desk.site.department.sees("degraded", &["certificate-left"]));
    assert_eq!((desk.shown(), &desk.site.department.presence()["session"]), (first.clone(), &session));
    assert_eq!(desk.site.audited("certificate-left").len(), 1);

    // The session reaches the one node and is cut off there; the other does not take it.
    gate.lead(&[0, 0, 1]);
    let (left, desk) = (gate.connections(), &desk);
    std::thread::scope(|scope| {
        let impatient = [&["--wait-s", "5"], &install[..]].concat();
        let commanded = scope.spawn(move || desk.command(&impatient));
        eventually("the session has changed over", || gate.connections() == left + 2);
        eventually("it is on trial", || unit.said().matches("on_trial=true").count() == 1);
        gate.cut();
        let (well, said) = commanded.join().unwrap();
        assert!(!well && said.contains("no answer"), "its broker is gone: {said}");
    });
    eventually("it has gone back", || desk.site.audited("certificate-left").len() == 2);
    assert_eq!(desk.shown(), first);
    assert!(desk.site.audited("certificate-installed").is_empty());
    gate.lead(&[0]);
    gate.cut();
    desk.nothing_is_lost();
}

/// Leads each new connection to one of two ports.
struct Gate {
    port: u16,
    state: Arc<Mutex<Led>>,
}

#[derive(Default)]
struct Led {
    /// Where the next ones go; the last stays.
    plan: VecDeque<usize>,
    count: usize,
    open: Vec<TcpStream>,
}

impl Gate {
    fn before(ports: [u16; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(Led { plan: VecDeque::from([0]), ..Led::default() }));
        let led = Arc::downgrade(&state);
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Some(led) = led.upgrade() else { return };
                let mut led = led.lock().unwrap();
                let which = if led.plan.len() > 1 { led.plan.pop_front() } else { led.plan.front().copied() };
                let to = TcpStream::connect(("127.0.0.1", ports[which.unwrap()])).unwrap();
                led.count += 1;
                for (mut one, mut other) in [(&from, &to), (&to, &from)]
                    .map(|(one, other)| (one.try_clone().unwrap(), other.try_clone().unwrap()))
                {
                    led.open.push(one.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut one, &mut other);
                        let _ = other.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { port, state }
    }

    fn lead(&self, plan: &[usize]) {
        self.state.lock().unwrap().plan = plan.iter().copied().collect();
    }

    fn connections(&self) -> usize {
        self.state.lock().unwrap().count
    }

    /// Cuts every connection that is open.
    fn cut(&self) {
        for open in self.state.lock().unwrap().open.drain(..) {
            let _ = open.shutdown(Shutdown::Both);
        }
    }
}

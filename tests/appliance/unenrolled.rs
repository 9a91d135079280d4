//! A box without identity becomes a unit at its console: with the real program and a real broker, which it then connects to, and
//! whenever the power is cut.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use milepost::crypto::SigningKey;
use milepost::enroll::Authority;
use milepost::unenrolled;
use milepost::words::UnitId;

use crate::client::Client;
use crate::door::{PASSPHRASE, at_console, enter};
use crate::program::{Appliance, milepost_ok};
use crate::site::{Site, UNIT};
use crate::support::eventually;

const ADA: &str = "Ada Moss";

#[test]
fn a_box_becomes_a_unit_at_its_console_and_nobody_elses() {
    let bench = Bench::new();
    let new = bench.new_box();
    let unit = new.start();
    let code = unit.word_behind("one-time code code=");
    let label = std::fs::read_to_string(new.console().join("label.txt")).unwrap();
    assert!(label.contains(&code) && label.contains("new unit"), "{label}");
    let mut ada = at_console(&unit, &new.console());
    assert_eq!(ada.get("/").header("location"), Some("/sign-in"));
    assert_eq!(enter(&mut ada, "0000-0000-0000-0000", ADA), 422);
    assert_eq!(enter(&mut ada, &code, ADA), 303);
    let overview = ada.get("/").text();
    assert!(overview.contains("Not enrolled: not in service"), "{overview}");
    let time = ada.get("/time").text();
    assert!(time.contains("may change neither network nor time here"), "no systemd started it: {time}");
    assert_eq!(ada.get("/aim").status, 404, "what a unit has is not there");

    ada.get("/enrolment");
    assert_eq!(ada.post("/enrolment/request", &[("unit", "North 7")]).status, 422);
    assert_eq!(ada.post("/enrolment/request", &[("unit", UNIT)]).status, 303);
    let request = ada.get("/enrolment/request");
    assert!(request.header("content-disposition").unwrap().contains("north-7.csr"));
    let bundle = bench.pack(&request.text());

    // Whoever it was packed by, and whatever box it was packed for, is asked first.
    ada.get("/enrolment");
    let look = |ada: &mut Client, bundle: &str, key: &str| {
        let answer = ada.post("/enrolment/look", &[("bundle", bundle), ("key", key)]);
        (answer.status, answer.text())
    };
    for (bundle, key, says) in [
        (&bundle, "", "was not told whose bundles"),
        (&bundle, &SigningKey::generate().verifying_key().to_string(), "not what the department signed"),
        (&bundle.replace("scene:traffic", "scene:parade"), &bench.key, "not what the department signed"),
        (&bench.pack(&bench.request_of_another_box()), &bench.key, "belongs to another key"),
    ] {
        let (status, said) = look(&mut ada, bundle, key);
        assert!(status == 422 && said.contains(says), "{says}: {said}");
    }
    ada.get("/enrolment");
    let (status, plan) = look(&mut ada, &bundle, &bench.key);
    assert!(status == 200 && plan.contains("becomes north-7") && plan.contains("your word"), "{plan}");
    assert!(!new.folder().join("milepost.toml").exists(), "nothing is done yet");

    let taken = ada.post("/enrolment/decision", &[("bundle", &bundle), ("key", &bench.key)]);
    assert!(taken.status == 200 && taken.text().contains("Taken"), "{}", taken.text());
    eventually("the unit is at the broker", || bench.site.department.presence()["state"] == "online");
    eventually("its reports are", || bench.site.department.health()["service"]["state"] == "degraded");
    eventually("its console is open", || unit.said().contains(" started unit="));
    let mut ada = new.known_to(&unit);
    assert_eq!(ada.get("/aim").status, 200);
    let audit = ada.get("/audit").text();
    assert!(
        audit.contains("bundle taken") && audit.contains("set a password with a one-time code"),
        "{audit}"
    );
    unit.kill();
    assert!(!new.folder().join("state/enrolment").exists());
    let unit = new.start();
    at_console(&unit, &new.console());
    assert!(!unit.said().contains("one-time code code="), "{}", unit.said());
}

#[test]
fn a_box_becomes_a_unit_by_its_parts_one_by_one() {
    let bench = Bench::new();
    let new = bench.new_box();
    let unit = new.start();
    let mut ada = new.administered(&unit);
    ada.get("/enrolment");
    assert_eq!(ada.post("/enrolment/request", &[("unit", UNIT)]).status, 303);
    let request = ada.get("/enrolment/request").text();
    let certificate = bench.sign(&request);
    let authority = std::fs::read_to_string(bench.site.broker.authority_path()).unwrap();
    let configuration = std::fs::read_to_string(bench.site.folder().join("fleet.toml")).unwrap();

    let send = |ada: &mut Client, path: &str, parts: [&str; 3]| {
        ada.get("/enrolment");
        let [certificate, authority, configuration] = parts;
        let fields =
            [("certificate", certificate), ("authority", authority), ("configuration", configuration)];
        let answer = ada.post(path, &fields);
        (answer.status, answer.text())
    };
    let anothers = bench.sign(&bench.request_of_another_box());
    let stranger = Authority::create("stranger").unwrap().certificate_pem();
    let secret = format!("{configuration}\n# -----BEGIN PRIVATE KEY-----\n");
    let misspelt = configuration.replace("[delivery.broker]", "[delivery.brocker]");
    for (parts, says) in [
        ([certificate.as_str(), "", &configuration], "The authority is missing"),
        ([&anothers, &authority, &configuration], "belongs to another key"),
        ([&certificate, &stranger, &configuration], "not signed for a client by what the authority holds"),
        ([&certificate, &authority, &misspelt], "brocker"),
        ([&certificate, &authority, &secret], "holds a private key"),
    ] {
        for path in ["/enrolment/look", "/enrolment/decision"] {
            let (status, said) = send(&mut ada, path, parts);
            assert!(status == 422 && said.contains(says), "{path}: {says}: {said}");
        }
    }
    let parts = [certificate.as_str(), &authority, &configuration];
    let (status, plan) = send(&mut ada, "/enrolment/look", parts);
    assert!(status == 200 && plan.contains("becomes north-7") && plan.contains("you vouch for it"), "{plan}");
    assert!(!new.folder().join("milepost.toml").exists(), "nothing is done yet");
    let (status, taken) = send(&mut ada, "/enrolment/decision", parts);
    assert!(status == 200 && taken.contains("Taken"), "{taken}");

    eventually("the unit is at the broker", || bench.site.department.presence()["state"] == "online");
    eventually("its console is open", || unit.said().contains(" started unit="));
    let mut ada = new.known_to(&unit);
    let audit = ada.get("/audit").text();
    assert!(audit.contains("enrols the unit as north-7 by hand: certificate"), "{audit}");
}

#[test]
fn a_power_cut_at_any_moment_leaves_a_box_or_a_whole_unit() {
    let bench = Bench::new();
    for after_ms in [0, 2, 5, 10, 20, 40, 80, 160] {
        let new = bench.new_box();
        let unit = new.start();
        let (mut tool, bundle) = new.prepared(&bench, &unit);
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| new.hand_in(&bench, &mut tool, &bundle).status);
            std::thread::sleep(Duration::from_millis(after_ms));
            unit.kill();
            // Which answer came, if one did, is not the point.
            let _ = sending.join();
        });
        let handed_in = new.folder().join("state/enrolment").exists();
        let enrolled = new.folder().join("milepost.toml").exists();
        let unit = new.start();
        at_console(&unit, &new.console());
        eventually("it is the one or the other", || {
            let said = unit.said();
            let (is_unit, is_box) =
                (said.contains(" started unit="), said.contains("not enrolled: the console waits"));
            assert!(!(is_unit && is_box), "{said}");
            assert!(!is_box || !(handed_in || enrolled), "{said}");
            is_unit || is_box
        });
        let whole =
            ["unit.pem", "authority.pem", "milepost.toml"].map(|name| new.folder().join(name).exists());
        assert!(whole == [true; 3] || whole == [false; 3], "{whole:?} after {after_ms} ms");
    }
}

#[test]
fn where_systemd_lends_the_keys_root_installs_what_was_handed_in() {
    let bench = Bench::new();
    let new = bench.new_box();
    let settle = ["apply-enrolment", "--config", "milepost.toml", "--unenrolled", "unenrolled.toml"];
    milepost_ok(&settle, new.folder());
    let lent = new.folder().join("lent");
    std::fs::create_dir(&lent).unwrap();
    for (file, name) in [("seal.key", "seal-key"), ("unit.key", "unit.key")] {
        std::fs::copy(new.folder().join(file), lent.join(name)).unwrap();
    }
    let mut unit = new.start_lent(&lent);
    let (mut tool, bundle) = new.prepared(&bench, &unit);
    let parts = new.hand_in(&bench, &mut tool, "");
    assert!(parts.status == 422 && parts.text().contains("certificate is missing"), "{}", parts.text());
    let taken = new.hand_in(&bench, &mut tool, &bundle);
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert!(unit.ends().success(), "{}", unit.said());
    assert!(!new.folder().join("milepost.toml").exists(), "the service may not write there");

    milepost_ok(&settle, new.folder());
    let text = std::fs::read_to_string(new.folder().join("milepost.toml")).unwrap();
    assert!(!text.contains("key_file") && !text.contains("unit.key"), "the keys are lent: {text}");
    let unit = new.start_lent(&lent);
    eventually("the unit is at the broker", || bench.site.department.presence()["state"] == "online");
    drop(unit);
}

/// Every address of a box, and who may go there, said a second time and by hand: `t`echnician, `o`fficer, `a`dministrator,
/// anyone `*`. What ends a session or makes one comes last.
const WHO: &[(&str, &str, &str)] = &[
    ("GET", "/", "toa"),
    ("GET", "/enrolment", "ta"),
    ("GET", "/enrolment/request", "ta"),
    ("POST", "/enrolment/request", "ta"),
    ("POST", "/enrolment/look", "a"),
    ("POST", "/enrolment/decision", "a"),
    ("GET", "/time", "ta"),
    ("POST", "/time/clock", "ta"),
    ("POST", "/time/clock/decision", "ta"),
    ("GET", "/api/v1/time", "ta"),
    ("POST", "/api/v1/time/clock", "ta"),
    ("POST", "/api/v1/time/clock/decision", "ta"),
    ("GET", "/api/v1/enrolment", "ta"),
    ("POST", "/api/v1/enrolment/request", "ta"),
    ("POST", "/api/v1/enrolment/look", "a"),
    ("POST", "/api/v1/enrolment/decision", "a"),
    ("GET", "/api/v1/openapi.yaml", "*"),
    ("GET", "/accounts", "a"),
    ("POST", "/accounts/invitation", "a"),
    ("POST", "/accounts/change", "a"),
    ("GET", "/audit", "a"),
    ("GET", "/audit/export", "a"),
    ("GET", "/password", "toa"),
    ("POST", "/password", "toa"),
    ("GET", "/recovery", "toa"),
    ("POST", "/recovery", "toa"),
    ("GET", "/assets/{name}", "*"),
    ("GET", "/sign-in", "*"),
    ("POST", "/sign-in", "*"),
    ("GET", "/set-up", "*"),
    ("POST", "/set-up", "*"),
    ("POST", "/api/v1/session", "*"),
    ("POST", "/api/v1/set-up", "*"),
    ("POST", "/sign-out", "toa"),
    ("POST", "/api/v1/session/end", "toa"),
];

#[test]
fn every_address_of_a_box_is_known_and_its_document_names_each_with_its_roles() {
    let routes: Vec<_> =
        unenrolled::routes().iter().map(|route| (route.method().to_string(), route.path)).collect();
    let due: Vec<_> = WHO.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    let sorted = |mut rows: Vec<(String, &'static str)>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(routes), sorted(due));

    let document = include_str!("../../config/openapi-unenrolled.yaml");
    let (mut path, mut told) = ("", Vec::new());
    for line in document.lines().take_while(|line| *line != "components:") {
        if line.starts_with("  /") {
            path = line.trim().trim_end_matches(':');
        } else if let "get:" | "post:" = line.trim() {
            told.push((line.trim().trim_end_matches(':').to_uppercase(), path, "*".to_owned()));
        } else if let Some(roles) = line.trim().strip_prefix("description: \"Admits: ") {
            let roles = roles.trim_end_matches(".\"").split(", ").map(|role| role.chars().next().unwrap());
            told.last_mut().unwrap().2 = roles.collect();
        }
    }
    let due = WHO.iter().filter(|(_, path, _)| path.starts_with("/api/"));
    let mut due: Vec<_> =
        due.map(|(method, path, who)| ((*method).to_owned(), *path, (*who).to_owned())).collect();
    told.sort();
    due.sort();
    assert_eq!(told, due);
}

#[test]
fn a_box_admits_the_roles_of_each_address_and_nobody_else() {
    let bench = Bench::new();
    let new = bench.new_box();
    let unit = new.start();
    let mut ada = new.administered(&unit);
    let mut invite = |name: &str, role: &str| {
        ada.get("/accounts");
        let page = ada.post("/accounts/invitation", &[("name", name), ("role", role)]).text();
        page.split("<code class=\"big\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    let codes = [
        (invite("Tess Grant", "technician"), "Tess Grant", 't'),
        (invite("Omar Fields", "officer"), "Omar Fields", 'o'),
    ];
    let mut people = vec![(at_console(&unit, &new.console()), None)];
    for (code, name, letter) in codes {
        let mut client = at_console(&unit, &new.console());
        assert_eq!(enter(&mut client, &code, name), 303);
        people.push((client, Some(letter)));
    }
    people.push((ada, Some('a')));
    for (mut client, letter) in people {
        for (method, path, who) in WHO.iter().copied() {
            // Either ends the session; whoever has one ends it by the API, behind all else.
            if path == "/sign-out" && letter.is_some() {
                continue;
            }
            let path = &path.replace("{name}", "console.css");
            let status = match method {
                _ if path.starts_with("/api/") => client.call(method, path, "{}").status,
                "GET" => client.get(path).status,
                _ => client.post(path, &[]).status,
            };
            let admitted = who == "*" || letter.is_some_and(|letter| who.contains(letter));
            let refused = match letter {
                Some(_) => status == 403,
                None => status == 401 || (status == 303 && method == "GET"),
            };
            assert_eq!(refused, !admitted, "{method} {path} as {letter:?} gave {status}");
        }
    }
}

/// A department that enrols boxes.
struct Bench {
    site: Site,
    /// Public; of whoever signs its bundles.
    key: String,
}

impl Bench {
    fn new() -> Self {
        let site = Site::open();
        milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", "fleet.key"], site.folder());
        let key = SigningKey::load(&site.folder().join("fleet.key")).unwrap().verifying_key().to_string();
        Self { site, key }
    }

    fn new_box(&self) -> NewBox {
        let folder = tempfile::tempdir().unwrap();
        let console = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!("[unit]\nstate_dir = \"state\"\n[console]\nlisten = \"{console}\"\n");
        std::fs::write(folder.path().join("unenrolled.toml"), text).unwrap();
        // The fleet's console listens elsewhere than the box did.
        let fleet = self.site.configuration("scene:traffic", SocketAddr::from(([127, 0, 0, 1], 0)));
        let fleet = fleet
            .replace("metrics_token = \"metrics-token\"\n", "")
            .replace("state_dir = \"state\"", "state_dir = \"/var/lib/fleet\"");
        std::fs::write(self.site.folder().join("fleet.toml"), fleet).unwrap();
        NewBox { folder }
    }

    /// The bundle for whoever made this request.
    fn pack(&self, request: &str) -> String {
        let folder = self.site.folder();
        std::fs::write(folder.join("box.pem"), self.sign(request)).unwrap();
        let authority = self.site.broker.authority_path().display().to_string();
        let what = ["--certificate", "box.pem", "--authority", &authority, "--config", "fleet.toml"];
        let how = ["--sign-key", "fleet.key", "--out", "box.enrolment"];
        milepost_ok(&[&["enroll", "pack", UNIT], &what[..], &how].concat(), folder);
        std::fs::read_to_string(folder.join("box.enrolment")).unwrap()
    }

    /// The certificate for whoever made this request.
    fn sign(&self, request: &str) -> String {
        self.site.broker.authority().sign(request, &UnitId::parse(UNIT).unwrap()).unwrap()
    }

    fn request_of_another_box(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        milepost_ok(&["enroll", "request", UNIT, "--folder", "."], folder.path());
        std::fs::read_to_string(folder.path().join("unit.csr")).unwrap()
    }
}

struct NewBox {
    folder: tempfile::TempDir,
}

impl NewBox {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn console(&self) -> PathBuf {
        self.folder().join("state/console")
    }

    fn start(&self) -> Appliance {
        Appliance::start_with(self.folder(), &["--unenrolled", "unenrolled.toml"], None)
    }

    fn start_lent(&self, credentials: &Path) -> Appliance {
        Appliance::start_with(self.folder(), &["--unenrolled", "unenrolled.toml"], Some(credentials))
    }

    /// Its first administrator, by the code of its journal.
    fn administered(&self, unit: &Appliance) -> Client {
        let mut ada = at_console(unit, &self.console());
        assert_eq!(enter(&mut ada, &unit.word_behind("one-time code code="), ADA), 303);
        ada
    }

    /// The same person once it is a unit.
    fn known_to(&self, unit: &Appliance) -> Client {
        let mut ada = at_console(unit, &self.console());
        assert_eq!(ada.sign_in(ADA, PASSPHRASE).status, 303, "with the account that she had");
        ada
    }

    /// A bench's tool that is signed in, and the bundle for this box.
    fn prepared(&self, bench: &Bench, unit: &Appliance) -> (Client, String) {
        let code = unit.word_behind("one-time code code=");
        let mut tool = at_console(unit, &self.console());
        let first = serde_json::json!({"code": code, "name": ADA, "password": PASSPHRASE}).to_string();
        let session = tool.call("POST", "/api/v1/set-up", &first);
        let session: serde_json::Value = serde_json::from_slice(&session.body).unwrap();
        tool.token = session["token"].as_str().map(str::to_owned);
        let request = tool.call("POST", "/api/v1/enrolment/request", &format!("{{\"unit\":\"{UNIT}\"}}"));
        let request: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        (tool, bench.pack(request["request"].as_str().unwrap()))
    }

    fn hand_in(&self, bench: &Bench, tool: &mut Client, bundle: &str) -> crate::client::Answer {
        let sent = serde_json::json!({"bundle": bundle, "key": bench.key}).to_string();
        tool.call("POST", "/api/v1/enrolment/decision", &sent)
    }
}

//! A unit at its daily work, and what its people do with it.

use std::collections::HashMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use milepost::enroll::Authority;

use crate::client::Client;
use crate::program::{Appliance, milepost, milepost_ok, said};
use crate::site::{CAMERA_LOST_WITHIN, LISTED, METRICS_TOKEN, PASSWORD, Site, UNIT, enrol};
use crate::support::{Mosquitto, eventually, files};

/// A change that a person makes must be at the broker within this time.
const REPORTED_WITHIN: Duration = Duration::from_secs(1);

#[test]
fn a_unit_lives_through_the_loss_of_camera_broker_and_power() {
    let mut site = Site::open();
    let mut camera = site.camera(0);
    // The console's port is not free yet when the unit starts.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    site.configure(&camera, taken.local_addr().unwrap());
    let verdict = milepost_ok(&["check", "--config", "milepost.toml"], site.folder());
    assert!(verdict.contains("for north-7, 729 days left"), "{verdict}");
    let mut logs = verdict;

    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    unit.tells("WATCHDOG=1");
    drop(taken);
    let mut person = first_administrator(&unit, site.folder());
    evidence_goes_its_way(&site);
    assert!(person.get("/").text().contains("Degraded"), "{}", person.get("/").text());
    machines_read_its_numbers(&mut person);

    let port = camera.port;
    drop(camera);
    let lost = Instant::now();
    let reasons = ["camera-lost", "all-cameras-lost"];
    eventually("the loss of the camera is reported", || site.department.sees("out-of-service", &reasons));
    assert!(lost.elapsed() < CAMERA_LOST_WITHIN, "reported after {:?}", lost.elapsed());
    camera = site.camera(port);
    eventually("the unit is back by itself", || site.department.sees("degraded", &["aim-unverified"]));
    next_alert(&site);

    // Power is cut while the broker is gone and evidence waits.
    site.broker.kill();
    eventually("an alert is raised without a broker", || site.alerts_on_their_way() > 0);
    logs += &unit.kill();
    site.broker.restart();
    unit = Appliance::start(site.folder());
    eventually("all that was raised arrives", || site.alerts_on_their_way() == 0);
    next_alert(&site);
    site.broker.restart();
    next_alert(&site);

    person = signed_in(&unit, site.folder());
    taken_out(&site, &mut person);
    logs += &unit.kill();
    unit = Appliance::start(site.folder());
    eventually("it is back online", || site.department.presence()["state"] == "online");
    assert!(site.department.sees("out-of-service", &["taken-out"]), "{}", site.department.health());
    person = signed_in(&unit, site.folder());
    change_service(&mut person, "return", "the window is replaced");
    eventually("it is in service again", || site.department.sees("degraded", &[]));
    next_alert(&site);

    drop(camera);
    nothing_lost_or_doubled(&site);
    let (status, took, told) = unit.terminate();
    assert!(status.success(), "{told}");
    assert!(took < Duration::from_secs(5), "stopping took {took:?}");
    eventually("the broker knows that it stopped", || site.department.presence()["state"] == "offline");
    assert_eq!(site.department.presence()["reason"], "stopped");
    logs += &told;
    assert_eq!(site.readable_at_rest(), Vec::<String>::new());
    assert!(!logs.contains(PASSWORD), "the camera's password is in the log");
    assert!(!logs.contains("panicked") && !logs.contains("ERROR"), "{logs}");
}

#[test]
fn a_manual_entry_needs_the_keys_of_two_people() {
    let site = Site::open();
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    let dispatcher = site.broker.client("dispatcher");
    let address = format!("localhost:{}", dispatcher.port);
    let [ca, cert, tls_key] = [&dispatcher.authority, &dispatcher.certificate, &dispatcher.key]
        .map(|file| file.display().to_string());
    let mut configuration = std::fs::read_to_string(site.folder().join("milepost.toml")).unwrap();
    for person in ["Ann Lee", "Bo Hill"] {
        let said = milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", person], site.folder());
        let (_, people) = said.split_once("[[hotlist.people]]").unwrap();
        configuration += &format!("[[hotlist.people]]{}", people.replace("Ann Lee", person));
    }
    std::fs::write(site.folder().join("milepost.toml"), configuration).unwrap();
    let says = |person: &str, act: &[&str]| {
        let to = ["--broker", &address, "--ca", &ca, "--cert", &cert, "--key", &tls_key];
        let who = ["hotlist", "manual", "--unit", UNIT, "--sign-key", person];
        let said = milepost_ok(&[&who[..], &to, act].concat(), site.folder());
        said.trim().rsplit_once(' ').unwrap().1.to_owned()
    };
    let manual_alerts = || {
        let alerts = site.department.events("alerts");
        alerts.iter().filter(|alert| alert["data"]["matched"]["list"]["list"] == "manual").count()
    };

    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    let plate = LISTED[0];
    let entry = ["--plate", plate, "--category", "amber", "--reason", "seen at the mall"];
    let id = says("Ann Lee", &[&["add"][..], &entry].concat());
    eventually("the request is taken", || site.audited("manual-entry-requested").len() == 1);
    says("Ann Lee", &["approve", &id]);
    eventually("nobody approves their own", || site.audited("manual-message-refused").len() == 1);
    assert_eq!(manual_alerts(), 0);
    says("Bo Hill", &["approve", &id]);
    eventually("the second person approves", || site.audited("manual-entry-approved").len() == 1);
    assert_eq!(site.audited("manual-entry-approved")[0]["who"]["person"], "Bo Hill");
    eventually("it raises an alert", || manual_alerts() > 0);
    let removal = says("Bo Hill", &["remove", &id, "--reason", "found"]);
    says("Ann Lee", &["approve", &removal]);
    eventually("it is taken out", || site.audited("manual-entry-removed").len() == 1);
    eventually("the department has every step, with plate and reason", || {
        let steps = site.department.events("events");
        let is_step = |step: &&serde_json::Value| step["type"] == "milepost.manual-entry.v1";
        let steps: Vec<_> = steps.iter().filter(is_step).collect();
        steps.len() == 4 && steps.iter().all(|step| step["data"]["entry"]["entry"]["plate"] == plate)
    });
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    assert_eq!(site.readable_at_rest(), Vec::<String>::new());
}

/// Prometheus by its token, and whoever is signed in; nobody else.
fn machines_read_its_numbers(person: &mut Client) {
    let mut scraper = person.clone();
    scraper.cookie = None;
    assert_eq!(scraper.get("/metrics").status, 401);
    assert_eq!(scraper.get_with("/metrics", &[("Authorization", "Bearer 0123456789")]).status, 401);
    let bearer = format!("Bearer {METRICS_TOKEN}");
    let page = scraper.get_with("/metrics", &[("Authorization", &bearer)]);
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    let text = page.text();
    assert!(text.contains("milepost_service_state{state=\"degraded\"} 1\n"), "{text}");
    assert!(
        text.contains("milepost_service_reason{camera=\"lane-1\",reason=\"aim-unverified\"} 1\n"),
        "{text}"
    );
    assert_eq!(person.get("/metrics").status, 200);
    passes("metrics.py", &[], &text);
    assert_eq!(
        scraper.get_with("/health/history", &[("Authorization", &bearer)]).status,
        401,
        "metrics alone"
    );
    let history: Vec<serde_json::Value> =
        serde_json::from_slice(&person.get("/health/history").body).unwrap();
    assert!(history.iter().any(|sample| sample["state"] == "degraded"), "{history:?}");
}

/// Judged by one of the programs beside the tests' support.
fn passes(judge: &str, arguments: &[&str], text: &str) {
    use std::process::{Command, Stdio};
    // Debian's own, which has Debian's packages; another may come first on the path.
    let mut judge = Command::new("/usr/bin/python3")
        .arg(Path::new("tests/support").join(judge))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the Debian package python3 is installed");
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let judged = judge.wait_with_output().unwrap();
    assert!(judged.status.success(), "{}\n{text}", String::from_utf8_lossy(&judged.stderr));
}

#[test]
fn who_saw_an_alert_and_what_it_turned_out_to_be_is_recorded_and_counted() {
    let site = Site::open();
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    let mut configuration = std::fs::read_to_string(site.folder().join("milepost.toml")).unwrap();
    configuration = configuration.replacen("[unit]\n", "[unit]\nkind = \"portable\"\n", 1);
    configuration += &format!("[health]\nreport_every_s = 1\n[position]\ngpsd = \"{}\"\n", gpsd());
    std::fs::write(site.folder().join("milepost.toml"), configuration).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    eventually("a listed car raises an alert", || !site.department.events("alerts").is_empty());
    let alert = site.department.events("alerts").remove(0);
    // Reads are told at the end of their passage, alerts before.
    eventually("a read is told as well", || !site.department.events("reads").is_empty());
    for record in [&alert, &site.department.events("reads")[0]] {
        let position = &record["data"]["position"];
        assert_eq!(
            (&position["source"], &position["latitude"]),
            (&"gps".into(), &42.1015.into()),
            "{record}"
        );
        assert!(position["age_s"].as_u64().is_some_and(|age_s| age_s < 30), "{record}");
    }
    let alert = alert["data"]["id"].as_str().unwrap().to_owned();
    let mut person = first_administrator(&unit, site.folder());
    for _ in 0..2 {
        assert_eq!(person.get(&format!("/alerts/{alert}/scene")).status, 200);
    }
    let handed_out = site.audited("disseminated");
    assert_eq!(handed_out.len(), 1, "once for each person and picture: {handed_out:?}");
    assert_eq!(handed_out[0]["what"]["record"], *alert);

    let to = site.broker.arguments("receiver");
    let to = to.each_ref().map(String::as_str);
    let keys = site.department.keys.display().to_string();
    let answer = |verdict: &str, verified: &[&str]| {
        let what = ["receive", "answer", "--unit", UNIT, "--alert", &alert, "--verdict", verdict];
        let who = ["--by", "Ann Lee", "--signing-key", &keys];
        milepost(&[&what[..], &who, verified, &to].concat(), site.folder())
    };
    let unverified = answer("correct-read", &[]);
    assert!(said(&unverified).contains("verified by eye first"), "{}", said(&unverified));
    assert!(answer("incorrect-read", &["--state"]).status.success());
    eventually("the answer comes back as a record", || {
        let events = site.department.events("events");
        let given = |event: &&serde_json::Value| event["type"] == "milepost.disposition.v1";
        events.iter().find(given).is_some_and(|event| {
            let data = &event["data"];
            data["alert"] == *alert
                && data["verdict"] == "incorrect-read"
                && data["by"] == "Ann Lee"
                && data["from"] == "server"
                && data["verified"]
                    == serde_json::json!({"characters": false, "state": true, "status": false})
        })
    });
    eventually("the log says on whose word", || {
        site.audited("alert-answered").first().is_some_and(|entry| entry["who"]["department"].is_string())
    });
    eventually("the unit knows its rate of false hits", || {
        let answers = &site.department.health()["answers"];
        answers["answered"] == 1 && answers["false_hit_rate"] == 1.0
    });
    assert!(answer("dismissed", &[]).status.success());
    eventually("a later answer takes its place", || {
        let answers = &site.department.health()["answers"];
        answers["answered"] == 1 && answers["dismissed"] == 1 && answers["false_hit_rate"].is_null()
    });
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
}

/// A gpsd that knows where it is, told once; gives its address.
fn gpsd() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut unit = listener.accept().unwrap().0;
        writeln!(unit, r#"{{"class":"TPV","mode":3,"lat":42.1015,"lon":-72.5898,"eph":4.2}}"#).unwrap();
        // Open until the unit hangs up.
        let _ = std::io::copy(&mut unit, &mut std::io::sink());
    });
    address
}

/// The way of one alert: stored, delivered with its pictures, receipted, purged.
fn evidence_goes_its_way(site: &Site) {
    let department = &site.department;
    eventually("a listed car raises an alert", || !department.events("alerts").is_empty());
    let alert = department.events("alerts").remove(0);
    let listed = alert["data"]["matched"]["entry"]["plate"].as_str().unwrap().to_owned();
    assert!(LISTED.contains(&listed.as_str()), "{alert}");
    eventually("its pictures are delivered", || {
        department.missing_pictures(std::slice::from_ref(&alert)) == 0
    });
    let pictures = alert["data"]["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 2, "{alert}");
    let ids = pictures.iter().chain([&alert]).map(|record| record["id"].as_str().unwrap());
    let ids: Vec<_> = ids.collect();
    eventually("all of it is purged", || {
        let purged = department.purged();
        ids.iter().all(|id| purged.contains(*id))
    });
    assert_eq!(site.readable_at_rest(), Vec::<String>::new());
}

fn next_alert(site: &Site) {
    let before = site.department.events("alerts").len();
    eventually("another alert arrives", || site.department.events("alerts").len() > before);
}

/// Every alert that the unit ever raised, and every picture of every alert and read, once.
fn nothing_lost_or_doubled(site: &Site) {
    let department = &site.department;
    eventually("everything has arrived", || {
        let evidence = [department.events("alerts"), department.events("reads")].concat();
        site.alerts_on_their_way() == 0 && department.missing_pictures(&evidence) == 0
    });
    let mut times = HashMap::new();
    for event in ["alerts", "reads", "events"].iter().flat_map(|book| department.events(book)) {
        *times.entry(event["id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    times.retain(|_, times| *times > 1);
    assert_eq!(times, HashMap::new());
}

/// Out of service the unit raises no alert, and says so.
fn taken_out(site: &Site, person: &mut Client) {
    change_service(person, "out-of-service", "the window is broken");
    let changed = Instant::now();
    eventually("the department hears of it", || site.department.sees("out-of-service", &["taken-out"]));
    assert!(changed.elapsed() < REPORTED_WITHIN, "reported after {:?}", changed.elapsed());
    assert!(person.get("/").text().contains("Out of service"));
    let is_change = |event: &serde_json::Value| {
        event["type"] == "milepost.health-change.v1" && event["data"]["to"] == "out-of-service"
    };
    eventually("the change is an event of its own", || {
        site.department.events("events").iter().any(is_change)
    });
    assert!(changed.elapsed() < REPORTED_WITHIN, "stored after {:?}", changed.elapsed());
    let entry = site.audited("service-state-changed").pop().unwrap();
    assert_eq!(
        (&entry["who"]["person"], &entry["what"]["reason"]),
        (&ADMINISTRATOR.into(), &"the window is broken".into())
    );
    let raised = site.audited("alert-raised").len();
    let suppressed = site.audited("alert-suppressed").len();
    eventually("a listed car passes", || site.audited("alert-suppressed").len() > suppressed);
    assert_eq!(site.audited("alert-raised").len(), raised);
}

const ADMINISTRATOR: &str = "Dana Ruiz";
const PASSPHRASE: &str = "three herons by the weir";

/// The console as the log announces it.
fn console(unit: &Appliance, folder: &Path) -> Client {
    let address: SocketAddr = unit.word_behind("the console listens address=").parse().unwrap();
    Client::new(address, &folder.join("state/console"))
}

fn first_administrator(unit: &Appliance, folder: &Path) -> Client {
    let code = unit.word_behind("one-time code code=");
    let mut client = console(unit, folder);
    client.get("/set-up");
    let form =
        [("code", code.as_str()), ("name", ADMINISTRATOR), ("password", PASSPHRASE), ("again", PASSPHRASE)];
    assert_eq!(client.post("/set-up", &form).status, 303);
    client
}

fn signed_in(unit: &Appliance, folder: &Path) -> Client {
    let mut client = console(unit, folder);
    client.get("/sign-in");
    assert_eq!(client.sign_in(ADMINISTRATOR, PASSPHRASE).status, 303);
    client
}

fn change_service(person: &mut Client, to: &str, reason: &str) {
    person.get("/maintenance");
    let answer = person.post("/maintenance/service", &[("to", to), ("reason", reason)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
}

/// What is wrong, and every word that the message must hold.
const MISTAKES: [(&str, &str, &[&str]); 8] = [
    ("id = \"unit-1\"", "id = \"Unit 1\"", &["line 2", "unit.id", "Unit 1", "mend:"]),
    (
        "source = \"scene:traffic\"",
        "source = \"http://cam/live\"",
        &["camera.source", "http", "rtsp", "mend:"],
    ),
    (
        "source = \"scene:traffic\"",
        "source = \"rtsp://admin:s3same-Open@bad host/live\"",
        &["camera.source", "bad host", "mend:"],
    ),
    ("source = \"scene:traffic\"", "source = \"rtsp://admin:s3same-Open@10.0.0.9/live", &["line 5", "mend:"]),
    (
        "source = \"scene:traffic\"",
        "source = \"rtsp://admin:10/s3same-Open@10.0.0.9/live\"",
        &["camera.source", "write @ as %40", "mend:"],
    ),
    ("name = \"lane-1\"", "password = \"s3same-Open\"", &["camera.password", "credential", "mend:"]),
    ("retry_max_s = 1", "retry_max_s = 0", &["delivery.broker.retry_max_s", "0", "mend:"]),
    ("retry_max_s = 1", "retry_maxs = 1", &["delivery.broker.retry_maxs", "did you mean retry_max_s?"]),
];

const SOUND: &str = r#"[unit]
id = "unit-1"
[[camera]]
name = "lane-1"
source = "scene:traffic"
[delivery.broker]
retry_max_s = 1
"#;

#[test]
fn a_mistake_in_the_configuration_is_told_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    for (sound, wrong, words) in MISTAKES {
        std::fs::write(folder.path().join("wrong.toml"), SOUND.replacen(sound, wrong, 1)).unwrap();
        for command in ["run", "check"] {
            let output = milepost(&[command, "--config", "wrong.toml"], folder.path());
            let said = said(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("wrong.toml"), "{said}");
            for word in words {
                assert!(said.contains(word), "{word:?} is missing: {said}");
            }
            assert!(!said.contains(PASSWORD), "{said}");
        }
    }
    assert_eq!(files(folder.path()).len(), 1, "nothing was made");
    let output = milepost(&["run", "--config", "nowhere.toml"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("nowhere.toml cannot be read"), "{}", said(&output));
}

#[test]
fn a_configuration_that_nobody_keeps_is_left_and_one_that_is_kept_stays() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::start();
    enrol(folder.path(), &broker);
    let [here, there] = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let configuration = |console: SocketAddr, confirm_s: u32| {
        let unit = format!("[unit]\nid = \"{UNIT}\"\nstate_dir = \"state\"\nkey_file = \"seal.key\"\n");
        let camera = "[[camera]]\nname = \"lane-1\"\nsource = \"scene:traffic\"\n";
        let port = broker.client(UNIT).port;
        let broker = format!("[delivery.broker]\nport = {port}\nretry_max_s = 1\n");
        format!("{unit}{camera}{broker}[console]\nlisten = \"{console}\"\nconfirm_s = {confirm_s}\n")
    };
    std::fs::write(folder.path().join("milepost.toml"), configuration(here, 120)).unwrap();
    let mut unit = Appliance::start(folder.path());
    let mut person = first_administrator(&unit, folder.path());
    let listened = |unit: &Appliance, address: SocketAddr, times: usize| {
        let line = format!("the console listens address={address}");
        eventually(&format!("{line}, {times} times"), || unit.said().matches(&line).count() >= times);
    };
    let come = |address: SocketAddr| {
        let mut client = Client::new(address, &folder.path().join("state/console"));
        assert_eq!(client.sign_in(ADMINISTRATOR, PASSPHRASE).status, 303);
        client
    };
    let propose = |person: &mut Client, text: &str| {
        person.get("/configuration");
        person.post("/configuration", &[("text", text)])
    };

    // What would lock everybody out is not even tried.
    for (wrong, told) in [
        (configuration(here, 120).replace("[console]", "[consle]"), "did you mean console"),
        (configuration("192.0.2.7:8443".parse().unwrap(), 120), "No interface of this unit"),
        (configuration(here, 120).replace("\"state\"", "\"elsewhere\""), "state_dir"),
        (configuration(here, 120) + "[delivery.broker.x]\n", "delivery.broker"),
    ] {
        let answer = propose(&mut person, &wrong);
        assert!(answer.status == 422 && answer.text().contains(told), "{told}: {}", answer.text());
    }

    unit.tells("WATCHDOG=1");
    assert_eq!(propose(&mut person, &configuration(there, 1)).status, 200);
    unit.tells("READY=1");
    listened(&unit, there, 1);
    unit.tells("READY=1");
    listened(&unit, here, 2);
    assert!(unit.said().contains("nobody kept the configuration on trial"));

    let mut person = come(here);
    assert_eq!(propose(&mut person, &configuration(there, 120)).status, 200);
    unit.tells("READY=1");
    listened(&unit, there, 2);
    let mut person = come(there);
    assert!(person.get("/configuration").text().contains("On trial until"));
    assert_eq!(person.post("/configuration/decision", &[("decision", "keep")]).status, 303);
    unit.kill();
    let unit = Appliance::start(folder.path());
    listened(&unit, there, 1);
}

#[test]
fn check_says_what_must_be_mended_before_the_unit_can_work() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("milepost.toml"), text).unwrap();
    let check = || {
        let output = milepost(&["check", "--config", "milepost.toml"], folder.path());
        (output.status.code(), said(&output))
    };
    let broker = Mosquitto::start();
    let unit = |broker_port: u16| {
        SOUND
            .replace("unit-1", UNIT)
            .replace("[[camera]]", "state_dir = \"state\"\nkey_file = \"seal.key\"\n[[camera]]")
            + &format!("port = {broker_port}\n")
    };
    let port = broker.client(UNIT).port.get();

    write(&unit(port));
    let (status, said) = check();
    assert_eq!(status, Some(1), "{said}");
    for missing in ["BAD   unit key", "BAD   certificate", "BAD   broker", "BAD   receipts"] {
        assert!(said.contains(missing), "{missing}: {said}");
    }
    assert!(said.contains("ok    camera lane-1"), "{said}");

    enrol(folder.path(), &broker);
    let (status, said) = check();
    assert_eq!(status, Some(1), "no receiver is trusted yet: {said}");
    for sound in ["ok    unit key", "ok    certificate", "ok    broker"] {
        assert!(said.contains(sound), "{sound}: {said}");
    }

    let stranger = Authority::create("Somebody Else").unwrap().certificate_pem();
    std::fs::write(folder.path().join("authority.pem"), stranger).unwrap();
    let (_, said) = check();
    assert!(said.contains("BAD   broker"), "{said}");
    assert!(said.contains("authority"), "it says whose certificate is not trusted: {said}");
}

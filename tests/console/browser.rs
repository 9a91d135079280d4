//! The pages in a real browser: Chromium without a window, steered over its debugging pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::client::Client;
use crate::twin::{lock, stolen};
use crate::{ADMINISTRATOR, OFFICER, Site};

/// One browser with one page. Messages are JSON, each ended by a zero byte.
struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    sent: u64,
    /// What the browser complained of: refused scripts, failed requests, exceptions.
    complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // Chromium speaks on the descriptors 3 and 4; the shell lays our pipes there.
        let script = "exec chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
            --remote-debugging-pipe --user-data-dir=\"$0\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromium is installed");
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let (session, complaints) = (None, Vec::new());
        let mut browser = Self { child, to, from, session, sent: 0, complaints, _profile: profile };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach)["sessionId"].as_str().map(str::to_owned);
        browser.session = session;
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        // The unit's own certificate, which no browser knows.
        browser.ask("Security.setIgnoreCertificateErrors", json!({"ignore": true}));
        browser
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(message.to_string().as_bytes()).unwrap();
        self.to.write_all(&[0]).unwrap();
        loop {
            let answer = self.hear();
            if answer["id"] == json!(id) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    fn hear(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert!(!bytes.is_empty(), "chromium ended");
        let message: Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).unwrap();
        if let Some("Log.entryAdded" | "Runtime.exceptionThrown") = message["method"].as_str() {
            self.complaints.push(message["params"].to_string());
        }
        message
    }

    fn wear_session_of(&mut self, client: &Client, address: &str) {
        let (name, value) = client.cookie.as_deref().unwrap().split_once('=').unwrap();
        let cookie = json!({
            "name": name, "value": value, "url": address, "path": "/", "secure": true, "httpOnly": true,
            "sameSite": "Strict",
        });
        self.ask("Network.setCookie", cookie);
    }

    fn look_like(&mut self, width: u32, scheme: &str) {
        let height = if width < 500 { 740 } else { 800 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", features);
    }

    fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": url}));
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    fn evaluate(&mut self, script: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", json!({"expression": script, "returnByValue": true}));
        answer["result"]["value"].clone()
    }

    fn wait_for(&mut self, condition: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.evaluate(condition) != json!(true) {
            assert!(Instant::now() < until, "{condition} never came true; {:?}", self.complaints);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What axe-core holds to be serious or worse, as it words it.
    fn barriers(&mut self) -> Vec<String> {
        self.evaluate(include_str!("../fixtures/axe/axe.min.js"));
        let run = "axe.run({resultTypes: ['violations']}).then((found) => JSON.stringify(found.violations
            .filter((rule) => ['serious', 'critical'].includes(rule.impact))
            .map((rule) => `${rule.id}: ${rule.nodes[0].html}`)))";
        let parameters = json!({"expression": run, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", parameters);
        serde_json::from_str(answer["result"]["value"].as_str().expect("axe ran")).unwrap()
    }

    fn picture(&mut self, path: &Path) {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let png = self.ask("Page.captureScreenshot", whole);
        std::fs::write(path, BASE64.decode(png["data"].as_str().unwrap()).unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Pictures of the pages are left here, to be looked at.
fn album() -> PathBuf {
    let album = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&album).unwrap();
    album
}

#[test]
fn pages_fit_a_telephone_and_a_desk_by_day_and_by_night() {
    let site = Site::peopled();
    site.unit.film();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.open(&format!("{address}/sign-in"));
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("sign-in-360-light.png"));
    browser.open(&format!("{address}/set-up"));
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("set-up-360-light.png"));

    browser.wear_session_of(&site.signed_in(ADMINISTRATOR), &address);
    let alert = format!("alerts/{}", lock(&site.unit.alerts)[0].alert.id);
    let pages = [
        "",
        "aim",
        "alerts",
        &alert,
        "screen",
        "lists",
        "records",
        "maintenance",
        "deployment",
        "accounts",
        "configuration",
        "audit",
    ];
    for (width, scheme) in [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")] {
        browser.look_like(width, scheme);
        for page in pages {
            browser.open(&format!("{address}/{page}"));
            if page == "aim" {
                browser.wait_for("document.querySelector('.plates li') !== null");
            }
            assert_eq!(browser.barriers(), Vec::<String>::new(), "/{page} at {width}, {scheme}");
            let overhang = browser.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(overhang.as_i64().unwrap() <= 0, "/{page} at {width}: {overhang} px too wide");
            let name = match page.split_once('/') {
                Some(_) => "alert",
                None if page.is_empty() => "overview",
                None => page,
            };
            browser.picture(&album().join(format!("{name}-{width}-{scheme}.png")));
        }
    }
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_person_signs_in_through_the_form() {
    let site = Site::peopled();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.open(&format!("{address}/sign-in"));
    let fill = format!(
        "document.getElementById('name').value = '{OFFICER}';
         document.getElementById('password').value = '{}';
         document.querySelector('form button').click(); true",
        crate::PASSWORD
    );
    browser.evaluate(&fill);
    browser.wait_for("location.pathname === '/' && document.body.textContent.includes('Omar Fields')");
    // A form with the session's token goes through from a real page, `Origin: null` and all.
    browser.evaluate("document.querySelector('footer form button').click(); true");
    browser.wait_for("location.pathname === '/sign-in'");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn the_aim_page_shows_a_moving_picture_and_an_alert_is_called_out_on_it() {
    let site = Site::peopled();
    site.unit.film();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.wear_session_of(&site.signed_in(OFFICER), &address);
    browser.open(&format!("{address}/aim"));
    browser.wait_for("document.querySelector('.advice').textContent.startsWith('Good for standing')");
    browser
        .wait_for("Number(/, (\\d+) pictures/.exec(document.querySelector('.rate').textContent)?.[1]) >= 5");
    browser.wait_for("document.querySelector('.plates li').textContent.includes('190 px wide')");
    browser.wait_for("document.querySelector('.checks .amber').textContent.startsWith('Plate width 190 px')");

    site.unit.raise(stolen("77KLM2", 0));
    browser.wait_for("document.getElementById('news').textContent === 'HIGH alert: 77KLM2'");
    browser.picture(&album().join("news-360-light.png"));
    browser.open(&format!("{address}/alerts"));
    browser.wait_for("document.querySelectorAll('article').length === 3");
    assert_eq!(browser.evaluate("document.getElementById('news').hidden"), true, "called out once");
    site.unit.raise(stolen("99ZZY1", 0));
    browser.wait_for("document.querySelectorAll('article').length === 4");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

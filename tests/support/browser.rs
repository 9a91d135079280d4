//! A real browser: Chromium without a window, steered over its debugging pipe.
#![allow(dead_code, reason = "benchmarks use a part of this")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::client::Client;

/// One browser with one page. Messages are JSON, each ended by a zero byte.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    sent: u64,
    /// What the browser complained of: refused scripts, failed requests, exceptions.
    pub complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
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

    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
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

    pub fn wear_session_of(&mut self, client: &Client, address: &str) {
        let (name, value) = client.cookie.as_deref().unwrap().split_once('=').unwrap();
        let cookie = json!({
            "name": name, "value": value, "url": address, "path": "/", "secure": true, "httpOnly": true,
            "sameSite": "Strict",
        });
        self.ask("Network.setCookie", cookie);
    }

    pub fn look_like(&mut self, width: u32, scheme: &str) {
        let height = if width < 500 { 740 } else { 800 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", features);
    }

    pub fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": url}));
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    pub fn evaluate(&mut self, script: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", json!({"expression": script, "returnByValue": true}));
        answer["result"]["value"].clone()
    }

    /// A finger on the glass, or a mouse: pressed, moved along and let go, in pixels of the page.
    pub fn drag(&mut self, way: &[(f64, f64)]) {
        let touch = |browser: &mut Self, kind: &str, points: Value| {
            browser.ask("Input.dispatchTouchEvent", json!({"type": kind, "touchPoints": points}));
        };
        for (index, (x, y)) in way.iter().enumerate() {
            let kind = if index == 0 { "touchStart" } else { "touchMove" };
            touch(self, kind, json!([{"x": x, "y": y}]));
        }
        touch(self, "touchEnd", json!([]));
    }

    /// A click of a mouse, which browsers take for a person's.
    pub fn click(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const found = document.querySelector({selector:?}); found.scrollIntoView({{block: 'center'}});
             const {{left, top, width, height}} = found.getBoundingClientRect();
             return [left + width / 2, top + height / 2]; }})()"
        );
        let middle = self.evaluate(&middle);
        for kind in ["mousePressed", "mouseReleased"] {
            let at = json!({"type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", at);
        }
    }

    pub fn press(&mut self, key: &str) {
        // What the browser itself does at a key goes by these.
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            _ => (0, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    pub fn wait_for(&mut self, condition: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.evaluate(condition) != json!(true) {
            assert!(Instant::now() < until, "{condition} never came true; {:?}", self.complaints);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What axe-core holds to be serious or worse, as it words it.
    pub fn barriers(&mut self) -> Vec<String> {
        self.evaluate(include_str!("../fixtures/axe/axe.min.js"));
        let run = "axe.run({resultTypes: ['violations']}).then((found) => JSON.stringify(found.violations
            .filter((rule) => ['serious', 'critical'].includes(rule.impact))
            .map((rule) => `${rule.id}: ${rule.nodes[0].html}`)))";
        let parameters = json!({"expression": run, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", parameters);
        serde_json::from_str(answer["result"]["value"].as_str().expect("axe ran")).unwrap()
    }

    pub fn picture(&mut self, path: &Path) {
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

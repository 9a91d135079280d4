//! The real program as a process: started, listened to, told to stop, killed.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::eventually;

/// The longest that the appliance may go without feeding its watchdog.
const WATCHDOG: Duration = Duration::from_secs(4);

/// Runs a subcommand to its end.
pub fn milepost(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
    command.args(arguments).current_dir(folder).output().expect("the program starts")
}

/// Runs a subcommand that must succeed, and gives what it printed.
pub fn milepost_ok(arguments: &[&str], folder: &Path) -> String {
    let output = milepost(arguments, folder);
    assert!(output.status.success(), "milepost {arguments:?}: {}", said(&output));
    said(&output)
}

/// Everything that a run printed.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A running `milepost run`, as systemd would run it. Killed when dropped.
pub struct Appliance {
    child: Child,
    said: Arc<Mutex<String>>,
    listeners: Vec<JoinHandle<()>>,
    /// What it told the service manager, a line each; read all the time, since a queue that is full blocks it.
    told: Arc<Mutex<String>>,
}

impl Appliance {
    /// Starts it in `folder`, which holds `milepost.toml`.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[], None)
    }

    /// The same with more arguments, and with these credentials as systemd lends them.
    pub fn start_with(folder: &Path, arguments: &[&str], credentials: Option<&Path>) -> Self {
        Self::launch(folder, Command::new(env!("CARGO_BIN_EXE_milepost")), arguments, credentials)
    }

    /// Starts it where `told` lies in the place of what root tells of the network. An error where the machine does not let a
    /// test do that.
    pub fn start_told(folder: &Path, told: &Path) -> std::io::Result<Self> {
        let may = Command::new("unshare").args(["--mount", "true"]).output()?;
        if !may.status.success() {
            return Err(std::io::Error::other(said(&may)));
        }
        let own = "mount -t tmpfs run /run && mkdir /run/milepost-network && mount --bind \"$0\" /run/milepost-network && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", own]).arg(told).arg(env!("CARGO_BIN_EXE_milepost"));
        Ok(Self::launch(folder, command, &[], None))
    }

    fn launch(folder: &Path, mut program: Command, arguments: &[&str], credentials: Option<&Path>) -> Self {
        let socket = folder.join("notify.sock");
        let _ = std::fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).unwrap();
        notify.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut child = program
            .args(["run", "--config", "milepost.toml"])
            .args(arguments)
            .current_dir(folder)
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .envs(credentials.map(|folder| ("CREDENTIALS_DIRECTORY", folder)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let said = Arc::new(Mutex::new(String::new()));
        let listeners = vec![
            listen(child.stdout.take().unwrap(), Arc::clone(&said)),
            listen(child.stderr.take().unwrap(), Arc::clone(&said)),
        ];
        let told = Arc::new(Mutex::new(String::new()));
        manage(notify, Arc::downgrade(&told));
        Self { child, said, listeners, told }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged and printed so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The word behind `before` in what it logged.
    pub fn word_behind(&self, before: &str) -> String {
        let mut found = None;
        eventually(&format!("it logs {before}"), || {
            let said = self.said();
            let behind = said.split_once(before).and_then(|(_, rest)| rest.split_once(char::is_whitespace));
            found = behind.map(|(word, _)| word.trim_matches('"').to_owned());
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until it has told the service manager `line`, counted from the last call.
    pub fn tells(&mut self, line: &str) {
        self.told.lock().unwrap().clear();
        eventually(&format!("it tells systemd {line}"), || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", self.said());
            self.has_told(line)
        });
    }

    /// Waits until it ends by itself.
    pub fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("it ends by itself", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn has_told(&self, line: &str) -> bool {
        self.told.lock().unwrap().lines().any(|told| told == line)
    }

    /// SIGTERM, as `systemctl stop` does; gives the exit status, how long it took to end, and all that it had logged.
    /// Fails if it does not tell that it stops.
    pub fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let asked = Instant::now();
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let mut status = None;
        eventually("it ends when told to", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let took = asked.elapsed();
        self.listeners.drain(..).for_each(|listener| listener.join().unwrap());
        eventually("the service manager has read it all", || self.has_told("STOPPING=1"));
        (status.unwrap(), took, self.said())
    }

    /// `kill -9`; gives all that it had logged.
    pub fn kill(mut self) -> String {
        self.end();
        self.said()
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.listeners.drain(..).for_each(|listener| listener.join().unwrap());
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("the appliance said:\n{}", self.said());
        }
    }
}

/// The service manager, for as long as somebody wants to know.
fn manage(notify: UnixDatagram, told: Weak<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut datagram = [0; 4096];
        while let Some(told) = told.upgrade() {
            if let Ok(length) = notify.recv(&mut datagram) {
                *told.lock().unwrap() += &format!("{}\n", String::from_utf8_lossy(&datagram[..length]));
            }
        }
    });
}

fn listen(stream: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            *said.lock().unwrap() += &format!("{line}\n");
        }
    })
}

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The example broker that ships.
const CONFIGURATION: &str = include_str!("../../config/mosquitto/mosquitto.conf");
const ACCESS: &str = include_str!("../../config/mosquitto/acl");

/// A real mosquitto on a free loopback port, with the shipped configuration, for as long as this value lives.
pub struct Broker {
    child: Child,
    pub port: u16,
}

impl Broker {
    /// `folder` holds `authority.pem`, `broker.pem` and `broker.key`.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
        };
        write("acl", ACCESS)?;
        write("mosquitto.conf", &configuration(folder, port))?;
        let child = spawn(&folder.join("mosquitto.conf"), &folder.join("mosquitto.log"))?;
        let mut broker = Self { child, port };
        broker.wait_until_it_listens(folder)?;
        Ok(broker)
    }

    fn wait_until_it_listens(&mut self, folder: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(folder.join("mosquitto.log")).unwrap_or_default();
                bail!("mosquitto did not come up; it says:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shipped configuration with this folder's paths and port.
fn configuration(folder: &Path, port: u16) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let ours = |key: &str| match key {
        "listener" => Some(format!("{port} 127.0.0.1")),
        "cafile" => Some(path("authority.pem")),
        "certfile" => Some(path("broker.pem")),
        "keyfile" => Some(path("broker.key")),
        "acl_file" => Some(path("acl")),
        "persistence_location" => Some(format!("{}/", folder.display())),
        _ => None,
    };
    let mut text = String::new();
    for line in CONFIGURATION.lines() {
        let key = line.split(' ').next().unwrap_or_default();
        match ours(key) {
            Some(value) => text += &format!("{key} {value}\n"),
            None => text += &format!("{line}\n"),
        }
    }
    // Started by root it would drop to a user that cannot read a private folder.
    text + "user root\n"
}

fn spawn(configuration: &Path, log: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::create(log).with_context(|| format!("{} cannot be made", log.display()))?;
    // Debian installs it in sbin, which is not on everyone's path.
    for program in ["mosquitto", "/usr/sbin/mosquitto"] {
        let mut command = Command::new(program);
        command.arg("-c").arg(configuration).stdin(Stdio::null());
        match command.stdout(log.try_clone()?).stderr(log.try_clone()?).spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            result => return result.context("mosquitto could not be started"),
        }
    }
    bail!("mosquitto is not installed: apt-get install mosquitto")
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

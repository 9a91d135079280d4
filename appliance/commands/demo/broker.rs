use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A real mosquitto on a free loopback port with mutual TLS, for as long as this value lives.
pub struct Broker {
    child: Child,
    pub port: u16,
}

/// The files that the broker shows and trusts.
pub struct BrokerFiles {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Who may read and write which topics.
    pub access: PathBuf,
}

impl Broker {
    pub fn start(folder: &Path, files: &BrokerFiles) -> anyhow::Result<Self> {
        let port = free_port()?;
        let configuration = folder.join("mosquitto.conf");
        std::fs::write(&configuration, configuration_text(port, files))
            .with_context(|| format!("{} cannot be written", configuration.display()))?;
        let child = spawn(&configuration, &folder.join("mosquitto.log"))?;
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

fn configuration_text(port: u16, files: &BrokerFiles) -> String {
    let BrokerFiles { authority, certificate, key, access } = files;
    // Started as root it would drop to a user that cannot read the demo's private files.
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    format!(
        "listener {port} 127.0.0.1\nuser {user}\nallow_anonymous false\nacl_file {}\n\
         cafile {}\ncertfile {}\nkeyfile {}\ntls_version tlsv1.3\n\
         require_certificate true\nuse_identity_as_username true\n\
         persistence false\nmax_queued_messages 0\nlog_type error\nlog_type warning\n",
        access.display(),
        authority.display(),
        certificate.display(),
        key.display(),
    )
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

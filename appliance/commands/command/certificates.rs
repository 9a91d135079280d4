use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;

use super::Desk;
use crate::command::{Act, CommandResult};
use crate::enroll::{Offer, Statement};
use crate::words::UnitId;

#[derive(Debug, clap::Args)]
pub struct Request {
    /// The folder to which each request is written, as UNIT.csr
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    proof: Proof,
}

#[derive(Debug, clap::Args)]
pub struct Install {
    /// What the authority signed (PEM), with the certificates between; {unit} in its name stands for the unit
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Signs: run by `sh -c` for each unit, with the request on its standard input and the unit's name as $UNIT; prints the
    /// certificate, with those between it and the authority
    #[arg(long, value_name = "PROGRAM")]
    sign_with: String,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    proof: Proof,
}

#[derive(Debug, clap::Args)]
struct Trust {
    /// Whom the unit is to trust from then on (PEM); without it, whom it trusts now. Give the old and the new one in one file
    /// while the broker changes from one to the other
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Proof {
    /// The authority that signed the unit's present certificate (PEM), if it is not the broker's. A unit signs its request with
    /// that certificate's key, so that nobody at the broker can put in another
    #[arg(long, value_name = "FILE")]
    present_authority: Option<PathBuf>,
}

impl Request {
    pub fn run(self, desk: &Desk, units: &[UnitId]) -> anyhow::Result<bool> {
        let answers =
            desk.send(units.iter().map(|unit| (unit.clone(), Act::RequestCertificate {})).collect())?;
        for result in &answers.done {
            let path = self.out.join(format!("{}.csr", result.unit));
            std::fs::write(&path, self.proof.request_of(result, desk)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
        Ok(answers.all)
    }
}

impl Install {
    pub fn run(self, desk: &Desk, units: &[UnitId]) -> anyhow::Result<bool> {
        ensure!(
            self.certificate.is_some() || self.trust.authority.is_some(),
            "give --certificate FILE, --authority FILE, or both"
        );
        let authority = self.trust.pem()?;
        let mut orders = Vec::new();
        for unit in units {
            let certificate = match &self.certificate {
                Some(path) => read(Path::new(&path.display().to_string().replace("{unit}", unit.as_str())))?,
                None => String::new(),
            };
            let offer = Offer { certificate, authority: authority.clone() };
            orders.push((unit.clone(), Act::InstallCertificate(offer)));
        }
        Ok(desk.send(orders)?.all)
    }
}

impl Rotate {
    pub fn run(self, desk: &Desk, units: &[UnitId]) -> anyhow::Result<bool> {
        let authority = self.trust.pem()?;
        let asked =
            desk.send(units.iter().map(|unit| (unit.clone(), Act::RequestCertificate {})).collect())?;
        let mut orders = Vec::new();
        for result in &asked.done {
            let request = self.proof.request_of(result, desk)?;
            let certificate = sign(&self.sign_with, &result.unit, &request)?;
            let offer = Offer { certificate, authority: authority.clone() };
            orders.push((result.unit.clone(), Act::InstallCertificate(offer)));
        }
        if orders.is_empty() {
            return Ok(false);
        }
        Ok(desk.send(orders)?.all && asked.all)
    }
}

impl Trust {
    fn pem(&self) -> anyhow::Result<String> {
        self.authority.as_deref().map_or(Ok(String::new()), read)
    }
}

impl Proof {
    /// The request in a unit's answer, if that unit signed it.
    fn request_of(&self, result: &CommandResult, desk: &Desk) -> anyhow::Result<String> {
        let unit = &result.unit;
        let statement = result.request.as_ref().with_context(|| format!("{unit} sent no request"))?;
        let authority = self.present_authority.as_deref().unwrap_or(desk.broker.authority());
        let opened = Statement::open(&statement.to_json(), authority, Timestamp::now());
        let (name, request) = opened.with_context(|| {
            format!("whether {unit} made this request cannot be told, so it must not be signed")
        })?;
        ensure!(
            name == unit.as_str(),
            "the request in the name of {unit} was signed by {name}: do not sign it"
        );
        Ok(request)
    }
}

/// Has the department's program sign a request.
fn sign(program: &str, unit: &UnitId, request: &str) -> anyhow::Result<String> {
    let mut child = Command::new("sh")
        .args(["-c", program])
        .env("UNIT", unit.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the program that signs cannot be started")?;
    // A request is far smaller than a pipe. A program that does not read it says why by its status.
    let _ = child.stdin.take().expect("it was asked for").write_all(request.as_bytes());
    let output = child.wait_with_output().context("the program that signs cannot be waited for")?;
    if !output.status.success() {
        bail!("the program that signs ended with {} for {unit}", output.status);
    }
    String::from_utf8(output.stdout).context("the program that signs printed no text")
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

//! An edition to the broker: retained, acknowledged, and the superseded one cleared away.
//!
//! Order: the delta (units that can follow it need no snapshot), the chunks, then the manifest, so that
//! whoever sees the manifest finds its chunks; only when the broker hands the new manifest out is the old edition
//! cleared. Publishing the same message twice is harmless, so after any fault the connection is made anew and
//! everything unacknowledged is sent again: the client library would drop or mix up what it had in flight.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rumqttc::{Client, Event, Incoming, MqttOptions, Outgoing, QoS, Transport};
use serde::Deserialize;

use super::edition::Summary;
use crate::crypto::{Digest, hex, random};
use crate::delivery::LinkFault;
use crate::delivery::tls::client_config;
use crate::hotlist::{MESSAGE_MAX, Topic};
use crate::words::ListName;

/// Messages on their way without an acknowledgement. Below the client's own limit ([`IN_FLIGHT`]), which it
/// must never reach: there it mixes up packet ids.
const WINDOW: usize = 16;
const IN_FLIGHT: u16 = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Connections in a row that got nothing done before it gives up.
const FRUITLESS_MAX: u32 = 5;
/// How long the broker may take to hand out the manifest that it acknowledged.
const HAND_OUT: Duration = Duration::from_secs(20);
/// After this long without a retained message of the old edition there is none.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct Publish {
    /// The edition folder that `sign` made
    edition: PathBuf,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// The broker, and who we are to it.
#[derive(Debug, clap::Args)]
pub struct BrokerArgs {
    /// The broker, as HOST or HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    broker: Broker,
    /// The authority that signed the broker's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// The certificate that the broker knows you by (PEM)
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl BrokerArgs {
    /// Whom the broker's certificate must be signed by.
    pub fn authority(&self) -> &Path {
        &self.ca
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Broker {
    host: String,
    port: u16,
}

impl std::str::FromStr for Broker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("{port:?} is not a port"))?),
            None => (text, 8883),
        };
        if host.is_empty() {
            Err("the broker has no host name".to_owned())
        } else {
            Ok(Self { host: host.to_owned(), port })
        }
    }
}

/// One message.
pub struct Message {
    topic: String,
    payload: Payload,
    retain: bool,
}

enum Payload {
    /// Chunks are read when they are sent.
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Message {
    /// For whoever is subscribed now, also if it is away for a while.
    pub fn once(topic: String, payload: Vec<u8>) -> Self {
        Self { topic, payload: Payload::Bytes(payload), retain: false }
    }

    /// For whoever comes, too.
    pub fn retained(topic: String, payload: Vec<u8>) -> Self {
        Self { topic, payload: Payload::Bytes(payload), retain: true }
    }

    /// The same from a file.
    fn kept(topic: &Topic, file: PathBuf) -> Self {
        Self { topic: topic.to_string(), payload: Payload::File(file), retain: true }
    }

    fn payload(&self) -> anyhow::Result<Vec<u8>> {
        match &self.payload {
            Payload::File(path) => {
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
            }
            Payload::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    /// Takes away what is kept under this topic.
    fn cleared(topic: &Topic) -> Self {
        Self { topic: topic.to_string(), payload: Payload::Bytes(Vec::new()), retain: true }
    }
}

impl Publish {
    pub fn run(self) -> anyhow::Result<()> {
        let summary = Summary::read(&self.edition)?;
        self.check(&summary).with_context(|| format!("{} cannot be published", self.edition.display()))?;
        let mut link = Link::new(&self.broker)?;
        let old = link.retained(&summary.list)?;
        old.leads_to(&summary)?;
        let messages = self.messages(&summary);
        link.send(&messages, "publishing")?;
        let manifest = Topic::Manifest(summary.list.clone()).to_string();
        if summary.chunks.is_some() {
            link.wait_for(&manifest, &std::fs::read(self.edition.join("manifest.json"))?)?;
            link.send(&old.superseded(&summary), "clearing the edition before")?;
        }
        println!(
            "{} version {} is on the broker: {} messages",
            summary.list,
            summary.version,
            messages.len()
        );
        Ok(())
    }

    /// That it is whole: half an edition would reach the broker, and only units would notice.
    fn check(&self, summary: &Summary) -> anyhow::Result<()> {
        let read = |name: &str| {
            let path = self.edition.join(name);
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        if summary.delta {
            read("delta")?;
        }
        if summary.chunks.is_some() {
            let json = read("manifest.json")?;
            let announced = PublishedManifest::read(&json).context("manifest.json is damaged")?;
            for (index, digest) in announced.chunks.iter().enumerate() {
                let chunk = read(&format!("chunks/{index}"))?;
                ensure!(
                    Digest::of(&chunk) == *digest,
                    "chunk {index} is not the one that was signed; sign the list anew"
                );
            }
        }
        Ok(())
    }

    fn messages(&self, summary: &Summary) -> Vec<Message> {
        let Summary { list, version, .. } = summary;
        let file = |topic: Topic, name: String| Message::kept(&topic, self.edition.join(name));
        let delta = summary
            .delta
            .then(|| file(Topic::Delta { list: list.clone(), version: *version }, "delta".to_owned()));
        let chunks = (0..summary.chunks.unwrap_or(0)).map(|index| {
            file(Topic::Chunk { list: list.clone(), version: *version, index }, format!("chunks/{index}"))
        });
        let manifest =
            summary.chunks.map(|_| file(Topic::Manifest(list.clone()), "manifest.json".to_owned()));
        delta.into_iter().chain(chunks).chain(manifest).collect()
    }
}

/// What the broker retained of the list before.
#[derive(Default)]
struct Retained {
    /// Version and number of chunks of the snapshot.
    snapshot: Option<(u64, u32)>,
    deltas: Vec<u64>,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

/// As much of a manifest as is needed to send it, and later to clear it away. Units check its signature.
#[derive(Deserialize)]
struct PublishedManifest {
    version: u64,
    chunks: Vec<Digest>,
}

impl PublishedManifest {
    fn read(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice::<Envelope>(json).and_then(|envelope| serde_json::from_str(&envelope.payload))
    }
}

impl Retained {
    fn note(&mut self, topic: &str, payload: &[u8]) {
        match Topic::parse(topic) {
            Some(Topic::Manifest(_)) => {
                let old = PublishedManifest::read(payload).ok();
                self.snapshot = old.map(|old| (old.version, old.chunks.len() as u32));
            }
            Some(Topic::Delta { version, .. }) => self.deltas.push(version),
            _ => {}
        }
    }

    /// Refuses what units would refuse or could not follow, before anything of it reaches them.
    fn leads_to(&self, new: &Summary) -> anyhow::Result<()> {
        let snapshot = self.snapshot.map(|(version, _)| version);
        let Some(newest) = self.deltas.iter().copied().chain(snapshot).max() else { return Ok(()) };
        let Summary { list, version, .. } = new;
        ensure!(
            *version >= newest,
            "the broker has version {newest} of {list} already, and units take nothing older: sign with a version above it"
        );
        if let (true, None, Some(base)) = (*version > newest, new.chunks, new.base) {
            ensure!(
                base == newest,
                "the broker has version {newest} of {list}, and this delta leads on from {base}: sign with \
                 --previous-version {newest}, or publish a snapshot"
            );
        }
        Ok(())
    }

    /// Chunks of an older snapshot, and deltas that lead to versions from which no unit is to follow.
    fn superseded(&self, new: &Summary) -> Vec<Message> {
        let list = &new.list;
        let (version, chunks) =
            self.snapshot.filter(|(version, _)| *version < new.version).unwrap_or_default();
        let chunks = (0..chunks).map(|index| Topic::Chunk { list: list.clone(), version, index });
        let oldest = new.base.unwrap_or(new.version);
        let deltas = self.deltas.iter().filter(|&&version| version <= oldest);
        let deltas = deltas.map(|&version| Topic::Delta { list: list.clone(), version });
        chunks.chain(deltas).map(|topic| Message::cleared(&topic)).collect()
    }
}

/// The way to the broker; makes a new connection for each task and after each fault.
pub struct Link {
    options: MqttOptions,
    fruitless: u32,
}

/// A connection that is up.
struct Session {
    client: Client,
    connection: rumqttc::Connection,
}

impl Link {
    pub fn new(args: &BrokerArgs) -> anyhow::Result<Self> {
        let id = format!("milepost-publish-{}", hex(&random::<4>()));
        let mut options = MqttOptions::new(id, &args.broker.host, args.broker.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(true)
            .set_inflight(IN_FLIGHT)
            .set_max_packet_size(MESSAGE_MAX + 1024, MESSAGE_MAX + 1024)
            .set_transport(Transport::tls_with_config(
                client_config(&args.ca, &args.cert, &args.key)?.into(),
            ));
        Ok(Self { options, fruitless: 0 })
    }

    /// What is retained under the list's manifest and deltas now.
    fn retained(&mut self, list: &ListName) -> anyhow::Result<Retained> {
        loop {
            let filters = [Topic::Manifest(list.clone()).to_string(), Topic::all_deltas(list)];
            match self.connect().and_then(|session| session.listen(&filters)) {
                Ok(retained) => return Ok(retained),
                Err(error) => self.pause(error)?,
            }
        }
    }

    /// Returns once every message is acknowledged.
    pub fn send(&mut self, messages: &[Message], doing: &str) -> anyhow::Result<()> {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
            .expect("the template is right");
        let bar = ProgressBar::new(messages.len() as u64).with_style(style).with_message(doing.to_owned());
        let mut left: VecDeque<usize> = (0..messages.len()).collect();
        while !left.is_empty() {
            let before = left.len();
            let sent = self.connect().and_then(|session| session.send(messages, &mut left, &bar));
            if left.len() < before {
                self.fruitless = 0;
            }
            if let Err(error) = sent {
                self.pause(error)?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Returns once the broker hands this message out: an acknowledgement alone does not say that the access
    /// list let it through.
    pub fn wait_for(&mut self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        let deadline = Instant::now() + HAND_OUT;
        while Instant::now() < deadline {
            match self.connect().and_then(|session| session.hears(topic, payload)) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => self.pause(error)?,
            }
        }
        bail!(
            "the broker acknowledged {topic} but does not hand it out: may this certificate write and read it?"
        )
    }

    /// Sends messages, and gives each answer under these filters to `hear` until it wants no more or the time is
    /// over. Over a new connection the messages are sent again: whoever answers must be able to bear that.
    pub fn ask(
        &mut self,
        messages: &[Message],
        filters: &[String],
        patience: Duration,
        mut hear: impl FnMut(&[u8]) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let asked =
                self.connect().and_then(|session| session.ask(messages, filters, deadline, &mut hear));
            match asked {
                Ok(()) => return Ok(()),
                Err(error) => self.pause(error)?,
            }
        }
        Ok(())
    }

    fn connect(&self) -> anyhow::Result<Session> {
        let (client, mut connection) = Client::new(self.options.clone(), 2 * WINDOW);
        match connection.recv().map_err(|_| LinkFault::Silent)? {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => Ok(Session { client, connection }),
            Ok(other) => bail!("the broker answered a connect with {other:?}"),
            Err(error) => Err(LinkFault::from(error).into()),
        }
    }

    fn pause(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        self.fruitless += 1;
        if self.fruitless >= FRUITLESS_MAX {
            let (host, port) = self.options.broker_address();
            return Err(error.context(format!("cannot publish to {host}:{port}")));
        }
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    }
}

impl Session {
    fn event(&mut self) -> anyhow::Result<Event> {
        let event = self.connection.recv().map_err(|_| LinkFault::Silent)?;
        Ok(event.map_err(LinkFault::from)?)
    }

    /// Keep-alive answers come every few seconds, so waiting for an event never lasts.
    fn listen(mut self, filters: &[String]) -> anyhow::Result<Retained> {
        for filter in filters {
            self.client.subscribe(filter, QoS::AtLeastOnce)?;
        }
        let mut retained = Retained::default();
        let mut granted = 0;
        let mut heard = Instant::now();
        while granted < filters.len() || heard.elapsed() < QUIET {
            match self.event()? {
                Event::Incoming(Incoming::SubAck(_)) => (granted, heard) = (granted + 1, Instant::now()),
                Event::Incoming(Incoming::Publish(message)) => {
                    retained.note(&message.topic, &message.payload);
                    heard = Instant::now();
                }
                _ => {}
            }
        }
        Ok(retained)
    }

    fn send(
        mut self,
        messages: &[Message],
        left: &mut VecDeque<usize>,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        let mut next = 0;
        let mut submitted = VecDeque::new();
        let mut by_id = HashMap::new();
        while !left.is_empty() {
            while submitted.len() + by_id.len() < WINDOW {
                let Some(index) = left.iter().copied().find(|index| *index >= next) else { break };
                let payload = messages[index].payload()?;
                let Message { topic, retain, .. } = &messages[index];
                self.client.publish(topic, QoS::AtLeastOnce, *retain, payload)?;
                submitted.push_back(index);
                next = index + 1;
            }
            match self.event()? {
                Event::Outgoing(Outgoing::Publish(id)) => {
                    by_id.extend(submitted.pop_front().map(|index| (id, index)));
                }
                Event::Incoming(Incoming::PubAck(ack)) => {
                    if let Some(index) = by_id.remove(&ack.pkid) {
                        left.retain(|&waiting| waiting != index);
                        bar.inc(1);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn ask(
        mut self,
        messages: &[Message],
        filters: &[String],
        deadline: Instant,
        hear: &mut impl FnMut(&[u8]) -> bool,
    ) -> anyhow::Result<()> {
        for filter in filters {
            self.client.subscribe(filter, QoS::AtLeastOnce)?;
        }
        let mut granted = 0;
        // Keep-alive answers come every few seconds, so this ends soon after the deadline.
        while Instant::now() < deadline {
            match self.event()? {
                Event::Incoming(Incoming::SubAck(_)) => {
                    granted += 1;
                    if granted == filters.len() {
                        for message in messages {
                            let payload = message.payload()?;
                            self.client.publish(&message.topic, QoS::AtLeastOnce, message.retain, payload)?;
                        }
                    }
                }
                Event::Incoming(Incoming::Publish(answer)) if !hear(&answer.payload) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    fn hears(mut self, topic: &str, payload: &[u8]) -> anyhow::Result<bool> {
        self.client.subscribe(topic, QoS::AtLeastOnce)?;
        let started = Instant::now();
        while started.elapsed() < QUIET {
            if let Event::Incoming(Incoming::Publish(message)) = self.event()?
                && message.topic == topic
            {
                return Ok(message.payload == payload);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_published_that_units_could_not_follow() {
        let retained = Retained { snapshot: Some((5, 3)), deltas: vec![6, 7] };
        let edition = |version, base, chunks: Option<u32>| Summary {
            list: ListName::parse("state").unwrap(),
            version,
            base,
            issued: jiff::Timestamp::UNIX_EPOCH,
            entries: 1,
            chunks,
            delta: base.is_some(),
        };
        let says = |edition: Summary| retained.leads_to(&edition).err().map(|error| error.to_string());
        assert!(says(edition(6, None, Some(1))).unwrap().contains("has version 7"));
        assert!(says(edition(8, Some(6), None)).unwrap().contains("--previous-version 7"));
        for good in [edition(8, Some(7), None), edition(8, None, Some(1)), edition(7, Some(6), None)] {
            assert_eq!(says(good), None);
        }
        assert!(Retained::default().leads_to(&edition(1, None, Some(1))).is_ok());
    }
}

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnAck, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, Publish, QoS,
    SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::config::{Broker, Window};
use super::fault::LinkFault;
use super::tls::{Credentials, Identity};

/// One connection to the broker, from CONNACK to its end; the only place that knows the MQTT client library.
///
/// Three habits keep it from losing messages:
/// - Each connection has a client of its own. The library's way of resending by itself drops everything when
///   the broker has forgotten the session, and confuses packet ids over reconnects; so what is unacknowledged
///   is its user's alone to submit again.
/// - At most [`Window::MOST`] messages may be unacknowledged, under the library's 64 packet ids.
/// - The library's event loop is never cancelled: a poll given up while the socket is full forgets the packet
///   it was writing. So it has a task of its own, which ends with the connection.
pub struct Link {
    client: AsyncClient,
    events: mpsc::Receiver<LinkEvent>,
    pump: JoinHandle<()>,
    asked: Asked,
    /// How surely the broker is to send what we ask for.
    quality: QoS,
    /// The broker still has our subscriptions and what it queued for us.
    pub session_present: bool,
}

/// Filters whose subscription the broker has not answered, in the order of asking.
type Asked = Arc<Mutex<VecDeque<String>>>;

/// What a connection tells.
#[derive(Debug)]
pub enum LinkEvent {
    /// The oldest published message that was not told of yet has this packet id.
    Sent(u16),
    Acknowledged(u16),
    Arrived(Arrival),
    /// The broker has answered all that we asked for so far. Before, a connection may end and leave a session behind
    /// without subscriptions.
    Subscribed,
    /// The broker will not send us what this filter asks for.
    SubscriptionRefused {
        filter: String,
    },
    Lost(LinkFault),
}

/// A message from the broker. It is delivered again over the next connection until it is accepted.
#[derive(Debug)]
pub struct Arrival(Publish);

impl Arrival {
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    pub fn is_retained(&self) -> bool {
        self.0.retain
    }
}

/// What the broker is to send us.
pub struct Subscriptions {
    pub filters: Vec<String>,
    /// Subscribe also when the broker still knows the session. It then sends all retained messages once more,
    /// which may be a whole hot list: so only until [`LinkEvent::Subscribed`], and after a start, when the filters may
    /// have changed.
    pub renew: bool,
}

/// A message that the broker keeps for whoever comes later.
pub struct Retained {
    pub topic: String,
    pub payload: Vec<u8>,
}

const INFLIGHT: u16 = 64;
const _: () = assert!(Window::MOST < INFLIGHT);

/// Events that may wait to be taken; past them the broker's messages wait in the connection.
const EVENTS: usize = 1024;

/// Requests to the client that may queue. Every message that came may be acknowledged while nothing leaves, and how many
/// come without waiting for that is the broker's to say: mosquitto sends 20, ours 200, others all that they have. What
/// does not queue takes no memory; and past this bound the connection is given up.
const REQUESTS: usize = 1 << 20;

/// How long a message may take to leave for the socket: a picture of 500 kB over 64 kbit/s.
const FLUSH_TIMEOUT_S: u64 = 60;

impl Link {
    /// Connects with a kept session, as whom the configured files name.
    pub async fn open(
        broker: &Broker,
        client_id: &str,
        will: Option<Retained>,
        subscriptions: &Subscriptions,
    ) -> Result<Self, LinkFault> {
        Self::open_as(&broker.identity()?, broker, client_id, will, subscriptions).await
    }

    /// Connects with a kept session. `will` is what the broker publishes when we vanish.
    pub async fn open_as(
        identity: &Identity,
        broker: &Broker,
        client_id: &str,
        will: Option<Retained>,
        subscriptions: &Subscriptions,
    ) -> Result<Self, LinkFault> {
        let mut options = options(identity, broker, client_id)?;
        options.set_clean_session(false);
        Self::connect(options, broker, will, subscriptions, QoS::AtLeastOnce).await
    }

    /// Connects without a kept session: for whoever needs only what the broker retains and what comes from now on. What
    /// comes while there is no connection queues nowhere, and nothing is to be accepted: a broker sends all that it
    /// retains at once, tens of thousands of messages, and acknowledgements could not keep up with that.
    pub async fn listen(broker: &Broker, client_id: &str, filters: Vec<String>) -> Result<Self, LinkFault> {
        let mut options = options(&broker.identity()?, broker, client_id)?;
        options.set_clean_session(true);
        Self::connect(options, broker, None, &Subscriptions { filters, renew: true }, QoS::AtMostOnce).await
    }

    async fn connect(
        mut options: MqttOptions,
        broker: &Broker,
        will: Option<Retained>,
        subscriptions: &Subscriptions,
        quality: QoS,
    ) -> Result<Self, LinkFault> {
        options.set_manual_acks(true).set_inflight(INFLIGHT);
        if let Some(will) = will {
            options.set_last_will(LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, true));
        }
        let (client, mut event_loop) = client(options);
        let connack = connack(&mut event_loop, broker).await?;
        let (sender, events) = mpsc::channel(EVENTS);
        let asked = Asked::default();
        let pump = tokio::spawn(pump(event_loop, asked.clone(), sender));
        let link = Self { client, events, pump, asked, quality, session_present: connack.session_present };
        if subscriptions.renew || !link.session_present {
            // One packet each, so that a refusal names its filter.
            subscriptions.filters.iter().try_for_each(|filter| link.subscribe(filter.clone()))?;
        }
        Ok(link)
    }

    /// Whether the broker takes this identity, over a connection that leaves nothing behind. `client_id` must be none
    /// of a session that is up: the broker would end that one.
    pub async fn prove(identity: &Identity, broker: &Broker, client_id: &str) -> Result<(), LinkFault> {
        let mut options = options(identity, broker, client_id)?;
        options.set_clean_session(true);
        let (client, mut event_loop) = client(options);
        connack(&mut event_loop, broker).await?;
        // Said and not waited for: the proof is there.
        if client.try_disconnect().is_ok() {
            let _ = tokio::time::timeout(Duration::from_millis(200), event_loop.poll()).await;
        }
        Ok(())
    }

    /// Asks for what this filter matches; the broker then sends what it retains under it, also again.
    pub fn subscribe(&self, filter: String) -> Result<(), LinkFault> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push_back(filter.clone());
        let filters = [SubscribeFilter::new(filter, self.quality)];
        self.client.try_subscribe_many(filters).map_err(|_| LinkFault::Silent)
    }

    pub fn unsubscribe(&self, filter: String) -> Result<(), LinkFault> {
        self.client.try_unsubscribe(filter).map_err(|_| LinkFault::Silent)
    }

    /// The next event; after `Lost` there is none.
    pub async fn next(&mut self) -> LinkEvent {
        self.events.recv().await.unwrap_or(LinkEvent::Lost(LinkFault::Closed))
    }

    /// An event that is there already.
    pub fn try_next(&mut self) -> Option<LinkEvent> {
        self.events.try_recv().ok()
    }

    /// Hands a message over, at least once. Does not wait.
    pub fn publish(&self, topic: String, payload: Vec<u8>, retain: bool) -> Result<(), LinkFault> {
        self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload).map_err(|_| LinkFault::Silent)
    }

    /// Tells the broker that this message is dealt with.
    pub fn accept(&self, arrival: &Arrival) -> Result<(), LinkFault> {
        self.client.try_ack(&arrival.0).map_err(|_| LinkFault::Silent)
    }

    /// Says good-bye, so that the last will is not published. Waits for the broker to hang up: closing first,
    /// with its acknowledgements unread, could reset the connection before the good-bye was heard.
    pub async fn close(mut self) {
        if self.client.try_disconnect().is_ok() {
            let gone = async { while !matches!(self.next().await, LinkEvent::Lost(_)) {} };
            let _ = tokio::time::timeout(Duration::from_secs(2), gone).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

fn options(identity: &Identity, broker: &Broker, client_id: &str) -> Result<MqttOptions, LinkFault> {
    let tls = Arc::new(identity.client_config()?);
    let limit = broker.max_packet_bytes.get() as usize;
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port.get());
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
        .set_keep_alive(Duration::from_secs(broker.keepalive_s.get().into()))
        .set_max_packet_size(limit, limit);
    Ok(options)
}

fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
    let (client, mut event_loop) = AsyncClient::new(options, REQUESTS);
    let mut network = event_loop.network_options();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(FLUSH_TIMEOUT_S);
    event_loop.set_network_options(network);
    (client, event_loop)
}

/// The broker's welcome, within the time that a connection may take to stand.
async fn connack(event_loop: &mut EventLoop, broker: &Broker) -> Result<ConnAck, LinkFault> {
    let welcome = async {
        loop {
            if let Event::Incoming(Packet::ConnAck(connack)) = event_loop.poll().await? {
                return Ok(connack);
            }
        }
    };
    let patience = Duration::from_secs(broker.connect_timeout_s.get().into());
    tokio::time::timeout(patience, welcome).await.map_err(|_| LinkFault::Silent)?
}

async fn pump(mut event_loop: EventLoop, asked: Asked, events: mpsc::Sender<LinkEvent>) {
    loop {
        let event = match event_loop.poll().await {
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => LinkEvent::Sent(packet),
            Ok(Event::Incoming(Packet::PubAck(ack))) => LinkEvent::Acknowledged(ack.pkid),
            Ok(Event::Incoming(Packet::Publish(publish))) => LinkEvent::Arrived(Arrival(publish)),
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let (filter, all_answered) = {
                    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                    (asked.pop_front(), asked.is_empty())
                };
                let refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                if let Some(filter) = filter.filter(|_| refused)
                    && events.send(LinkEvent::SubscriptionRefused { filter }).await.is_err()
                {
                    return;
                }
                if !all_answered {
                    continue;
                }
                LinkEvent::Subscribed
            }
            Ok(_) => continue,
            Err(error) => LinkEvent::Lost(error.into()),
        };
        let lost = matches!(event, LinkEvent::Lost(_));
        if events.send(event).await.is_err() || lost {
            return;
        }
    }
}

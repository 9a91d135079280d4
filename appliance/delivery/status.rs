use jiff::Timestamp;
use serde::Serialize;

use super::fault::LinkFault;

/// How the link to the broker is and what went over it since the program started. Cheap to read at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    pub link: LinkState,
    /// Whether the session shows an identity that is on trial ([`Delivery::switch`](super::Delivery::switch)).
    pub on_trial: bool,
    /// The broker has answered all that was subscribed to since the start.
    pub answered: bool,
    /// The last fault, also when it has passed.
    pub last_fault: Option<PastFault>,
    pub connections: u64,
    /// Messages that wait for the broker's acknowledgement.
    pub in_flight: usize,
    /// Records that the broker has and that no receiver has answered for.
    pub awaiting_receipt: usize,
    pub last_receipt: Option<Timestamp>,
    /// The broker takes messages, and no receipt has come for twice the time-out: the receiver is down, or its
    /// key is not ours, or the broker's access list drops what we send.
    pub receiver_silent: bool,
    /// A topic that the broker will not send us what is on, over this connection.
    pub subscription_refused: Option<LinkFault>,
    pub counts: Counts,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LinkState {
    Connecting,
    Connected { since: Timestamp },
    Down { since: Timestamp, fault: LinkFault, mend: &'static str },
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastFault {
    pub at: Timestamp,
    pub fault: LinkFault,
}

/// What was counted since the program started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages handed to the network, and those of them with records sent before.
    pub messages: u64,
    pub records_sent_again: u64,
    /// Records that the broker acknowledged.
    pub records_published: u64,
    /// Records that a receipt was accepted for.
    pub records_received: u64,
    /// Receipts with a wrong signature, an unknown key or another unit's name.
    pub receipts_refused: u64,
    /// Lines of receipts for records that are not (or no longer) here.
    pub receipts_unknown: u64,
    /// Lines of receipts with another digest than ours.
    pub receipts_differing: u64,
    /// Records that could not be read or were too large to send.
    pub records_unfit: u64,
    /// Lists and commands that came faster than they were taken, or on unknown topics.
    pub inbound_dropped: u64,
}

/// Of a link that was never there.
impl Default for LinkStatus {
    fn default() -> Self {
        Self {
            link: LinkState::Connecting,
            on_trial: false,
            answered: false,
            last_fault: None,
            connections: 0,
            in_flight: 0,
            awaiting_receipt: 0,
            last_receipt: None,
            receiver_silent: false,
            subscription_refused: None,
            counts: Counts::default(),
        }
    }
}

impl LinkStatus {
    /// What keeps records from arriving, and what a person can do about it; None while all is well.
    pub fn trouble(&self) -> Option<String> {
        let told = |fault: &LinkFault| format!("{fault}: {}", fault.mend());
        match &self.link {
            LinkState::Down { fault, .. } => Some(told(fault)),
            LinkState::Connected { .. } => match &self.subscription_refused {
                Some(fault) => Some(told(fault)),
                None if self.receiver_silent => Some(told(&LinkFault::Unreceipted)),
                None => None,
            },
            LinkState::Connecting | LinkState::Stopped => None,
        }
    }

    pub fn is_connected(&self) -> bool {
        matches!(self.link, LinkState::Connected { .. })
    }
}

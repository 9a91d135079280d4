//! Messages that were handed on and have not been dealt with yet. The broker is not told that they came before they
//! were: what a power cut takes from the unit, the broker sends again.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::link::Arrival;

/// Held by whoever deals with a message; dropped, it tells that this is done.
#[derive(Debug)]
pub struct Claim {
    number: u64,
    dealt_with: mpsc::UnboundedSender<u64>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Without a session there is no broker to tell.
        let _ = self.dealt_with.send(self.number);
    }
}

pub(super) struct Claims {
    next: u64,
    /// Those of this connection.
    open: HashMap<u64, Arrival>,
    sender: mpsc::UnboundedSender<u64>,
    dealt_with: mpsc::UnboundedReceiver<u64>,
}

impl Claims {
    pub fn new() -> Self {
        let (sender, dealt_with) = mpsc::unbounded_channel();
        Self { next: 0, open: HashMap::new(), sender, dealt_with }
    }

    pub fn open(&mut self, arrival: Arrival) -> Claim {
        self.next += 1;
        self.open.insert(self.next, arrival);
        Claim { number: self.next, dealt_with: self.sender.clone() }
    }

    /// The next message that has been dealt with.
    pub async fn closed(&mut self) -> Arrival {
        loop {
            let number = self.dealt_with.recv().await.expect("a sender is kept here");
            if let Some(arrival) = self.open.remove(&number) {
                return arrival;
            }
        }
    }

    /// What is dealt with from now on came over a connection that is gone: the broker sends it again, and it counts once.
    pub fn link_lost(&mut self) {
        self.open.clear();
    }
}

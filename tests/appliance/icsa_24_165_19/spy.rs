//! Somebody who rules the broker: hears all, keeps all, and may write to every topic.

use std::sync::{Arc, Mutex, PoisonError};

use milepost::delivery::{Link, LinkEvent, Subscriptions};

use crate::support::Mosquitto;

/// Every message that passed the broker, topic and payload.
pub type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Whoever rules the broker.
pub struct Spy {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

impl Spy {
    pub fn connect(broker: &Mosquitto, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let subscriptions = Subscriptions { filters: vec!["milepost/#".to_owned()], renew: true };
        let link = runtime.block_on(Link::open(&broker.client(name), name, None, &subscriptions)).unwrap();
        Self { runtime, link }
    }

    /// Keeps all that is said from now on, over restarts of the broker, for as long as somebody wants it.
    pub fn listen(broker: &Mosquitto) -> Heard {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (kept, client) = (Arc::downgrade(&heard), broker.client("spy"));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let subscriptions = Subscriptions { filters: vec!["milepost/#".to_owned()], renew: true };
            runtime.block_on(async {
                while kept.strong_count() > 0 {
                    let Ok(mut link) = Link::open(&client, "spy", None, &subscriptions).await else {
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        continue;
                    };
                    loop {
                        match link.next().await {
                            LinkEvent::Arrived(arrival) => {
                                let Some(heard) = kept.upgrade() else { return };
                                let message = (arrival.topic().to_owned(), arrival.payload().to_vec());
                                heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                                let _ = link.accept(&arrival);
                            }
                            LinkEvent::Lost(_) => break,
                            _ => {}
                        }
                    }
                }
            });
        });
        heard
    }

    /// Returns once the broker has it.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        {
            let _entered = self.runtime.enter();
            self.link.publish(topic.to_owned(), payload.to_vec(), false).unwrap();
        }
        loop {
            match self.runtime.block_on(self.link.next()) {
                LinkEvent::Acknowledged(_) => return,
                LinkEvent::Arrived(arrival) => self.link.accept(&arrival).unwrap(),
                LinkEvent::Lost(fault) => panic!("the broker hangs up: {fault}"),
                _ => {}
            }
        }
    }
}

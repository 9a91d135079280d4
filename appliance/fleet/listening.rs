//! The broker's side: a session that keeps nothing, since what matters is retained.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::watch;
use tracing::{info, warn};

use super::board::Board;
use crate::crypto::{hex, random};
use crate::delivery::{Broker, Link, LinkEvent, LinkFault};

/// Messages that are taken under one lock.
const BATCH: usize = 256;
const TICK: Duration = Duration::from_secs(1);

/// Fills the board until told to stop. A lost connection is tried again for ever.
pub async fn listen(broker: Broker, name: String, board: Arc<Board>, mut stop: watch::Receiver<bool>) {
    // Two dashboards with one certificate must not end each other's connection.
    let client_id = format!("{name}-{}", hex(&random::<4>()));
    let retry = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(broker.retry_max_s.get()))
        .with_jitter()
        .without_max_times();
    let mut delays = retry.build();
    loop {
        let connection = async {
            let link = Link::listen(&broker, &client_id, filters()).await?;
            info!("connected to the broker");
            delays = retry.build();
            serve(link, &board).await
        };
        let fault = tokio::select! {
            end = connection => end.err(),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Some(fault) = fault {
            warn!(%fault, mend = fault.mend(), "no connection to the broker");
            board.change(|roster| roster.disconnected(&fault, board.clock.now().wall));
        }
        let delay = delays.next().unwrap_or(Duration::from_secs(60));
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn serve(mut link: Link, board: &Board) -> Result<(), LinkFault> {
    board.change(|roster| roster.connected(board.clock.now().wall));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let mut event = tokio::select! {
            event = link.next() => Some(event),
            _ = tick.tick() => {
                board.change(|roster| roster.tick(board.clock.now().wall));
                continue;
            }
        };
        let mut arrivals = Vec::new();
        while let Some(current) = event {
            match current {
                LinkEvent::Arrived(arrival) => arrivals.push(arrival),
                LinkEvent::SubscriptionRefused { filter } => {
                    return Err(LinkFault::SubscriptionRefused(filter));
                }
                LinkEvent::Lost(fault) => return Err(fault),
                LinkEvent::Subscribed | LinkEvent::Sent(_) | LinkEvent::Acknowledged(_) => {}
            }
            event = if arrivals.len() < BATCH { link.try_next() } else { None };
        }
        let now = board.clock.now().wall;
        board.change(|roster| {
            for arrival in &arrivals {
                roster.hear(arrival.topic(), arrival.payload(), arrival.is_retained(), now);
            }
        });
    }
}

fn filters() -> Vec<String> {
    ["status", "health"].map(|topic| format!("milepost/v1/units/+/{topic}")).to_vec()
}

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a fleet counts: once for all units, in steps that never wait.
pub struct Gauge {
    units: u64,
    connected: AtomicU64,
    connections: AtomicU64,
    made: AtomicU64,
    received: AtomicU64,
    alerts: AtomicU64,
    reads: AtomicU64,
    list_bytes: AtomicU64,
    list_steps: AtomicU64,
    list_refusals: AtomicU64,
    list_holders: AtomicU64,
    latencies: [AtomicU64; BUCKETS],
}

/// A time falls into the bucket whose bounds it lies between; each is a twentieth wider than the one before, from 1 ms
/// to five minutes.
const BUCKETS: usize = 260;
const WIDER: f64 = 1.05;

/// What was counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub units: u64,
    pub connected: u64,
    /// Since the start, over all units; what is more than `units` are reconnects.
    pub connections: u64,
    /// Records stored, and those that a signed receipt came for.
    pub made: u64,
    pub received: u64,
    pub alerts: u64,
    pub reads: u64,
    /// Bytes of hot lists that came, over all units; deltas put in force; messages refused; units that hold a version.
    pub list_bytes: u64,
    pub list_steps: u64,
    pub list_refusals: u64,
    pub list_holders: u64,
}

impl Counts {
    /// Records without a receipt.
    pub fn waiting(&self) -> u64 {
        self.made - self.received
    }

    /// Those of another fleet besides.
    pub fn and(self, other: Self) -> Self {
        Self {
            units: self.units + other.units,
            connected: self.connected + other.connected,
            connections: self.connections + other.connections,
            made: self.made + other.made,
            received: self.received + other.received,
            alerts: self.alerts + other.alerts,
            reads: self.reads + other.reads,
            list_bytes: self.list_bytes + other.list_bytes,
            list_steps: self.list_steps + other.list_steps,
            list_refusals: self.list_refusals + other.list_refusals,
            list_holders: self.list_holders + other.list_holders,
        }
    }

    pub fn reconnects(&self) -> u64 {
        self.connections.saturating_sub(self.units)
    }
}

/// What the gauge is told.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    Made,
    Alert,
    Read,
    ListBytes(usize),
    ListStep,
    ListRefused,
    ListHeld,
}

impl Gauge {
    pub fn new(units: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            units: units as u64,
            connected: zero(),
            connections: zero(),
            made: zero(),
            received: zero(),
            alerts: zero(),
            reads: zero(),
            list_bytes: zero(),
            list_steps: zero(),
            list_refusals: zero(),
            list_holders: zero(),
            latencies: std::array::from_fn(|_| zero()),
        }
    }

    pub(super) fn tell(&self, told: Told) {
        let (counter, by) = match told {
            Told::Made => (&self.made, 1),
            Told::Alert => (&self.alerts, 1),
            Told::Read => (&self.reads, 1),
            Told::ListBytes(bytes) => (&self.list_bytes, bytes as u64),
            Told::ListStep => (&self.list_steps, 1),
            Told::ListRefused => (&self.list_refusals, 1),
            Told::ListHeld => (&self.list_holders, 1),
        };
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// A unit's link is there, or no longer; with so many connections since it was told of last.
    pub(super) fn link(&self, was: bool, is: bool, connections: u64) {
        self.connections.fetch_add(connections, Ordering::Relaxed);
        match (was, is) {
            (false, true) => self.connected.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.connected.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    pub(super) fn received(&self, records: u64) {
        self.received.fetch_add(records, Ordering::Relaxed);
    }

    /// From an alert's storing to its signed receipt.
    pub(super) fn alert_took(&self, time: Duration) {
        self.latencies[bucket(time)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // In this order, so that no record seems to be received before it was made.
        let received = read(&self.received);
        Counts {
            units: self.units,
            connected: read(&self.connected),
            connections: read(&self.connections),
            received,
            made: read(&self.made),
            alerts: read(&self.alerts),
            reads: read(&self.reads),
            list_bytes: read(&self.list_bytes),
            list_steps: read(&self.list_steps),
            list_refusals: read(&self.list_refusals),
            list_holders: read(&self.list_holders),
        }
    }

    /// All alerts that were received until now.
    pub fn latencies(&self) -> Latencies {
        Latencies(self.latencies.each_ref().map(|count| count.load(Ordering::Relaxed)))
    }
}

/// How long alerts took from the unit's store to the receiver's signed receipt.
#[derive(Debug, Clone)]
pub struct Latencies([u64; BUCKETS]);

impl Latencies {
    /// Those that came after `earlier` was taken.
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] - earlier.0[index]))
    }

    /// Those of another fleet besides.
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] + other.0[index]))
    }

    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time within which this share of them came, to a twentieth; none if there are none.
    pub fn within(&self, share: f64) -> Option<Duration> {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let index = self.0.iter().position(|count| {
            seen += count;
            seen > 0 && seen >= wanted
        })?;
        Some(Duration::from_secs_f64(WIDER.powi(index as i32) / 1000.0))
    }
}

fn bucket(time: Duration) -> usize {
    let ms = (time.as_secs_f64() * 1000.0).max(1.0);
    (ms.ln() / WIDER.ln()).ceil().min(BUCKETS as f64 - 1.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_alerts_came_within_its_time() {
        let gauge = Gauge::new(1);
        assert_eq!(gauge.latencies().within(0.99), None);
        (1..=100).for_each(|ms| gauge.alert_took(Duration::from_millis(ms)));
        let before = gauge.latencies();
        for (share, ms) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let within = before.within(share).unwrap().as_secs_f64() * 1000.0;
            assert!((ms..ms * 1.06).contains(&within), "{share}: {within}");
        }
        gauge.alert_took(Duration::from_secs(3600));
        let late = gauge.latencies().since(&before);
        assert_eq!(late.count(), 1);
        assert!(late.within(0.99).unwrap() > Duration::from_secs(290));
    }
}

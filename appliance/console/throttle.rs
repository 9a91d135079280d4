//! How often an address may try a secret. A refusal costs nothing; a try costs a hash of 19 MiB.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::words::Moment;

/// A person who mistypes never notices it; a guesser is held to one try each six seconds.
const TRIES: f64 = 10.0;
const REFILL: Duration = Duration::from_secs(6);
/// Addresses are cheap to make up (IPv6), so together they may not take more than this many times as much.
const ALL_TOGETHER: f64 = 4.0;
const ADDRESSES_MAX: usize = 1024;

/// Token buckets: one for each address, one for all.
#[derive(Default)]
pub struct Throttle {
    by_address: HashMap<IpAddr, Bucket>,
    all: Option<Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tries: f64,
    at: Moment,
}

impl Throttle {
    /// Whether this address may try now; if so, the try is counted.
    pub fn admit(&mut self, from: IpAddr, now: Moment) -> bool {
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, bucket| bucket.filled(now, 1.0).tries < TRIES);
        }
        let known = self.by_address.get(&from).copied();
        let all = self.all.unwrap_or(Bucket::full(now, ALL_TOGETHER)).filled(now, ALL_TOGETHER);
        let own = known.unwrap_or(Bucket::full(now, 1.0)).filled(now, 1.0);
        let no_room = known.is_none() && self.by_address.len() >= ADDRESSES_MAX;
        if no_room || own.tries < 1.0 || all.tries < 1.0 {
            return false;
        }
        self.by_address.insert(from, own.less_one());
        self.all = Some(all.less_one());
        true
    }
}

impl Bucket {
    fn full(now: Moment, scale: f64) -> Self {
        Self { tries: TRIES * scale, at: now }
    }

    fn filled(self, now: Moment, scale: f64) -> Self {
        let refilled = now.since(&self.at).as_secs_f64() / REFILL.as_secs_f64() * scale;
        Self { tries: (self.tries + refilled).min(TRIES * scale), at: now }
    }

    fn less_one(self) -> Self {
        Self { tries: self.tries - 1.0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, ManualClock};

    fn address(last: u16) -> IpAddr {
        IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, last])
    }

    #[test]
    fn ten_tries_then_one_each_six_seconds() {
        let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
        let mut throttle = Throttle::default();
        let admitted = (0..50).filter(|_| throttle.admit(address(1), clock.now())).count();
        assert_eq!(admitted, 10);
        assert!(throttle.admit(address(2), clock.now()), "another address is not held back");
        clock.advance(REFILL);
        assert!(throttle.admit(address(1), clock.now()));
        assert!(!throttle.admit(address(1), clock.now()));
    }

    #[test]
    fn made_up_addresses_gain_little() {
        let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
        let mut throttle = Throttle::default();
        let admitted = (0..5000).filter(|&last| throttle.admit(address(last), clock.now())).count();
        assert_eq!(admitted, 40);
        assert!(throttle.by_address.len() <= ADDRESSES_MAX);
    }
}

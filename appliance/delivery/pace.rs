use std::time::Duration;

/// How many bytes of bulk may be under way, so that an alert never stands in a long queue of pictures.
///
/// On a slow link whatever was handed to the socket goes out before an alert can: at 64 kbit/s a window of
/// sixteen pictures is two minutes. So the allowance follows the time from sending to acknowledgement: it
/// grows while that stays near the shortest one seen (the birth message's, as a rule: it is small and goes
/// first), and shrinks once a round trip when queueing adds more than [`Pace::QUEUEING`] (the idea of
/// LEDBAT, RFC 6817). One message may always go.
#[derive(Debug)]
pub struct Pace {
    allowance: usize,
    shortest: Duration,
    /// What is acknowledged before this was sent before the last shrinking, and says nothing new.
    settled: Duration,
}

impl Pace {
    const LEAST: usize = 16 * 1024;
    const MOST: usize = 4 * 1024 * 1024;
    /// A quarter of a second is what an alert may take in all on a good link.
    const QUEUEING: Duration = Duration::from_millis(250);

    pub fn new() -> Self {
        Self { allowance: Self::LEAST, shortest: Duration::MAX, settled: Duration::ZERO }
    }

    pub fn admits(&self, bytes_under_way: usize) -> bool {
        bytes_under_way == 0 || bytes_under_way < self.allowance
    }

    /// A message handed over at `sent` was acknowledged at `now`.
    pub fn acknowledged(&mut self, bytes: usize, sent: Duration, now: Duration) {
        let took = now.saturating_sub(sent);
        self.shortest = self.shortest.min(took);
        if took <= self.shortest + Self::QUEUEING {
            self.allowance = (self.allowance + bytes).min(Self::MOST);
        } else if sent >= self.settled {
            self.allowance = (self.allowance / 2).max(Self::LEAST);
            self.settled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Sends pictures over a simulated link for a minute and returns the most bytes that were under way at
    /// once in the last ten seconds, and the bytes acknowledged a second over those.
    fn drive(bytes_per_s: f64, round_trip: f64) -> (usize, f64) {
        const PICTURE: usize = 60_000;
        let mut pace = Pace::new();
        pace.acknowledged(300, Duration::ZERO, Duration::from_secs_f64(round_trip));
        let (mut now, mut link_free_at) = (0.0f64, 0.0f64);
        let mut under_way: VecDeque<(f64, f64)> = VecDeque::new();
        let (mut most, mut acknowledged) = (0, 0);
        while now < 60.0 {
            while pace.admits(under_way.len() * PICTURE) {
                link_free_at = link_free_at.max(now) + PICTURE as f64 / bytes_per_s;
                under_way.push_back((now, link_free_at + round_trip));
            }
            if now > 50.0 {
                most = most.max(under_way.len() * PICTURE);
                acknowledged += PICTURE;
            }
            let (sent, done) = under_way.pop_front().expect("one message may always go");
            now = done;
            pace.acknowledged(PICTURE, Duration::from_secs_f64(sent), Duration::from_secs_f64(done));
        }
        (most, acknowledged as f64 / 10.0)
    }

    #[test]
    fn a_slow_link_carries_one_picture_at_a_time() {
        let (most, _) = drive(8_000.0, 0.8);
        assert_eq!(most, 60_000);
    }

    #[test]
    fn a_fast_link_with_a_long_way_is_kept_full() {
        let (_, rate) = drive(5_000_000.0, 0.2);
        assert!(rate > 4_000_000.0, "{rate} bytes a second of 5,000,000");
    }
}

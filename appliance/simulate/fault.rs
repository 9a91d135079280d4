use std::time::Duration;

use crate::capture::scene::chance::Chance;

/// What befalls a simulated unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody or the wind turns the camera; a technician comes later.
    CameraMoved,
    /// The lists that the unit holds grow old.
    ListStale,
    /// No power: nothing is seen, nothing is sent, nobody said good-bye.
    Silent,
    /// No network: what is seen waits.
    Cut,
}

/// A trouble from its begin to its end, in simulated time since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub trouble: Trouble,
    pub begins: Duration,
    pub ends: Duration,
}

/// How often a unit has each, on average, and how long it lasts at least and at most.
const TROUBLES: [(Trouble, f64, u64, u64); 4] = [
    (Trouble::CameraMoved, 1.0 / 30.0, 3600, 5 * 3600),
    (Trouble::ListStale, 1.0 / 30.0, 2 * 3600, 8 * 3600),
    (Trouble::Silent, 1.0 / 15.0, 600, 2 * 3600),
    (Trouble::Cut, 1.0 / 5.0, 60, 3600),
];

/// A mast that serves so many units fails for all of them at once, and they come back at once: a reconnect storm.
const UNITS_OF_A_MAST: u64 = 50;
const MAST_FAILURES_A_DAY: f64 = 0.5;
const MAST_FAILS_S: (u64, u64) = (30, 600);

const DAY_S: f64 = 24.0 * 3600.0;

/// The faults of one unit, drawn as time goes on: the same for the same seed and number.
pub struct Faults {
    streams: Vec<Stream>,
    standing: Vec<Fault>,
}

/// One kind of trouble, one after another.
struct Stream {
    trouble: Trouble,
    a_day: f64,
    lasts_s: (u64, u64),
    chance: Chance,
    next: Fault,
}

impl Faults {
    pub fn new(seed: u64, number: u64) -> Self {
        let own = TROUBLES.iter().zip(1..).map(|(&(trouble, a_day, least, most), kind)| {
            Stream::new(trouble, a_day, (least, most), Chance::seeded(seed ^ (number << 8 | kind)))
        });
        // Units of one mast draw from one seed, without knowing of each other.
        let mast = Chance::seeded(seed ^ 0x6d61_7374 ^ (number / UNITS_OF_A_MAST) << 32);
        let mast = Stream::new(Trouble::Cut, MAST_FAILURES_A_DAY, MAST_FAILS_S, mast);
        Self { streams: own.chain([mast]).collect(), standing: Vec::new() }
    }

    /// What stands at this time, by kind once.
    pub fn at(&mut self, time: Duration) -> Vec<Trouble> {
        for stream in &mut self.streams {
            while stream.next.begins <= time {
                self.standing.push(stream.next);
                stream.draw();
            }
        }
        self.standing.retain(|fault| fault.ends > time);
        let mut troubles: Vec<Trouble> = self.standing.iter().map(|fault| fault.trouble).collect();
        troubles.sort_by_key(|trouble| *trouble as u8);
        troubles.dedup();
        troubles
    }
}

impl Stream {
    fn new(trouble: Trouble, a_day: f64, lasts_s: (u64, u64), chance: Chance) -> Self {
        let next = Fault { trouble, begins: Duration::ZERO, ends: Duration::ZERO };
        let mut stream = Self { trouble, a_day, lasts_s, chance, next };
        stream.draw();
        stream
    }

    fn draw(&mut self) {
        let pause = -(1.0 - self.chance.fraction()).ln() / self.a_day * DAY_S;
        let begins = self.next.ends + Duration::from_secs_f64(pause);
        let (least, most) = self.lasts_s;
        let lasts = least + (self.chance.fraction() * (most - least) as f64) as u64;
        self.next = Fault { trouble: self.trouble, begins, ends: begins + Duration::from_secs(lasts) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn days(seed: u64, number: u64, count: u32) -> Vec<Vec<Trouble>> {
        let mut faults = Faults::new(seed, number);
        (0..count * 24 * 60).map(|minute| faults.at(DAY / 1440 * minute)).collect()
    }

    #[test]
    fn the_same_seed_and_number_have_the_same_faults() {
        assert_eq!(days(7, 3, 30), days(7, 3, 30));
        assert_ne!(days(7, 3, 30), days(7, 4, 30));
        assert_ne!(days(7, 3, 30), days(8, 3, 30));
    }

    #[test]
    fn every_trouble_comes_and_goes() {
        let seen = days(1, 1, 600);
        for trouble in [Trouble::CameraMoved, Trouble::ListStale, Trouble::Silent, Trouble::Cut] {
            let begun =
                seen.windows(2).filter(|pair| !pair[0].contains(&trouble) && pair[1].contains(&trouble));
            assert!(begun.count() > 1, "{trouble:?}");
        }
        assert!(seen.iter().filter(|troubles| troubles.is_empty()).count() > seen.len() / 2);
    }

    #[test]
    fn a_mast_cuts_its_units_off_together() {
        let units: Vec<_> = (0..4).map(|number| days(5, number, 20)).collect();
        let cut = |minute: &usize| units.iter().all(|unit| unit[*minute].contains(&Trouble::Cut));
        assert!((0..units[0].len()).any(|minute| cut(&minute)));
        let other = days(5, 51, 20);
        let together = (0..other.len()).filter(cut).filter(|&minute| other[minute].contains(&Trouble::Cut));
        assert_eq!(together.count(), 0, "another mast has its own troubles");
    }
}

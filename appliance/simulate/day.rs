use std::time::Duration;

use jiff::civil::Time;

use crate::capture::scene::chance::Chance;

/// Vehicles by the hour of a working day at an urban main road, in thousandths of the day: the shape of the hourly
/// counts that states publish, with the two rush hours and the quiet before dawn.
const BY_HOUR: [f64; 24] = [
    8.0, 5.0, 4.0, 4.0, 8.0, 20.0, 45.0, 70.0, 65.0, 52.0, 50.0, 54.0, 58.0, 58.0, 63.0, 73.0, 80.0, 82.0,
    62.0, 45.0, 35.0, 28.0, 19.0, 12.0,
];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The day that is simulated: when it begins, and how fast it passes.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    begins: Duration,
    speed: f64,
}

impl Day {
    /// From this time of day on, `speed` times as fast as a real one.
    pub fn new(begins: Time, speed: f64) -> Self {
        let begins = f64::from(begins.hour()) * 3600.0 + f64::from(begins.minute()) * 60.0;
        Self { begins: Duration::from_secs_f64(begins), speed }
    }

    /// How much of the simulated time has passed after so much of the real one.
    pub fn passed(&self, real: Duration) -> Duration {
        real.mul_f64(self.speed)
    }

    /// How long a simulated span takes.
    pub fn real(&self, simulated: Duration) -> Duration {
        simulated.div_f64(self.speed)
    }

    /// How many vehicles a second pass now, in real time, at a site with so many a day.
    pub fn vehicles_per_s(&self, daily: f64, real: Duration) -> f64 {
        let at = (self.begins + self.passed(real)).as_secs_f64() % DAY.as_secs_f64() / 3600.0;
        // From the middle of an hour to the middle of the next, so that no count jumps.
        let (hour, share) = ((at + 23.5) % 24.0, (at + 23.5).fract());
        let [here, next] = [0, 1].map(|step| BY_HOUR[(hour as usize + step) % 24]);
        let thousandths = here + (next - here) * share;
        daily * thousandths / BY_HOUR.iter().sum::<f64>() / 3600.0 * self.speed
    }

    /// How long until the next vehicle: an exponential wait at the present rate. None: not before the rate has to be
    /// looked at again, after [`Day::steady`].
    pub(super) fn wait(&self, daily: f64, real: Duration, chance: &mut Chance) -> Option<Duration> {
        let seconds = -(1.0 - chance.fraction()).ln() / self.vehicles_per_s(daily, real);
        Duration::try_from_secs_f64(seconds).ok().filter(|wait| *wait < self.steady())
    }

    /// For so long the rate hardly changes: ten minutes of the simulated day.
    pub fn steady(&self) -> Duration {
        self.real(Duration::from_secs(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_day_brings_its_vehicles_and_the_rush_hour_most_of_them() {
        let day = Day::new(Time::midnight(), 1.0);
        let minutes = (0..24 * 60).map(|minute| Duration::from_secs(minute * 60));
        let total: f64 = minutes.map(|at| day.vehicles_per_s(9600.0, at) * 60.0).sum();
        assert!((total - 9600.0).abs() < 50.0, "{total}");
        let [night, rush] = [3, 17].map(|hour| day.vehicles_per_s(9600.0, hour * HOUR));
        assert!(rush > 10.0 * night);
    }

    #[test]
    fn a_faster_day_brings_more_vehicles_sooner() {
        let (slow, fast) = (Day::new(Time::midnight(), 1.0), Day::new(Time::midnight(), 60.0));
        assert_eq!(fast.passed(HOUR / 60), HOUR);
        let (slow, fast) =
            (slow.vehicles_per_s(1000.0, 8 * HOUR), fast.vehicles_per_s(1000.0, 8 * HOUR / 60));
        assert!((fast / slow - 60.0).abs() < 1e-6);
    }

    #[test]
    fn waits_make_up_the_rate() {
        let (day, mut chance) = (Day::new(jiff::civil::time(12, 0, 0, 0), 1.0), Chance::seeded(3));
        let waits =
            (0..20_000).map(|_| day.wait(40_000.0, Duration::ZERO, &mut chance).unwrap_or(day.steady()));
        let mean = waits.sum::<Duration>().as_secs_f64() / 20_000.0;
        assert!((mean * day.vehicles_per_s(40_000.0, Duration::ZERO) - 1.0).abs() < 0.03, "{mean}");
    }
}

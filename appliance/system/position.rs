//! Where the unit is, as gpsd tells by its JSON protocol (gpsd_json(5)).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tracing::{debug, info};

use super::clock::Clock;
use crate::words::{Moment, Place, Position};

/// gpsd reports each second; a receiver without a fix reports too.
const SILENT_AFTER: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(10);
/// Reports of many satellites are the longest, well under this.
const LINE_MAX: u64 = 64 << 10;
const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"json\":true};\n";
/// Fixes that are kept: more seconds than a vehicle may take from its last picture to its final read.
const FIXES_KEPT: usize = 30;

/// `[position]`: where the unit is, and who tells.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where gpsd listens. Default `127.0.0.1:2947`. Portable and mobile units ask it; a fixed one does if it has a
    /// `site`. Where no gpsd listens, there is no position.
    pub gpsd: SocketAddr,
    /// Where a fixed unit was deployed. Default none: its records carry no position, and nobody watches that it stays.
    pub site: Option<Place>,
    /// A fixed unit that is further than this from its site was carried away. Default 100 metres; not under 30, which
    /// a receiver between houses is wrong by.
    pub moved_m: MovedM,
}

/// A distance that no receiver's error comes near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct MovedM(u32);

impl MovedM {
    pub fn metres(self) -> f64 {
        self.0.into()
    }
}

impl TryFrom<u32> for MovedM {
    type Error = String;

    fn try_from(metres: u32) -> Result<Self, Self::Error> {
        if metres < 30 {
            return Err(format!("{metres} m is within a receiver's error: give 30 or more"));
        }
        Ok(Self(metres))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { gpsd: SocketAddr::from(([127, 0, 0, 1], 2947)), site: None, moved_m: MovedM(100) }
    }
}

/// Follows gpsd, from a thread of its own, until dropped.
pub struct Gps {
    fixes: Arc<Fixes>,
    stop: Arc<AtomicBool>,
}

/// Where the receiver was.
#[derive(Debug, Clone, Copy)]
pub struct Fix {
    pub place: Place,
    /// By how much it may be wrong (95 %), where the receiver says.
    pub error_m: Option<f64>,
    at: Moment,
}

impl Fix {
    /// As told of something that happened at `moment`.
    pub fn position(&self, moment: Moment) -> Position {
        Position::of_fix(self.place, self.error_m, moment.since(&self.at).as_secs())
    }
}

/// The last ones, oldest first.
type Fixes = Mutex<VecDeque<Fix>>;

impl Gps {
    pub fn follow(gpsd: SocketAddr, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (fixes, stop) = (Arc::new(Fixes::default()), Arc::new(AtomicBool::new(false)));
        let (told, ended) = (fixes.clone(), stop.clone());
        std::thread::Builder::new().name("gpsd".into()).spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match listen(gpsd, &told, &ended, clock.as_ref()) {
                    Ok(()) => debug!(%gpsd, "gpsd hung up"),
                    Err(error) => debug!(%gpsd, %error, "gpsd cannot be followed"),
                }
                let until = clock.now().uptime + RETRY;
                while !ended.load(Ordering::Relaxed) && clock.now().uptime < until {
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        })?;
        Ok(Self { fixes, stop })
    }

    /// The last fix before `moment`, which may be a while ago; None until there was one.
    pub fn fix(&self, moment: Moment) -> Option<Fix> {
        let fixes = self.fixes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = fixes.iter().rfind(|fix| fix.at.uptime <= moment.uptime);
        before.or_else(|| fixes.front()).copied()
    }
}

impl Drop for Gps {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn listen(gpsd: SocketAddr, fixes: &Fixes, stop: &AtomicBool, clock: &dyn Clock) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&gpsd, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(SILENT_AFTER))?;
    stream.write_all(WATCH)?;
    info!(%gpsd, "following gpsd");
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        line.clear();
        if lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some((place, error_m)) = fix(&line) {
            let at = clock.now();
            let mut fixes = fixes.lock().unwrap_or_else(PoisonError::into_inner);
            if fixes.len() == FIXES_KEPT {
                fixes.pop_front();
            }
            fixes.push_back(Fix { place, error_m, at });
        }
    }
    Ok(())
}

/// The place in a line of gpsd's; None for anything but a report with a fix.
fn fix(line: &[u8]) -> Option<(Place, Option<f64>)> {
    #[derive(Deserialize)]
    struct Tpv {
        class: String,
        mode: u8,
        lat: f64,
        lon: f64,
        /// Estimated horizontal error, 95 %.
        eph: Option<f64>,
        /// The same by axis, from older versions.
        epx: Option<f64>,
        epy: Option<f64>,
    }
    let told: Tpv = serde_json::from_slice(line).ok()?;
    // 0 and 1 are no fix; a place may stand there all the same, an old one.
    if told.class != "TPV" || told.mode < 2 {
        return None;
    }
    let place = Place::new(told.lat, told.lon)?;
    let by_axis = told.epx.zip(told.epy).map(|(across, along)| across.hypot(along));
    Some((place, told.eph.or(by_axis).filter(|error| error.is_finite())))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::system::SystemClock;

    /// Springfield, Massachusetts.
    const HERE: Place = Place { latitude: 42.1015, longitude: -72.5898 };

    #[test]
    fn only_a_report_with_a_fix_is_a_position() {
        let told = br#"{"class":"TPV","mode":3,"lat":42.1015,"lon":-72.5898,"eph":4.2,"alt":61.2}"#;
        assert_eq!(fix(told), Some((HERE, Some(4.2))));
        let older = br#"{"class":"TPV","mode":2,"lat":42.1015,"lon":-72.5898,"epx":3.0,"epy":4.0}"#;
        assert_eq!(fix(older), Some((HERE, Some(5.0))));
        for other in [
            &br#"{"class":"TPV","mode":1,"lat":42.1015,"lon":-72.5898}"#[..],
            br#"{"class":"TPV","mode":1}"#,
            br#"{"class":"SKY","mode":3,"lat":42.1015,"lon":-72.5898}"#,
            br#"{"class":"TPV","mode":3,"lat":142.1,"lon":-72.5898}"#,
            b"\xff{",
            b"",
        ] {
            assert_eq!(fix(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_gpsd_is_followed_and_its_last_word_grows_old() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clock = Arc::new(SystemClock::new());
        let gps = Gps::follow(listener.local_addr().unwrap(), clock.clone()).unwrap();
        let (mut daemon, _) = listener.accept().unwrap();
        let mut asked = vec![0; WATCH.len()];
        daemon.read_exact(&mut asked).unwrap();
        assert_eq!(asked, WATCH);
        daemon.write_all(b"{\"class\":\"VERSION\",\"release\":\"3.25\"}\r\n").unwrap();
        let mut drive = |longitude: f64, expected: usize| {
            let report = format!("{{\"class\":\"TPV\",\"mode\":3,\"lat\":42.1015,\"lon\":{longitude}}}\r\n");
            daemon.write_all(report.as_bytes()).unwrap();
            while gps.fixes.lock().unwrap().len() < expected {
                std::thread::sleep(Duration::from_millis(2));
            }
            clock.now()
        };
        let passed = drive(-72.5898, 1);
        std::thread::sleep(Duration::from_millis(2));
        drive(-72.5, 2);
        let fix = gps.fix(passed).unwrap();
        assert_eq!((fix.place, fix.error_m), (HERE, None), "where it was when the vehicle passed");
        let now = clock.now();
        let later = Moment { uptime: now.uptime + Duration::from_secs(60), ..now };
        let told = gps.fix(later).unwrap().position(later);
        assert_eq!(told.place.longitude, -72.5);
        assert!(told.age_s >= Some(60), "{told:?}");
        let before = Moment { uptime: Duration::ZERO, ..now };
        assert_eq!(gps.fix(before).unwrap().place, HERE, "the first that is known is near enough");
    }

    #[test]
    fn mistakes_are_named() {
        let fault = |text: &str| toml::from_str::<Config>(text).unwrap_err().to_string();
        assert!(fault("moved_m = 5").contains("receiver's error"));
        assert!(fault("site = { latitude = 95.0, longitude = 0.0 }").contains("no place"));
        assert!(fault("gpsd = \"localhost\"").contains("socket address"));
        assert!(fault("lat = 3").contains("unknown field"));
    }
}

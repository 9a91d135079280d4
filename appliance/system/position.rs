//! Where the unit is, as gpsd tells by its JSON protocol (gpsd_json(5)).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{debug, info};

use super::clock::Clock;
use crate::words::Moment;

/// gpsd reports each second; a receiver without a fix reports too.
const SILENT_AFTER: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(10);
/// Reports of many satellites are the longest, well under this.
const LINE_MAX: u64 = 64 << 10;
const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"json\":true};\n";
/// The mean radius of the earth (IUGG), in metres.
const EARTH_M: f64 = 6_371_008.8;

/// `[position]`: where the unit is, and who tells.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where gpsd listens. Default `127.0.0.1:2947`. Portable and mobile units ask it; a fixed one does if it has a
    /// `site`. Where no gpsd listens, there is no position.
    pub gpsd: SocketAddr,
    /// Where a fixed unit was deployed. Default none: its position is not watched.
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

/// A place on the earth, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "RawPlace")]
pub struct Place {
    pub latitude: f64,
    pub longitude: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlace {
    latitude: f64,
    longitude: f64,
}

impl TryFrom<RawPlace> for Place {
    type Error = String;

    fn try_from(RawPlace { latitude, longitude }: RawPlace) -> Result<Self, Self::Error> {
        let valid = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        valid.then_some(Self { latitude, longitude }).ok_or_else(|| {
            format!("{latitude}, {longitude} is no place: latitude goes to 90, longitude to 180 degrees")
        })
    }
}

impl Place {
    /// Metres along the surface (haversine, good to half a per cent).
    pub fn distance_to(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let across = (other.longitude - self.longitude).to_radians();
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        let chord = half(to - from) + from.cos() * to.cos() * half(across);
        2.0 * EARTH_M * chord.sqrt().min(1.0).asin()
    }
}

/// The last position that was told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    #[serde(flatten)]
    pub place: Place,
    /// By how much it may be wrong, where the receiver says.
    pub error_m: Option<f64>,
    /// When it was told, by the unit's clock.
    pub at: Timestamp,
    /// How long ago that was.
    pub age_s: u64,
}

/// Follows gpsd, from a thread of its own, until dropped.
pub struct Gps {
    latest: Arc<Mutex<Option<Fix>>>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy)]
struct Fix {
    place: Place,
    error_m: Option<f64>,
    at: Moment,
}

impl Gps {
    pub fn follow(gpsd: SocketAddr, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (latest, stop) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (told, ended) = (latest.clone(), stop.clone());
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
        Ok(Self { latest, stop })
    }

    /// None until there was a first fix.
    pub fn position(&self, now: Moment) -> Option<Position> {
        let fix = (*self.latest.lock().unwrap_or_else(PoisonError::into_inner))?;
        let age_s = now.since(&fix.at).as_secs();
        Some(Position { place: fix.place, error_m: fix.error_m, at: fix.at.wall, age_s })
    }
}

impl Drop for Gps {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn listen(
    gpsd: SocketAddr,
    latest: &Mutex<Option<Fix>>,
    stop: &AtomicBool,
    clock: &dyn Clock,
) -> std::io::Result<()> {
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
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fix { place, error_m, at });
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
    let place = RawPlace { latitude: told.lat, longitude: told.lon }.try_into().ok()?;
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
    fn distances_are_those_of_the_map() {
        let boston = Place { latitude: 42.3601, longitude: -71.0589 };
        assert!((HERE.distance_to(boston) - 129_000.0).abs() < 1000.0, "{}", HERE.distance_to(boston));
        assert_eq!(HERE.distance_to(HERE), 0.0);
        let antipode = Place { latitude: -42.1015, longitude: 107.4102 };
        assert!(HERE.distance_to(antipode) > 20_000_000.0);
    }

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
        let gps = Gps::follow(listener.local_addr().unwrap(), Arc::new(SystemClock::new())).unwrap();
        let (mut daemon, _) = listener.accept().unwrap();
        let mut asked = vec![0; WATCH.len()];
        daemon.read_exact(&mut asked).unwrap();
        assert_eq!(asked, WATCH);
        daemon.write_all(b"{\"class\":\"VERSION\",\"release\":\"3.25\"}\r\n").unwrap();
        daemon.write_all(b"{\"class\":\"TPV\",\"mode\":3,\"lat\":42.1015,\"lon\":-72.5898}\r\n").unwrap();
        let clock = SystemClock::new();
        let told = loop {
            let later = Moment { uptime: clock.now().uptime + Duration::from_secs(60), ..clock.now() };
            if let Some(position) = gps.position(later) {
                break position;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert_eq!((told.place, told.error_m), (HERE, None));
        assert!(told.age_s >= 59, "{}", told.age_s);
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

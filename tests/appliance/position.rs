//! A unit that moves, with a real gpsd and a satellite receiver behind it, which speaks NMEA 0183.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::program::Appliance;
use crate::site::{Site, TRAFFIC};
use crate::support::eventually;

/// Degrees of latitude north and of longitude west.
const SPRINGFIELD: [f64; 2] = [42.1015, 72.5898];
const CHICOPEE: [f64; 2] = [42.1487, 72.6079];

#[test]
fn a_mobile_units_records_tell_where_its_receiver_was_and_how_long_ago() {
    let receiver = Receiver::at(SPRINGFIELD);
    let mut gpsd = Gpsd::start(&receiver);
    let site = Site::open();
    let configuration = site.configuration("scene:traffic", "127.0.0.1:0".parse().unwrap());
    let configuration = configuration.replacen("[unit]\n", "[unit]\nkind = \"mobile\"\n", 1).replacen(
        "source = ",
        &format!("plates = {TRAFFIC:?}\nsource = "),
        1,
    );
    let places = format!("[health]\nreport_every_s = 1\n[position]\ngpsd = \"{}\"\n", gpsd.address);
    std::fs::write(site.folder().join("milepost.toml"), configuration + &places).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");

    let is_told = |book: &str, place: [f64; 2]| {
        let events = site.department.events(book);
        events.last().is_some_and(|event| is_at(&event["data"]["position"], place))
    };
    for book in ["alerts", "reads"] {
        eventually("records tell where the receiver is", || is_told(book, SPRINGFIELD));
    }
    let read = site.department.events("reads").pop().unwrap();
    let position = &read["data"]["position"];
    assert!(position["error_m"].as_f64().is_some_and(|error| (1.0..100.0).contains(&error)), "{read}");
    assert!(position["age_s"].as_u64().is_some_and(|age| age < 5), "{read}");
    assert!(read["data"]["clock"].is_string(), "{read}");

    receiver.goes_to(Some(CHICOPEE));
    eventually("records tell where it has driven to", || is_told("reads", CHICOPEE));

    receiver.goes_to(None);
    let age = || site.department.health()["place"]["position"]["age_s"].as_u64();
    eventually("without a fix the last place grows old", || age() > Some(2));
    eventually("a read says so as well", || {
        let reads = site.department.events("reads");
        let position = &reads.last().unwrap()["data"]["position"];
        is_at(position, CHICOPEE) && position["age_s"].as_u64() > Some(2)
    });

    gpsd.end();
    receiver.goes_to(Some(SPRINGFIELD));
    let _gpsd = Gpsd::start_at(&receiver, gpsd.address);
    eventually("a gpsd that was started anew is followed again", || is_told("reads", SPRINGFIELD));
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
}

fn is_at(position: &Value, [north, west]: [f64; 2]) -> bool {
    let near =
        |name: &str, degrees: f64| position[name].as_f64().is_some_and(|told| (told - degrees).abs() < 1e-4);
    position["source"] == "gps" && near("latitude", north) && near("longitude", -west)
}

/// Debian's gpsd, killed when dropped.
struct Gpsd {
    process: Child,
    address: SocketAddr,
}

impl Gpsd {
    fn start(receiver: &Receiver) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::start_at(receiver, free)
    }

    fn start_at(receiver: &Receiver, address: SocketAddr) -> Self {
        let process = Command::new("gpsd")
            .args(["-N", "-n", "-S", &address.port().to_string(), &format!("tcp://{}", receiver.address)])
            .stderr(Stdio::null())
            .spawn()
            .expect("the Debian package gpsd is installed");
        eventually("gpsd listens", || TcpStream::connect(address).is_ok());
        Self { process, address }
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Gpsd {
    fn drop(&mut self) {
        self.end();
    }
}

/// A receiver behind a serial server: who connects hears it, and not who connected before.
struct Receiver {
    place: Arc<Mutex<Option<[f64; 2]>>>,
    address: SocketAddr,
}

impl Receiver {
    fn at(place: [f64; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let place = Arc::new(Mutex::new(Some(place)));
        let told = Arc::downgrade(&place);
        std::thread::spawn(move || {
            while let Ok((mut listening, _)) = listener.accept() {
                while let Some(place) = told.upgrade() {
                    let sentences = sentences(*place.lock().unwrap());
                    if listening.write_all(sentences.as_bytes()).is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        });
        Self { place, address }
    }

    /// Without a place it has lost its fix.
    fn goes_to(&self, place: Option<[f64; 2]>) {
        *self.place.lock().unwrap() = place;
    }
}

/// One second of an NMEA 0183 receiver.
fn sentences(place: Option<[f64; 2]>) -> String {
    let now = jiff::Timestamp::now();
    let (time, date) = (now.strftime("%H%M%S.00").to_string(), now.strftime("%d%m%y").to_string());
    let minutes = |degrees: f64| degrees.fract() * 60.0;
    let body = match place {
        Some([north, west]) => {
            let place = format!(
                "{:02}{:07.4},N,{:03}{:07.4},W",
                north as u8,
                minutes(north),
                west as u8,
                minutes(west)
            );
            [
                format!("GPRMC,{time},A,{place},030.0,090.0,{date},,,A"),
                format!("GPGGA,{time},{place},1,08,0.9,61.2,M,-33.0,M,,"),
                "GPGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.5,0.9,1.2".to_owned(),
            ]
        }
        None => [
            format!("GPRMC,{time},V,,,,,,,{date},,,N"),
            format!("GPGGA,{time},,,,,0,00,99.9,,M,,M,,"),
            "GPGSA,A,1,,,,,,,,,,,,,99.9,99.9,99.9".to_owned(),
        ],
    };
    body.map(|text| format!("${text}*{:02X}\r\n", text.bytes().fold(0, |sum, byte| sum ^ byte))).concat()
}

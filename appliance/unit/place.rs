//! Where the unit is and how it stands, held against where and how it was deployed.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::saved::Saved;
use crate::health::PlaceReport;
use crate::system::{Clock, Fix, Gps, Gravity, Motion, PositionConfig};
use crate::words::{Moment, Place, Position, UnitKind};

/// How the unit stood when its aim was verified.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stance {
    pub gravity: Gravity,
    /// When that aim was verified.
    pub aimed: Timestamp,
}

/// Where the unit is, for whoever writes it down.
pub struct Whereabouts {
    /// Where a fixed unit was deployed.
    site: Option<Place>,
    moved_m: f64,
    gps: Option<Gps>,
}

impl Whereabouts {
    /// Portable and mobile units ask gpsd, and a fixed one that has a site.
    pub fn start(kind: UnitKind, config: &PositionConfig, clock: Arc<dyn Clock>) -> Self {
        let site = config.site.filter(|_| kind == UnitKind::Fixed);
        let asks = kind != UnitKind::Fixed || site.is_some();
        let gps = asks.then(|| Gps::follow(config.gpsd, clock));
        let gps = gps.and_then(|gps| gps.inspect_err(|error| error!(%error, "gpsd is not followed")).ok());
        Self { site, moved_m: config.moved_m.metres(), gps }
    }

    /// Where it was at `moment`: at its site, unless the receiver was sure of another place; otherwise where the receiver
    /// was last, however long ago. None where nobody ever told.
    pub fn position(&self, moment: Moment) -> Option<Position> {
        let fix = self.fix(moment);
        match self.site {
            Some(site) => {
                let elsewhere = fix.filter(|fix| self.is_elsewhere(site, fix));
                Some(elsewhere.map_or(Position::of_site(site), |fix| fix.position(moment)))
            }
            None => fix.map(|fix| fix.position(moment)),
        }
    }

    /// From the deployed site to where the receiver was last.
    pub fn metres_from_site(&self, moment: Moment) -> Option<f64> {
        self.site.zip(self.fix(moment)).map(|(site, fix)| site.distance_to(fix.place))
    }

    fn fix(&self, moment: Moment) -> Option<Fix> {
        self.gps.as_ref().and_then(|gps| gps.fix(moment))
    }

    /// A fix that may be as wrong as that says nothing.
    fn is_elsewhere(&self, site: Place, fix: &Fix) -> bool {
        let sure = fix.error_m.is_none_or(|error| error < self.moved_m);
        sure && site.distance_to(fix.place) > self.moved_m
    }
}

pub struct PlaceWatch {
    kind: UnitKind,
    whereabouts: Arc<Whereabouts>,
    saved: Arc<Saved>,
    stance: Option<Stance>,
}

impl PlaceWatch {
    /// `stance`: from before the start.
    pub fn new(
        kind: UnitKind,
        whereabouts: Arc<Whereabouts>,
        saved: Arc<Saved>,
        stance: Option<Stance>,
    ) -> Self {
        Self { kind, whereabouts, saved, stance }
    }

    /// `aimed`: when a person last verified an aim; from then on the unit must stand as it does.
    pub fn report(&mut self, motion: Option<Motion>, aimed: Option<Timestamp>, now: Moment) -> PlaceReport {
        let gravity = motion.and_then(|motion| motion.gravity);
        if let (Some(gravity), Some(aimed)) = (gravity, aimed)
            && self.stance.is_none_or(|stance| stance.aimed < aimed)
        {
            self.stand(Stance { gravity, aimed });
        }
        PlaceReport {
            kind: self.kind,
            position: self.whereabouts.position(now),
            from_site_m: self.whereabouts.metres_from_site(now),
            tilted_deg: self.stance.zip(gravity).map(|(stance, gravity)| stance.gravity.angle_to(gravity)),
        }
    }

    fn stand(&mut self, stance: Stance) {
        info!(gravity = ?stance.gravity.0, "how the unit stands is remembered with its aim");
        if let Err(error) = self.saved.keep_stance(&stance) {
            error!(%error, "how the unit stands will not outlive a restart");
        }
        self.stance = Some(stance);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;
    use crate::crypto::UnitKey;
    use crate::system::{ManualClock, SystemClock};
    use crate::words::PositionSource;

    const HERE: Place = Place { latitude: 42.1015, longitude: -72.5898 };
    /// 830 m to the east.
    const THERE: Place = Place { longitude: -72.58, ..HERE };

    /// What a unit of this kind and site says, once gpsd has told it a place that may be wrong by so many metres.
    fn told(kind: UnitKind, site: Option<Place>, place: Place, error_m: f64) -> Option<Position> {
        let gpsd = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = PositionConfig { gpsd: gpsd.local_addr().unwrap(), site, ..PositionConfig::default() };
        let clock = Arc::new(SystemClock::new());
        let whereabouts = Whereabouts::start(kind, &config, clock.clone());
        let mut daemon = whereabouts.gps.is_some().then(|| gpsd.accept().unwrap().0);
        if let Some(daemon) = &mut daemon {
            let Place { latitude, longitude } = place;
            let report = serde_json::json!({
                "class": "TPV", "mode": 3, "lat": latitude, "lon": longitude, "eph": error_m
            });
            writeln!(daemon, "{report}").unwrap();
            while whereabouts.fix(clock.now()).is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let now = clock.now();
        whereabouts.position(Moment { uptime: now.uptime + Duration::from_secs(3600), ..now })
    }

    #[test]
    fn a_fixed_unit_is_at_its_site_until_the_receiver_is_sure_of_another_place() {
        let site = Some(Position::of_site(HERE));
        assert_eq!(told(UnitKind::Fixed, Some(HERE), HERE, 4.0), site);
        assert_eq!(told(UnitKind::Fixed, Some(HERE), THERE, 900.0), site, "the receiver is not sure");
        let carried_away = told(UnitKind::Fixed, Some(HERE), THERE, 4.0).unwrap();
        assert_eq!((carried_away.source, carried_away.place), (PositionSource::Gps, THERE));
        assert_eq!(told(UnitKind::Fixed, None, THERE, 4.0), None, "nobody ever told");
    }

    #[test]
    fn what_moves_is_where_its_receiver_was_last_and_says_how_long_ago() {
        for site in [None, Some(HERE)] {
            let position = told(UnitKind::Mobile, site, THERE, 4.0).unwrap();
            assert_eq!(
                (position.source, position.place, position.error_m),
                (PositionSource::Gps, THERE, Some(4.0))
            );
            assert!(position.age_s >= Some(3600), "{position:?}");
        }
    }

    #[test]
    fn a_new_aim_is_a_new_stance_and_a_restart_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let saved = Arc::new(Saved::new(folder.path(), &UnitKey::generate()));
        let whereabouts =
            Arc::new(Whereabouts::start(UnitKind::Fixed, &PositionConfig::default(), clock.clone()));
        let start = || {
            let stance = saved.stance().unwrap();
            PlaceWatch::new(UnitKind::Fixed, whereabouts.clone(), saved.clone(), stance)
        };
        let motion = |gravity: [f32; 3]| Some(Motion { gravity: Some(Gravity(gravity)), knock_g: 0.0 });
        let (upright, leaning) = (motion([0.0, 9.8, 0.0]), motion([0.0, 9.8, 9.8]));
        let aimed = |second| Some(Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(second));
        let now = clock.now();

        let mut watch = start();
        assert_eq!(watch.report(upright, None, now).tilted_deg, None, "nobody has aimed yet");
        assert_eq!(watch.report(upright, aimed(1), now).tilted_deg, Some(0.0));
        let mut watch = start();
        let tilted = watch.report(leaning, aimed(1), now).tilted_deg.unwrap();
        assert!((tilted - 45.0).abs() < 0.1, "{tilted}");
        assert_eq!(watch.report(leaning, aimed(2), now).tilted_deg, Some(0.0), "aimed anew as it stands");
        assert_eq!(watch.report(None, aimed(2), now).tilted_deg, None, "there is no accelerometer");
    }
}

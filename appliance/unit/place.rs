//! Where the unit is and how it stands, held against where and how it was deployed.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::saved::{Saved, SavedError};
use crate::health::PlaceReport;
use crate::system::{Clock, Gps, Gravity, Motion, PositionConfig};
use crate::words::{Moment, UnitKind};

/// How the unit stood when its aim was verified.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stance {
    pub gravity: Gravity,
    /// When that aim was verified.
    pub aimed: Timestamp,
}

pub struct PlaceWatch {
    kind: UnitKind,
    config: PositionConfig,
    gps: Option<Gps>,
    saved: Arc<Saved>,
    stance: Option<Stance>,
}

impl PlaceWatch {
    /// Portable and mobile units ask gpsd, and a fixed one that has a site.
    pub fn start(
        kind: UnitKind,
        config: PositionConfig,
        saved: Arc<Saved>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SavedError> {
        let asks = kind != UnitKind::Fixed || config.site.is_some();
        let gps = asks.then(|| Gps::follow(config.gpsd, clock));
        let gps = gps.and_then(|gps| gps.inspect_err(|error| error!(%error, "gpsd is not followed")).ok());
        let stance = saved.stance()?;
        Ok(Self { kind, config, gps, saved, stance })
    }

    pub fn config(&self) -> &PositionConfig {
        &self.config
    }

    /// `aimed`: when a person last verified an aim; from then on the unit must stand as it does.
    pub fn report(&mut self, motion: Option<Motion>, aimed: Option<Timestamp>, now: Moment) -> PlaceReport {
        let gravity = motion.and_then(|motion| motion.gravity);
        if let (Some(gravity), Some(aimed)) = (gravity, aimed)
            && self.stance.is_none_or(|stance| stance.aimed < aimed)
        {
            self.stand(Stance { gravity, aimed });
        }
        let position = self.gps.as_ref().and_then(|gps| gps.position(now));
        let site = self.config.site.filter(|_| self.kind == UnitKind::Fixed);
        PlaceReport {
            kind: self.kind,
            position,
            from_site_m: site.zip(position).map(|(site, position)| site.distance_to(position.place)),
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
    use super::*;
    use crate::crypto::UnitKey;
    use crate::system::ManualClock;

    #[test]
    fn a_new_aim_is_a_new_stance_and_a_restart_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let saved = Arc::new(Saved::new(folder.path(), &UnitKey::generate()));
        let start = || {
            PlaceWatch::start(UnitKind::Fixed, PositionConfig::default(), saved.clone(), clock.clone())
                .unwrap()
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

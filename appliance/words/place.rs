use serde::{Deserialize, Serialize};

/// The mean radius of the earth (IUGG), in metres.
const EARTH_M: f64 = 6_371_008.8;
/// Half way round the earth: nothing is further away, and no receiver wrong by more.
const FARTHEST_M: f64 = 20_100_000.0;

/// A place on the earth, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(!try_from))]
#[serde(deny_unknown_fields, try_from = "RawPlace")]
pub struct Place {
    /// Degrees north (WGS 84), -90 to 90.
    pub latitude: f64,
    /// Degrees east (WGS 84), -180 to 180.
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
        Self::new(latitude, longitude).ok_or_else(|| {
            format!("{latitude}, {longitude} is no place: latitude goes to 90, longitude to 180 degrees")
        })
    }
}

impl Place {
    /// None for what lies beyond a pole, or twice round.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let valid = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        valid.then_some(Self { latitude, longitude })
    }

    /// Metres along the surface (haversine, good to half a per cent).
    pub fn distance_to(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let across = (other.longitude - self.longitude).to_radians();
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        let chord = half(to - from) + from.cos() * to.cos() * half(across);
        2.0 * EARTH_M * chord.sqrt().min(1.0).asin()
    }

    /// To a millionth of a degree, a hand's breadth: further digits only fill messages.
    fn rounded(self) -> Self {
        let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
        Self { latitude: round(self.latitude), longitude: round(self.longitude) }
    }
}

/// Where a unit was, as well as it knew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Position {
    #[serde(flatten)]
    pub place: Place,
    pub source: PositionSource,
    /// By how many metres it may be wrong, where the receiver says; null of a site.
    pub error_m: Option<f64>,
    /// Seconds from the receiver's fix to what the position is told of; null of a site, which does not age.
    pub age_s: Option<u64>,
}

/// Who says where a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PositionSource {
    /// The configuration: where a fixed unit was deployed.
    Site,
    /// A satellite receiver.
    Gps,
}

impl Position {
    pub fn of_site(place: Place) -> Self {
        Self { place: place.rounded(), source: PositionSource::Site, error_m: None, age_s: None }
    }

    pub fn of_fix(place: Place, error_m: Option<f64>, age_s: u64) -> Self {
        let error_m = error_m.map(|metres| (metres.clamp(0.0, FARTHEST_M) * 10.0).round() / 10.0);
        Self { place: place.rounded(), source: PositionSource::Gps, error_m, age_s: Some(age_s) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Springfield, Massachusetts.
    const HERE: Place = Place { latitude: 42.1015, longitude: -72.5898 };

    #[test]
    fn distances_are_those_of_the_map() {
        let boston = Place { latitude: 42.3601, longitude: -71.0589 };
        assert!((HERE.distance_to(boston) - 129_000.0).abs() < 1000.0, "{}", HERE.distance_to(boston));
        assert_eq!(HERE.distance_to(HERE), 0.0);
        let antipode = Place { latitude: -42.1015, longitude: 107.4102 };
        let half_way_round = HERE.distance_to(antipode);
        assert!((20_000_000.0..FARTHEST_M).contains(&half_way_round), "{half_way_round}");
    }

    #[test]
    fn a_position_says_who_told_it_and_how_old_it_is_and_comes_back() {
        let fix = Position::of_fix(Place { latitude: 42.101_512_345, ..HERE }, Some(4.26), 7);
        let json = serde_json::to_string(&fix).unwrap();
        assert_eq!(
            json,
            r#"{"latitude":42.101512,"longitude":-72.5898,"source":"gps","error_m":4.3,"age_s":7}"#
        );
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), fix);
        let site = serde_json::to_string(&Position::of_site(HERE)).unwrap();
        assert!(site.ends_with(r#""source":"site","error_m":null,"age_s":null}"#), "{site}");
    }
}

//! The views against which a camera's aim is judged: the one that a person verified, and what the same aim
//! looked like in other light.

use std::collections::BTreeSet;

use jiff::Timestamp;
use opencv::core::{Mat, Vector};
use opencv::imgcodecs;
use opencv::prelude::*;
use serde::{Deserialize, Serialize};

use super::HealthError;
use super::geometry::Lanes;
use super::grid::Texture;
use super::similarity::Similarity;
use crate::capture::{Chroma, Plane};
use crate::words::PersonName;

/// A look by daylight and by infra-red have little in common; each is compared with its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    Daylight,
    /// Dusk, dawn, or a night in street light.
    Dusk,
    /// A camera that sees no colour and lights the road itself.
    InfraRed,
}

impl std::fmt::Display for Light {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Daylight => "daylight",
            Self::Dusk => "dusk",
            Self::InfraRed => "infra-red",
        })
    }
}

/// Mean luma from which a picture was taken by day, if nothing speaks against it.
const DAY: f32 = 60.0;

/// Mean luma under which a picture without colour was lit by a lamp.
const LAMP: f32 = 90.0;

/// Mean distance of chroma from grey, in steps, below which a camera has switched its colour off.
const GREY: f32 = 0.6;

impl Light {
    /// `colour` is the mean distance of chroma from grey; None for a camera without any.
    pub(super) fn of(brightness: f32, colour: Option<f32>) -> Self {
        let lamp_lit = match colour {
            Some(colour) => colour < GREY && brightness < LAMP,
            None => brightness < DAY / 2.0,
        };
        match brightness {
            _ if lamp_lit => Self::InfraRed,
            bright if bright >= DAY => Self::Daylight,
            _ => Self::Dusk,
        }
    }
}

/// Mean distance of chroma from grey, over every sixteenth row.
pub(super) fn colour(chroma: Chroma<'_>) -> f32 {
    let distance = |plane: Plane<'_>| {
        let samples = (0..plane.height).step_by(16).flat_map(|y| plane.row(y));
        let (sum, count) = samples
            .fold((0u64, 0u64), |(sum, count), sample| (sum + u64::from(sample.abs_diff(128)), count + 1));
        sum as f32 / count.max(1) as f32
    };
    match chroma {
        Chroma::Separate { u, v } => (distance(u) + distance(v)) / 2.0,
        Chroma::Interleaved(plane) => distance(plane),
    }
}

/// Everything that says where a camera should look. A later verification replaces it all.
#[derive(Clone, Serialize, Deserialize)]
pub struct References {
    /// Who verified the aim, and when.
    pub by: PersonName,
    pub at: Timestamp,
    /// The person's own view first.
    views: Vec<Reference>,
    /// Where plates pass, lane by lane.
    #[serde(default)]
    pub(super) lanes: Lanes,
    /// Hours of the day (UTC) in which plates were read although the picture was dark and empty: there the night is no fault.
    #[serde(default)]
    dark_hours: BTreeSet<i64>,
}

/// One view of the verified aim.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reference {
    pub light: Light,
    pub at: Timestamp,
    /// False for the view that the person looked at; true for what the unit learned within that aim.
    pub learned: bool,
    /// The street without its traffic, as PNG.
    #[serde(with = "base64_bytes")]
    png: Vec<u8>,
    pub(super) texture: Texture,
    /// Cells that show the street itself, and not a vehicle that stood there when the view was taken.
    pub(super) street: Vec<bool>,
    /// From the person's view to this one: what is measured against it is told against the person's.
    pub(super) offset: Similarity,
}

impl References {
    pub(super) fn new(by: PersonName, at: Timestamp, view: Reference) -> Self {
        Self { by, at, views: vec![view], lanes: Lanes::default(), dark_hours: BTreeSet::new() }
    }

    pub fn views(&self) -> &[Reference] {
        &self.views
    }

    /// Keeps one learned view for each light, the newest; the person's own is never replaced.
    pub(super) fn learn(&mut self, view: Reference) {
        self.views.retain(|old| !old.learned || old.light != view.light);
        self.views.push(view);
    }

    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Takes down that a plate was read in the dark. True the first time in this hour.
    pub(super) fn read_in_the_dark(&mut self, at: Timestamp) -> bool {
        self.dark_hours.insert(hour(at))
    }

    /// Whether it is usual at this time that nothing but plates is seen; the sun moves, so the hours around count.
    pub(super) fn is_dark_at(&self, at: Timestamp) -> bool {
        [-1, 0, 1].iter().any(|step| self.dark_hours.contains(&(hour(at) + step).rem_euclid(24)))
    }

    pub(super) fn view_mut(&mut self, view: usize) -> Option<&mut Reference> {
        self.views.get_mut(view)
    }

    pub fn in_light(&self, light: Light) -> impl Iterator<Item = &Reference> {
        self.views.iter().filter(move |view| view.light == light)
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600).rem_euclid(24)
}

impl Reference {
    pub(super) fn new(
        light: Light,
        at: Timestamp,
        learned: bool,
        picture: &Mat,
        (texture, street): (Texture, Vec<bool>),
        offset: Similarity,
    ) -> Result<Self, HealthError> {
        let mut png = Vector::new();
        imgcodecs::imencode_def(".png", picture, &mut png)?;
        Ok(Self { light, at, learned, png: png.to_vec(), texture, street, offset })
    }

    pub(super) fn picture(&self) -> Result<Mat, HealthError> {
        let bytes = Mat::from_slice(&self.png)?;
        Ok(imgcodecs::imdecode(&bytes, imgcodecs::IMREAD_GRAYSCALE)?)
    }

    /// For people: the view as JPEG, grey, at the size in which views are compared.
    pub fn jpeg(&self) -> Result<Vec<u8>, HealthError> {
        jpeg(&self.picture()?)
    }
}

pub(super) fn jpeg(picture: &Mat) -> Result<Vec<u8>, HealthError> {
    let mut file = Vector::new();
    imgcodecs::imencode_def(".jpg", picture, &mut file)?;
    Ok(file.to_vec())
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_is_told_by_brightness_and_colour() {
        assert_eq!(Light::of(120.0, Some(3.0)), Light::Daylight);
        assert_eq!(Light::of(120.0, None), Light::Daylight);
        assert_eq!(Light::of(40.0, Some(3.0)), Light::Dusk);
        assert_eq!(Light::of(45.0, None), Light::Dusk);
        assert_eq!(Light::of(70.0, Some(0.1)), Light::InfraRed);
        assert_eq!(Light::of(12.0, None), Light::InfraRed);
        let grey = [128u8; 8];
        let red = [90u8, 240].repeat(4);
        let plane = |data| Plane { data, width: 4, height: 2, stride: 4 };
        assert_eq!(colour(Chroma::Separate { u: plane(&grey), v: plane(&grey) }), 0.0);
        assert_eq!(colour(Chroma::Interleaved(plane(&red))), 75.0);
    }
}

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Refused;
use crate::health::{Coaching, Displacement, Lane, LaneReads, LaneShift, Light};
use crate::passage::DrawnLanes;
use crate::words::{CameraId, LaneName, PersonName, Plate, Probability, State};

/// How the cameras are aimed.
pub trait Aiming {
    /// The newest picture of a camera, or None if there is no such camera.
    ///
    /// The console awaits the next picture, so while the sender's `receiver_count()` is above zero someone is
    /// looking, and while it is zero nothing needs to be encoded.
    fn live(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<LivePicture>>>>;
    /// Where each camera looks against where it was aimed.
    fn aims(&self) -> Vec<AimView>;
    /// JPEG; None where there is no such camera or picture.
    fn aim_picture(&self, camera: &CameraId, which: AimPicture) -> Option<Vec<u8>>;
    /// Makes the present view of a camera its reference, on this person's word.
    fn verify_aim(&self, camera: &CameraId, by: &PersonName) -> Result<(), Refused>;
    /// Takes the place of the camera's lanes before; reads say from now on in which of these a vehicle was.
    fn draw_lanes(&self, camera: &CameraId, drawing: DrawnLanes, by: &PersonName) -> Result<(), Refused>;
}

/// How a camera is aimed, against the references that were taken when a person verified it.
#[derive(Debug, Clone, Serialize)]
pub struct AimView {
    pub camera: CameraId,
    /// Who verified the aim, and when; None where nobody has.
    pub verified: Option<(PersonName, Timestamp)>,
    /// The person's own first.
    pub references: Vec<ReferenceView>,
    /// None where nobody has verified the aim, or where the picture shows nothing to compare.
    pub displacement: Option<Displacement>,
    /// The lanes that the unit learned from the plates that passed; empty before enough did.
    pub lanes: Vec<Lane>,
    /// How vehicles pass now against then.
    pub lane_shift: Option<LaneShift>,
    /// The lanes that a person drew; None where nobody did.
    pub drawn: Option<Drawn>,
    pub lanes_doubtful: bool,
    /// Of today, or since they were drawn: in each drawn lane, then outside all of them. Empty where none are drawn.
    pub reads_by_lane: Vec<LaneReads>,
}

/// One of the views that the aim is judged by.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ReferenceView {
    pub light: Light,
    pub at: Timestamp,
    /// Whether the unit took it, within the aim that the person had verified.
    pub learned: bool,
}

/// Pictures to lay side by side: of one size, grey, the street without its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AimPicture {
    Now,
    /// The newest reference in this light.
    Then(Light),
}

/// One picture of a camera, and what the unit found in it.
#[derive(Debug, Clone)]
pub struct LivePicture {
    pub jpeg: Arc<[u8]>,
    /// Of the frame that `plates` are measured in; the JPEG may be smaller.
    pub width: u32,
    pub height: u32,
    pub plates: Vec<PlateInPicture>,
    /// What the widest plate says of the camera's aim.
    pub coaching: Coaching,
}

#[derive(Debug, Clone)]
pub struct PlateInPicture {
    /// Pixels of the frame, clockwise from the plate's own top left.
    pub corners: [(f32, f32); 4],
    /// None where a plate was found and could not be read.
    pub text: Option<Plate>,
    pub confidence: Probability,
    pub state: Option<State>,
    /// Mean length of the upper and lower edge, in pixels of the frame.
    pub width_px: f32,
    /// The drawn lane that its middle lies in.
    pub lane: Option<LaneName>,
}

/// A camera's lanes, and on whose word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub lanes: DrawnLanes,
    pub by: PersonName,
    pub at: Timestamp,
    /// When the aim was verified under which they were drawn; None where nobody had verified it. Under another aim they
    /// may lie beside the road.
    pub aim: Option<Timestamp>,
}

impl Drawn {
    /// Whether a person must look if they still fit: the aim was verified anew since.
    pub fn is_doubtful(&self, aim: Option<Timestamp>) -> bool {
        !self.lanes.is_empty() && aim.is_some() && aim != self.aim
    }
}

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::passage::DrawnLanes;
use crate::words::PersonName;

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

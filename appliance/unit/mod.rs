//! The one place that wires the rooms into a unit: started in the order of the data, stopped in reverse.
//!
//! Owns the threads between the rooms and what must be remembered over a restart besides records and
//! lists. Decides nothing that a room can decide.

mod board;
mod duty;
mod evidence;
mod guard;
mod inbound;
mod live;
mod news;
mod pulse;
mod read_record;
mod saved;
mod shelf;
mod sight;
mod tally;
mod window;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tracing::{info, warn};

use crate::alert::Alerts;
use crate::audit::{Audit, AuditError, Event, Who};
use crate::capture::Capture;
use crate::config::{Config, ConfigError};
use crate::console::{Console, ConsoleError};
use crate::crypto::{SealError, UnitKey};
use crate::delivery::{Delivery, DeliveryError, tls};
use crate::health::{CameraWatch, Service};
use crate::hotlist::Hotlist;
use crate::passage::Passages;
use crate::record::{RecordError, Records};
use crate::system::{Clock, Device, RealDisk, ServiceManager, SystemClock};
use crate::vision::{Vision, VisionError};
use crate::words::{PersonName, RecordId};

use board::Board;
use duty::Duty;
use evidence::Evidence;
use guard::{Guard, Watched};
use inbound::Post;
use pulse::Pulse;
use saved::{Saved, SavedError};
use shelf::Shelf;
use sight::Sight;
use tally::Tally;
use window::Window;

pub use news::{Glance, News};
pub use tally::Counts as TallyCounts;

/// Reads that may wait to be decided. A vehicle takes about a second to pass, so this is a queue of a minute.
const READS_WAITING: usize = 64;

/// News that a slow watcher may fall behind by; older ones are dropped for that watcher alone.
const NEWS_WAITING: usize = 256;

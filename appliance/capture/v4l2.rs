use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::config::Config;
use super::fault::LinkFault;
use super::pipeline::{Observed, Pace, Pipeline, element, link_at_once};

/// With fewer pictures a second a car at 50 km/h moves more than a metre from one to the next.
const FLUENT: f64 = 15.0;
/// More pictures a second show no more of a plate.
const ENOUGH: f64 = 30.0;

/// A camera at a device file, in the best of the modes that it offers.
pub(super) fn open(path: &Path, config: &Config) -> Result<Pipeline, LinkFault> {
    let shown = || path.display().to_string();
    // An unplugged camera takes its device file along, and one that the service may not have stays: say so, instead of what
    // GStreamer says.
    match std::fs::OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(LinkFault::Missing(shown())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(LinkFault::Forbidden(shown()));
        }
        _ => {}
    }
    let source = element("v4l2src")?;
    source.set_property("device", path.to_str().ok_or_else(|| LinkFault::Missing(shown()))?);
    let observed = Arc::new(Observed::default());
    Pipeline::start(&source, Pace::Live, config.decoder_threads.get(), observed, link_in_best_mode)
}

/// Left to itself, `v4l2src` takes the largest raw picture, which a camera on USB sends two to five times a second.
fn link_in_best_mode(source: &gst::Element, entry: &gst::Pad) -> Result<(), glib::BoolError> {
    // Opened, the device tells its modes. One that does not open says why when the whole pipeline starts.
    let opened = source.set_state(gst::State::Ready).is_ok();
    let offered = source.static_pad("src").filter(|_| opened).map(|pad| pad.query_caps(None));
    match (offered.and_then(|caps| Mode::best(&caps)), entry.parent_element()) {
        (Some(mode), Some(decoder)) => {
            tracing::debug!(mode = %mode.caps, "camera mode chosen");
            source.link_pads_filtered(Some("src"), &decoder, Some(&entry.name()), &mode.caps)
        }
        _ => link_at_once(source, entry),
    }
}

/// One way in which a camera sends pictures.
#[derive(Debug)]
struct Mode {
    caps: gst::Caps,
    pixels: f64,
    rate: f64,
    /// The lower, the less work and loss between the camera and the reader.
    effort: u8,
}

impl Mode {
    /// Of the fluent modes the one with the most pixels a second; where none is fluent, of all.
    fn best(offered: &gst::Caps) -> Option<Self> {
        let modes = offered.iter_with_features().filter(|(_, features)| is_plain(features));
        modes.filter_map(|(structure, _)| Self::of(structure)).max_by(|one, other| {
            let worth = |mode: &Self| mode.pixels * mode.rate.min(ENOUGH);
            let fluent = |mode: &Self| mode.rate >= FLUENT;
            (fluent(one).cmp(&fluent(other)))
                .then(worth(one).total_cmp(&worth(other)))
                .then(other.effort.cmp(&one.effort))
        })
    }

    /// The largest picture of `offered`, as near to [`ENOUGH`] times a second as it comes.
    fn of(offered: &gst::StructureRef) -> Option<Self> {
        let effort = effort(offered)?;
        let mut structure = offered.to_owned();
        for side in ["width", "height"] {
            structure.fixate_field_nearest_int(side, i32::MAX);
        }
        if structure.has_field("framerate") {
            structure.fixate_field_nearest_fraction("framerate", gst::Fraction::new(ENOUGH as i32, 1));
        }
        let side = |name| structure.get::<i32>(name).ok().map(f64::from);
        let pixels = side("width")? * side("height")?;
        // A driver that names none leaves the rate to the sensor.
        let rate = structure
            .get::<gst::Fraction>("framerate")
            .map_or(ENOUGH, |rate| f64::from(rate.numer()) / f64::from(rate.denom()));
        Some(Self { caps: gst::Caps::builder_full().structure(structure).build(), pixels, rate, effort })
    }
}

/// In memory that everybody can read, and not in halves of every second line.
fn is_plain(features: &gst::CapsFeaturesRef) -> bool {
    features.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref())
}

/// None for what nobody here decodes, such as a sensor's raw mosaic.
fn effort(structure: &gst::StructureRef) -> Option<u8> {
    match (structure.name().as_str(), structure.get::<&str>("format").unwrap_or_default()) {
        ("video/x-raw", "NV12" | "I420") => Some(0),
        ("video/x-raw", "GRAY8") => Some(2),
        ("video/x-raw", _) => Some(1),
        ("image/jpeg", _) => Some(3),
        ("video/x-h264" | "video/x-h265", _) => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(offered: &str) -> String {
        gst::init().unwrap();
        let mode = Mode::best(&offered.parse().unwrap()).expect("one of them can be used");
        let structure = mode.caps.structure(0).unwrap();
        let format = structure.get::<&str>("format").unwrap_or_default();
        let side = |name| structure.get::<i32>(name).unwrap();
        format!("{} {format} {}x{} {}", structure.name(), side("width"), side("height"), mode.rate)
    }

    #[test]
    fn a_camera_on_usb_is_read_fluently_and_not_in_its_largest_raw_picture() {
        let offered = "video/x-raw,format=YUY2,width=640,height=480,framerate={30/1,24/1,15/1}; \
            video/x-raw,format=YUY2,width=1280,height=720,framerate={10/1,5/1}; \
            video/x-raw,format=YUY2,width=2304,height=1536,framerate=2/1; \
            image/jpeg,width=640,height=480,framerate={60/1,30/1}; \
            image/jpeg,width=1280,height=720,framerate={60/1,30/1,24/1}; \
            image/jpeg,width=1920,height=1080,framerate={60/1,30/1,24/1}; \
            image/jpeg,width=2592,height=1944,framerate={8/1,5/1}";
        assert_eq!(chosen(offered), "image/jpeg  1920x1080 30");
    }

    #[test]
    fn of_equal_modes_the_one_with_the_least_work_is_taken() {
        let offered = "video/x-h264,width=1920,height=1080,framerate=30/1; \
            image/jpeg,width=1920,height=1080,framerate=30/1; \
            video/x-raw,format=GRAY8,width=1920,height=1080,framerate=30/1; \
            video/x-raw,format=YUY2,width=1920,height=1080,framerate=30/1; \
            video/x-raw,format=NV12,width=1920,height=1080,framerate=30/1";
        assert_eq!(chosen(offered), "video/x-raw NV12 1920x1080 30");
    }

    #[test]
    fn where_nothing_is_fluent_the_most_is_made_of_what_there_is() {
        let offered = "video/x-raw,format=YUY2,width=3840,height=2160,framerate=1/1; \
            video/x-raw,format=YUY2,width=1280,height=720,framerate={10/1,5/1}";
        assert_eq!(chosen(offered), "video/x-raw YUY2 1280x720 10");
    }

    #[test]
    fn a_sensor_that_scales_freely_gives_its_whole_picture() {
        let offered = "video/x-raw,format=NV12,width=[32,4056],height=[32,3040],framerate=[0/1,2147483647/1]; \
            video/x-raw(memory:DMABuf),format=NV12,width=9000,height=9000,framerate=30/1; \
            video/x-bayer,format=rggb,width=8000,height=6000,framerate=30/1";
        assert_eq!(chosen(offered), "video/x-raw NV12 4056x3040 30");
        let unknown = "video/x-raw,format=UYVY,width=1456,height=1088";
        assert_eq!(chosen(unknown), "video/x-raw UYVY 1456x1088 30");
    }

    #[test]
    fn what_nobody_decodes_is_left_to_gstreamer_to_refuse() {
        gst::init().unwrap();
        assert!(Mode::best(&"video/x-bayer,format=rggb,width=8000,height=6000".parse().unwrap()).is_none());
    }
}

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::fault::LinkFault;
use super::frame::{Chroma, Plane, Planes};

/// The raw formats that need no conversion: luma is the first plane of each.
pub(super) const FORMATS: [&str; 3] = ["NV12", "I420", "GRAY8"];

/// A decoder's picture, mapped for reading and shared without a copy.
struct Mapped(gst_video::VideoFrame<gst_video::video_frame::Readable>);

/// Maps the picture of `sample`, whose planes then live as long as what is returned.
pub(super) fn map(sample: &gst::Sample) -> Result<Arc<dyn Planes>, LinkFault> {
    let unusable = |what: &str| LinkFault::Undecodable(format!("the decoder gave {what}"));
    let caps = sample.caps().ok_or_else(|| unusable("a picture of no format"))?;
    let info =
        gst_video::VideoInfo::from_caps(caps).map_err(|_| unusable("something other than a picture"))?;
    let buffer = sample.buffer_owned().ok_or_else(|| unusable("an empty picture"))?;
    let frame = gst_video::VideoFrame::from_buffer_readable(buffer, &info)
        .map_err(|_| unusable("a picture that cannot be mapped"))?;
    let mapped = Mapped(frame);
    // Checked once here, so that the accessors below cannot fail on what a driver made up.
    for index in 0..mapped.0.n_planes() {
        mapped.plane(index).ok_or_else(|| unusable("a picture with planes too small for its size"))?;
    }
    Ok(Arc::new(mapped))
}

impl Mapped {
    fn plane(&self, index: u32) -> Option<Plane<'_>> {
        let stride = usize::try_from(*self.0.plane_stride().get(index as usize)?).ok()?;
        // In each of FORMATS the plane of an index begins with the component of that index.
        let height = self.0.comp_height(index) as usize;
        let bytes_per_sample = usize::try_from(self.0.comp_pstride(index)).ok()?;
        let width = self.0.comp_width(index) as usize * bytes_per_sample;
        let data = self.0.plane_data(index).ok()?;
        let needed = stride.checked_mul(height.checked_sub(1)?)?.checked_add(width)?;
        (width <= stride && needed <= data.len()).then_some(Plane { data, width, height, stride })
    }

    fn checked_plane(&self, index: u32) -> Plane<'_> {
        self.plane(index).expect("every plane was checked when the picture was mapped")
    }
}

impl Planes for Mapped {
    fn luma(&self) -> Plane<'_> {
        self.checked_plane(0)
    }

    fn chroma(&self) -> Option<Chroma<'_>> {
        match self.0.format() {
            gst_video::VideoFormat::I420 => {
                Some(Chroma::Separate { u: self.checked_plane(1), v: self.checked_plane(2) })
            }
            gst_video::VideoFormat::Nv12 => Some(Chroma::Interleaved(self.checked_plane(1))),
            _ => None,
        }
    }
}

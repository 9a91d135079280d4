use std::path::Path;
use std::sync::Arc;

use gstreamer::prelude::*;

use super::config::Config;
use super::fault::LinkFault;
use super::pipeline::{Observed, Pace, Pipeline, element, link_at_once};

/// A camera at a device file. The driver's largest picture is taken.
pub(super) fn open(path: &Path, config: &Config) -> Result<Pipeline, LinkFault> {
    // An unplugged camera takes its device file along: say so, instead of what the driver says.
    if !path.exists() {
        return Err(LinkFault::Missing(path.display().to_string()));
    }
    let device = path.to_str().ok_or_else(|| LinkFault::Missing(path.display().to_string()))?;
    let source = element("v4l2src")?;
    source.set_property("device", device);
    let observed = Arc::new(Observed::default());
    Pipeline::start(&source, Pace::Live, config.decoder_threads.get(), observed, link_at_once)
}

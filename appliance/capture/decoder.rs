use gstreamer as gst;
use gstreamer::prelude::*;

/// Readies GStreamer, and has it try the machine's hardware decoders before any software. Harmless to repeat.
///
/// The order stays GStreamer's otherwise, so an integrator can still overrule it with
/// `GST_PLUGIN_FEATURE_RANK`; a hardware decoder that does not come up is passed over for the next.
pub(super) fn prepare() -> Result<(), gst::glib::Error> {
    static PREFERRED: std::sync::Once = std::sync::Once::new();
    gst::init()?;
    PREFERRED.call_once(|| {
        let kinds = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
        for factory in gst::ElementFactory::factories_with_type(kinds, gst::Rank::MARGINAL) {
            if factory.metadata("klass").is_some_and(|class| class.contains("Hardware")) {
                factory.set_rank(gst::Rank::PRIMARY + 64);
                tracing::debug!(decoder = %factory.name(), "hardware decoder found");
            }
        }
    });
    Ok(())
}

pub(super) fn is_video_decoder(element: &gst::Element) -> bool {
    let class = element.factory().and_then(|factory| factory.metadata("klass").map(str::to_owned));
    class.is_some_and(|class| {
        class.contains("Decoder") && (class.contains("Video") || class.contains("Image"))
    })
}

/// A frame-threaded decoder delays each picture by a frame for each thread, and takes cores from reading.
pub(super) fn limit_threads(decoder: &gst::Element, threads: u8) {
    for (property, value_type) in [("max-threads", i32::static_type()), ("n-threads", u32::static_type())] {
        if let Some(found) = decoder.find_property(property)
            && found.value_type() == value_type
        {
            decoder.set_property_from_str(property, &threads.to_string());
        }
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::config::{Config, TlsTrust, Transport};
use super::fault::LinkFault;
use super::pipeline::{Observed, Pace, Pipeline, element, lock};
use super::source::RtspUrl;

/// How long the jitter buffer waits for a lost or late packet. In-order packets pass it at once.
const JITTER_MS: u32 = 200;

pub(super) fn open(url: &RtspUrl, config: &Config) -> Result<Pipeline, LinkFault> {
    let source = element("rtspsrc")?;
    let observed = Arc::new(Observed::default());
    source.set_property("location", url.location());
    source.set_property("latency", JITTER_MS);
    source.set_property_from_str(
        "protocols",
        match config.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        },
    );
    set_credentials(&source, url, config)?;
    if url.tls {
        set_trust(&source, &config.tls_trust, &observed)?;
    }
    take_first_video(&source);
    Pipeline::start(&source, Pace::Live, config.decoder_threads.get(), observed, |source, entry| {
        let entry = entry.clone();
        source.connect_pad_added(move |source, pad| {
            if !entry.is_linked() && pad.link(&entry).is_err() {
                gst::element_error!(source, gst::StreamError::Format, ["The stream is of an unknown kind"]);
            }
        });
        Ok(())
    })
}

/// As properties, never in the address: GStreamer prints addresses.
fn set_credentials(source: &gst::Element, url: &RtspUrl, config: &Config) -> Result<(), LinkFault> {
    let stored = config.password.as_ref().map(|from| from.read()).transpose()?;
    if let Some(user) = &url.user {
        source.set_property("user-id", user);
    }
    if let Some(password) = stored.as_ref().or(url.password.as_ref()) {
        source.set_property("user-pw", password.reveal());
    }
    Ok(())
}

fn set_trust(source: &gst::Element, trust: &TlsTrust, observed: &Arc<Observed>) -> Result<(), LinkFault> {
    match trust {
        TlsTrust::System => {}
        TlsTrust::Anyone => source.set_property("tls-validation-flags", gio::TlsCertificateFlags::empty()),
        TlsTrust::Authorities(path) => {
            let unusable =
                |error: &dyn std::fmt::Display| LinkFault::Untrusted(format!("{}: {error}", path.display()));
            let path = path.canonicalize().map_err(|error| unusable(&error))?;
            let database = gio::TlsFileDatabase::new(&path).map_err(|error| unusable(&error.message()))?;
            source.set_property("tls-database", database);
        }
    }
    let observed = Arc::clone(observed);
    // Asked only about certificates that failed the check; the answer is always no, the reason is kept.
    source.connect("accept-certificate", false, move |values| {
        let errors = values.get(3).and_then(|value| value.get::<gio::TlsCertificateFlags>().ok());
        *lock(&observed.certificate) =
            Some(reason(errors.unwrap_or(gio::TlsCertificateFlags::GENERIC_ERROR)));
        Some(false.to_value())
    });
    Ok(())
}

fn reason(errors: gio::TlsCertificateFlags) -> String {
    use gio::TlsCertificateFlags as Flag;
    let reasons = [
        (Flag::UNKNOWN_CA, "no trusted authority signed it"),
        (Flag::BAD_IDENTITY, "it is for another host"),
        (Flag::EXPIRED, "it has expired"),
        (Flag::NOT_ACTIVATED, "it is not yet valid: check the unit's clock"),
        (Flag::REVOKED, "it was revoked"),
        (Flag::INSECURE, "its cryptography is too weak"),
    ];
    let found: Vec<_> =
        reasons.into_iter().filter(|(flag, _)| errors.contains(*flag)).map(|(_, reason)| reason).collect();
    if found.is_empty() { "it failed the check".to_owned() } else { found.join(", ") }
}

/// Sound and metadata are not even asked of the camera.
fn take_first_video(source: &gst::Element) {
    let taken = AtomicBool::new(false);
    source.connect("select-stream", false, move |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let is_video = caps.is_some_and(|caps| {
            caps.structure(0)
                .is_some_and(|stream| stream.get::<&str>("media").is_ok_and(|kind| kind == "video"))
        });
        Some((is_video && !taken.swap(true, Ordering::Relaxed)).to_value())
    });
}

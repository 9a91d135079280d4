use std::time::Duration;

/// Why a camera gives no pictures. Displays as a sentence; [`LinkFault::mend`] says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    #[error("the camera cannot be reached: {0}")]
    Unreachable(String),
    #[error("the camera refused the user name or password")]
    Refused,
    #[error("the camera's password is missing: {0}")]
    NoPassword(String),
    #[error("the camera has no stream under this path")]
    NoStream,
    #[error("the camera's certificate is not trusted: {0}")]
    Untrusted(String),
    #[error("nothing came from the camera for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("data came from the camera, but no picture for {} s", .0.as_secs())]
    NoPicture(Duration),
    #[error("the camera ended the stream")]
    HungUp,
    #[error("{0} is not there")]
    Missing(String),
    #[error("{0} may not be opened")]
    Forbidden(String),
    #[error("the camera is in use by another program: {0}")]
    Busy(String),
    #[error("{0} holds no picture")]
    Empty(String),
    #[error("the stream cannot be decoded: {0}")]
    Undecodable(String),
    #[error("the stream broke off: {0}")]
    Broken(String),
}

impl LinkFault {
    /// What a person does about it, as a sentence.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "Check the camera's power, cable and address.",
            Self::Refused => {
                "Set user and password to what the camera expects; it may have locked the account."
            }
            Self::NoPassword(_) => "Name a readable file or systemd credential under `password`.",
            Self::NoStream => "Look up the stream's path in the camera's manual and mend `source`.",
            Self::Untrusted(_) => {
                "Give `tls_trust` the camera's certificate, and in `source` the host name that stands in it."
            }
            Self::Silent(_) => "Check the camera and the network between; restart the camera if it persists.",
            Self::NoPicture(_) => "Set the camera to H.264, H.265 or MJPEG with a key frame each 1 to 4 s.",
            Self::HungUp => "It is tried again by itself; check whether the camera restarts often.",
            Self::Missing(_) => "Check cable and path.",
            Self::Forbidden(_) => "Allow the device to the service, by its group and by `DeviceAllow`.",
            Self::Busy(_) => {
                "End what else uses it: a camera at a device file gives pictures to one program alone."
            }
            Self::Empty(_) => "Put pictures or a clip there, or mend `source`.",
            Self::Undecodable(_) => {
                "Install the GStreamer plugin for this format, or set the camera to H.264."
            }
            Self::Broken(_) => "It is tried again by itself; check cable and network if it persists.",
        }
    }

    /// A short name to count and show faults under.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Refused => "refused",
            Self::NoPassword(_) => "no-password",
            Self::NoStream => "no-stream",
            Self::Untrusted(_) => "untrusted",
            Self::Silent(_) => "silent",
            Self::NoPicture(_) => "no-picture",
            Self::HungUp => "hung-up",
            Self::Missing(_) => "missing",
            Self::Forbidden(_) => "forbidden",
            Self::Busy(_) => "busy",
            Self::Empty(_) => "empty",
            Self::Undecodable(_) => "undecodable",
            Self::Broken(_) => "broken",
        }
    }

    /// Whether trying again soon does harm: cameras lock an account after a few wrong passwords.
    pub(super) fn wants_long_rest(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;

use serde::Deserialize;

use super::link::LinkFault;
use super::scene::ScenePlate;
use super::source::{Secret, Source};
use crate::words::CameraId;

/// One camera: a `[[camera]]` table of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the camera is called in reads, alerts and pages. Change it where a unit has more than one.
    #[serde(default = "default_name")]
    pub name: CameraId,
    /// Where pictures come from: `rtsp://user@host/path`, `rtsps://...`, `/dev/video0`, a clip, a folder of
    /// pictures (ending in `/`) or `scene:traffic`. Needed.
    pub source: Source,
    /// The RTSP password: `{ credential = "camera" }` (a systemd credential) or `{ file = "/path" }`.
    /// Default none. Read again for each connection, so a new one needs no restart.
    #[serde(default)]
    pub password: Option<PasswordFrom>,
    /// How RTSP media travels: `tcp` (default; passes firewalls, loses nothing) or `udp` (where a camera's
    /// TCP is broken, or its link so slow that late pictures are worse than lost ones).
    #[serde(default)]
    pub transport: Transport,
    /// Who is believed when an `rtsps://` camera shows its certificate: `system` (default), a PEM file of
    /// authorities or the camera's own certificate, or `anyone` (encrypted, but to whom is not known).
    #[serde(default)]
    pub tls_trust: TlsTrust,
    /// Whether a file or folder starts again at its end. Default true.
    #[serde(default = "default_repeat")]
    pub repeat: bool,
    /// How long each picture of a folder is shown. Default 500.
    #[serde(default = "default_picture_ms")]
    pub picture_ms: NonZeroU32,
    /// Threads of a software decoder. Default 1, which decodes 1080p30 and delays no frame; more for 4K.
    #[serde(default = "default_decoder_threads")]
    pub decoder_threads: NonZeroU8,
    /// The lens' horizontal angle of view in degrees, by which shifts in the picture are told as turns of the camera.
    /// Default: not known, and 30 is assumed.
    #[serde(default)]
    pub view_angle_deg: Option<ViewAngle>,
    /// What the cars of `scene:traffic` carry, in turn, as `"ABC123"` or `"ABC123;ma"`. Default: invented.
    #[serde(default)]
    pub plates: Vec<ScenePlate>,
}

impl Config {
    /// A camera with everything at its default but the source.
    pub fn of(source: Source) -> Self {
        Self {
            name: default_name(),
            source,
            password: None,
            transport: Transport::default(),
            tls_trust: TlsTrust::default(),
            repeat: default_repeat(),
            picture_ms: default_picture_ms(),
            decoder_threads: default_decoder_threads(),
            view_angle_deg: None,
            plates: Vec::new(),
        }
    }
}

fn default_name() -> CameraId {
    CameraId::parse("camera").expect("a constant name of allowed characters")
}

fn default_repeat() -> bool {
    true
}

fn default_picture_ms() -> NonZeroU32 {
    NonZeroU32::new(500).expect("500 is not zero")
}

fn default_decoder_threads() -> NonZeroU8 {
    NonZeroU8::MIN
}

/// A lens' horizontal angle of view, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f32")]
pub struct ViewAngle(f32);

impl ViewAngle {
    pub fn degrees(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for ViewAngle {
    type Error = String;

    fn try_from(degrees: f32) -> Result<Self, Self::Error> {
        if (1.0..=150.0).contains(&degrees) {
            Ok(Self(degrees))
        } else {
            Err(format!("{degrees} is no lens' angle of view: give degrees from 1 to 150"))
        }
    }
}

/// Where a password is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasswordFrom {
    /// A credential that systemd hands to the service.
    Credential(String),
    /// A file that holds nothing else; a line end behind it is ignored.
    File(PathBuf),
}

impl PasswordFrom {
    pub(super) fn read(&self) -> Result<Secret, LinkFault> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    LinkFault::NoPassword(format!("systemd gave the service no credentials, so no {name:?}"))
                })?;
                PathBuf::from(folder).join(name)
            }
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| LinkFault::NoPassword(format!("{} cannot be read: {error}", path.display())))?;
        Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// How RTSP media travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// Whose word counts for a camera's certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum TlsTrust {
    #[default]
    System,
    Authorities(PathBuf),
    Anyone,
}

impl From<String> for TlsTrust {
    fn from(text: String) -> Self {
        match text.as_str() {
            "system" => Self::System,
            "anyone" => Self::Anyone,
            _ => Self::Authorities(text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_needs_only_its_source() {
        let config: Config = toml::from_str(r#"source = "/dev/video0""#).unwrap();
        assert_eq!(config.name.as_str(), "camera");
        assert_eq!(config.tls_trust, TlsTrust::System);
        assert!(config.repeat);
    }

    #[test]
    fn a_mistake_names_its_field_and_no_secret() {
        let mistake = |text: &str| toml::from_str::<Config>(text).unwrap_err().to_string();
        assert!(mistake(r#"source = "scene:traffic""#.replace("source", "sauce").as_str()).contains("sauce"));
        assert!(mistake("source = \"scene:traffic\"\npicture_ms = 0").contains("picture_ms"));
        assert!(mistake("source = \"scene:traffic\"\nview_angle_deg = 0").contains("1 to 150"));
        assert!(mistake("source = \"scene:traffic\"\nplates = [\"A!\"]").contains("'!' cannot stand"));
    }

    #[test]
    fn the_password_comes_from_a_file_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        assert_eq!(PasswordFrom::File(path).read(), Ok(Secret::new("hunter2".into())));
        let missing = PasswordFrom::File(folder.path().join("none")).read();
        assert!(matches!(missing, Err(LinkFault::NoPassword(_))));
    }
}

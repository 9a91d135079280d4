use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// Where a camera's pictures come from.
///
/// Written as one text: `rtsp://user@host/path`, `rtsps://...`, `/dev/video0`, `clip.mp4` or `file:clip`,
/// `pictures/` or `folder:pictures`, `scene:traffic`. What is displayed never shows a secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Source {
    Rtsp(RtspUrl),
    V4l2(PathBuf),
    File(PathBuf),
    Folder(PathBuf),
    /// Rendered traffic: no camera, no file.
    Scene,
}

/// The address of an RTSP camera, taken apart so that its secrets can be kept apart.
#[derive(Clone, PartialEq, Eq)]
pub struct RtspUrl {
    pub tls: bool,
    /// With the port where one is given, as in `10.0.0.9:554` or `[fe80::1]:554`.
    pub host: String,
    /// From the first `/` on, query included; may be empty.
    pub path: String,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a text is no source. The message is meant to stand behind the field that held it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error(
        "the source is empty: give rtsp://..., rtsps://..., /dev/video0, a file, a folder/ or scene:traffic"
    )]
    Empty,
    #[error("{0}:// is not a kind of source: use rtsp, rtsps, a path, or scene:traffic")]
    Scheme(String),
    #[error("the address has no host: write it as rtsp://host/path")]
    NoHost,
    #[error("{0:?} is not a host with an optional port")]
    Host(String),
    #[error(
        "user or password in the address is not valid percent-encoding: write @ as %40, / as %2F, % as %25"
    )]
    Encoding,
    #[error("scene:{0} is not known: the only scene is scene:traffic")]
    Scene(String),
}

impl Source {
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SourceError::Empty);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "rtsp" => RtspUrl::parse(false, rest).map(Self::Rtsp),
                "rtsps" => RtspUrl::parse(true, rest).map(Self::Rtsp),
                "file" => Ok(Self::File(rest.into())),
                other => Err(SourceError::Scheme(other.chars().take(20).collect())),
            };
        }
        Ok(match text.split_once(':') {
            Some(("scene", "traffic")) => Self::Scene,
            Some(("scene", other)) => return Err(SourceError::Scene(other.chars().take(40).collect())),
            Some(("file", path)) => Self::File(path.into()),
            Some(("folder", path)) => Self::Folder(path.into()),
            _ if text.starts_with("/dev/") => Self::V4l2(text.into()),
            _ if text.ends_with('/') => Self::Folder(text.into()),
            _ => Self::File(text.into()),
        })
    }
}

impl RtspUrl {
    fn parse(tls: bool, rest: &str) -> Result<Self, SourceError> {
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // The last @, because passwords are often written with a bare @ in them.
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, authority),
        };
        // A bare / in a password cuts the address in two, and its halves would be shown as host and path.
        if credentials.is_none() && host.contains(':') && path.contains('@') {
            return Err(SourceError::Encoding);
        }
        check_host(host)?;
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            None => (None, None),
            Some((user, password)) => (Some(percent_decoded(user)?), Some(percent_decoded(password)?)),
        };
        Ok(Self {
            tls,
            host: host.to_owned(),
            path: path.to_owned(),
            user: user.filter(|user| !user.is_empty()),
            password: password.filter(|password| !password.is_empty()).map(Secret),
        })
    }

    /// The address to connect to: without user and password, but whole otherwise, so not for printing.
    pub(super) fn location(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.host, self.path)
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "rtsps" } else { "rtsp" }
    }
}

fn check_host(host: &str) -> Result<(), SourceError> {
    let wrong = || SourceError::Host(host.chars().take(80).collect());
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            (address, port.strip_prefix(':'))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    if name.is_empty() {
        return Err(SourceError::NoHost);
    }
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let name_fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    if port_fits && name_fits { Ok(()) } else { Err(wrong()) }
}

fn percent_decoded(text: &str) -> Result<String, SourceError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(SourceError::Encoding)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| SourceError::Encoding)
}

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that sends it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.user.is_some() || self.password.is_some() { "***@" } else { "" };
        write!(f, "{}://{credentials}{}", self.scheme(), self.host)?;
        // Some cameras take the password in the path (`/user=admin&password=x&channel=1`): only what
        // cannot hold one is shown.
        for (index, part) in self.path.split_inclusive(['/', '?', '&']).enumerate() {
            match part.split_once('=') {
                Some((key, value)) if index > 0 || !key.is_empty() => {
                    let end = value.find(['/', '?', '&']).unwrap_or(value.len());
                    let harmless =
                        value[..end].bytes().all(|byte| byte.is_ascii_digit()) && names_no_secret(key);
                    write!(f, "{key}={}{}", if harmless { &value[..end] } else { "***" }, &value[end..])?;
                }
                _ => f.write_str(part)?,
            }
        }
        Ok(())
    }
}

fn names_no_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !["pass", "pwd", "pw", "user", "usr", "auth", "token", "key", "secret"]
        .iter()
        .any(|word| key.contains(word))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rtsp(url) => url.fmt(f),
            Self::V4l2(path) | Self::File(path) => path.display().fmt(f),
            Self::Folder(path) => write!(f, "{}/", path.display().to_string().trim_end_matches('/')),
            Self::Scene => f.write_str("scene:traffic"),
        }
    }
}

/// As `Display`: a derived form would print what must not be printed.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

impl fmt::Debug for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtspUrl({self})")
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtsp(text: &str) -> RtspUrl {
        match Source::parse(text) {
            Ok(Source::Rtsp(url)) => url,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn each_kind_is_told_by_its_text() {
        assert_eq!(Source::parse("/dev/video0"), Ok(Source::V4l2("/dev/video0".into())));
        assert_eq!(Source::parse("clips/a.mp4"), Ok(Source::File("clips/a.mp4".into())));
        assert_eq!(Source::parse("file:///srv/a.mp4"), Ok(Source::File("/srv/a.mp4".into())));
        assert_eq!(Source::parse("pictures/"), Ok(Source::Folder("pictures/".into())));
        assert_eq!(Source::parse("folder:pictures"), Ok(Source::Folder("pictures".into())));
        assert_eq!(Source::parse("scene:traffic"), Ok(Source::Scene));
    }

    #[test]
    fn credentials_are_taken_out_of_the_address() {
        let url = rtsp("rtsp://admin:p%40ss@w:rd@10.0.0.9:8554/live/1?channel=2");
        assert_eq!(url.user.as_deref(), Some("admin"));
        assert_eq!(url.password.as_ref().unwrap().reveal(), "p@ss@w:rd");
        assert_eq!(url.location(), "rtsp://10.0.0.9:8554/live/1?channel=2");
    }

    #[test]
    fn no_secret_is_ever_shown() {
        for (text, shown) in [
            ("rtsp://admin:hunter2@cam/live", "rtsp://***@cam/live"),
            ("rtsps://admin@[::1]:322/live", "rtsps://***@[::1]:322/live"),
            (
                "rtsp://cam/user=admin&password=hunter2&channel=1",
                "rtsp://cam/user=***&password=***&channel=1",
            ),
            ("rtsp://cam/live?pwd=1234&subtype=0", "rtsp://cam/live?pwd=***&subtype=0"),
        ] {
            let source = Source::parse(text).unwrap();
            assert_eq!(source.to_string(), shown);
            assert!(!format!("{source:?}").contains("hunter2"));
        }
        assert_eq!(format!("{:?}", rtsp("rtsp://a:hunter2@cam").password), "Some(***)");
    }

    #[test]
    fn a_wrong_source_says_what_is_wrong_without_its_secrets() {
        assert_eq!(Source::parse("  "), Err(SourceError::Empty));
        assert_eq!(Source::parse("http://cam/x"), Err(SourceError::Scheme("http".into())));
        assert_eq!(Source::parse("rtsp://user:pw@/x"), Err(SourceError::NoHost));
        assert_eq!(Source::parse("rtsp://user:pw@cam:port/x"), Err(SourceError::Host("cam:port".into())));
        assert_eq!(Source::parse("rtsp://a:%zz@cam/x"), Err(SourceError::Encoding));
        assert_eq!(Source::parse("rtsp://admin:hun/ter2@cam/x"), Err(SourceError::Encoding));
        assert_eq!(Source::parse("rtsp://admin:12/34@cam/x"), Err(SourceError::Encoding));
        assert_eq!(Source::parse("scene:moon"), Err(SourceError::Scene("moon".into())));
    }
}

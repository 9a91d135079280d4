//! What to tell someone whose configuration does not load: file, line, field, value, and how to mend it.
//!
//! The mend comes from the sample configuration: there, each field stands under a comment that explains it.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::SAMPLE;

/// Why a configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read: {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Mistake(#[from] Box<Mistake>),
}

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// Such as `camera.source`; empty where the text is no TOML at all.
    pub field: String,
    /// The offending text as it stands in the file.
    pub value: String,
    pub problem: String,
    pub mend: Option<String>,
}

impl std::error::Error for Mistake {}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)?;
        if !self.field.is_empty() {
            write!(f, ", field {}", self.field)?;
        }
        if !self.value.is_empty() {
            write!(f, ", value {}", self.value)?;
        }
        write!(f, ": {}", self.problem)?;
        match &self.mend {
            Some(mend) => write!(f, "\n  mend: {mend}"),
            None => Ok(()),
        }
    }
}

/// Reads a configuration, or part of one, from `text`; `file` is for the message.
pub fn parse<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T, Box<Mistake>> {
    let deserializer =
        toml::Deserializer::parse(text).map_err(|error| mistake(text, file, String::new(), &error))?;
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| mistake(text, file, field_name(error.path()), error.inner()))
}

/// The path without the indices of lists, as the sample's fields are named.
fn field_name(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(".")
}

fn mistake(text: &str, file: &Path, mut field: String, error: &toml::de::Error) -> Box<Mistake> {
    let span = error.span().unwrap_or(0..0);
    let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
    let value = text.get(span).unwrap_or_default().lines().next().unwrap_or_default().trim();
    let mut problem = error.message().lines().collect::<Vec<_>>().join(", ");
    let value = if field.ends_with("password") {
        // The password itself, most likely, where only its place belongs.
        let secret = value.trim_matches(['"', '\'']);
        if !secret.is_empty() {
            problem = problem.replace(secret, "***");
        }
        "***".to_owned()
    } else {
        without_password(value)
    };

    let mut mend = None;
    if let Some(unknown) = quoted_after(&problem, "unknown field") {
        let table = field.strip_suffix(unknown).unwrap_or(&field).trim_end_matches('.').to_owned();
        mend = Some(match nearest(&table, unknown) {
            Some(near) => {
                format!("did you mean {near}? {}", explained(&joined(&table, &near)).unwrap_or_default())
            }
            None => "remove it, or look it up in the sample configuration (config/milepost.toml)".to_owned(),
        });
        field = joined(&table, unknown);
    } else if let Some(missing) = quoted_after(&problem, "missing field") {
        field = joined(&field, missing);
    }
    let mend = mend.or_else(|| if field.is_empty() { Some(SYNTAX.to_owned()) } else { explained(&field) });
    let value = if problem.starts_with("missing field") { String::new() } else { value };
    Box::new(Mistake { file: file.to_owned(), line, field, value, problem, mend })
}

/// How to mend what is no TOML.
const SYNTAX: &str = "compare the line with the sample configuration (config/milepost.toml): texts stand between \
                      quotation marks, a table's name in brackets on a line of its own";

/// A camera's address may hold a password, and messages go into journals.
fn without_password(value: &str) -> String {
    match value.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
        Some((scheme, Some((_, host)))) => format!("{scheme}://***@{host}"),
        _ => value.to_owned(),
    }
}

fn joined(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// The name in backquotes behind `words`.
fn quoted_after<'a>(problem: &'a str, words: &str) -> Option<&'a str> {
    problem.strip_prefix(words)?.trim_start().strip_prefix('`')?.split('`').next()
}

/// The field of the same table that is spelt most like `unknown`, if any is like it.
fn nearest(table: &str, unknown: &str) -> Option<String> {
    let in_table = sample_fields().filter_map(|(field, _)| {
        let (its_table, key) = field.rsplit_once('.').unwrap_or(("", &field));
        (its_table == table).then(|| key.to_owned())
    });
    in_table
        .map(|key| (strsim::jaro_winkler(&key, unknown), key))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

/// The comment above `field` in the sample.
fn explained(field: &str) -> Option<String> {
    sample_fields().find(|(name, _)| name == field).map(|(_, comment)| comment)
}

/// Every field of the sample with the comment above it. A field that is off by default stands there
/// commented out, as `#name = value` without a space behind the `#`.
fn sample_fields() -> impl Iterator<Item = (String, String)> {
    let (mut table, mut comment) = (String::new(), Vec::new());
    SAMPLE.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
            return None;
        }
        let explanation = std::mem::take(&mut comment).join(" ");
        let line = line.strip_prefix('#').unwrap_or(line);
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
            return Some((table.clone(), explanation));
        }
        let (key, _) = line.split_once(" = ")?;
        Some((joined(&table, key), explanation))
    })
}

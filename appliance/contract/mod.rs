//! The messages as other programs see them: their JSON schemas, made from the types that are sent and parsed.
//!
//! Part of the tests alone, so the product carries none of it. `config/schemas` holds the result, which
//! `config/asyncapi.yaml` names; whoever changes a message's type has it written anew by `make schemas`, and the
//! difference shows in the commit what other programs must be told.

mod texts;

pub use texts::{Day, Time};

use std::path::{Path, PathBuf};

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::alert::{Answer, Disposition};
use crate::audit::Body;
use crate::command::{Command, CommandResult};
use crate::crypto::{Digest, Signed};
use crate::delivery::{self, Presence, Receipt};
use crate::health::{Change, HealthReport};
use crate::hotlist::{Changes, Entry, Letter, Manifest, ManualChange, ManualMessage};
use crate::record::Certificate;
use crate::roster::Roster;
use crate::unit::{AlertRecord, CanaryRecord, ReadRecord};

/// Set, the test writes the schemas instead of comparing them.
const WRITE: &str = "MILEPOST_WRITE_SCHEMAS";

/// Each file's name, and what stands in it.
fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("presence", sent::<Presence>()),
        ("event", sent::<delivery::Event>()),
        ("alert", sent::<AlertRecord>()),
        ("read", sent::<ReadRecord>()),
        ("canary", sent::<CanaryRecord>()),
        ("disposition", sent::<Disposition>()),
        ("manual-step", sent::<ManualChange>()),
        ("health-change", sent::<Change>()),
        ("audit", sent::<Vec<AuditLine>>()),
        ("purge-certificate", sent::<Certificate>()),
        ("health", sent::<HealthReport>()),
        ("command-result", sent::<CommandResult>()),
        ("signed", taken::<Signed>()),
        ("receipt", taken::<Receipt>()),
        ("answer", taken::<Answer>()),
        ("command", taken::<Command>()),
        ("manual-message", taken::<ManualMessage>()),
        ("manifest", taken::<Manifest>()),
        ("delta", taken::<Letter>()),
        ("changes", taken::<Changes>()),
        ("entry", taken::<Entry>()),
        ("roster", taken::<Roster>()),
    ]
}

/// An entry of the audit log, as `milepost audit` exports and checks it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the log writes an entry as text, around its hash")]
struct AuditLine {
    #[schemars(flatten)]
    body: Body<'static>,
    /// Of the entry's text without this field and the comma before it.
    hash: Digest,
}

/// Of what a unit sends. Open: later versions may add fields, and values of most enumerations.
fn sent<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft07().for_serialize().into_generator())
}

/// Of what a unit parses. Closed where the unit refuses what it does not know.
fn taken<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft07().for_deserialize().into_generator())
}

fn schema<T: JsonSchema>(generator: SchemaGenerator) -> Value {
    let mut schema = generator.into_root_schema_for::<T>();
    plain(&mut schema);
    schema.to_value()
}

/// Leaves out what only Rust knows of: the widths of numbers, and links between doc comments.
fn plain(schema: &mut Schema) {
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && (format.starts_with("int") || format.starts_with("uint") || matches!(format, "float" | "double"))
    {
        schema.remove("format");
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = words(description);
    }
    schemars::transform::transform_subschemas(&mut plain, schema);
}

/// A doc comment as a stranger reads it: one line, ``[`Name`]`` without its brackets, None as JSON has it.
fn words(comment: &str) -> String {
    let line = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("[`", "`").replace("`]", "`").replace("None", "null")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schemas")
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let writes = std::env::var_os(WRITE).is_some();
    let mut stale = Vec::new();
    for (name, schema) in schemas() {
        let (path, text) = (folder().join(format!("{name}.json")), format!("{schema:#}\n"));
        if writes {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(path, text).unwrap();
        } else if std::fs::read_to_string(path).ok().as_deref() != Some(&text) {
            stale.push(format!("config/schemas/{name}.json"));
        }
    }
    assert!(
        stale.is_empty(),
        "messages have changed: write {stale:?} anew by `make schemas`, read what differs, and say in \
         config/messages.md what other programs must know of it"
    );
    let known: Vec<_> = schemas().iter().map(|(name, _)| folder().join(format!("{name}.json"))).collect();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(known.contains(&path), "{} is no message's any more: remove it", path.display());
    }
}

/// A stranger is told in words what each object and each of its fields is.
#[test]
fn everything_is_described() {
    for (name, schema) in schemas() {
        let mut untold = Vec::new();
        find_untold(name, &schema, &mut untold);
        assert!(untold.is_empty(), "config/schemas/{name}.json does not say what these are: {untold:?}");
    }
}

fn find_untold(of: &str, schema: &Value, untold: &mut Vec<String>) {
    let is_told = |schema: &Value| {
        ["description", "$ref", "allOf", "anyOf", "const"].iter().any(|key| schema.get(key).is_some())
    };
    let objects = |key: &str| schema.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    if !is_told(schema) && schema["type"] != "array" {
        untold.push(of.to_owned());
    }
    untold.extend(
        objects("properties")
            .iter()
            .filter(|(_, field)| !is_told(field))
            .map(|(field, _)| format!("{of}.{field}")),
    );
    objects("definitions").iter().for_each(|(name, definition)| find_untold(name, definition, untold));
}

#[test]
fn a_description_is_for_strangers() {
    assert_eq!(words("As\n[`Plate`] says:\n\nnothing."), "As `Plate` says: nothing.");
    assert_eq!(json!(sent::<u32>()).get("format"), None);
}

//! Two configurations, field by field.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::console::FieldChange;

/// Fields that differ, in the order of their names.
pub fn differences(old: &Table, new: &Table) -> Vec<FieldChange> {
    let (old, new) = (flat(old), flat(new));
    let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |field: &String| FieldChange {
        field: field.clone(),
        old: old.get(field).cloned(),
        new: new.get(field).cloned(),
    };
    fields.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

fn flat(table: &Table) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    table.iter().for_each(|(key, value)| lay_down(key.clone(), value, &mut fields));
    fields
}

fn lay_down(name: String, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(key, value)| lay_down(format!("{name}.{key}"), value, fields));
        }
        Value::Array(values) if values.iter().any(Value::is_table) => {
            let numbered = values.iter().enumerate();
            numbered.for_each(|(at, value)| lay_down(format!("{name}[{}]", at + 1), value, fields));
        }
        value => drop(fields.insert(name, value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keep_own_files;

    #[test]
    fn a_fleets_configuration_leaves_the_units_own_files_and_shows_the_rest() {
        let present: Table = toml::from_str(
            "[unit]\nid = \"north-7\"\nstate_dir = \"state\"\n[delivery.broker]\nport = 8883\nkey = \"own.key\"\n\
             [[camera]]\nsource = \"a\"\n",
        )
        .unwrap();
        let mut fleet: Table = toml::from_str(
            "camera = [{source = \"b\"}]\n[unit]\nid = \"north-7\"\nkey_file = \"theirs\"\nstate_dir = \"/var/lib\"\n\
             [delivery.broker]\nport = 8883\nauthority = \"theirs.pem\"\n[alert]\nrepeat_after_s = 9\n",
        )
        .unwrap();
        keep_own_files(&mut fleet, &present);
        let changed = differences(&present, &fleet);
        let change = |field: &str, old: Option<&str>, new: &str| FieldChange {
            field: field.into(),
            old: old.map(str::to_owned),
            new: Some(new.into()),
        };
        let due =
            [change("alert.repeat_after_s", None, "9"), change("camera[1].source", Some("\"a\""), "\"b\"")];
        assert_eq!(changed, due);
    }
}

use toml::{Table, Value};

/// What names the unit's own files and stays, whatever a fleet's configuration says.
const OWN: [&[&str]; 5] = [
    &["unit", "state_dir"],
    &["unit", "key_file"],
    &["delivery", "broker", "authority"],
    &["delivery", "broker", "certificate"],
    &["delivery", "broker", "key"],
];

/// Puts the unit's own files in the place of those that a fleet's configuration names.
pub fn keep_own_files(fleet: &mut Table, present: &Table) {
    for path in OWN {
        let (last, way) = path.split_last().expect("no path is empty");
        let value = way.iter().try_fold(present, |table, key| table.get(*key)?.as_table());
        let value = value.and_then(|table| table.get(*last)).cloned();
        let mut table = &mut *fleet;
        for key in way {
            let entry = table.entry((*key).to_owned()).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { return };
            table = inner;
        }
        match value {
            Some(value) => table.insert((*last).to_owned(), value),
            None => table.remove(*last),
        };
    }
}

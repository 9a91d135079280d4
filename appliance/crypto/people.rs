use serde::{Deserialize, Deserializer, de};

use super::VerifyingKey;
use crate::words::PersonName;

/// Somebody whose word counts because the unit's configuration names their key.
pub trait Signer {
    fn name(&self) -> &PersonName;
    fn key(&self) -> &VerifyingKey;
}

/// For a field of people in a configuration. Refuses those of whom one stands under two names or with two keys: such a
/// person could be their own second person.
pub fn one_key_each<'de, Person, D>(deserializer: D) -> Result<Vec<Person>, D::Error>
where
    Person: Signer + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let people: Vec<Person> = Vec::deserialize(deserializer)?;
    for (index, person) in people.iter().enumerate() {
        let (name, key) = (person.name(), person.key());
        if people[..index].iter().any(|earlier| earlier.name() == name || earlier.key() == key) {
            return Err(de::Error::custom(format!(
                "{name}, or the key of {name}, is given twice: every person has a key that nobody else has"
            )));
        }
    }
    Ok(people)
}

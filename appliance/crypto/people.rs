use std::fmt::Display;

use super::VerifyingKey;

/// Two of the people whose signatures count share a name or a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}, or the key of {0}, is given twice: every person has a key that nobody else has")]
pub struct GivenTwice(String);

/// Refuses people, each a name and a key, of whom one stands under two names or with two keys: such a person could
/// be their own second person.
///
/// # Errors
/// The first one that stands twice.
pub fn one_key_each<'a, Name: Display + PartialEq + 'a>(
    people: impl Iterator<Item = (&'a Name, &'a VerifyingKey)>,
) -> Result<(), GivenTwice> {
    let mut earlier: Vec<(&Name, &VerifyingKey)> = Vec::new();
    for (name, key) in people {
        if earlier.iter().any(|&(its_name, its_key)| its_name == name || its_key == key) {
            return Err(GivenTwice(name.to_string()));
        }
        earlier.push((name, key));
    }
    Ok(())
}

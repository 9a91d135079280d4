use serde::Deserialize;

use crate::console::Role;
use crate::crypto::{Signer, VerifyingKey, one_key_each};
use crate::words::PersonName;

/// `[command]`: who may command this unit by signed message.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[[command.people]]`. Default: nobody.
    #[serde(deserialize_with = "one_key_each")]
    pub people: Vec<Commander>,
}

/// `[[command.people]]`: somebody at the department.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commander {
    /// As it will stand in the audit log.
    pub name: PersonName,
    /// Ed25519 public key, 44 characters, as `milepost hotlist keygen` prints it.
    pub key: VerifyingKey,
    /// What this person may do, as at the console: technicians and administrators everything (but administrators alone a
    /// roll-back of the configuration), officers a snapshot.
    pub role: Role,
}

impl Signer for Commander {
    fn name(&self) -> &PersonName {
        &self.name
    }

    fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    #[test]
    fn mistakes_are_named() {
        let key = SigningKey::generate().verifying_key();
        let person = |name: &str, role: &str| {
            format!("[[people]]\nname = \"{name}\"\nkey = \"{key}\"\nrole = \"{role}\"\n")
        };
        let config: Config = toml::from_str(&person("Ann", "technician")).unwrap();
        assert_eq!(config.people[0].role, Role::Technician);
        for (text, said) in [
            (person("Ann", "technician") + &person("Bo", "officer"), "given twice"),
            (person("Ann", "chief"), "unknown variant"),
            (format!("[[people]]\nname = \"Ann\"\nkey = \"{key}\"\n"), "role"),
        ] {
            let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

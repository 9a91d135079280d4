use serde::{Deserialize, Deserializer, de};

use crate::crypto::{KeyId, VerifyingKey};
use crate::words::RosterName;

/// `[roster]`: accounts that the department gives by signed message. Without this section there are none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// As it stands in the roster's topic.
    pub name: RosterName,
    /// Ed25519 public keys that may sign it, 44 characters each, as `milepost hotlist keygen` prints them.
    #[serde(deserialize_with = "different_keys")]
    pub keys: Vec<VerifyingKey>,
    /// How many of these keys must have signed. Default 1; 2 where nobody is to make accounts alone.
    #[serde(default)]
    pub signatures: Signatures,
}

/// 1 or 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub enum Signatures {
    #[default]
    One,
    Two,
}

impl Signatures {
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

impl TryFrom<u8> for Signatures {
    type Error = String;

    fn try_from(count: u8) -> Result<Self, Self::Error> {
        match count {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(format!("{count} signatures cannot be asked for: 1 or 2")),
        }
    }
}

impl Config {
    /// Whether a roster of this name, signed by these keys, counts.
    pub fn trusts(&self, roster: &RosterName, by: &[KeyId]) -> bool {
        let known = self.keys.iter().filter(|key| by.contains(&key.id())).count();
        self.name == *roster && known >= self.signatures.count()
    }
}

/// As many as are needed is asked by [`Config::trusts`]: one key may be on its way to a unit.
fn different_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<VerifyingKey>, D::Error> {
    let keys: Vec<VerifyingKey> = Vec::deserialize(deserializer)?;
    if keys.is_empty() {
        return Err(de::Error::custom("a roster needs at least one key that may sign it"));
    }
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].contains(key) {
            return Err(de::Error::custom(format!("the key {key} is given twice")));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    #[test]
    fn mistakes_are_named() {
        let key = SigningKey::generate().verifying_key();
        let text = |keys: String, rest: &str| format!("name = \"patrol\"\nkeys = [{keys}]\n{rest}");
        let one = format!("\"{key}\"");
        let config: Config = toml::from_str(&text(one.clone(), "signatures = 2")).unwrap();
        assert_eq!(config.signatures, Signatures::Two);
        assert!(!config.trusts(&config.name, &[key.id(), key.id()]), "one key is one person");
        for (wrong, said) in [
            (text(String::new(), ""), "at least one key"),
            (text(format!("{one}, {one}"), ""), "given twice"),
            (text(one.clone(), "signatures = 3"), "1 or 2"),
            (text(one, "colour = \"red\""), "unknown field"),
        ] {
            let error = toml::from_str::<Config>(&wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}

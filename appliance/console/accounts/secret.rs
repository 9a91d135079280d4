use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use serde::{Deserialize, Serialize};

use crate::crypto::{Digest, random};

/// Shorter passwords fall to guessing offline once a unit is stolen.
pub const PASSWORD_MIN: usize = 12;
/// Bounds the work of hashing what a stranger sends.
pub const PASSWORD_MAX: usize = 128;

/// Why a text cannot become a password: a sentence for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    #[error("The password is too short: use at least {PASSWORD_MIN} characters.")]
    Short,
    #[error("The password is too long: use at most {PASSWORD_MAX} characters.")]
    Long,
    #[error("The password repeats itself too much: use at least five different characters.")]
    Monotonous,
    #[error("The password contains the name.")]
    Name,
}

pub fn check_password(password: &str, name: &str) -> Result<(), WeakPassword> {
    let length = password.chars().count();
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if length < PASSWORD_MIN {
        Err(WeakPassword::Short)
    } else if length > PASSWORD_MAX {
        Err(WeakPassword::Long)
    } else if different.len() < 5 {
        Err(WeakPassword::Monotonous)
    } else if name.chars().count() > 2 && password.to_lowercase().contains(&name.to_lowercase()) {
        Err(WeakPassword::Name)
    } else {
        Ok(())
    }
}

/// An Argon2id hash as a PHC string, with salt and parameters in it.
///
/// Parameters are the argon2 crate's default, OWASP's first choice: 19 MiB, two passes, one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(String);

impl Hash {
    pub fn of(secret: &str) -> Self {
        let hash: PasswordHash = Argon2::default()
            .hash_password(secret.as_bytes())
            .expect("the default parameters fit any secret of bounded length");
        Self(hash.to_string())
    }

    /// Takes as long for a wrong secret as for the right one.
    pub fn fits(&self, secret: &str) -> bool {
        let within = secret.len() <= 4 * PASSWORD_MAX;
        let secret = if within { secret.as_bytes() } else { b"" };
        PasswordHash::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(secret, &hash).is_ok() && within)
    }
}

/// What stands for a person's secret in the department's roster: an Argon2id hash of a code, by the very parameters of
/// [`Hash`], so that a refusal takes as long whoever is asked for, and no roster has a unit work for minutes.
///
/// Whoever runs the broker sees it. A code has 80 random bits, which nobody finds by trying; what a person would choose, somebody
/// would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GivenSecret(Hash);

/// A text is no secret that units take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must be an Argon2id hash that begins with {GIVEN}, as `milepost roster add` makes it")]
pub struct NotGiven;

const GIVEN: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// 31 characters of parameters, 22 of salt, 43 of hash.
const GIVEN_MAX: usize = 128;

impl GivenSecret {
    pub fn of(code: &OneTimeCode) -> Self {
        Self(code.hash())
    }

    pub fn hash(&self) -> &Hash {
        &self.0
    }
}

impl TryFrom<String> for GivenSecret {
    type Error = NotGiven;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let whole = |hash: PasswordHash| hash.salt.is_some() && hash.hash.is_some();
        let fits =
            text.len() <= GIVEN_MAX && text.starts_with(GIVEN) && PasswordHash::new(&text).is_ok_and(whole);
        if fits { Ok(Self(Hash(text))) } else { Err(NotGiven) }
    }
}

impl From<GivenSecret> for String {
    fn from(secret: GivenSecret) -> Self {
        secret.0.0
    }
}

/// A code that sets a password once, such as `7KQ2-M9XW-4HTP-R3VA`: 80 random bits.
///
/// Kept only as a [`Hash`]; whoever holds this value hands it to a person and forgets it.
pub struct OneTimeCode(String);

impl OneTimeCode {
    /// Crockford's alphabet: no I, L, O, U, so that a code survives being read aloud.
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    pub fn generate() -> Self {
        let characters = random::<16>().map(|byte| char::from(Self::ALPHABET[usize::from(byte & 31)]));
        let groups: Vec<String> = characters.chunks(4).map(|group| group.iter().collect()).collect();
        Self(groups.join("-"))
    }

    pub fn hash(&self) -> Hash {
        Hash::of(&Self::canonical(&self.0))
    }

    /// For codes that are many to one account: one digest finds the right one.
    pub fn digest(&self) -> Digest {
        Digest::of(Self::canonical(&self.0).as_bytes())
    }

    /// A code as people type it: any case, with or without the hyphens, O for 0 and I or L for 1.
    pub fn canonical(typed: &str) -> String {
        typed
            .chars()
            .filter(|character| character.is_ascii_alphanumeric())
            .map(|character| match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect()
    }
}

impl std::fmt::Display for OneTimeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_fits_only_its_secret() {
        let hash = Hash::of("correct horse battery");
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(hash.fits("correct horse battery"));
        assert!(!hash.fits("correct horse batterz"));
        assert!(!hash.fits(&"x".repeat(100_000)));
        assert!(!Hash("garbage".into()).fits(""));
    }

    #[test]
    fn a_code_is_accepted_as_people_type_it() {
        let code = OneTimeCode::generate();
        let typed = code.to_string().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert!(code.hash().fits(&OneTimeCode::canonical(&typed)));
        assert_ne!(OneTimeCode::generate().to_string(), code.to_string());
    }

    #[test]
    fn a_given_secret_is_a_hash_by_our_own_parameters() {
        let given = GivenSecret::of(&OneTimeCode::generate());
        let text = String::from(given.clone());
        assert_eq!(GivenSecret::try_from(text.clone()), Ok(given));
        let slow = text.replace("m=19456", "m=4194304");
        for other in [slow, text[..40].to_owned(), String::new(), "four lanes, wet road".to_owned()] {
            assert_eq!(GivenSecret::try_from(other), Err(NotGiven));
        }
    }

    #[test]
    fn weak_passwords_are_named_for_what_they_are() {
        assert_eq!(check_password("short", "Jo Hill"), Err(WeakPassword::Short));
        assert_eq!(check_password(&"ab1x2".repeat(30), "Jo Hill"), Err(WeakPassword::Long));
        assert_eq!(check_password("abababababab", "Jo Hill"), Err(WeakPassword::Monotonous));
        assert_eq!(check_password("my jo hill 2026", "Jo Hill"), Err(WeakPassword::Name));
        assert_eq!(check_password("four lanes, wet road", "Jo Hill"), Ok(()));
    }
}

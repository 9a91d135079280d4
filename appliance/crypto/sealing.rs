use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::random;

/// The unit's one secret, 32 bytes from a systemd credential (bound to a TPM where there is one).
///
/// Nothing is sealed with it directly: each purpose has its own key, derived by HKDF-SHA-256.
#[derive(Clone)]
pub struct UnitKey([u8; 32]);

/// Why sealed bytes or the unit key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the unit key {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the unit key {path} holds {length} bytes; it must hold 32 random bytes")]
    Length { path: PathBuf, length: usize },
    #[error("the sealed bytes are damaged, or were sealed with another key")]
    Damaged,
}

impl UnitKey {
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let bytes = std::fs::read(path).map_err(|source| SealError::Read { path: path.into(), source })?;
        let length = bytes.len();
        bytes.try_into().map(Self).map_err(|_| SealError::Length { path: path.into(), length })
    }

    /// None unless there are 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn generate() -> Self {
        Self(random())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key for one purpose, such as `"record keys"`; keys of different purposes tell nothing of each other.
    pub fn derive(&self, purpose: &str) -> SealKey {
        SealKey::new(self.expand(&["milepost seal ", purpose]))
    }

    /// A key for keyed hashes (HMAC-SHA-256) of one purpose.
    pub fn derive_hmac(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.expand(&["milepost hash ", purpose]))
    }

    fn expand(&self, info: &[&str]) -> [u8; 32] {
        let info: Vec<&[u8]> = info.iter().map(|part| part.as_bytes()).collect();
        let mut out = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(&self.0)
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(&mut out))
            .expect("32 bytes are within what HKDF-SHA-256 can expand to");
        out
    }
}

/// An AES-256-GCM key.
pub struct SealKey(LessSafeKey);

impl SealKey {
    pub fn new(key: [u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("AES-256 takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Random nonce (12 bytes), then ciphertext, then tag (16 bytes). `context` is bound to the result but
    /// not stored: opening needs the same, so sealed bytes cannot be moved to another place.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut sealed[NONCE_LEN..],
            )
            .expect("no plaintext here comes near AES-GCM's limit of 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Damaged)?;
        let mut buffer = rest.to_vec();
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut buffer)
            .map_err(|_| SealError::Damaged)?;
        let length = plain.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Seals a value as JSON.
    pub fn seal_json<T: Serialize>(&self, context: &[u8], value: &T) -> Vec<u8> {
        self.seal(context, &serde_json::to_vec(value).expect("what is sealed is plain data with string keys"))
    }

    /// What was sealed as JSON; None where it does not open, or is not what is expected.
    pub fn open_json<T: DeserializeOwned>(&self, context: &[u8], sealed: &[u8]) -> Option<T> {
        serde_json::from_slice(&self.open(context, sealed).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_and_context() {
        let unit = UnitKey::generate();
        let key = unit.derive("records");
        let sealed = key.seal(b"slot 7", b"secret");
        assert_eq!(unit.derive("records").open(b"slot 7", &sealed).unwrap(), b"secret");
        assert!(key.open(b"slot 8", &sealed).is_err());
        assert!(unit.derive("lists").open(b"slot 7", &sealed).is_err());
        assert!(UnitKey::generate().derive("records").open(b"slot 7", &sealed).is_err());
    }

    #[test]
    fn damage_is_an_error_not_a_panic() {
        let key = UnitKey::generate().derive("records");
        let mut sealed = key.seal(b"", b"secret");
        sealed[14] ^= 1;
        assert!(key.open(b"", &sealed).is_err());
        assert!(key.open(b"", &[]).is_err());
        assert!(key.open(b"", &sealed[..13]).is_err());
    }
}

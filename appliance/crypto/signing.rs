use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use pkcs8::der::pem::PemLabel;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{hex, sha256};
use crate::words::json_mistake;

/// Names a key in messages and logs: the first 16 hexadecimal digits of the public key's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl TryFrom<String> for KeyId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match text.len() == 16 && text.bytes().all(is_digit) {
            true => Ok(Self(text)),
            false => Err("a key is named by 16 lower-case hexadecimal digits"),
        }
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the key {path} cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is not an Ed25519 private key (PKCS#8 in PEM)")]
    NotPrivate { path: PathBuf },
    #[error("the key {path} is locked by a passphrase")]
    Locked { path: PathBuf },
    #[error("the passphrase does not open the key {path}")]
    WrongPassphrase { path: PathBuf },
    #[error("{0:?} is not an Ed25519 public key: 32 bytes in base64, 44 characters")]
    NotPublic(String),
}

/// Signs: an Ed25519 key pair (RFC 8032).
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    pub fn generate() -> Self {
        Self(Ed25519KeyPair::generate().expect("generating needs only the random source"))
    }

    /// Reads PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// [`KeyError::Locked`] where a passphrase must open it: see [`SigningKey::unlock`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        Self::read(path, None)
    }

    /// Reads a key that a passphrase locks (PKCS#8, PBES2); one without opens with any.
    pub fn unlock(path: &Path, passphrase: &str) -> Result<Self, KeyError> {
        Self::read(path, Some(passphrase))
    }

    fn read(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let read = |source| KeyError::Read { path: path.into(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let not_private = || KeyError::NotPrivate { path: path.into() };
        let (label, document) = SecretDocument::from_pem(text.trim()).map_err(|_| not_private())?;
        let document = match label {
            EncryptedPrivateKeyInfoRef::PEM_LABEL => {
                let passphrase = passphrase.ok_or_else(|| KeyError::Locked { path: path.into() })?;
                let locked = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
                let opened = locked.map_err(|_| not_private())?.decrypt(passphrase);
                opened.map_err(|_| KeyError::WrongPassphrase { path: path.into() })?
            }
            _ => document,
        };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.as_bytes());
        Ok(Self(pair.map_err(|_| not_private())?))
    }

    /// Writes PKCS#8 in PEM to a new file that only its owner can read; refuses to replace one.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        Self::write(path, &self.document(), PrivateKeyInfoRef::PEM_LABEL)
    }

    /// The same, locked by a passphrase (PBES2 with scrypt and AES-256, which OpenSSL reads as well).
    pub fn save_locked(&self, path: &Path, passphrase: &str) -> Result<(), KeyError> {
        let document = self.document();
        let plain = PrivateKeyInfoRef::try_from(document.as_bytes()).expect("it was just encoded");
        let locked = plain.encrypt(passphrase).expect("the recommended parameters are valid");
        Self::write(path, &locked, EncryptedPrivateKeyInfoRef::PEM_LABEL)
    }

    fn document(&self) -> SecretDocument {
        let der = self.0.to_pkcs8v1().expect("a generated key can be encoded");
        SecretDocument::try_from(der.as_ref()).expect("a key is encoded as DER")
    }

    fn write(path: &Path, document: &SecretDocument, label: &'static str) -> Result<(), KeyError> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let pem = document.to_pem(label, LineEnding::LF).expect("the label is one of the standard's");
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| KeyError::Write { path: path.into(), source })
    }

    pub fn verifying_key(&self) -> VerifyingKey {
        let bytes = self.0.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
        VerifyingKey(bytes)
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// Checks signatures: an Ed25519 public key, written as 44 characters of base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let not_public = || KeyError::NotPublic(text.chars().take(60).collect());
        let bytes = BASE64.decode(text.trim()).map_err(|_| not_public())?;
        bytes.try_into().map(Self).map_err(|_| not_public())
    }

    pub fn id(&self) -> KeyId {
        KeyId(hex(&sha256(&self.0)[..8]))
    }

    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> Self {
        BASE64.encode(key.0)
    }
}

impl std::fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

/// A message with its signatures, as it travels:
/// `{"payload": "<JSON as text>", "signatures": [{"key": "<id>", "signature": "<base64>"}]}`.
///
/// The payload is signed as the very text that travels, behind a line that says what it is, so nobody needs
/// to agree on a canonical JSON and a signature for one purpose serves no other. The signed bytes are
/// `"milepost " + purpose + "\n" + payload`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// JSON as a text. Signed are the bytes of `milepost `, the purpose, a line feed (0x0a), and this text.
    payload: String,
    /// One good one by a trusted key is enough; a bad one by a trusted key refuses the message.
    signatures: Vec<Signature>,
}

/// One key's signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Signature {
    key: KeyId,
    /// Ed25519, 64 bytes in standard base64 with padding.
    signature: String,
}

/// Why a signed message was refused. What it says is as long as we make it and quotes nothing: it goes into logs, and anybody
/// may send such a message. The causes behind it do quote, for whoever signs.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    #[error("the message is not a signed envelope, at {}", place(.0))]
    Envelope(#[source] serde_json::Error),
    #[error("no signature is by a key that this unit was given (signed by: {0})")]
    UnknownKey(String),
    #[error("the signature by key {0} does not fit the message: it was changed, or is for another purpose")]
    Wrong(KeyId),
    #[error("the signed message has an unexpected form, at {}", place(.0))]
    Payload(#[source] serde_json::Error),
}

fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}: {}", error.line(), error.column(), json_mistake(error))
}

/// Of the keys that a message names; more than people sign one with.
const NAMED_MOST: usize = 4;

impl Signed {
    pub fn new<T: Serialize>(purpose: &str, message: &T, keys: &[&SigningKey]) -> Self {
        let payload = serde_json::to_string(message).expect("messages are plain data with string keys");
        let bytes = signed_bytes(purpose, &payload);
        let sign = |key: &&SigningKey| Signature {
            key: key.verifying_key().id(),
            signature: BASE64.encode(key.sign(&bytes)),
        };
        Self { signatures: keys.iter().map(sign).collect(), payload }
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an envelope is plain data with string keys")
    }

    /// Parses and verifies in one step, so that nobody can look into a message before it is verified.
    /// One good signature by a trusted key is enough; a bad one by a trusted key refuses the message.
    pub fn verify<T: DeserializeOwned>(
        json: &[u8],
        purpose: &str,
        trusted: &[VerifyingKey],
    ) -> Result<(T, KeyId), SignatureError> {
        let (message, by) = Self::verify_all(json, purpose, trusted)?;
        let first = by.into_iter().next().expect("a message that verifies has a signature");
        Ok((message, first))
    }

    /// The same, with every trusted key that has signed, each once: at least one.
    pub fn verify_all<T: DeserializeOwned>(
        json: &[u8],
        purpose: &str,
        trusted: &[VerifyingKey],
    ) -> Result<(T, Vec<KeyId>), SignatureError> {
        let envelope: Self = serde_json::from_slice(json).map_err(SignatureError::Envelope)?;
        let bytes = signed_bytes(purpose, &envelope.payload);
        let mut by = Vec::new();
        for signature in &envelope.signatures {
            let Some(key) = trusted.iter().find(|key| key.id() == signature.key) else { continue };
            let decoded = BASE64.decode(&signature.signature).unwrap_or_default();
            if !key.verifies(&bytes, &decoded) {
                return Err(SignatureError::Wrong(key.id()));
            }
            if !by.contains(&key.id()) {
                by.push(key.id());
            }
        }
        if by.is_empty() {
            return Err(SignatureError::UnknownKey(some_of(&envelope.claimed_keys())));
        }
        let message = serde_json::from_str(&envelope.payload).map_err(SignatureError::Payload)?;
        Ok((message, by))
    }

    /// Adds a signature to the message as it stands, or renews that of the same key.
    pub fn countersign(&mut self, purpose: &str, key: &SigningKey) {
        let id = key.verifying_key().id();
        let signature = BASE64.encode(key.sign(&signed_bytes(purpose, &self.payload)));
        self.signatures.retain(|signature| signature.key != id);
        self.signatures.push(Signature { key: id, signature });
    }

    /// What the message says, for somebody who is to judge it by eye; never for a unit.
    pub fn unverified<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.payload)
    }

    /// The keys that it is said to be signed by.
    pub fn claimed_keys(&self) -> Vec<KeyId> {
        self.signatures.iter().map(|signature| signature.key.clone()).collect()
    }
}

fn some_of(keys: &[KeyId]) -> String {
    let named: Vec<&str> = keys.iter().take(NAMED_MOST).map(|key| key.0.as_str()).collect();
    let more = if keys.len() > NAMED_MOST { ", and more" } else { "" };
    format!("{}{more}", named.join(", "))
}

fn signed_bytes(purpose: &str, payload: &str) -> Vec<u8> {
    format!("milepost {purpose}\n{payload}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_message_comes_back_with_its_signer() {
        let key = SigningKey::generate();
        let json = Signed::new("receipt", &vec![1, 2, 3], &[&key]).to_json();
        let (message, by): (Vec<u32>, _) = Signed::verify(&json, "receipt", &[key.verifying_key()]).unwrap();
        assert_eq!((message, by), (vec![1, 2, 3], key.verifying_key().id()));
    }

    #[test]
    fn a_countersigned_message_has_both_signers_and_each_counts_once() {
        let (ann, bo) = (SigningKey::generate(), SigningKey::generate());
        let trusted = [ann.verifying_key(), bo.verifying_key()];
        let mut signed = Signed::new("roster", &"abc", &[&ann, &ann]);
        let keys =
            |signed: &Signed| Signed::verify_all::<String>(&signed.to_json(), "roster", &trusted).unwrap().1;
        assert_eq!(keys(&signed), [ann.verifying_key().id()]);
        signed.countersign("roster", &bo);
        assert_eq!(keys(&signed), trusted.map(|key| key.id()));
        signed.countersign("command", &bo);
        assert!(Signed::verify_all::<String>(&signed.to_json(), "roster", &trusted).is_err());
    }

    #[test]
    fn refuses_strangers_changes_and_other_purposes() {
        let key = SigningKey::generate();
        let trusted = [key.verifying_key()];
        let json = Signed::new("receipt", &"abc", &[&key]).to_json();
        let stranger = SigningKey::generate().verifying_key();
        let verify = |json: &[u8], purpose, keys: &[_]| Signed::verify::<String>(json, purpose, keys);
        assert!(matches!(verify(&json, "receipt", &[stranger]), Err(SignatureError::UnknownKey(_))));
        assert!(matches!(verify(&json, "command", &trusted), Err(SignatureError::Wrong(_))));
        let changed = String::from_utf8(json).unwrap().replace("abc", "abd");
        assert!(matches!(verify(changed.as_bytes(), "receipt", &trusted), Err(SignatureError::Wrong(_))));
        assert!(matches!(verify(b"{", "receipt", &trusted), Err(SignatureError::Envelope(_))));
    }

    #[test]
    fn what_is_refused_is_neither_quoted_nor_named_at_length() {
        let key = SigningKey::generate();
        let long = "x".repeat(50_000);
        let strangers: Vec<SigningKey> = (0..50).map(|_| SigningKey::generate()).collect();
        let field = serde_json::json!({ (long.clone()): 1 });
        for json in [
            Signed::new("receipt", &"abc", &strangers.iter().collect::<Vec<_>>()).to_json(),
            Signed::new("receipt", &field, &[&key]).to_json(),
            field.to_string().into_bytes(),
            format!(r#"{{"payload":"","signatures":[{{"key":"{long}","signature":""}}]}}"#).into_bytes(),
        ] {
            let refused = Signed::verify::<Signature>(&json, "receipt", &[key.verifying_key()]).unwrap_err();
            assert!(refused.to_string().len() < 250 && !refused.to_string().contains("xx"), "{refused}");
        }
    }

    #[test]
    fn a_saved_key_is_private_and_loads_again() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = SigningKey::generate();
        key.save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::load(&path).unwrap().verifying_key(), key.verifying_key());
        assert!(matches!(key.save(&path), Err(KeyError::Write { .. })), "never replaces a key");
    }

    #[test]
    fn a_locked_key_opens_with_its_passphrase_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = SigningKey::generate();
        key.save_locked(&path, "correct horse").unwrap();
        assert!(matches!(SigningKey::load(&path), Err(KeyError::Locked { .. })));
        assert!(matches!(SigningKey::unlock(&path, "wrong"), Err(KeyError::WrongPassphrase { .. })));
        assert_eq!(SigningKey::unlock(&path, "correct horse").unwrap().verifying_key(), key.verifying_key());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    }
}

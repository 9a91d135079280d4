//! Typed use of aws-lc-rs: keys that seal what lies on disk, keys that sign what travels.
//!
//! Owns key files, the two formats (sealed bytes, signed envelope) and the rules of what is addressed to one unit. Must not
//! know what is sealed or signed, and holds no cryptography of its own.

mod digest;
mod letter;
mod module;
mod people;
mod sealed_file;
mod sealing;
mod signing;

pub use digest::Digest;
pub use letter::{Heading, Letter, LetterError};
pub use module::{Module, ModuleError};
pub use people::{Signer, one_key_each};
pub use sealed_file::{SealedFile, SealedFileError};
pub use sealing::{SealError, SealKey, UnitKey};
pub use signing::{KeyError, KeyId, SignatureError, Signed, SigningKey, VerifyingKey};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// Lower-case hexadecimal, as digests stand in messages and logs.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Random bytes from the operating system by way of aws-lc.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system's random source never fails once up");
    bytes
}

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::shelf::Received;
use crate::crypto::{SignatureError, Signed, SigningKey, VerifyingKey, hex};
use crate::words::{RecordId, UnitId};

/// What a signature under a receipt is for (see [`Signed`]).
const PURPOSE: &str = "receipt";

/// "These records of this unit are stored here, and these are their digests."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub unit: UnitId,
    pub records: Vec<Line>,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub id: RecordId,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// Why a receipt counts for nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("a receipt was refused: {0}")]
    Signature(#[from] SignatureError),
    #[error("a receipt for unit {0} was put on our topic")]
    OtherUnit(UnitId),
    #[error("a receipt for record {0} has a digest that is not 64 hexadecimal digits")]
    Digest(RecordId),
}

impl Receipt {
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Signed::new(PURPOSE, self, &[key]).to_json()
    }

    /// Verifies first, then parses: what is refused was never looked into.
    pub fn verify(
        payload: &[u8],
        unit: &UnitId,
        trusted: &[VerifyingKey],
    ) -> Result<Vec<Received>, ReceiptError> {
        let (receipt, _): (Self, _) = Signed::verify(payload, PURPOSE, trusted)?;
        if receipt.unit != *unit {
            return Err(ReceiptError::OtherUnit(receipt.unit));
        }
        let parse = |line: &Line| {
            let sha256 = unhex(&line.sha256).ok_or(ReceiptError::Digest(line.id))?;
            Ok(Received { id: line.id, sha256 })
        };
        receipt.records.iter().map(parse).collect()
    }
}

impl From<Received> for Line {
    fn from(received: Received) -> Self {
        Self { id: received.id, sha256: hex(&received.sha256) }
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> UnitId {
        UnitId::parse(name).unwrap()
    }

    fn receipt(sha256: String) -> Receipt {
        let records = vec![Line { id: RecordId::new(), sha256 }];
        Receipt { unit: unit("north-7"), records, at: "2026-03-01T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_signed_receipt_gives_its_records() {
        let key = SigningKey::generate();
        let receipt = receipt(hex(&[7; 32]));
        let received =
            Receipt::verify(&receipt.sign(&key), &unit("north-7"), &[key.verifying_key()]).unwrap();
        assert_eq!(received, [Received { id: receipt.records[0].id, sha256: [7; 32] }]);
    }

    #[test]
    fn strangers_other_units_and_odd_digests_count_for_nothing() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let trusted = [key.verifying_key()];
        let verify = |payload: &[u8], name| Receipt::verify(payload, &unit(name), &trusted);
        let good = receipt(hex(&[7; 32]));
        assert!(matches!(verify(&good.sign(&stranger), "north-7"), Err(ReceiptError::Signature(_))));
        assert!(matches!(verify(b"{}", "north-7"), Err(ReceiptError::Signature(_))));
        assert!(matches!(verify(&good.sign(&key), "south-1"), Err(ReceiptError::OtherUnit(_))));
        for odd in ["", "+7", &"é".repeat(32)] {
            let odd = receipt(odd.into()).sign(&key);
            assert!(matches!(verify(&odd, "north-7"), Err(ReceiptError::Digest(_))));
        }
    }
}

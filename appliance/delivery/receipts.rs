use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::shelf::Received;
use crate::crypto::{SignatureError, Signed, SigningKey, VerifyingKey};
use crate::words::UnitId;

/// What a signature under a receipt is for (see [`Signed`]).
const PURPOSE: &str = "receipt";

/// "These records of this unit are stored here, and these are their digests."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Receipt {
    pub unit: UnitId,
    /// All of one message, or any others. It is empty from a receiver that has just come to a broker that had kept nothing
    /// for it: what it was sent before is lost, and the unit sends all that has no receipt again.
    pub records: Vec<Received>,
    /// When they were stored.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
}

/// Why a receipt counts for nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("a receipt was refused: {0}")]
    Signature(#[from] SignatureError),
    #[error("a receipt for unit {0} was put on our topic")]
    OtherUnit(UnitId),
}

impl Receipt {
    /// From a receiver that has just come.
    pub fn of_none(unit: UnitId, at: Timestamp) -> Self {
        Self { unit, records: Vec::new(), at }
    }

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
        if receipt.unit == *unit { Ok(receipt.records) } else { Err(ReceiptError::OtherUnit(receipt.unit)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Digest;
    use crate::words::RecordId;

    fn unit(name: &str) -> UnitId {
        UnitId::parse(name).unwrap()
    }

    fn receipt() -> Receipt {
        let records = vec![Received { id: RecordId::new(), sha256: Digest::of(b"{}") }];
        Receipt { unit: unit("north-7"), records, at: "2026-03-01T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_signed_receipt_gives_its_records() {
        let (key, receipt) = (SigningKey::generate(), receipt());
        let received = Receipt::verify(&receipt.sign(&key), &unit("north-7"), &[key.verifying_key()]);
        assert_eq!(received.unwrap(), receipt.records);
    }

    #[test]
    fn strangers_other_units_and_odd_digests_count_for_nothing() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let trusted = [key.verifying_key()];
        let verify = |payload: &[u8], name| Receipt::verify(payload, &unit(name), &trusted);
        assert!(matches!(verify(&receipt().sign(&stranger), "north-7"), Err(ReceiptError::Signature(_))));
        assert!(matches!(verify(b"{}", "north-7"), Err(ReceiptError::Signature(_))));
        assert!(matches!(verify(&receipt().sign(&key), "south-1"), Err(ReceiptError::OtherUnit(_))));
        let odd = serde_json::json!({"unit": "north-7", "at": "2026-03-01T12:00:00Z",
            "records": [{"id": RecordId::new(), "sha256": "ab"}]});
        let odd = Signed::new(PURPOSE, &odd, &[&key]).to_json();
        assert!(matches!(verify(&odd, "north-7"), Err(ReceiptError::Signature(SignatureError::Payload(_)))));
    }
}

//! Recoverable secp256k1 signatures: `r(32) ‖ s(32) ‖ v(1)`, v in {27, 28} (protocol 1.4).

use super::keccak::keccak256;
use super::primitives::{Address, H256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey};
use std::fmt;
use thiserror::Error;

/// Bytes of a signature on the wire.
pub const SIGNATURE_LEN: usize = 65;

/// What `v` adds to the recovery id.
const RECOVERY_ID_OFFSET: u8 = 27;

/// Half of the curve's order: a larger `s` is the malleated twin of a smaller one, and contracts refuse it.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A signature that recovers to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecoverError {
    /// `v` is below 27. The odd text is what clients of the protocol have always seen (protocol 1.4).
    #[error("recovery_id_not_u8")]
    RecoveryIdNotU8,
    /// `v` above 30, `r` or `s` out of range, or no such point on the curve.
    #[error("corrupted_witness")]
    Corrupted,
}

/// The bytes are no secret key: zero, or not below the curve's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a secp256k1 secret key: 32 bytes, not zero and below the order of the curve")]
pub struct InvalidSecretKey;

/// A signature as it travels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_LEN]);

impl Signature {
    /// Wraps the 65 bytes of the wire, unchecked.
    pub const fn from_bytes(bytes: [u8; SIGNATURE_LEN]) -> Self {
        Self(bytes)
    }

    /// The 65 bytes of the wire.
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_LEN] {
        &self.0
    }

    /// Whether all bytes are zero, which counts as no signature (protocol 1.4).
    pub fn is_missing(&self) -> bool {
        self.0 == [0; SIGNATURE_LEN]
    }

    /// The address that signed `digest`.
    ///
    /// High `s` values and `v` up to 30 are accepted as everywhere off-chain; see [`Self::to_low_s`] for the chain's form.
    ///
    /// # Errors
    /// [`RecoverError`] when there is no such address.
    pub fn recover(&self, digest: H256) -> Result<Address, RecoverError> {
        let (compact, v) = self.0.split_first_chunk::<64>().ok_or(RecoverError::Corrupted)?;
        let v = v.first().copied().ok_or(RecoverError::Corrupted)?;
        let id = v.checked_sub(RECOVERY_ID_OFFSET).ok_or(RecoverError::RecoveryIdNotU8)?;
        let id = RecoveryId::try_from(i32::from(id)).map_err(|_| RecoverError::Corrupted)?;
        let signature =
            RecoverableSignature::from_compact(compact, id).map_err(|_| RecoverError::Corrupted)?;
        let key = signature
            .recover_ecdsa(Message::from_digest(digest.0))
            .map_err(|_| RecoverError::Corrupted)?;
        Ok(address_of(&key))
    }

    /// The same signature in the only form the contracts accept: low `s`, the recovery bit flipped to match.
    #[must_use]
    pub fn to_low_s(self) -> Self {
        let (Some((rest, [v])), Some(s)) = (self.0.split_last_chunk::<1>(), self.0.get(32..64))
        else {
            return self;
        };
        if s <= HALF_ORDER.as_slice() {
            return self;
        }
        let Ok(mut low) = secp256k1::ecdsa::Signature::from_compact(rest) else {
            return self;
        };
        low.normalize_s();
        let mut bytes = [0; SIGNATURE_LEN];
        if let Some((compact, last)) = bytes.split_first_chunk_mut::<64>() {
            *compact = low.serialize_compact();
            last.fill(RECOVERY_ID_OFFSET.saturating_add(v.saturating_sub(RECOVERY_ID_OFFSET) ^ 1));
        }
        Self(bytes)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode_prefixed(self.0))
    }
}

/// A key that can spend. Never printed: `Debug` shows the address only.
#[derive(Clone)]
pub struct SecretKey {
    key: secp256k1::SecretKey,
    address: Address,
}

impl SecretKey {
    /// Reads 32 bytes.
    ///
    /// # Errors
    /// [`InvalidSecretKey`] for zero and for numbers at or above the order of the curve.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, InvalidSecretKey> {
        let key = secp256k1::SecretKey::from_secret_bytes(bytes).map_err(|_| InvalidSecretKey)?;
        Ok(Self { address: address_of(&key.public_key()), key })
    }

    /// The 32 bytes, for storing in an encrypted file and nothing else.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_secret_bytes()
    }

    /// The account this key controls.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Signs a digest: deterministic (RFC 6979) and with low `s`.
    pub fn sign(&self, digest: H256) -> Signature {
        let signature =
            RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(digest.0), &self.key);
        let (id, compact) = signature.serialize_compact();
        let mut bytes = [0; SIGNATURE_LEN];
        if let Some((head, last)) = bytes.split_first_chunk_mut::<64>() {
            *head = compact;
            last.fill(RECOVERY_ID_OFFSET.saturating_add(id.to_u8()));
        }
        Signature(bytes)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {:?}", self.address)
    }
}

fn address_of(key: &PublicKey) -> Address {
    let [_, point @ ..] = key.serialize_uncompressed();
    let hash = keccak256(&point);
    Address::from_slice(hash.0.last_chunk::<20>().unwrap_or(&[0; 20]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{address, h256, unhex};
    use proptest::prelude::*;

    fn key(hex: &str) -> SecretKey {
        SecretKey::from_bytes(unhex(hex).try_into().unwrap()).unwrap()
    }

    #[test]
    fn keys_control_the_documented_addresses() {
        for (secret, expected) in [
            (
                "fc9d75d29ab162416ff4e8f7267124043dbf6e7ddedbc2ddc7fb643fa0c27e7e",
                "6364e768aa9c8144fc2d7ce8da6baf330db4fe28",
            ),
            (
                "362bcf438ca0be8712a2467824f56aa50565b7370b757e8731320ce4addbb7af",
                "3b9f4c1dd26e0be593373b1d36cee2008cbeb837",
            ),
            (
                "7880aec93413f117ef14bd4e6d130875ab2c7d7d55a064fac3c2f7bd51516380",
                "c4d178249d840f548b09ad8269e8a3165ce2c170",
            ),
            (
                "a07cb7889ab3a164dcc72cb6103f2573c7ef2d4a855810594d2bf25df60bc39e",
                "f86b5b1c2c8de1ea4dc737c849272340fa3561c5",
            ),
        ] {
            assert_eq!(key(secret).address(), address(expected));
        }
    }

    #[test]
    fn signatures_are_the_documented_bytes() {
        let digest = keccak256(b"1234");
        let signature =
            key("7880aec93413f117ef14bd4e6d130875ab2c7d7d55a064fac3c2f7bd51516380").sign(digest);
        assert_eq!(
            signature.as_bytes().to_vec(),
            unhex(
                "b8670d619701733e1b4d10149bc90eb4eb276760d2f77a08a5428d4cbf2eadbd656f374c187b1ac80ce31d8c62076af26150e52ef1f33bfc07c6d244da7ca38c1c"
            )
        );
        let two = h256("0000000000000000000000000000000000000000000000000000000000000002");
        let signature =
            key("8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f").sign(two);
        assert_eq!(
            signature.as_bytes().to_vec(),
            unhex(
                "4966172b1d5895444d41f839c89b2bf99a5f64b979f454b29f5afe2d1bb1ddda15d6a7143d56bd56f127ef464742c98c1517cec981ff1814a098247273f521d01c"
            )
        );
    }

    #[test]
    fn zero_and_the_order_are_no_keys() {
        assert!(SecretKey::from_bytes([0; 32]).is_err());
        assert!(SecretKey::from_bytes([0xff; 32]).is_err());
    }

    #[test]
    fn the_debug_form_hides_the_key() {
        let shown = format!(
            "{:?}",
            key("fc9d75d29ab162416ff4e8f7267124043dbf6e7ddedbc2ddc7fb643fa0c27e7e")
        );
        assert!(!shown.contains("fc9d75"), "{shown}");
    }

    /// The malleated twin of a signature: `n - s` with the other recovery bit.
    fn high_s_twin(signature: Signature) -> Signature {
        const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order = primitive_types::U256::from_big_endian(&unhex(ORDER));
        let mut bytes = *signature.as_bytes();
        let s = primitive_types::U256::from_big_endian(&bytes[32..64]);
        (order - s).to_big_endian(&mut bytes[32..64]);
        bytes[64] = 27 + ((bytes[64] - 27) ^ 1);
        Signature(bytes)
    }

    proptest! {
        #[test]
        fn a_signature_recovers_to_its_signer_in_both_forms(secret in 1u64.., digest: [u8; 32]) {
            let mut bytes = [0; 32];
            bytes[24..].copy_from_slice(&secret.to_be_bytes());
            let key = SecretKey::from_bytes(bytes).unwrap();
            let digest = H256(digest);
            let signature = key.sign(digest);
            let twin = high_s_twin(signature);
            prop_assert_eq!(signature.recover(digest), Ok(key.address()));
            prop_assert_eq!(twin.recover(digest), Ok(key.address()));
            prop_assert_eq!(twin.to_low_s(), signature);
            prop_assert_eq!(signature.to_low_s(), signature);
        }

        #[test]
        fn no_bytes_make_recovery_panic(head: [u8; 32], tail: [u8; 32], v: u8, digest: [u8; 32]) {
            let mut bytes = [0; SIGNATURE_LEN];
            bytes[..32].copy_from_slice(&head);
            bytes[32..64].copy_from_slice(&tail);
            bytes[64] = v;
            let signature = Signature(bytes);
            let low = signature.to_low_s();
            if v < 27 {
                prop_assert_eq!(signature.recover(H256(digest)), Err(RecoverError::RecoveryIdNotU8));
            } else if v < 29 {
                prop_assert_eq!(signature.recover(H256(digest)), low.recover(H256(digest)));
            }
        }
    }
}

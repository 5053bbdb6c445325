//! Bytes as hex. Reading is strict (`0x` required, even length, any case) and borrows from the input where it can.

use plasma_core::wire::{Address, H256};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Bytes from `0x…` of even length, in any case; `None` for anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    // The decoder takes the prefix as optional, the protocol does not.
    text.starts_with("0x").then(|| const_hex::decode(text).ok()).flatten()
}

/// `0x` and lowercase.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    const_hex::encode_prefixed(bytes.as_ref())
}

/// Appends `0x` and lowercase digits, without an allocation when there is room.
pub fn encode_into(bytes: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(b"0x");
    let start = text.len();
    text.resize(start.saturating_add(bytes.len().saturating_mul(2)), 0);
    if let Some(digits) = text.get_mut(start..) {
        // The buffer has exactly the length the encoder asks for.
        let encoded = const_hex::encode_to_slice(bytes, digits);
        debug_assert!(encoded.is_ok());
    }
}

/// What hex can be read into.
pub trait FromHex: Sized {
    /// How many bytes the type has, when that never differs.
    const LEN: Option<usize> = None;

    /// The value, when the bytes have its length.
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;
}

impl FromHex for Vec<u8> {
    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

impl FromHex for Box<[u8]> {
    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes.into())
    }
}

impl FromHex for H256 {
    const LEN: Option<usize> = Some(32);

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl FromHex for Address {
    const LEN: Option<usize> = Some(20);

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// For `#[serde(with = "hex")]`.
///
/// # Errors
/// Only those of the serializer.
pub fn serialize<T: AsRef<[u8]>, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(value))
}

/// For `#[serde(with = "hex")]`.
///
/// # Errors
/// When it is no string, no strict hex, or of another length than the type has.
pub fn deserialize<'de, T: FromHex, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct HexVisitor<T>(PhantomData<T>);
    impl<T: FromHex> Visitor<'_> for HexVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("0x and hex digits of the documented length")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            decode(text)
                .and_then(T::from_bytes)
                .ok_or_else(|| E::custom("no hex of the documented length"))
        }
    }
    deserializer.deserialize_str(HexVisitor(PhantomData))
}

/// For `#[serde(with = "hex::optional")]`: `null` is `None`.
pub mod optional {
    use super::{FromHex, Hex, Serialize, Serializer};
    use serde::{Deserialize, Deserializer};

    /// See the module.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(super::encode).serialize(serializer)
    }

    /// See the module.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, T: FromHex, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<Hex<T>>::deserialize(deserializer)?.map(|hex| hex.0))
    }
}

/// For `#[serde(with = "hex::list")]`.
pub mod list {
    use super::{FromHex, Hex, Serializer};
    use serde::{Deserialize, Deserializer};

    /// See the module.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(super::encode))
    }

    /// See the module.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, T: FromHex, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let values = Vec::<Hex<T>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|hex| hex.0).collect())
    }
}

/// One item of a list, or the inside of an option.
#[derive(serde::Deserialize)]
#[serde(transparent, bound = "T: FromHex")]
pub(crate) struct Hex<T>(#[serde(deserialize_with = "deserialize")] pub(crate) T);

/// As [`encode`] writes it.
impl<T: FromHex> JsonSchema for Hex<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::LEN.map_or("Hex".into(), |len| format!("Hex{len}").into())
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = T::LEN.map_or_else(
            || "^0x([0-9a-f]{2})*$".to_owned(),
            |len| format!("^0x[0-9a-f]{{{}}}$", len.saturating_mul(2)),
        );
        json_schema!({"type": "string", "pattern": pattern})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_prefixed_hex_of_even_length_is_read() {
        for (text, expected) in [
            ("0x", Some(vec![])),
            ("0xaB", Some(vec![0xab])),
            ("0x0x12", None),
            ("0X12", None),
            ("12", None),
            ("0x1", None),
            ("0xzz", None),
            (" 0x12", None),
            ("0x12 ", None),
            ("", None),
            ("0", None),
            ("0x\u{e9}", None),
        ] {
            assert_eq!(decode(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn hex_survives_a_round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn no_text_makes_decoding_panic(text in ".{0,100}") {
            let _ = decode(&text);
        }
    }
}

//! Integers of up to 256 bits, digit for digit.

use plasma_core::wire::{ExitId, U256, UtxoPos};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Decimal digits of the largest 256-bit number. Longer texts are refused before anything is computed.
const DIGITS_MAX: usize = 78;

/// A number from plain decimal digits; `None` for a sign, a fraction, an exponent or more than 256 bits.
pub fn parse(digits: &str) -> Option<U256> {
    let plausible = !digits.is_empty()
        && digits.len() <= DIGITS_MAX
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    plausible.then(|| U256::from_dec_str(digits).ok()).flatten()
}

/// What travels as a plain integer.
pub trait Uint: Sized {
    /// The number.
    fn to_number(&self) -> U256;
    /// The value of a number, when it has one.
    fn from_number(number: U256) -> Option<Self>;
}

impl Uint for U256 {
    fn to_number(&self) -> U256 {
        *self
    }

    fn from_number(number: U256) -> Option<Self> {
        Some(number)
    }
}

impl Uint for UtxoPos {
    fn to_number(&self) -> U256 {
        self.encode().into()
    }

    fn from_number(number: U256) -> Option<Self> {
        Self::decode_u256(number)
    }
}

impl Uint for ExitId {
    fn to_number(&self) -> U256 {
        self.to_u256()
    }

    fn from_number(number: U256) -> Option<Self> {
        Some(Self::from_u256(number)).filter(|id| id.to_u256() == number)
    }
}

/// For `#[serde(with = "uint")]`. Only `serde_json` can write numbers beyond 128 bits.
///
/// # Errors
/// Only those of the serializer.
pub fn serialize<T: Uint, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let number = value.to_number();
    match u128::try_from(number) {
        Ok(small) => serializer.serialize_u128(small),
        Err(_) => RawValue::from_string(number.to_string())
            .map_err(S::Error::custom)?
            .serialize(serializer),
    }
}

/// For `#[serde(with = "uint")]`. Reads from text or bytes only: the digits are borrowed from them.
///
/// # Errors
/// When it is no plain integer of at most 256 bits, or none the type has.
pub fn deserialize<'de, T: Uint, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    parse(raw.get())
        .and_then(T::from_number)
        .ok_or_else(|| D::Error::custom("not an integer of the documented range"))
}

/// One item of a list, or the inside of an option.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "T: Uint")]
pub(crate) struct Number<T>(
    #[serde(serialize_with = "serialize", deserialize_with = "deserialize")] T,
);

/// No `maximum`: few readers of JSON Schema can hold one of 256 bits.
impl<T: Uint> JsonSchema for Number<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Uint256".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 0, "format": "uint256"})
    }
}

/// For `#[serde(with = "uint::optional")]`: `null` is `None`.
pub mod optional {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer, Uint};

    /// See the module.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<T: Uint + Copy, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Number).serialize(serializer)
    }

    /// See the module.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, T: Uint, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<Number<T>>::deserialize(deserializer)?.map(|number| number.0))
    }
}

/// For `#[serde(with = "uint::list")]`.
pub mod list {
    use super::{Deserialize, Deserializer, Number, Serializer, Uint};

    /// See the module.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<T: Uint + Copy, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().copied().map(Number))
    }

    /// See the module.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, T: Uint, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let values = Vec::<Number<T>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|number| number.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Amount(#[serde(with = "super")] U256);

    #[test]
    fn only_plain_integers_of_256_bits_are_read() {
        let max = U256::MAX.to_string();
        for (text, expected) in [
            ("0", Some(U256::zero())),
            ("18446744073709551616", Some(U256::one() << 64)),
            (max.as_str(), Some(U256::MAX)),
            (
                "115792089237316195423570985008687907853269984665640564039457584007913129639936",
                None,
            ),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e3", None),
            ("\"1\"", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
            let parsed = serde_json::from_str::<Amount>(text).ok();
            assert_eq!(parsed.map(|amount| amount.0), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_survive_a_round_trip(limbs: [u64; 4]) {
            let amount = Amount(U256(limbs));
            let text = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(&text, &U256(limbs).to_string());
            prop_assert_eq!(serde_json::from_str::<Amount>(&text).unwrap(), amount);
        }
    }
}

//! Reading a fee specification: every error in the file is reported, and none of a bad file is applied (protocol 3.3).

use super::{FeeSpec, FeeSpecs, PeggedFee};
use crate::wire::{Currency, U256};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use thiserror::Error;

/// Largest specification file that is read: hundreds of thousands of tokens.
const FILE_LEN_MAX: usize = 16 * 1024 * 1024;

/// What is wrong with one entry, and where. Stable codes of protocol 3.3.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code} (transaction type {tx_type:?}, token {token:?})")]
pub struct FeeParseError {
    /// Stable code, such as `invalid_fee`.
    pub code: &'static str,
    /// The key of the transaction type, as written.
    pub tx_type: String,
    /// The key of the token, as written; empty when the type itself is at fault.
    pub token: String,
}

/// Everything that is wrong with a specification; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct FeeParseErrors(pub Vec<FeeParseError>);

impl fmt::Display for FeeParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&errors.join("; "))
    }
}

/// A JSON object where the first of two equal keys wins, as the protocol has it.
struct FirstWins<K, V>(Vec<(K, V)>);

impl<'de, K: Deserialize<'de> + PartialEq, V: Deserialize<'de>> Deserialize<'de>
    for FirstWins<K, V>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de> + PartialEq, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = FirstWins<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(FirstWins(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// Parses `{"<tx type>": {"<token>": {…}}}`.
///
/// # Errors
/// Every error found; nothing of the specification may be used then.
pub fn parse_fee_specs(json: &str) -> Result<FeeSpecs, FeeParseErrors> {
    let whole = |code| {
        FeeParseErrors(vec![FeeParseError { code, tx_type: String::new(), token: String::new() }])
    };
    if json.len() > FILE_LEN_MAX {
        return Err(whole("invalid_json_format"));
    }
    let FirstWins::<String, &RawValue>(types) =
        serde_json::from_str(json).map_err(|_| whole("invalid_json_format"))?;
    let mut specs = FeeSpecs::new();
    let mut errors = Vec::new();
    for (key, by_token) in types {
        let error = |code, token: &str| FeeParseError {
            code,
            tx_type: key.clone(),
            token: token.to_owned(),
        };
        let Some(tx_type) = parse_decimal(&key) else {
            errors.push(error("invalid_tx_type", ""));
            continue;
        };
        let Ok(FirstWins::<String, &RawValue>(tokens)) = serde_json::from_str(by_token.get())
        else {
            errors.push(error("invalid_fee_spec", ""));
            continue;
        };
        let by_currency: &mut BTreeMap<Currency, FeeSpec> = specs.entry(tx_type).or_default();
        for (token, raw) in tokens {
            match parse_spec(&token, raw) {
                Ok((currency, spec)) => {
                    by_currency.entry(currency).or_insert(spec);
                }
                Err(code) => errors.push(error(code, &token)),
            }
        }
    }
    if errors.is_empty() { Ok(specs) } else { Err(FeeParseErrors(errors)) }
}

/// One entry, checked in the order of protocol 3.3. Every key has to be there, if only as null.
fn parse_spec(token: &str, raw: &RawValue) -> Result<(Currency, FeeSpec), &'static str> {
    let FirstWins::<String, &RawValue>(fields) =
        serde_json::from_str(raw.get()).map_err(|_| "invalid_fee_spec")?;
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
            .ok_or("invalid_fee_spec")
    };
    let (amount, subunit) = (field("amount")?, field("subunit_to_unit")?);
    let pegged =
        [field("pegged_amount")?, field("pegged_currency")?, field("pegged_subunit_to_unit")?];
    let (updated_at, kind) = (field("updated_at")?, field("type")?);
    let amount = positive_integer(amount).ok_or("invalid_fee")?;
    let currency = parse_token(token).ok_or("bad_address_encoding")?;
    let subunit_to_unit = positive_integer(subunit).ok_or("invalid_subunit_to_unit")?;
    let pegged = parse_pegged(pegged)?;
    let updated_at: String =
        serde_json::from_str(updated_at.get()).map_err(|_| "invalid_timestamp")?;
    chrono::DateTime::parse_from_rfc3339(&updated_at).map_err(|_| "invalid_timestamp")?;
    match kind.get() {
        r#""fixed""# | r#""pegged""# => {
            Ok((currency, FeeSpec { amount, subunit_to_unit, pegged, updated_at }))
        }
        _ => Err("unsupported_fee_type"),
    }
}

fn parse_pegged(
    [amount, currency, subunit]: [&RawValue; 3],
) -> Result<Option<PeggedFee>, &'static str> {
    let amount = non_null(amount)
        .map(|raw| {
            serde_json::from_str::<serde_json::Number>(raw.get())
                .ok()
                .filter(is_positive)
                .ok_or("invalid_pegged_amount")
        })
        .transpose()?;
    let currency = non_null(currency)
        .map(|raw| serde_json::from_str::<String>(raw.get()).map_err(|_| "invalid_pegged_currency"))
        .transpose()?;
    let subunit = non_null(subunit)
        .map(|raw| positive_integer(raw).ok_or("invalid_pegged_subunit_to_unit"))
        .transpose()?;
    match (amount, currency, subunit) {
        (None, None, None) => Ok(None),
        (Some(amount), Some(currency), Some(subunit_to_unit)) => {
            Ok(Some(PeggedFee { amount, currency, subunit_to_unit }))
        }
        _ => Err("invalid_pegged_fields"),
    }
}

fn non_null(raw: &RawValue) -> Option<&RawValue> {
    Some(raw).filter(|raw| raw.get() != "null")
}

fn is_positive(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|value| value > 0.0)
}

/// A JSON integer of at most 256 bits, above zero.
fn positive_integer(raw: &RawValue) -> Option<U256> {
    let digits = raw.get();
    let all_digits = !digits.is_empty()
        && digits.len() <= 78
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits {
        return None;
    }
    U256::from_dec_str(digits).ok().filter(|number| !number.is_zero())
}

fn parse_decimal(key: &str) -> Option<u64> {
    key.bytes().all(|byte| byte.is_ascii_digit()).then(|| key.parse().ok()).flatten()
}

fn parse_token(token: &str) -> Option<Currency> {
    const_hex::decode_to_array::<_, 20>(token).ok().map(primitive_types::H160)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ETH;

    const ETH_KEY: &str = "0x0000000000000000000000000000000000000000";

    fn spec(change: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("amount", "1"),
            ("subunit_to_unit", "1000000000000000000"),
            ("pegged_amount", "null"),
            ("pegged_currency", "null"),
            ("pegged_subunit_to_unit", "null"),
            ("updated_at", "\"2019-01-01T10:10:00+00:00\""),
            ("type", "\"fixed\""),
        ];
        for (key, value) in change {
            fields.retain(|(name, _)| name != key);
            if !value.is_empty() {
                fields.push((key, value));
            }
        }
        let fields: Vec<String> =
            fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    }

    fn codes(json: &str) -> Vec<&'static str> {
        parse_fee_specs(json)
            .map_or_else(|errors| errors.0.iter().map(|error| error.code).collect(), |_| Vec::new())
    }

    fn check(change: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(
            codes(&format!("{{\"1\": {{\"{ETH_KEY}\": {}}}}}", spec(change))),
            expected,
            "{change:?}"
        );
    }

    #[test]
    fn each_field_has_its_error() {
        check(&[], &[]);
        check(&[("amount", "0")], &["invalid_fee"]);
        check(&[("amount", "-1")], &["invalid_fee"]);
        check(&[("amount", "\"1\"")], &["invalid_fee"]);
        check(&[("amount", "1.0")], &["invalid_fee"]);
        check(&[("amount", &"9".repeat(78))], &["invalid_fee"]);
        check(&[("amount", "")], &["invalid_fee_spec"]);
        check(&[("amount", "null")], &["invalid_fee"]);
        check(&[("type", "")], &["invalid_fee_spec"]);
        check(&[("pegged_amount", "")], &["invalid_fee_spec"]);
        check(&[("subunit_to_unit", "1.5")], &["invalid_subunit_to_unit"]);
        check(&[("pegged_amount", "0")], &["invalid_pegged_amount"]);
        check(&[("pegged_currency", "1")], &["invalid_pegged_currency"]);
        check(&[("pegged_subunit_to_unit", "0.1")], &["invalid_pegged_subunit_to_unit"]);
        check(&[("pegged_amount", "0.33")], &["invalid_pegged_fields"]);
        check(
            &[
                ("pegged_amount", "0.33"),
                ("pegged_currency", "\"USD\""),
                ("pegged_subunit_to_unit", "100"),
            ],
            &[],
        );
        check(&[("updated_at", "\"yesterday\"")], &["invalid_timestamp"]);
        check(&[("type", "\"auction\"")], &["unsupported_fee_type"]);
        check(&[("symbol", "\"ETH\"")], &[]);
    }

    #[test]
    fn all_errors_of_a_file_are_reported() {
        let json = format!(
            "{{\"1\": {{\"{ETH_KEY}\": {}, \"0x12\": {}}}, \"-1\": {{}}, \"3\": 7}}",
            spec(&[("amount", "0")]),
            spec(&[])
        );
        assert_eq!(
            codes(&json),
            ["invalid_fee", "bad_address_encoding", "invalid_tx_type", "invalid_fee_spec"]
        );
        for json in ["", "[]", "{", "null", "\"x\""] {
            assert_eq!(codes(json), ["invalid_json_format"], "{json:?}");
        }
    }

    #[test]
    fn the_first_of_two_equal_tokens_wins() {
        let json = format!(
            "{{\"1\": {{\"{ETH_KEY}\": {}, \"{}\": {}}}}}",
            spec(&[("amount", "7")]),
            &ETH_KEY[2..],
            spec(&[("amount", "8")])
        );
        let specs = parse_fee_specs(&json).unwrap();
        assert_eq!(specs[&1][&ETH].amount, U256::from(7));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(json in ".{0,200}") {
            let _ = parse_fee_specs(&json);
        }
    }
}

//! Parameters from a JSON Schema: right ones, and ones with something wrong.
//!
//! They are texts, because a number of 256 bits is one only as a text.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Values that mean something to the server, as JSON texts by the name of the parameter: what is right is then found, too.
pub type Known = BTreeMap<&'static str, Vec<String>>;

/// Items of a list; longer ones are in [`hostile`].
const LIST_LEN: usize = 5;
const LARGEST_UINT256: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639935";

/// Parameters that the schema takes, as far as it can be said by construction.
pub(super) fn right(name: &str, schema: &Value, known: &Known) -> BoxedStrategy<String> {
    let generated = generated(schema, known);
    let known = known.get(name).cloned().unwrap_or_default();
    if known.is_empty() {
        return generated;
    }
    prop_oneof![3 => select(known), 1 => generated].boxed()
}

fn generated(schema: &Value, known: &Known) -> BoxedStrategy<String> {
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        return select(names.iter().map(Value::to_string).collect::<Vec<_>>()).boxed();
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["integer", "string"],
    };
    let of_kind = |kind: &&str| match *kind {
        "integer" => integer(schema),
        "string" => text(schema),
        "array" => list(schema, known),
        "object" => object(schema, known),
        "boolean" => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        _ => Just("null".to_owned()).boxed(),
    };
    Union::new(kinds.iter().map(of_kind)).boxed()
}

fn integer(schema: &Value) -> BoxedStrategy<String> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let lowest = bound("minimum").unwrap_or(0);
    match bound("maximum") {
        Some(highest) => (lowest..=highest).prop_map(|number| number.to_string()).boxed(),
        None => prop_oneof![
            (lowest..lowest + 10).prop_map(|number| number.to_string()),
            (lowest.unsigned_abs()..).prop_map(|number| number.to_string()),
            Just(LARGEST_UINT256.to_owned()),
        ]
        .boxed(),
    }
}

fn text(schema: &Value) -> BoxedStrategy<String> {
    let len = |key: &str| schema.get(key).and_then(Value::as_u64).map(|len| len as usize);
    match schema.get("pattern").and_then(Value::as_str) {
        Some(pattern) if pattern.starts_with("^0x") => {
            let bytes = |len: usize| len.saturating_sub(2) / 2;
            let (min, max) =
                (len("minLength").map_or(0, bytes), len("maxLength").map_or(40, bytes));
            let bytes = prop::collection::vec(any::<u8>(), min..=max);
            let digits = |bytes: Vec<u8>| -> String {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            };
            (bytes, any::<bool>())
                .prop_map(move |(bytes, is_upper)| {
                    let digits = digits(bytes);
                    let digits = if is_upper { digits.to_uppercase() } else { digits };
                    format!("\"0x{digits}\"")
                })
                .boxed()
        }
        Some(pattern) if pattern.starts_with("^[0-9]{1,19}") => {
            let rest =
                pattern.rsplit_once("){").map_or("0", |(_, rest)| rest.trim_end_matches("}$"));
            let parts = rest.parse::<usize>().expect("a number of parts") + 1;
            let parts = prop::collection::vec(0..10_u64.pow(18), parts);
            parts
                .prop_map(|parts| {
                    let parts: Vec<String> = parts.iter().map(u64::to_string).collect();
                    format!("\"{}\"", parts.join("."))
                })
                .boxed()
        }
        Some(pattern) if pattern.starts_with("^(") => {
            let inner = pattern.trim_start_matches('^').trim_end_matches('$');
            let texts = proptest::string::string_regex(inner).expect("a pattern");
            texts.prop_map(|text| Value::from(text).to_string()).boxed()
        }
        Some(pattern) => panic!("nobody knows how to write {pattern}"),
        None => ".{0,20}".prop_map(|text: String| Value::from(text).to_string()).boxed(),
    }
}

fn list(schema: &Value, known: &Known) -> BoxedStrategy<String> {
    let len = |key: &str| schema.get(key).and_then(Value::as_u64).map(|len| len as usize);
    let (min, max) = (len("minItems").unwrap_or(0), len("maxItems").unwrap_or(LIST_LEN));
    let item = generated(schema.get("items").unwrap_or(&Value::Null), known);
    prop::collection::vec(item, min..=max.min(LIST_LEN))
        .prop_map(|items| format!("[{}]", items.join(",")))
        .boxed()
}

fn object(schema: &Value, known: &Known) -> BoxedStrategy<String> {
    fields(schema, known).prop_map(|fields| written(&fields)).boxed()
}

/// Names and values of an object; those that need not be there are there half of the time.
pub(super) fn fields(schema: &Value, known: &Known) -> BoxedStrategy<Vec<(String, String)>> {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all = Just(Vec::new()).boxed();
    for (name, property) in properties {
        let is_required = required.iter().any(|required| required == name);
        let (name, value) = (name.clone(), right(name, property, known));
        all = (all, value, any::<bool>())
            .prop_map(move |(mut all, value, is_there)| {
                if is_required || is_there {
                    all.push((name.clone(), value));
                }
                all
            })
            .boxed();
    }
    all
}

pub(super) fn written(fields: &[(String, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// What somebody may send in place of a value. Those marked are what JSON Schema cannot tell from an integer that is right.
pub(super) fn hostile() -> Vec<(String, bool)> {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let many = format!("[{}]", vec!["\"0x\""; 1_001].join(","));
    let told = |text: &str| (text.to_owned(), true);
    let mut values = vec![
        told("null"),
        told("true"),
        told("\"\""),
        told("\"0x\""),
        told("\"0X12\""),
        told("\"0x123\""),
        told("\"0xgg\""),
        told("\"1\""),
        told("\"\\u0000\""),
        told("\"' OR 1=1 --\""),
        told("[]"),
        told("[null]"),
        told("[[]]"),
        told("{}"),
        told(r#"{"__proto__":1}"#),
        told("-1"),
        told("0"),
        told("0.5"),
        told(&format!("\"0x{}\"", "00".repeat(20_000))),
        told(&format!("\"{}\"", "x".repeat(1_000))),
        told(&deep),
        told(&many),
    ];
    let untold = [
        "1.0",
        "1e3",
        "-0",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "1e308",
    ];
    values.extend(untold.map(|text| (text.to_owned(), false)));
    values
}

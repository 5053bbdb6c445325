//! What a method checks of its parameters, found out by asking its own parser.
//!
//! A probe stands in for a request that is right: one in which everything is there, and one in which nothing optional is. Every field that the parser reads is noted with its
//! validators, so the documents of the API (`priv/openapi`) cannot say anything else than the code that checks requests. No
//! request from outside ever meets a probe.

use super::validator::Check;
use super::{ParamError, RawParams, RequestParams};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Fields by name, as validation errors name them (`order.payments.payment`).
#[derive(Debug, Default)]
pub struct Probe {
    fields: Mutex<BTreeMap<String, Noted>>,
    /// Whether optional fields are missing.
    is_sparse: AtomicBool,
}

/// What is known of one field.
#[derive(Clone, Debug, Default)]
struct Noted {
    is_optional: bool,
    /// In how many of the two requests it was read.
    reads: usize,
    kind: Option<Kind>,
    checks: Vec<Check>,
}

/// What kind of value a field takes.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Bytes.
    Hex,
    /// An integer.
    Integer,
    /// One of these names.
    Name(Vec<&'static str>),
    /// A list of what is noted under this other name.
    List(String),
    /// A text, of the form of this pattern.
    Text(Option<String>),
    /// An object with these fields, which are noted under their names after this prefix.
    Map { names: &'static [&'static str], prefix: String },
}

/// See [`RequestParams::schema`].
pub(super) fn schema_of<P: RequestParams>() -> Result<Value, ParamError> {
    let probe = Probe::default();
    P::parse(&RawParams::probe(P::NAMES, &probe))?;
    probe.is_sparse.store(true, Ordering::Relaxed);
    P::parse(&RawParams::probe(P::NAMES, &probe))?;
    Ok(probe.object("", P::NAMES, 2))
}

impl Probe {
    /// Notes that a field may be missing. Tells whether it is there this time.
    pub(super) fn note_optional(&self, name: &str) -> bool {
        self.update(name, |noted| noted.is_optional = true);
        !self.is_sparse.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, name: &str, kind: Kind, checks: &[Check]) {
        self.update(name, |noted| {
            noted.reads = noted.reads.saturating_add(1);
            noted.kind = Some(kind);
            noted.checks = checks.to_vec();
        });
    }

    fn update(&self, name: &str, note: impl FnOnce(&mut Noted)) {
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        note(fields.entry(name.to_owned()).or_default());
    }

    fn noted_of(&self, name: &str) -> Noted {
        let fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        fields.get(name).cloned().unwrap_or_default()
    }

    fn object(&self, prefix: &str, names: &[&str], reads: usize) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for name in names {
            let path = [prefix, name].into_iter().filter(|part| !part.is_empty());
            let path = path.collect::<Vec<_>>().join(".");
            let mut noted = self.noted_of(&path);
            // What only one of the two requests was read for is needed together with others: their type says with which.
            noted.is_optional |= noted.reads < reads;
            if noted.kind.is_some() && !noted.is_optional {
                required.push(*name);
            }
            properties.insert((*name).to_owned(), self.value(&noted));
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            set(&mut schema, "required", json!(required));
        }
        schema
    }

    fn value(&self, noted: &Noted) -> Value {
        let checks = &noted.checks;
        let mut schema = match &noted.kind {
            None => return json!({}),
            Some(Kind::Hex) => hex(checks),
            Some(Kind::Integer) => integer(checks),
            Some(Kind::Name(names)) => json!({"type": "string", "enum": names}),
            Some(Kind::Text(pattern)) => text(pattern.as_deref()),
            Some(Kind::Map { names, prefix }) => self.object(prefix, names, noted.reads),
            Some(Kind::List(item)) => list(&self.value(&self.noted_of(item)), checks),
        };
        if noted.is_optional {
            or_null(&mut schema);
        }
        schema
    }
}

fn text(pattern: Option<&str>) -> Value {
    pattern.map_or_else(
        || json!({"type": "string"}),
        |pattern| json!({"type": "string", "pattern": pattern}),
    )
}

/// Bytes in any case; see [`crate::json::hex`].
fn hex(checks: &[Check]) -> Value {
    let digits_len = |bytes: usize| bytes.saturating_mul(2).saturating_add(2);
    let mut schema = json!({"type": "string", "pattern": "^0x([0-9a-fA-F]{2})*$"});
    for check in checks {
        match *check {
            Check::Length(len) => {
                set(&mut schema, "minLength", digits_len(len).into());
                set(&mut schema, "maxLength", digits_len(len).into());
            }
            Check::MinLength(len) => set(&mut schema, "minLength", digits_len(len).into()),
            Check::MaxLength(len) => set(&mut schema, "maxLength", digits_len(len).into()),
            Check::Greater(_) | Check::Lesser(_) => {}
        }
    }
    schema
}

/// The largest number has 256 bits, which few readers of JSON Schema can hold: `format` says so instead of a `maximum`.
fn integer(checks: &[Check]) -> Value {
    let mut schema = json!({"type": "integer", "format": "uint256"});
    for check in checks {
        match *check {
            Check::Greater(bound) => set(&mut schema, "minimum", bound.saturating_add(1).into()),
            Check::Lesser(bound) => set(&mut schema, "maximum", bound.saturating_sub(1).into()),
            Check::Length(_) | Check::MinLength(_) | Check::MaxLength(_) => {}
        }
    }
    schema
}

fn list(items: &Value, checks: &[Check]) -> Value {
    let mut schema = json!({"type": "array", "items": items});
    for check in checks {
        match *check {
            Check::Length(len) => {
                set(&mut schema, "minItems", len.into());
                set(&mut schema, "maxItems", len.into());
            }
            Check::MinLength(len) => set(&mut schema, "minItems", len.into()),
            Check::MaxLength(len) => set(&mut schema, "maxItems", len.into()),
            Check::Greater(_) | Check::Lesser(_) => {}
        }
    }
    schema
}

/// An optional parameter that is `null` counts as missing.
fn or_null(schema: &mut Value) {
    let with_null = schema.get("type").map(|kind| json!([kind, "null"]));
    if let Some(kind) = with_null {
        set(schema, "type", kind);
    }
    if let Some(names) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        names.push(Value::Null);
    }
}

fn set(schema: &mut Value, key: &str, value: Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Field, NoParams};

    struct Params;

    impl RequestParams for Params {
        const NAMES: &'static [&'static str] = &["hash", "order", "limit", "kind"];

        fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
            raw.field("hash").hash()?;
            let order = raw.field("order").map(&["payments"])?;
            let checks = [Check::MinLength(1), Check::MaxLength(4)];
            order.field("payments").list("payment", 4, &checks, |payment: Field<'_>| {
                let payment = payment.map(&["owner", "amount"])?;
                payment.field("owner").optional().map(|owner| owner.address()).transpose()?;
                payment.field("amount").pos_integer()
            })?;
            if let Some(limit) = raw.field("limit").optional() {
                limit.integer(&[Check::Greater(0), Check::Lesser(101)])?;
            }
            let kind = raw.field("kind").optional();
            kind.map(|field| field.one_of(&[1_usize, 2], |number| ["a", "b"][number - 1]))
                .transpose()?;
            Ok(Self)
        }
    }

    #[test]
    fn the_schema_is_what_the_parser_asks_for() {
        let expected = json!({
            "type": "object",
            "required": ["hash", "order"],
            "properties": {
                "hash": {"type": "string", "pattern": "^0x([0-9a-fA-F]{2})*$", "minLength": 66, "maxLength": 66},
                "order": {
                    "type": "object",
                    "required": ["payments"],
                    "properties": {"payments": {
                        "type": "array", "minItems": 1, "maxItems": 4,
                        "items": {
                            "type": "object",
                            "required": ["amount"],
                            "properties": {
                                "owner": {"type": ["string", "null"], "pattern": "^0x([0-9a-fA-F]{2})*$", "minLength": 42, "maxLength": 42},
                                "amount": {"type": "integer", "format": "uint256", "minimum": 1},
                            },
                        },
                    }},
                },
                "limit": {"type": ["integer", "null"], "format": "uint256", "minimum": 1, "maximum": 100},
                "kind": {"type": ["string", "null"], "enum": ["a", "b", null]},
            },
        });
        assert_eq!(Params::schema().unwrap(), expected);
        assert_eq!(NoParams::schema().unwrap(), json!({"type": "object", "properties": {}}));
    }
}

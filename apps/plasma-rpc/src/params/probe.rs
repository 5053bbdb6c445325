//! What a method checks of its parameters, found out by asking its own parser.
//!
//! A probe stands in for a request in which everything is there and right. Every field that the parser reads is noted with its
//! validators, so the documents of the API (`priv/openapi`) cannot say anything else than the code that checks requests. No
//! request from outside ever meets a probe.

use super::validator::Check;
use super::{ParamError, RawParams, RequestParams};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Fields by name, as validation errors name them (`order.payments.payment`).
#[derive(Debug, Default)]
pub struct Probe {
    fields: RefCell<BTreeMap<String, Noted>>,
}

/// What is known of one field.
#[derive(Clone, Debug, Default)]
struct Noted {
    is_optional: bool,
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
    /// An object with these fields.
    Map(&'static [&'static str]),
}

/// See [`RequestParams::schema`].
pub(super) fn schema_of<P: RequestParams>() -> Result<Value, ParamError> {
    let probe = Probe::default();
    P::parse(&RawParams::probe(P::NAMES, &probe))?;
    Ok(probe.object("", P::NAMES))
}

impl Probe {
    pub(super) fn note_optional(&self, name: &str) {
        self.noted(name, |noted| noted.is_optional = true);
    }

    pub(super) fn note(&self, name: &str, kind: Kind, checks: &[Check]) {
        self.noted(name, |noted| {
            noted.kind = Some(kind);
            noted.checks = checks.to_vec();
        });
    }

    fn noted(&self, name: &str, note: impl FnOnce(&mut Noted)) {
        note(self.fields.borrow_mut().entry(name.to_owned()).or_default());
    }

    fn object(&self, prefix: &str, names: &[&str]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for name in names {
            let path = [prefix, name].into_iter().filter(|part| !part.is_empty());
            let path = path.collect::<Vec<_>>().join(".");
            let noted = self.fields.borrow().get(&path).cloned().unwrap_or_default();
            if noted.kind.is_some() && !noted.is_optional {
                required.push(*name);
            }
            properties.insert((*name).to_owned(), self.value(&path, &noted));
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            set(&mut schema, "required", json!(required));
        }
        schema
    }

    fn value(&self, path: &str, noted: &Noted) -> Value {
        let checks = &noted.checks;
        let mut schema = match &noted.kind {
            None => return json!({}),
            Some(Kind::Hex) => hex(checks),
            Some(Kind::Integer) => integer(checks),
            Some(Kind::Name(names)) => json!({"type": "string", "enum": names}),
            Some(Kind::Map(names)) => self.object(path, names),
            Some(Kind::List(item)) => {
                let noted = self.fields.borrow().get(item).cloned().unwrap_or_default();
                list(&self.value(item, &noted), checks)
            }
        };
        if noted.is_optional {
            or_null(&mut schema);
        }
        schema
    }
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

//! What a caller sent, checked field by field (protocol 6.1).
//!
//! Values stay JSON text until a validator reads them, so no digit is lost and nothing grows beyond the request: only the names
//! a method knows are kept. Reading never panics; a bad value is a [`ParamError`] that names the field and the validator.

mod field;
mod probe;
mod validator;

pub use field::{Field, Map};
pub use probe::Probe;
pub use validator::{Check, Integer, ParamError, Validator};

use crate::codes;
use crate::error::RpcError;
use schemars::JsonSchema;
use serde::de::{Deserializer as _, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// The parameters of one method.
pub trait RequestParams: Sized + Send + 'static {
    /// Their names, in the order in which they are checked and in which JSON-RPC takes them by position.
    const NAMES: &'static [&'static str];

    /// Checks them in the documented order.
    ///
    /// # Errors
    /// The first field that fails, and the first of its validators.
    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError>;

    /// JSON Schema of what [`Self::parse`] takes, without descriptions. By default the parser itself is asked ([`Probe`]).
    ///
    /// # Errors
    /// When the parser refuses values that pass every validator it asked for: it needs a schema of its own then. A test finds it.
    fn schema() -> Result<serde_json::Value, ParamError> {
        probe::schema_of::<Self>()
    }
}

/// A method without parameters. Whatever is sent is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoParams {}

impl RequestParams for NoParams {
    const NAMES: &'static [&'static str] = &[];

    fn parse(_: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self {})
    }
}

/// The values of the names a method knows, still as text. Of two equal names the first counts.
#[derive(Clone, Debug)]
pub struct RawParams<'a> {
    names: &'static [&'static str],
    values: Vec<Option<&'a RawValue>>,
    /// Notes what is asked for, instead of a request.
    probe: Option<&'a Probe>,
}

impl<'a> RawParams<'a> {
    /// Nothing was sent.
    pub fn none(names: &'static [&'static str]) -> Self {
        Self { names, values: vec![None; names.len()], probe: None }
    }

    /// In place of a request: everything is there, and what is asked of it is noted.
    const fn probe(names: &'static [&'static str], probe: &'a Probe) -> Self {
        Self { names, values: Vec::new(), probe: Some(probe) }
    }

    /// The body of an HTTP-RPC call: an object. Nothing, or JSON of another kind, counts as an empty one.
    ///
    /// # Errors
    /// [`codes::MALFORMED_BODY`] when it is no JSON text in UTF-8.
    pub fn from_body(names: &'static [&'static str], body: &'a [u8]) -> Result<Self, RpcError> {
        let text = std::str::from_utf8(body).map_err(|_| codes::MALFORMED_BODY)?;
        if text.trim_ascii().is_empty() {
            return Ok(Self::none(names));
        }
        Self::read(names, text, false).map_err(|_| codes::MALFORMED_BODY.into())
    }

    /// The `params` of a JSON-RPC call: an object, or an array in the documented order.
    ///
    /// # Errors
    /// [`codes::MALFORMED_BODY`] when it is no JSON.
    pub fn from_json_rpc(
        names: &'static [&'static str],
        params: Option<&'a str>,
    ) -> Result<Self, RpcError> {
        params.map_or_else(
            || Ok(Self::none(names)),
            |text| Self::read(names, text, true).map_err(|_| codes::MALFORMED_BODY.into()),
        )
    }

    /// One of the fields. A name the method does not list is simply missing.
    pub fn field(&self, name: &'static str) -> Field<'a> {
        let position = self.names.iter().position(|known| *known == name);
        let value = position.and_then(|index| self.values.get(index).copied().flatten());
        Field::new(name.into(), value, self.probe)
    }

    fn read(
        names: &'static [&'static str],
        text: &'a str,
        positional: bool,
    ) -> serde_json::Result<Self> {
        if !text.trim_ascii_start().starts_with(['{', '[']) {
            serde_json::from_str::<IgnoredAny>(text)?;
            return Ok(Self::none(names));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let params = json.deserialize_any(ParamsVisitor { names, positional })?;
        json.end()?;
        Ok(params)
    }
}

/// Collects the values of known names and drops everything else as it streams by.
struct ParamsVisitor {
    names: &'static [&'static str],
    positional: bool,
}

impl<'de> Visitor<'de> for ParamsVisitor {
    type Value = RawParams<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut params = RawParams::none(self.names);
        while let Some(Name(index)) = map.next_key_seed(NameSeed(self.names))? {
            match index.and_then(|index| params.values.get_mut(index)) {
                Some(slot @ None) => *slot = Some(map.next_value()?),
                Some(Some(_)) | None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(params)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut params = RawParams::none(self.names);
        if self.positional {
            for slot in &mut params.values {
                *slot = seq.next_element()?;
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(params)
    }
}

/// Which of the known names a key is.
struct Name(Option<usize>);

struct NameSeed(&'static [&'static str]);

impl<'de> serde::de::DeserializeSeed<'de> for NameSeed {
    type Value = Name;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Name, E> {
        Ok(Name(self.0.iter().position(|known| *known == key)))
    }
}

#[cfg(test)]
mod tests;

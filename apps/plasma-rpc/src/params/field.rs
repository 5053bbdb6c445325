//! One field of a request and the chain of validators it goes through.

use super::RawParams;
use super::probe::{Kind, Probe};
use super::validator::{Check, Integer, ParamError, Validator};
use crate::json::hex;
use plasma_core::wire::{Address, H256, U256};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A value and its name. A missing value and a null both fail the first validator.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    name: Arc<str>,
    value: Option<&'a RawValue>,
    /// Notes what is asked of the value, and gives one that is right.
    probe: Option<&'a Probe>,
}

impl<'a> Field<'a> {
    pub(super) fn new(
        name: Arc<str>,
        value: Option<&'a RawValue>,
        probe: Option<&'a Probe>,
    ) -> Self {
        let value = value.filter(|raw| raw.get() != "null");
        Self { name, value, probe }
    }

    /// `None` when the value is missing or null.
    pub fn optional(self) -> Option<Self> {
        if let Some(probe) = self.probe {
            probe.note_optional(&self.name);
            return Some(self);
        }
        self.value.is_some().then_some(self)
    }

    /// Bytes, checked in the given order.
    ///
    /// # Errors
    /// [`Validator::Hex`], then the first failed check.
    pub fn hex(&self, checks: &[Check]) -> Result<Vec<u8>, ParamError> {
        if let Some(probe) = self.probe {
            probe.note(&self.name, Kind::Hex, checks);
            return Ok(vec![0; right_len(checks)]);
        }
        let bytes = self
            .value
            .and_then(text)
            .and_then(|text| hex::decode(&text))
            .ok_or_else(|| self.error(Validator::Hex))?;
        self.check(checks, |check| check.accepts_len(bytes.len()))?;
        Ok(bytes)
    }

    /// An address or a currency.
    ///
    /// # Errors
    /// [`Validator::Hex`], then `{:length, 20}`.
    pub fn address(&self) -> Result<Address, ParamError> {
        self.fixed().map(Address::from)
    }

    /// A hash.
    ///
    /// # Errors
    /// [`Validator::Hex`], then `{:length, 32}`.
    pub fn hash(&self) -> Result<H256, ParamError> {
        self.fixed().map(H256::from)
    }

    /// A signature.
    ///
    /// # Errors
    /// [`Validator::Hex`], then `{:length, 65}`.
    pub fn signature(&self) -> Result<[u8; 65], ParamError> {
        self.fixed()
    }

    /// One of some documented names. Which ones a [`Probe`] cannot know: parameters that use it have a schema of their own.
    ///
    /// # Errors
    /// [`Validator::Name`]
    pub fn name<T>(&self, find: impl Fn(&str) -> Option<T>) -> Result<T, ParamError> {
        let found = self.value.and_then(text).and_then(|name| find(&name));
        found.ok_or_else(|| self.error(Validator::Name))
    }

    /// One of these, by name.
    ///
    /// # Errors
    /// [`Validator::Name`]
    pub fn one_of<T: Copy>(
        &self,
        all: &[T],
        name_of: impl Fn(T) -> &'static str,
    ) -> Result<T, ParamError> {
        if let Some(probe) = self.probe {
            probe.note(&self.name, Kind::Name(all.iter().copied().map(&name_of).collect()), &[]);
            return all.first().copied().ok_or_else(|| self.error(Validator::Name));
        }
        self.name(|name| all.iter().copied().find(|named| name_of(*named) == name))
    }

    /// An integer, checked in the given order.
    ///
    /// # Errors
    /// [`Validator::Integer`], then the first failed check.
    pub fn integer(&self, checks: &[Check]) -> Result<Integer, ParamError> {
        if let Some(probe) = self.probe {
            probe.note(&self.name, Kind::Integer, checks);
            return Ok(Integer::lowest(checks));
        }
        let number = self
            .value
            .and_then(|raw| Integer::parse(raw.get()))
            .ok_or_else(|| self.error(Validator::Integer))?;
        self.check(checks, |check| check.accepts_integer(&number))?;
        Ok(number)
    }

    /// An integer above zero.
    ///
    /// # Errors
    /// [`Validator::Integer`], then `{:greater, 0}`.
    pub fn pos_integer(&self) -> Result<U256, ParamError> {
        self.unsigned(Check::Greater(0))
    }

    /// An integer not below zero.
    ///
    /// # Errors
    /// [`Validator::Integer`], then `{:greater, -1}`.
    pub fn non_neg_integer(&self) -> Result<U256, ParamError> {
        self.unsigned(Check::Greater(-1))
    }

    /// A list whose items are called `item`. All items are checked, and then the list; at most `kept_max` are kept, so that a
    /// list costs no more memory than that.
    ///
    /// # Errors
    /// [`Validator::List`], then the first error of an item (named `list.item`), then the first failed check.
    pub fn list<T>(
        &self,
        item: &str,
        kept_max: usize,
        checks: &[Check],
        mut each: impl FnMut(Field<'a>) -> Result<T, ParamError>,
    ) -> Result<Vec<T>, ParamError> {
        if let Some(probe) = self.probe {
            let item: Arc<str> = format!("{}.{item}", self.name).into();
            probe.note(&self.name, Kind::List(item.to_string()), checks);
            return Ok(vec![each(Field::new(item, None, Some(probe)))?]);
        }
        let raw = self.value.filter(|raw| raw.get().starts_with('['));
        let raw = raw.ok_or_else(|| self.error(Validator::List))?;
        let visitor = ItemsVisitor { name: format!("{}.{item}", self.name).into(), kept_max, each };
        let (items, len) = serde_json::Deserializer::from_str(raw.get())
            .deserialize_seq(visitor)
            .map_err(|_| self.error(Validator::List))??;
        self.check(checks, |check| check.accepts_len(len))?;
        Ok(items)
    }

    /// An object with these fields.
    ///
    /// # Errors
    /// [`Validator::Map`].
    pub fn map(&self, names: &'static [&'static str]) -> Result<Map<'a>, ParamError> {
        if let Some(probe) = self.probe {
            probe.note(&self.name, Kind::Map(names), &[]);
            return Ok(Map {
                name: Arc::clone(&self.name),
                params: RawParams::probe(names, probe),
            });
        }
        let raw = self.value.filter(|raw| raw.get().starts_with('{'));
        let error = || self.error(Validator::Map);
        let params = RawParams::read(names, raw.ok_or_else(error)?.get(), false);
        Ok(Map { name: Arc::clone(&self.name), params: params.map_err(|_| error())? })
    }

    fn fixed<const N: usize>(&self) -> Result<[u8; N], ParamError> {
        let length = Check::Length(N);
        self.hex(&[length])?.try_into().map_err(|_| self.error(Validator::Check(length)))
    }

    fn unsigned(&self, lowest: Check) -> Result<U256, ParamError> {
        self.integer(&[lowest])?.to_u256().ok_or_else(|| self.error(Validator::Check(lowest)))
    }

    fn check(&self, checks: &[Check], passes: impl Fn(Check) -> bool) -> Result<(), ParamError> {
        match checks.iter().find(|check| !passes(**check)) {
            Some(failed) => Err(self.error(Validator::Check(*failed))),
            None => Ok(()),
        }
    }

    fn error(&self, validator: Validator) -> ParamError {
        ParamError { parameter: self.name.to_string(), validator }
    }
}

/// An object inside a request.
#[derive(Clone, Debug)]
pub struct Map<'a> {
    name: Arc<str>,
    params: RawParams<'a>,
}

impl<'a> Map<'a> {
    /// One of its fields, named `map.field`.
    pub fn field(&self, name: &'static str) -> Field<'a> {
        let inner = self.params.field(name);
        Field { name: format!("{}.{name}", self.name).into(), ..inner }
    }
}

struct ItemsVisitor<F> {
    name: Arc<str>,
    kept_max: usize,
    each: F,
}

impl<'de, T, F: FnMut(Field<'de>) -> Result<T, ParamError>> Visitor<'de> for ItemsVisitor<F> {
    type Value = Result<(Vec<T>, usize), ParamError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (mut items, mut len) = (Vec::new(), 0_usize);
        let mut error = None;
        while let Some(raw) = seq.next_element::<&RawValue>()? {
            len = len.saturating_add(1);
            // After the first error the rest is only skipped: the text was checked when the request was read.
            if error.is_some() {
                continue;
            }
            match (self.each)(Field::new(Arc::clone(&self.name), Some(raw), None)) {
                Ok(item) if items.len() < self.kept_max => items.push(item),
                Ok(_) => {}
                Err(failed) => error = Some(failed),
            }
        }
        Ok(error.map_or(Ok((items, len)), Err))
    }
}

/// A length that passes.
fn right_len(checks: &[Check]) -> usize {
    let lengths = checks.iter().map(|check| match check {
        Check::Length(len) | Check::MinLength(len) => *len,
        Check::MaxLength(_) | Check::Greater(_) | Check::Lesser(_) => 0,
    });
    lengths.max().unwrap_or_default()
}

/// The text of a JSON string, without a copy when nothing in it is escaped.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if quoted.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(quoted))
}

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
            return probe.note_optional(&self.name).then_some(self);
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
            .ok_or_else(|| self.fails(Validator::Hex))?;
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
        self.text_as(Validator::Name, find)
    }

    /// A text of any kind.
    ///
    /// # Errors
    /// [`Validator::Text`]
    pub fn text(&self) -> Result<String, ParamError> {
        self.text_as(Validator::Text, |text| Some(text.to_owned()))
    }

    /// A text that is read as something, or fails this validator.
    ///
    /// # Errors
    /// The given one.
    pub fn text_as<T>(
        &self,
        validator: Validator,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ParamError> {
        self.text_like(validator, None, read)
    }

    /// A text of a certain form: a pattern for documents, and an example of it.
    ///
    /// # Errors
    /// The given one.
    pub fn text_like<T>(
        &self,
        validator: Validator,
        form: Option<(&str, &str)>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ParamError> {
        if let Some(probe) = self.probe {
            let (pattern, example) = form.unzip();
            probe.note(&self.name, Kind::Text(pattern.map(ToOwned::to_owned)), &[]);
            return read(example.unwrap_or_default()).ok_or_else(|| self.fails(validator));
        }
        let found = self.value.and_then(text).and_then(|text| read(&text));
        found.ok_or_else(|| self.fails(validator))
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
            return all.first().copied().ok_or_else(|| self.fails(Validator::Name));
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
            .ok_or_else(|| self.fails(Validator::Integer))?;
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

    /// An integer above zero. One beyond 64 bits counts as the largest that fits.
    ///
    /// # Errors
    /// As [`Self::pos_integer`].
    pub fn pos_u64(&self) -> Result<u64, ParamError> {
        Ok(u64::try_from(self.pos_integer()?).unwrap_or(u64::MAX))
    }

    /// An integer not below zero.
    ///
    /// # Errors
    /// [`Validator::Integer`], then `{:greater, -1}`.
    pub fn non_neg_integer(&self) -> Result<U256, ParamError> {
        self.unsigned(Check::Greater(-1))
    }

    /// An integer of 64 bits.
    ///
    /// # Errors
    /// [`Validator::Integer`], also beyond 64 bits, then the check.
    pub fn u64(&self, lowest: Check) -> Result<u64, ParamError> {
        u64::try_from(self.unsigned(lowest)?).map_err(|_| self.fails(Validator::Integer))
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
        let (items, len) = self.items(item, kept_max, each)?;
        self.check(checks, |check| check.accepts_len(len))?;
        Ok(items)
    }

    /// A list of objects with these fields, which are named `list.field`, and how many there are; at most `kept_max` are kept.
    ///
    /// # Errors
    /// [`Validator::List`], then the first error of an item: [`Validator::Map`] (named `list.item`) or one of its fields.
    pub fn list_of_maps<T>(
        &self,
        item: &str,
        names: &'static [&'static str],
        kept_max: usize,
        each: impl Fn(&Map<'a>) -> Result<T, ParamError>,
    ) -> Result<(Vec<T>, usize), ParamError> {
        if let Some(probe) = self.probe {
            let item = format!("{}.{item}", self.name);
            probe.note(&self.name, Kind::List(item.clone()), &[]);
            probe.note(&item, Kind::Map { names, prefix: self.name.to_string() }, &[]);
            let params = RawParams::probe(names, probe);
            let item = each(&Map { name: Arc::clone(&self.name), params })?;
            return Ok((vec![item], 1));
        }
        self.items(item, kept_max, |field| {
            let map = field.map(names)?;
            each(&Map { name: Arc::clone(&self.name), ..map })
        })
    }

    fn items<T>(
        &self,
        item: &str,
        kept_max: usize,
        each: impl FnMut(Field<'a>) -> Result<T, ParamError>,
    ) -> Result<(Vec<T>, usize), ParamError> {
        let raw = self.value.filter(|raw| raw.get().starts_with('['));
        let raw = raw.ok_or_else(|| self.fails(Validator::List))?;
        let visitor = ItemsVisitor { name: format!("{}.{item}", self.name).into(), kept_max, each };
        serde_json::Deserializer::from_str(raw.get())
            .deserialize_seq(visitor)
            .map_err(|_| self.fails(Validator::List))?
    }

    /// An object with these fields.
    ///
    /// # Errors
    /// [`Validator::Map`].
    pub fn map(&self, names: &'static [&'static str]) -> Result<Map<'a>, ParamError> {
        if let Some(probe) = self.probe {
            probe.note(&self.name, Kind::Map { names, prefix: self.name.to_string() }, &[]);
            return Ok(Map {
                name: Arc::clone(&self.name),
                params: RawParams::probe(names, probe),
            });
        }
        let raw = self.value.filter(|raw| raw.get().starts_with('{'));
        let error = || self.fails(Validator::Map);
        let params = RawParams::read(names, raw.ok_or_else(error)?.get(), false);
        Ok(Map { name: Arc::clone(&self.name), params: params.map_err(|_| error())? })
    }

    fn fixed<const N: usize>(&self) -> Result<[u8; N], ParamError> {
        let length = Check::Length(N);
        self.hex(&[length])?.try_into().map_err(|_| self.fails(Validator::Check(length)))
    }

    fn unsigned(&self, lowest: Check) -> Result<U256, ParamError> {
        self.integer(&[lowest])?.to_u256().ok_or_else(|| self.fails(Validator::Check(lowest)))
    }

    fn check(&self, checks: &[Check], passes: impl Fn(Check) -> bool) -> Result<(), ParamError> {
        match checks.iter().find(|check| !passes(**check)) {
            Some(failed) => Err(self.fails(Validator::Check(*failed))),
            None => Ok(()),
        }
    }

    /// That it fails this validator.
    pub fn fails(&self, validator: Validator) -> ParamError {
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

//! Pages of a list: by number as the originals have it, or by a cursor that stays where it is while rows are added (protocol 6.5).
//!
//! A cursor is opaque to callers and harmless to us: a few numbers, nothing else, so that the worst a made-up one can do is to start
//! the page somewhere else.

use crate::params::{Check, Field, ParamError, RawParams, Validator};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use std::str::FromStr;

/// What `limit` has to be below. Above the most that a method gives, it is lowered to that.
pub const LIMIT_BOUND: i64 = 1_000;
/// Most rows before a page that is asked for by number, since all of them have to be passed: further on, cursors lead.
pub const PAGE_OFFSET_MAX: u64 = 100_000;
/// Most numbers in a cursor.
pub const CURSOR_PARTS_MAX: usize = 4;
/// Longest cursor: so many numbers of 20 digits, and what stands between them.
pub const CURSOR_LEN_MAX: usize = CURSOR_PARTS_MAX * 20 + CURSOR_PARTS_MAX - 1;

/// Which part of a list is asked for. `cursor` comes before `page`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Paging {
    /// Most rows, at most what the method gives.
    pub limit: u32,
    /// Counted from 1; empty behind the last one. Of a very long list the first 100,000 rows can be asked for in this way, and all of
    /// them by `cursor`.
    pub page: u64,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cursor: Option<Cursor>,
}

/// The sort key of the last row of a page, as text. What the numbers are is between the method and itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(Vec<u64>);

/// What is told about a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataPaging {
    /// The page that was asked for.
    pub page: u64,
    /// Most rows in it, as applied.
    pub limit: u32,
    /// Where the next page begins; missing when this one is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_cursor: Option<Cursor>,
}

/// A page. In the HTTP-RPC envelope the two members stand beside `success`; in JSON-RPC they are the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Which they are.
    pub data_paging: DataPaging,
}

impl Paging {
    /// The names it is read from, to be listed among a method's names.
    pub const NAMES: [&'static str; 3] = ["limit", "page", "cursor"];

    /// The first page.
    pub const fn first(limit: u32) -> Self {
        Self { limit, page: 1, cursor: None }
    }

    /// Reads `limit`, `page` and `cursor`, in this order. Without a limit it is `limit_max`; a cursor has `cursor_parts` numbers.
    ///
    /// # Errors
    /// `limit`: `:integer`, `{:greater, 0}`, `{:lesser, 1000}`; `page`: `:integer`, `{:greater, 0}`; `cursor`: `:cursor`.
    pub fn parse(
        raw: &RawParams<'_>,
        limit_max: u32,
        cursor_parts: usize,
    ) -> Result<Self, ParamError> {
        let mut paging = Self::first(limit_max);
        if let Some(limit) = raw.field("limit").optional() {
            let limit = limit.integer(&[Check::Greater(0), Check::Lesser(LIMIT_BOUND)])?;
            let limit = limit.to_u256().and_then(|limit| u32::try_from(limit).ok());
            paging.limit = limit.unwrap_or(limit_max).min(limit_max);
        }
        if let Some(page) = raw.field("page").optional() {
            paging.page = u64::try_from(page.pos_integer()?).unwrap_or(u64::MAX);
        }
        if let Some(cursor) = raw.field("cursor").optional() {
            paging.cursor = Some(Cursor::parse(&cursor, cursor_parts)?);
        }
        Ok(paging)
    }

    /// How many rows come before a page that is asked for by number.
    pub fn offset(&self) -> u64 {
        self.page.saturating_sub(1).saturating_mul(self.limit.into())
    }

    /// Whether a page of a list that is long enough may be asked for.
    ///
    /// # Errors
    /// `page`: `{:lesser, N}`, when more than [`PAGE_OFFSET_MAX`] rows come before it.
    pub fn check_offset(&self) -> Result<(), ParamError> {
        if self.cursor.is_some() || self.offset() <= PAGE_OFFSET_MAX {
            return Ok(());
        }
        let pages = PAGE_OFFSET_MAX.checked_div(self.limit.into()).unwrap_or_default();
        let bound = i64::try_from(pages).unwrap_or(i64::MAX).saturating_add(2);
        let validator = Validator::Check(Check::Lesser(bound));
        Err(ParamError { parameter: "page".to_owned(), validator })
    }

    /// Answers with rows. `key` is the sort key of a row: it makes the cursor if the page is full, because there may be more.
    pub fn answer<T>(&self, data: Vec<T>, key: impl FnOnce(&T) -> Vec<u64>) -> Page<T> {
        let is_full = u64::try_from(data.len()).is_ok_and(|len| len >= u64::from(self.limit));
        let last = data.last().filter(|_| is_full);
        let next_cursor = last.map(|row| Cursor::new(key(row)));
        Page { data, data_paging: DataPaging { page: self.page, limit: self.limit, next_cursor } }
    }
}

impl Cursor {
    /// From a sort key of at most [`CURSOR_PARTS_MAX`] numbers; more are cut.
    pub fn new(mut key: Vec<u64>) -> Self {
        key.truncate(CURSOR_PARTS_MAX);
        Self(key)
    }

    /// The sort key.
    pub fn key(&self) -> &[u64] {
        &self.0
    }

    /// The sort key, when it has as many numbers as the method's has.
    pub fn key_of<const N: usize>(&self) -> Option<[u64; N]> {
        self.0.as_slice().try_into().ok()
    }

    fn parse(field: &Field<'_>, parts: usize) -> Result<Self, ParamError> {
        let rest = parts.saturating_sub(1);
        // Narrower than what is read: no number of 19 digits is beyond 64 bits.
        let pattern = format!(r"^[0-9]{{1,19}}(\.[0-9]{{1,19}}){{{rest}}}$");
        let example = format!("0{}", ".0".repeat(rest));
        field.text_like(Validator::Cursor, Some((&pattern, &example)), |text| {
            text.parse::<Self>().ok().filter(|cursor| cursor.0.len() == parts)
        })
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        if text.len() > CURSOR_LEN_MAX {
            return Err(NoCursor);
        }
        let number = |part: &str| {
            let is_plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| part.parse().ok()).flatten()
        };
        let key: Option<Vec<u64>> = text.split('.').map(number).collect();
        key.filter(|key| key.len() <= CURSOR_PARTS_MAX).map(Self).ok_or(NoCursor)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            write!(f, "{}{part}", if index == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("no cursor"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(body: &str) -> Result<Paging, String> {
        let raw = RawParams::from_body(&Paging::NAMES, body.as_bytes()).unwrap();
        Paging::parse(&raw, 200, 2).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_checked_and_then_lowered() {
        let fails = |text: &str| Err(format!("parameter {text}"));
        for (body, expected) in [
            ("{}", Ok((200, 1))),
            (r#"{"limit": 7, "page": 3}"#, Ok((7, 3))),
            (r#"{"limit": 999}"#, Ok((200, 1))),
            (r#"{"limit": null, "page": null, "cursor": null}"#, Ok((200, 1))),
            (r#"{"limit": 1000}"#, fails("limit fails {:lesser, 1000}")),
            (r#"{"limit": 0}"#, fails("limit fails {:greater, 0}")),
            (r#"{"limit": -1}"#, fails("limit fails {:greater, 0}")),
            (r#"{"limit": "1"}"#, fails("limit fails :integer")),
            (r#"{"limit": 1.0}"#, fails("limit fails :integer")),
            (r#"{"page": 0}"#, fails("page fails {:greater, 0}")),
            (r#"{"page": true}"#, fails("page fails :integer")),
            (r#"{"page": 18446744073709551616}"#, Ok((200, u64::MAX))),
            (r#"{"cursor": "1.2"}"#, Ok((200, 1))),
            (r#"{"cursor": 1}"#, fails("cursor fails :cursor")),
            (r#"{"cursor": "1"}"#, fails("cursor fails :cursor")),
            (r#"{"cursor": "1.2.3"}"#, fails("cursor fails :cursor")),
            (r#"{"cursor": "1.-2"}"#, fails("cursor fails :cursor")),
            (r#"{"cursor": "1."}"#, fails("cursor fails :cursor")),
            (r#"{"cursor": "1.18446744073709551616"}"#, fails("cursor fails :cursor")),
        ] {
            let paging = parse(body).map(|paging| (paging.limit, paging.page));
            assert_eq!(paging, expected, "{body}");
        }
        let far = parse(r#"{"page": 18446744073709551615}"#).unwrap();
        assert_eq!(far.offset(), u64::MAX);
    }

    #[test]
    fn pages_far_behind_are_asked_for_by_cursor() {
        let check =
            |body: &str| parse(body).unwrap().check_offset().map_err(|error| error.to_string());
        assert_eq!(check(r#"{"page": 501}"#), Ok(()));
        let refused = Err("parameter page fails {:lesser, 502}".to_owned());
        assert_eq!(check(r#"{"page": 502}"#), refused);
        assert_eq!(check(r#"{"page": 18446744073709551616}"#), refused);
        assert_eq!(check(r#"{"page": 502, "limit": 1}"#), Ok(()));
        assert_eq!(check(r#"{"page": 502, "cursor": "1.2"}"#), Ok(()));
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let paging = Paging::first(2);
        let key = |row: &u64| vec![*row, 0];
        assert_eq!(paging.answer(vec![], key).data_paging.next_cursor, None);
        assert_eq!(paging.answer(vec![9], key).data_paging.next_cursor, None);
        let next = paging.answer(vec![9, 8], key).data_paging.next_cursor;
        assert_eq!(next.map(|next| next.to_string()), Some("8.0".to_owned()));
    }

    proptest! {
        #[test]
        fn cursors_survive_a_round_trip(key in prop::collection::vec(any::<u64>(), 1..=4)) {
            let cursor = Cursor::new(key.clone());
            let text = cursor.to_string();
            prop_assert!(text.len() <= CURSOR_LEN_MAX);
            prop_assert_eq!(text.parse::<Cursor>(), Ok(cursor.clone()));
            prop_assert_eq!(cursor.key(), key);
        }

        #[test]
        fn no_text_makes_reading_a_cursor_panic(text in ".{0,100}") {
            let _ = text.parse::<Cursor>();
        }
    }
}

//! Where a subscription begins.

use plasma_core::wire::Blknum;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Where a subscription begins. In JSON nothing, `{"sequence": n}` or `{"blknum": n}`; in a URL nothing, `sequence:n` or `blknum:n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what happens from now on.
    #[default]
    News,
    /// With the event of this number; the first is 1.
    Sequence(u64),
    /// With the first event at or after this child chain block.
    Blknum(Blknum),
}

/// A text is no place to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a start is sequence:<number from 1 on> or blknum:<number of a block>")]
pub struct BadStart;

impl Start {
    pub(super) const fn is_news(&self) -> bool {
        matches!(self, Self::News)
    }
}

impl Serialize for Start {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, number) = match self {
            Self::News => return serializer.serialize_none(),
            Self::Sequence(number) => ("sequence", *number),
            Self::Blknum(blknum) => ("blknum", blknum.get()),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, &number)?;
        map.end()
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::News => Ok(()),
            Self::Sequence(number) => write!(f, "sequence:{number}"),
            Self::Blknum(blknum) => write!(f, "blknum:{}", blknum.get()),
        }
    }
}

impl FromStr for Start {
    type Err = BadStart;

    fn from_str(text: &str) -> Result<Self, BadStart> {
        let (name, digits) = match text.split_once(':') {
            Some(parts) => parts,
            None if text.is_empty() => return Ok(Self::News),
            None => return Err(BadStart),
        };
        match (name, number(digits).ok_or(BadStart)?) {
            ("sequence", number @ 1..) => Ok(Self::Sequence(number)),
            ("blknum", number) => Ok(Self::Blknum(Blknum::new(number))),
            _ => Err(BadStart),
        }
    }
}

/// Plain decimal digits: no sign, no leading zero.
pub(super) fn number(digits: &str) -> Option<u64> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    is_plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_texts_are_starts() {
        for (text, expected) in [
            ("", Some(Start::News)),
            ("sequence:1", Some(Start::Sequence(1))),
            ("sequence:18446744073709551615", Some(Start::Sequence(u64::MAX))),
            ("blknum:0", Some(Start::Blknum(Blknum::new(0)))),
            ("blknum:1000", Some(Start::Blknum(Blknum::new(1000)))),
            ("sequence:0", None),
            ("sequence:18446744073709551616", None),
            ("sequence:+1", None),
            ("sequence:01", None),
            ("sequence:", None),
            ("sequence", None),
            ("17", None),
            ("block:17", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
            assert!(expected.is_none_or(|start| start.to_string() == text), "{text}");
        }
    }
}

//! What a value is checked against, and how a failed check reads (protocol 6.1).

use plasma_core::wire::U256;
use std::cmp::Ordering;
use std::fmt;
use thiserror::Error;

/// A field and the first validator it fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("parameter {parameter} fails {validator}")]
pub struct ParamError {
    /// The field; nested names are joined with dots.
    pub parameter: String,
    /// What it fails.
    pub validator: Validator,
}

/// One step of a field's chain. `Display` is the text that clients compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    /// A string of `0x` and an even number of hex digits.
    Hex,
    /// A JSON integer: no fraction, no exponent, no string, and at most 256 bits.
    Integer,
    /// A JSON string that is one of the documented names.
    Name,
    /// A JSON string.
    Text,
    /// A JSON string that is the `next_cursor` of a page of the same method.
    Cursor,
    /// A JSON array.
    List,
    /// A JSON object.
    Map,
    /// At most so many payments.
    TooManyPayments(usize),
    /// The EIP-712 domain of this deployment.
    DomainSeparatorMismatch,
    /// What comes after the kind.
    Check(Check),
}

/// What a value of the right kind has to fulfil as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Exactly so many bytes.
    Length(usize),
    /// An integer above this.
    Greater(i64),
    /// An integer below this.
    Lesser(i64),
    /// At most so many items.
    MaxLength(usize),
    /// At least so many items.
    MinLength(usize),
}

impl Check {
    /// Whether bytes or a list of this length pass. Checks of integers do not apply.
    pub fn accepts_len(self, len: usize) -> bool {
        match self {
            Self::Length(exact) => len == exact,
            Self::MaxLength(max) => len <= max,
            Self::MinLength(min) => len >= min,
            Self::Greater(_) | Self::Lesser(_) => true,
        }
    }

    /// Whether an integer passes. Checks of lengths do not apply.
    pub fn accepts_integer(self, number: &Integer) -> bool {
        match self {
            Self::Greater(bound) => number.compare(bound) == Ordering::Greater,
            Self::Lesser(bound) => number.compare(bound) == Ordering::Less,
            Self::Length(_) | Self::MaxLength(_) | Self::MinLength(_) => true,
        }
    }
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hex => f.write_str(":hex"),
            Self::Integer => f.write_str(":integer"),
            Self::Name => f.write_str(":name"),
            Self::Text => f.write_str(":string"),
            Self::Cursor => f.write_str(":cursor"),
            Self::List => f.write_str(":list"),
            Self::Map => f.write_str(":map"),
            Self::TooManyPayments(max) => write!(f, "{{:too_many_payments, {max}}}"),
            Self::DomainSeparatorMismatch => f.write_str(":domain_separator_mismatch"),
            Self::Check(Check::Length(len)) => write!(f, "{{:length, {len}}}"),
            Self::Check(Check::Greater(bound)) => write!(f, "{{:greater, {bound}}}"),
            Self::Check(Check::Lesser(bound)) => write!(f, "{{:lesser, {bound}}}"),
            Self::Check(Check::MaxLength(len)) => write!(f, "{{:max_length, {len}}}"),
            Self::Check(Check::MinLength(len)) => write!(f, "{{:min_length, {len}}}"),
        }
    }
}

/// A whole number as it stood in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    negative: bool,
    magnitude: U256,
}

impl Integer {
    /// Reads digits with an optional minus; `None` for anything else, and beyond 256 bits.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let magnitude = crate::json::uint::parse(digits)?;
        Some(Self { negative: negative && !magnitude.is_zero(), magnitude })
    }

    /// The lowest number, from 0 on, that is above all lower bounds.
    pub(super) fn lowest(checks: &[Check]) -> Self {
        let bounds = checks.iter().map(|check| match check {
            Check::Greater(bound) => bound.saturating_add(1),
            _ => 0,
        });
        let lowest = u64::try_from(bounds.max().unwrap_or_default()).unwrap_or_default();
        Self { negative: false, magnitude: lowest.into() }
    }

    /// The number, unless it is negative.
    pub fn to_u256(self) -> Option<U256> {
        (!self.negative).then_some(self.magnitude)
    }

    fn compare(&self, bound: i64) -> Ordering {
        let distance = U256::from(bound.unsigned_abs());
        match (self.negative, bound < 0) {
            (false, false) => self.magnitude.cmp(&distance),
            (true, true) => distance.cmp(&self.magnitude),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

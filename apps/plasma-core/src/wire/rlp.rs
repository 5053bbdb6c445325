//! Strict RLP: one encoding per value, nothing left over, and no recursion an attacker could deepen (protocol 1.6).
//!
//! Header parsing and encoding come from the `rlp` crate; what it tolerates and the protocol does not (a wrapped single
//! byte, trailing bytes, a list that disagrees with its length) is refused here. [`check`] walks a whole document once, so
//! that the readers behind it only ever see canonical input.

use super::primitives::U256;
use rlp::PayloadInfo;
use thiserror::Error;

/// The bytes are not one canonical RLP item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not one canonical RLP item")]
pub struct MalformedRlp;

/// A 256-bit number that is not encoded as one. Codes as in protocol 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UintError {
    /// A list stands where a number is expected.
    #[error("malformed_uint256")]
    Malformed,
    /// The first byte is zero; the number zero is the empty string.
    #[error("leading_zeros_in_encoded_uint")]
    LeadingZeros,
    /// More than 32 bytes.
    #[error("encoded_uint_too_big")]
    TooBig,
}

/// One item inside checked RLP: its kind and its payload, without the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A byte string.
    String(&'a [u8]),
    /// A list; iterate it with [`items`].
    List(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The bytes of a string, `None` for a list.
    pub const fn string(self) -> Option<&'a [u8]> {
        match self {
            Self::String(bytes) => Some(bytes),
            Self::List(_) => None,
        }
    }

    /// The items of a list, `None` for a string.
    pub const fn list(self) -> Option<Items<'a>> {
        match self {
            Self::List(payload) => Some(items(payload)),
            Self::String(_) => None,
        }
    }

    /// A string of exactly `N` bytes.
    pub fn fixed<const N: usize>(self) -> Option<&'a [u8; N]> {
        self.string()?.try_into().ok()
    }

    /// An unsigned number of at most 256 bits.
    ///
    /// # Errors
    /// Checked in the order of protocol 1.6: kind, leading zero, size.
    pub fn uint(self) -> Result<U256, UintError> {
        let bytes = self.string().ok_or(UintError::Malformed)?;
        match bytes.first() {
            Some(0) => Err(UintError::LeadingZeros),
            _ if bytes.len() > 32 => Err(UintError::TooBig),
            _ => Ok(U256::from_big_endian(bytes)),
        }
    }
}

/// The items of a list payload, in order. Stops at the first malformed header; [`check`] rules that out beforehand.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    /// The bytes behind the items taken so far.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let (item, rest) = split_first(self.rest).ok()?;
        self.rest = rest;
        Some(item)
    }
}

/// The items of a list payload.
pub const fn items(payload: &[u8]) -> Items<'_> {
    Items { rest: payload }
}

/// Checks that `bytes` are exactly one canonical item, at every depth, and returns it.
///
/// # Errors
/// [`MalformedRlp`] for anything else: truncated, trailing or non-minimal bytes anywhere.
pub fn check(bytes: &[u8]) -> Result<Item<'_>, MalformedRlp> {
    let (item, rest) = split_first(bytes)?;
    if !rest.is_empty() {
        return Err(MalformedRlp);
    }
    // A list's payload must be a sequence of whole items. Nesting needs no stack: splitting a list's payload out of the
    // remaining bytes and checking both in turn visits the same items as recursion would.
    let mut pending = Vec::new();
    if let Item::List(payload) = item {
        pending.push(payload);
    }
    while let Some(payload) = pending.pop() {
        let mut rest = payload;
        while !rest.is_empty() {
            let (item, after) = split_first(rest)?;
            if let Item::List(inner) = item {
                pending.push(inner);
            }
            rest = after;
        }
    }
    Ok(item)
}

/// Splits the first item off, checking its header and bounds but not its inside.
fn split_first(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), MalformedRlp> {
    let first = *bytes.first().ok_or(MalformedRlp)?;
    let header = PayloadInfo::from(bytes).map_err(|_| MalformedRlp)?;
    let end = header.header_len.checked_add(header.value_len).ok_or(MalformedRlp)?;
    let payload = bytes.get(header.header_len..end).ok_or(MalformedRlp)?;
    let rest = bytes.get(end..).ok_or(MalformedRlp)?;
    if first >= 0xc0 {
        return Ok((Item::List(payload), rest));
    }
    match payload {
        [single] if *single < 0x80 && header.header_len > 0 => Err(MalformedRlp),
        _ => Ok((Item::String(payload), rest)),
    }
}

/// Appends the minimal big-endian form of a number: no leading zeros, zero is the empty string.
pub fn append_uint(stream: &mut rlp::RlpStream, value: U256) {
    let mut word = [0; 32];
    value.to_big_endian(&mut word);
    let start = word.iter().position(|byte| *byte != 0).unwrap_or(word.len());
    stream.append(&word.get(start..).unwrap_or_default());
}

/// The header of a list whose payload has `len` bytes.
pub fn list_header(len: usize) -> arrayvec::ArrayVec<u8, 9> {
    let mut header = arrayvec::ArrayVec::new();
    if let Ok(short @ 0..=55) = u8::try_from(len) {
        header.push(short.saturating_add(0xc0));
        return header;
    }
    let word = u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes();
    let start = word.iter().position(|byte| *byte != 0).unwrap_or_default();
    let digits = word.get(start..).unwrap_or_default();
    header.push(u8::try_from(digits.len()).unwrap_or_default().saturating_add(0xf7));
    header.extend(digits.iter().copied());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::unhex;
    use proptest::prelude::*;

    fn accepted(hex: &str) -> bool {
        check(&unhex(hex)).is_ok()
    }

    #[test]
    fn only_the_shortest_form_is_an_item() {
        for (hex, expected) in [
            ("80", true),
            ("c0", true),
            ("00", true),
            ("7f", true),
            ("8180", true),
            ("810a", false),
            ("8100", false),
            ("b80a01020304050607080910", false),
            ("b90001aa", false),
            ("", false),
            ("8080", false),
            ("c180", true),
            ("c281", false),
            ("c2810a", false),
            ("c1c1", false),
            ("c2c180", true),
            ("f80180", false),
            ("bfffffffffffffffff", false),
            ("ffffffffffffffffff", false),
        ] {
            assert_eq!(accepted(hex), expected, "{hex}");
        }
    }

    #[test]
    fn a_deeply_nested_document_needs_no_stack() {
        let mut bytes = vec![0xc0];
        for _ in 0..20_000 {
            let header = list_header(bytes.len());
            bytes.splice(0..0, header);
        }
        assert!(check(&bytes).is_ok());
    }

    #[test]
    fn numbers_are_minimal_and_fit_256_bits() {
        let cases: [(&[u8], Result<u64, UintError>); 5] = [
            (&[], Ok(0)),
            (&[1, 0], Ok(256)),
            (&[0], Err(UintError::LeadingZeros)),
            (&[0; 33], Err(UintError::LeadingZeros)),
            (&[1; 33], Err(UintError::TooBig)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Item::String(bytes).uint(), expected.map(U256::from), "{bytes:?}");
        }
        assert_eq!(Item::List(&[]).uint(), Err(UintError::Malformed));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_what_the_encoder_writes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(item) = check(&bytes) {
                prop_assert_eq!(encode(item), bytes);
            }
        }

        #[test]
        fn list_headers_agree_with_the_library(len in 0usize..70_000) {
            let mut stream = rlp::RlpStream::new();
            let payload = vec![0x80; len];
            stream.begin_list(len).append_raw(&payload, len);
            let encoded = stream.out();
            prop_assert_eq!(&list_header(len)[..], &encoded[..encoded.len() - len]);
        }
    }

    fn encode(item: Item<'_>) -> Vec<u8> {
        match item {
            Item::String(bytes) => rlp::encode(&bytes).to_vec(),
            Item::List(payload) => {
                let inner: Vec<u8> = items(payload).flat_map(encode).collect();
                let mut out = list_header(inner.len()).to_vec();
                out.extend(inner);
                out
            }
        }
    }
}

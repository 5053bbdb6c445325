//! Reading and writing the bytes of values: a version byte, then fields of fixed or stated length.

use plasma_core::wire::{Address, H256, U256};

/// A value that does not decode, and why.
pub(crate) type Malformed = &'static str;

/// Takes fields off the front of a value.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts behind the version byte, which must be this one.
    pub(crate) fn new(value: &'a [u8], version: u8) -> Result<Self, Malformed> {
        match value.split_first() {
            Some((found, rest)) if *found == version => Ok(Self { rest }),
            Some(_) => Err("unknown version of the value"),
            None => Err("empty value"),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or("truncated value")?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn address(&mut self) -> Result<Address, Malformed> {
        self.array().map(Address)
    }

    pub(crate) fn hash(&mut self) -> Result<H256, Malformed> {
        self.array().map(H256)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("neither yes nor no"),
        }
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        // A length that no memory could hold is beyond the end in any case.
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or("truncated value")?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A number behind its length.
    pub(crate) fn uint(&mut self) -> Result<U256, Malformed> {
        let len = usize::from(self.u8()?);
        let (digits, rest) = self.rest.split_at_checked(len).ok_or("truncated value")?;
        self.rest = rest;
        minimal_uint(digits)
    }

    /// A number that fills the rest of the value.
    pub(crate) fn last_uint(self) -> Result<U256, Malformed> {
        minimal_uint(self.rest)
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whatever is left.
    pub(crate) const fn last_bytes(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(crate) const fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err("bytes behind the end of the value") }
    }
}

fn minimal_uint(digits: &[u8]) -> Result<U256, Malformed> {
    match digits.first() {
        Some(0) => Err("number with a leading zero"),
        _ if digits.len() > 32 => Err("number beyond 256 bits"),
        _ => Ok(U256::from_big_endian(digits)),
    }
}

/// Appends fields to a value.
pub(crate) trait WriteFields {
    fn put_uint(&mut self, number: U256);
    fn put_last_uint(&mut self, number: U256);
    fn put_len(&mut self, len: usize);
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl WriteFields for Vec<u8> {
    fn put_uint(&mut self, number: U256) {
        // At most 32, so it fits.
        self.push(number.bits().div_ceil(8) as u8);
        self.put_last_uint(number);
    }

    fn put_last_uint(&mut self, number: U256) {
        let mut word = [0; 32];
        number.to_big_endian(&mut word);
        let skipped = 32 - number.bits().div_ceil(8);
        self.extend_from_slice(word.get(skipped..).unwrap_or_default());
    }

    fn put_len(&mut self, len: usize) {
        // RocksDB takes no longer values.
        self.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_len(bytes.len());
        self.extend_from_slice(bytes);
    }
}

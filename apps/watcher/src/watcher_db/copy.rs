//! PostgreSQL's binary COPY format: rows as bytes, with no text in between.
//!
//! It must never lose a digit: amounts are written as the numeric type keeps them, in groups of four decimal digits.

use plasma_core::wire::U256;

/// What every stream begins with: the signature, no flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What every stream ends with, in the place of a number of fields.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Length of a field that is null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();
/// 2000-01-01 in milliseconds since 1970: where PostgreSQL's times begin.
const PG_EPOCH_MS: i64 = 946_684_800_000;
/// What a digit of the numeric type counts to.
const NUMERIC_BASE: u64 = 10_000;

/// Rows for one COPY.
#[derive(Debug)]
pub(super) struct Copy {
    bytes: Vec<u8>,
}

impl Copy {
    pub(super) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(HEADER);
        Self { bytes }
    }

    /// Begins a row.
    pub(super) fn row(&mut self, fields: i16) -> &mut Self {
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        // No field comes near two gigabytes.
        let len = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&NULL);
        self
    }

    pub(super) fn optional(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.null(),
        }
    }

    pub(super) fn bigint(&mut self, value: u64) -> &mut Self {
        self.bytes(&int8(value).to_be_bytes())
    }

    pub(super) fn int(&mut self, value: u32) -> &mut Self {
        self.bytes(&int4(value).to_be_bytes())
    }

    pub(super) fn boolean(&mut self, value: bool) -> &mut Self {
        self.bytes(&[u8::from(value)])
    }

    /// Milliseconds since 1970.
    pub(super) fn time(&mut self, at_ms: u64) -> &mut Self {
        let micros = int8(at_ms).saturating_sub(PG_EPOCH_MS).saturating_mul(1_000);
        self.bytes(&micros.to_be_bytes())
    }

    pub(super) fn numeric(&mut self, value: U256) -> &mut Self {
        let digits = numeric_digits(value);
        let count = i16::try_from(digits.len()).unwrap_or(i16::MAX);
        let len = i32::from(count).saturating_mul(2).saturating_add(8);
        self.bytes.extend_from_slice(&len.to_be_bytes());
        // How many digits; the power of the first; no sign; none behind the point.
        for part in [count, count.saturating_sub(1).max(0), 0, 0] {
            self.bytes.extend_from_slice(&part.to_be_bytes());
        }
        for digit in digits.iter().rev() {
            self.bytes.extend_from_slice(&digit.to_be_bytes());
        }
        self
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&TRAILER);
        self.bytes
    }
}

/// Digits to the base 10,000, the lowest first; zero has none.
fn numeric_digits(mut value: U256) -> Vec<i16> {
    let base = U256::from(NUMERIC_BASE);
    let mut digits = Vec::with_capacity(8);
    let digit = |rest: u64| i16::try_from(rest).unwrap_or_default();
    while value > U256::from(u64::MAX) {
        let (quotient, rest) = value.div_mod(base);
        digits.push(digit(rest.low_u64()));
        value = quotient;
    }
    let mut value = value.low_u64();
    while value > 0 {
        digits.push(digit(value % NUMERIC_BASE));
        value /= NUMERIC_BASE;
    }
    digits
}

/// A number as SQL has it. The largest one stands for all beyond, of which there are none in a valid chain.
pub(super) fn int8(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The same for four bytes.
pub(super) fn int4(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What PostgreSQL reads from a field of the numeric type.
    fn read_numeric(field: &[u8]) -> U256 {
        let part = |index: usize| i16::from_be_bytes([field[2 * index], field[2 * index + 1]]);
        let (count, weight) = (part(0), part(1));
        assert_eq!((part(2), part(3)), (0, 0), "sign and scale");
        assert_eq!(field.len(), 8 + 2 * usize::try_from(count).unwrap());
        assert_eq!(weight, (count - 1).max(0));
        (4..4 + usize::try_from(count).unwrap()).fold(U256::zero(), |sum, index| {
            sum * U256::from(NUMERIC_BASE) + U256::from(u64::try_from(part(index)).unwrap())
        })
    }

    fn check(amount: U256) {
        let mut copy = Copy::new(0);
        copy.numeric(amount);
        let field = copy.bytes.split_off(HEADER.len());
        let (len, field) = field.split_first_chunk::<4>().unwrap();
        assert_eq!(usize::try_from(i32::from_be_bytes(*len)).unwrap(), field.len());
        assert_eq!(read_numeric(field), amount);
    }

    #[test]
    fn the_smallest_and_the_largest_amounts_survive() {
        for amount in
            [U256::zero(), U256::one(), U256::from(10_000), U256::from(u64::MAX), U256::MAX]
        {
            check(amount);
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives(words: [u64; 4], shift in 0_u32..256) {
            check(U256(words) >> shift);
        }
    }

    #[test]
    fn a_stream_is_what_the_manual_says() {
        let mut copy = Copy::new(0);
        copy.row(4).boolean(true).null().int(7).time(946_684_800_001);
        let expected = [
            b"PGCOPY\n\xff\r\n\0".as_slice(),
            &[0; 8],
            &[0, 4],
            &[0, 0, 0, 1, 1],
            &[0xff; 4],
            &[0, 0, 0, 4, 0, 0, 0, 7],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x03, 0xe8],
            &[0xff; 2],
        ];
        assert_eq!(copy.finish(), expected.concat());
    }
}

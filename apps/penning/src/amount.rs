//! Amounts of money as people write them: `1.5` of something with 18 decimals, and never a guess.
//!
//! It must never round, never accept what could be read in two ways (signs, exponents, thousands separators, a bare point), and
//! never show an amount in another unit than the smallest when nobody knows how many of those make one.

use plasma_core::wire::{Currency, ETH, U256};
use plasma_rpc::json::uint;
use thiserror::Error;

/// Digits of the largest amount there is.
const DIGITS_MAX: usize = 78;

/// A text is no amount. The text of the error says what belongs there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum AmountError {
    /// Not digits with at most one point between them.
    #[error("{0:?} is not an amount: write plain digits, such as 12 or 0.5")]
    Malformed(String),
    /// More digits behind the point than the currency has.
    #[error("{text} is finer than the smallest unit: this currency has {decimals} decimals")]
    TooFine {
        /// What was written.
        text: String,
        /// What the currency has.
        decimals: u8,
    },
    /// More than 256 bits.
    #[error("{0} is more than any balance can be")]
    TooLarge(String),
    /// Nobody knows how many of the smallest unit make one.
    #[error(
        "the root chain does not tell how many decimals {currency:?} has, so {text} cannot be converted; give the amount in its smallest unit with --base-units"
    )]
    UnknownDecimals {
        /// The currency.
        currency: Currency,
        /// What was written.
        text: String,
    },
}

impl AmountError {
    /// Stable code, for scripts.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "amount:malformed",
            Self::TooFine { .. } => "amount:too_fine",
            Self::TooLarge(_) => "amount:too_large",
            Self::UnknownDecimals { .. } => "amount:unknown_decimals",
        }
    }
}

/// Reads whole units, such as `1.5`, as a number of the smallest unit.
///
/// # Errors
/// [`AmountError`]
pub(crate) fn parse_units(text: &str, decimals: u8) -> Result<U256, AmountError> {
    let malformed = || AmountError::Malformed(text.to_owned());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(malformed()),
        None => (text, ""),
    };
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return Err(malformed());
    }
    if fraction.trim_end_matches('0').len() > usize::from(decimals) {
        return Err(AmountError::TooFine { text: text.to_owned(), decimals });
    }
    let fraction: String =
        fraction.chars().chain(std::iter::repeat('0')).take(decimals.into()).collect();
    from_digits(&format!("{whole}{fraction}")).ok_or_else(|| AmountError::TooLarge(text.to_owned()))
}

/// Reads a number of the smallest unit.
///
/// # Errors
/// [`AmountError`]
pub(crate) fn parse_base_units(text: &str) -> Result<U256, AmountError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AmountError::Malformed(text.to_owned()));
    }
    from_digits(text).ok_or_else(|| AmountError::TooLarge(text.to_owned()))
}

fn from_digits(digits: &str) -> Option<U256> {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(U256::zero());
    }
    (digits.len() <= DIGITS_MAX).then(|| uint::parse(digits)).flatten()
}

/// Whole units, exactly and without needless zeros: `1.5`.
pub(crate) fn format_units(amount: U256, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = amount.to_string();
    // At least one digit before the point.
    let padded = format!("{digits:0>width$}", width = decimals.saturating_add(1));
    let (whole, fraction) = padded.split_at(padded.len().saturating_sub(decimals));
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A currency and what the root chain says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denomination {
    /// Which.
    pub(crate) currency: Currency,
    /// Symbol and decimals; `None` when the root chain does not tell.
    pub(crate) known: Option<(String, u8)>,
}

impl Denomination {
    /// Ether.
    pub(crate) fn eth() -> Self {
        Self { currency: ETH, known: Some(("ETH".to_owned(), 18)) }
    }

    /// Reads an amount of this currency: whole units, or its smallest ones.
    ///
    /// # Errors
    /// [`AmountError`]
    pub(crate) fn parse(&self, text: &str, is_base_units: bool) -> Result<U256, AmountError> {
        match &self.known {
            _ if is_base_units => parse_base_units(text),
            Some((_, decimals)) => parse_units(text, *decimals),
            None => {
                Err(AmountError::UnknownDecimals { currency: self.currency, text: text.to_owned() })
            }
        }
    }

    /// The amount in whole units; `None` when nobody knows what a whole unit is.
    pub(crate) fn units(&self, amount: U256) -> Option<String> {
        self.known.as_ref().map(|(_, decimals)| format_units(amount, *decimals))
    }

    /// The amount for people. A token's address is always part of it, since anyone can call a token anything.
    pub(crate) fn show(&self, amount: U256) -> String {
        match &self.known {
            Some((symbol, decimals)) if self.currency == ETH => {
                format!("{} {symbol}", format_units(amount, *decimals))
            }
            Some((symbol, decimals)) => {
                format!("{} {symbol} ({:?})", format_units(amount, *decimals), self.currency)
            }
            None => format!(
                "{amount} of the smallest unit of {:?} (the root chain does not tell its decimals)",
                self.currency
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let wei = |text: &str| U256::from_dec_str(text).unwrap();
        let malformed = |text: &str| Err(AmountError::Malformed(text.to_owned()));
        for (text, decimals, expected) in [
            ("1.5", 18, Ok(wei("1500000000000000000"))),
            ("1", 0, Ok(wei("1"))),
            ("1.0", 0, Ok(wei("1"))),
            ("0", 18, Ok(wei("0"))),
            ("00.10", 1, Ok(wei("1"))),
            ("0.000000000000000001", 18, Ok(wei("1"))),
            ("0.0000000000000000010", 18, Ok(wei("1"))),
            (
                "0.0000000000000000001",
                18,
                Err(AmountError::TooFine {
                    text: "0.0000000000000000001".to_owned(),
                    decimals: 18,
                }),
            ),
            ("1.5", 0, Err(AmountError::TooFine { text: "1.5".to_owned(), decimals: 0 })),
            ("2", 77, Err(AmountError::TooLarge("2".to_owned()))),
            ("1", 255, Err(AmountError::TooLarge("1".to_owned()))),
            ("", 18, malformed("")),
            (".5", 18, malformed(".5")),
            ("5.", 18, malformed("5.")),
            ("-1", 18, malformed("-1")),
            ("+1", 18, malformed("+1")),
            ("1e3", 18, malformed("1e3")),
            ("1,5", 18, malformed("1,5")),
            ("1_000", 18, malformed("1_000")),
            ("1.2.3", 18, malformed("1.2.3")),
            (" 1", 18, malformed(" 1")),
            ("0x10", 18, malformed("0x10")),
            ("\u{664}", 18, malformed("\u{664}")),
        ] {
            assert_eq!(parse_units(text, decimals), expected, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_in_the_unit_that_is_known() {
        let token = Currency::repeat_byte(0x11);
        let known = |symbol: &str, decimals| Some((symbol.to_owned(), decimals));
        for (currency, known, expected) in [
            (ETH, known("ETH", 18), "0.0000000000000015 ETH"),
            (token, known("PTT", 3), "1.5 PTT (0x1111111111111111111111111111111111111111)"),
            (
                token,
                None,
                "1500 of the smallest unit of 0x1111111111111111111111111111111111111111 (the root chain does not tell its decimals)",
            ),
        ] {
            assert_eq!(Denomination { currency, known }.show(U256::from(1_500)), expected);
        }
    }

    #[test]
    fn an_unknown_unit_is_never_guessed() {
        let token = Denomination { currency: Currency::repeat_byte(1), known: None };
        let error = token.parse("1.5", false).unwrap_err();
        assert!(error.to_string().contains("--base-units"), "{error}");
        assert_eq!(token.parse("15", true), Ok(U256::from(15)));
        assert_eq!(token.parse("1.5", true), Err(AmountError::Malformed("1.5".to_owned())));
        assert_eq!(token.units(U256::one()), None);
    }

    proptest! {
        #[test]
        fn amounts_survive_a_round_trip(limbs: [u64; 4], decimals: u8) {
            let amount = U256(limbs);
            let text = format_units(amount, decimals);
            prop_assert_eq!(parse_units(&text, decimals), Ok(amount));
            prop_assert_eq!(parse_base_units(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,90}", decimals: u8) {
            let _ = parse_units(&text, decimals);
            let _ = parse_base_units(&text);
        }
    }
}

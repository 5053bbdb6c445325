//! Addresses, currencies and positions as people write them.
//!
//! It must never take an address with a typing error where that can be noticed: one in mixed case carries a checksum (EIP-55), and
//! it is checked.

use plasma_core::wire::{Address, Blknum, Currency, ETH, OutputIndex, TxIndex, UtxoPos, keccak256};

/// Reads an address.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let wrong = || format!("{text:?} is not an address: 0x and 40 hex digits");
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40).ok_or_else(wrong)?;
    let bytes: [u8; 20] = const_hex::decode_to_array(digits).map_err(|_| wrong())?;
    let is_mixed = digits.bytes().any(|byte| byte.is_ascii_lowercase())
        && digits.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_mixed && !has_checksum(digits) {
        return Err(format!(
            "{text} has a typing error: its checksum (upper and lower case) is wrong"
        ));
    }
    Ok(Address::from(bytes))
}

/// A digit is in upper case where the hash of the lower case digits has a nibble of 8 or more (EIP-55).
fn has_checksum(digits: &str) -> bool {
    let hash = const_hex::encode(keccak256(digits.to_ascii_lowercase().as_bytes()));
    digits.bytes().zip(hash.bytes()).all(|(digit, nibble)| {
        digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= b'8')
    })
}

/// Reads a currency: `eth`, or the address of a token.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn currency(text: &str) -> Result<Currency, String> {
    if text.eq_ignore_ascii_case("eth") {
        return Ok(ETH);
    }
    address(text).map_err(|error| format!("{error}; a currency is `eth` or the address of a token"))
}

/// Reads a position: `blknum:txindex:oindex`, or the one number that stands for it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn position(text: &str) -> Result<UtxoPos, String> {
    let wrong = || {
        format!(
            "{text:?} is not a position: blknum:txindex:oindex, such as 1000:0:1, or 1000000000001"
        )
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split(':').collect();
    let position = match parts.as_slice() {
        parts if !parts.iter().copied().all(digits) => None,
        [number] => number.parse().ok().and_then(UtxoPos::decode),
        [blknum, txindex, oindex] => read_parts(blknum, txindex, oindex),
        _ => None,
    };
    position.filter(|position| position.blknum > Blknum::new(0)).ok_or_else(wrong)
}

fn read_parts(blknum: &str, txindex: &str, oindex: &str) -> Option<UtxoPos> {
    let position = UtxoPos::new(
        Blknum::new(blknum.parse().ok()?),
        TxIndex::new(txindex.parse().ok()?),
        OutputIndex::new(oindex.parse().ok()?),
    );
    // Indexes too large for the one number would name another output there.
    (UtxoPos::decode(position.encode()) == Some(position)).then_some(position)
}

/// One receiver: `ADDRESS:AMOUNT` or `ADDRESS:AMOUNT:CURRENCY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receiver {
    /// Who.
    pub(crate) owner: Address,
    /// How much, as written: what it means depends on the currency.
    pub(crate) amount: String,
    /// Of what.
    pub(crate) currency: Currency,
}

/// Reads a receiver.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn receiver(text: &str) -> Result<Receiver, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (owner, amount, named) = match parts.as_slice() {
        [owner, amount] => (owner, amount, "eth"),
        [owner, amount, named] => (owner, amount, *named),
        _ => {
            return Err(format!(
                "{text:?} is not a receiver: ADDRESS:AMOUNT or ADDRESS:AMOUNT:CURRENCY, such as 0x7099…79c8:1.5:eth"
            ));
        }
    };
    Ok(Receiver {
        owner: address(owner)?,
        amount: (*amount).to_owned(),
        currency: currency(named)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_with_a_wrong_checksum_are_refused() {
        for (text, is_fine) in [
            ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", true),
            ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", true),
            ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", true),
            ("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", true),
            ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", false),
            ("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", false),
            ("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", false),
            ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", false),
            ("0x0x5aaeb6053f3e94c9b9a09f33669435e7ef1bea", false),
            ("", false),
        ] {
            assert_eq!(address(text).is_ok(), is_fine, "{text}");
        }
    }

    #[test]
    fn positions_are_three_numbers_or_one() {
        let at = |blknum, txindex, oindex| {
            Some(UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex)))
        };
        for (text, expected) in [
            ("4:5:1", at(4, 5, 1)),
            ("4000050001", at(4, 5, 1)),
            ("1000000000000", at(1000, 0, 0)),
            ("0:0:0", None),
            ("0", None),
            ("1:2", None),
            ("1:2:3:4", None),
            ("1:100000:0", None),
            ("1:0:10000", None),
            ("-1:0:0", None),
            ("+1:0:0", None),
            ("", None),
            ("1::0", None),
        ] {
            assert_eq!(position(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn receivers_are_paid_ether_unless_they_say_otherwise() {
        let owner = "0x1111111111111111111111111111111111111111";
        let token = "0x2222222222222222222222222222222222222222";
        let read = receiver(&format!("{owner}:1.5")).unwrap();
        assert_eq!((read.currency, read.amount.as_str()), (ETH, "1.5"));
        let read = receiver(&format!("{owner}:7:{token}")).unwrap();
        assert_eq!(read.currency, Address::repeat_byte(0x22));
        for text in ["", owner, "a:b", &format!("{owner}:1:x"), &format!("{owner}:1:eth:2")] {
            assert!(receiver(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn positions_survive_a_round_trip(blknum in 1_u64.., txindex in 0_u32..100_000, oindex in 0_u16..10_000) {
            let at = UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex));
            prop_assert_eq!(position(&at.to_string()), Ok(at));
            prop_assert_eq!(position(&at.encode().to_string()), Ok(at));
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,60}") {
            let _ = (address(&text), currency(&text), position(&text), receiver(&text));
        }
    }
}

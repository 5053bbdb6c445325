//! How values of the wallet are shown: the pieces that all answers are made of.

use crate::amount::Denomination;
use plasma_core::wire::{Address, Currency, H256, U256, UtxoPos};
use plasma_rpc::json::hex;
use serde::{Serialize, Serializer};
use std::fmt;

/// An amount and its unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AmountView {
    /// Zero for Ether.
    #[serde(with = "hex")]
    currency: Currency,
    /// What the currency calls itself; anyone can call a token anything.
    symbol: Option<String>,
    /// `null` when the root chain does not tell.
    decimals: Option<u8>,
    /// In the smallest unit.
    #[serde(serialize_with = "digits")]
    amount: U256,
    /// In whole units; `null` without decimals.
    units: Option<String>,
    #[serde(skip)]
    text: String,
}

impl AmountView {
    pub(super) fn new(denomination: &Denomination, amount: U256) -> Self {
        let known = denomination.known.as_ref();
        Self {
            currency: denomination.currency,
            symbol: known.map(|(symbol, _)| symbol.clone()),
            decimals: known.map(|(_, decimals)| *decimals),
            amount,
            units: denomination.units(amount),
            text: denomination.show(amount),
        }
    }

    /// What it is counted in.
    pub(super) const fn currency(&self) -> Currency {
        self.currency
    }

    /// Ether.
    pub(super) fn wei(amount: U256) -> Self {
        Self::new(&Denomination::eth(), amount)
    }
}

impl fmt::Display for AmountView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A position in both forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PositionView {
    #[serde(serialize_with = "digits")]
    position: UtxoPos,
    /// The one number that stands for it.
    #[serde(serialize_with = "digits")]
    utxo_pos: u128,
}

impl From<UtxoPos> for PositionView {
    fn from(position: UtxoPos) -> Self {
        Self { position, utxo_pos: position.encode() }
    }
}

impl fmt::Display for PositionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.position.fmt(f)
    }
}

/// `serialize_with`: as text, so that no parser rounds it.
pub(crate) fn digits<T: fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// An address in full.
pub(super) fn address(address: Address) -> String {
    format!("{address:?}")
}

/// A hash in full.
pub(super) fn hash(hash: H256) -> String {
    format!("{hash:?}")
}

/// A duration in the two largest units that fit.
pub(super) fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = rest / length;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count} {name}"));
        }
        rest %= length;
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Blknum, ETH};

    #[test]
    fn amounts_and_positions_are_strings_for_scripts() {
        let unknown = Denomination { currency: Address::repeat_byte(1), known: None };
        for (shown, expected) in [
            (
                serde_json::to_string(&AmountView::wei(U256::exp10(18))).unwrap(),
                r#"{"currency":"0x0000000000000000000000000000000000000000","symbol":"ETH","decimals":18,"amount":"1000000000000000000","units":"1"}"#,
            ),
            (
                serde_json::to_string(&AmountView::new(&unknown, U256::one())).unwrap(),
                r#"{"currency":"0x0101010101010101010101010101010101010101","symbol":null,"decimals":null,"amount":"1","units":null}"#,
            ),
            (
                serde_json::to_string(&PositionView::from(UtxoPos::deposit(Blknum::new(1))))
                    .unwrap(),
                r#"{"position":"1:0:0","utxo_pos":"1000000000"}"#,
            ),
        ] {
            assert_eq!(shown, expected);
        }
        assert_eq!(AmountView::wei(U256::exp10(17)).to_string(), "0.1 ETH");
        assert_eq!(AmountView::wei(U256::zero()).currency, ETH);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_601, "1 h 1 s"),
            (90_061, "1 d 1 h"),
            (604_800, "7 d"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}

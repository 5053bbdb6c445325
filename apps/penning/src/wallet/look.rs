//! `wallet balance` and `wallet utxos`: what an account has, as the watcher knows it.

use super::session::{Session, Utxos};
use super::view::{self, AmountView, PositionView};
use crate::amount::Denomination;
use anyhow::Result;
use clap::Args;
use plasma_core::wire::{Address, Currency, ETH, U256};
use plasma_rpc::json::hex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Whose balance.
#[derive(Args)]
pub(super) struct BalanceArgs {
    /// Whose; else the account of the key
    #[arg(long, value_parser = crate::parsing::address)]
    address: Option<Address>,
}

/// Whose outputs.
#[derive(Args)]
pub(super) struct UtxosArgs {
    /// Whose; else the account of the key
    #[arg(long, value_parser = crate::parsing::address)]
    address: Option<Address>,
    /// Only this currency: `eth` or the address of a token
    #[arg(long, value_parser = crate::parsing::currency)]
    currency: Option<Currency>,
}

/// Number and sum of outputs by currency. Real sums are far from 256 bits; an impossible one stays at the largest number.
pub(super) fn sums(utxos: &Utxos) -> BTreeMap<Currency, (usize, U256)> {
    let mut sums = BTreeMap::<Currency, (usize, U256)>::new();
    for utxo in utxos.values() {
        let (count, sum) = sums.entry(utxo.currency).or_default();
        *count = count.saturating_add(1);
        *sum = sum.saturating_add(utxo.amount);
    }
    sums
}

impl BalanceArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let address = session.account(self.address)?;
        session.check_deployment().await?;
        let mut sums = sums(&session.utxos(address).await?);
        sums.entry(ETH).or_default();
        let mut balances = Vec::new();
        for (currency, (utxos, sum)) in sums {
            let denomination = session.denomination(currency).await?;
            let on_root_chain = session.root_chain.balance(address, currency).await?;
            balances.push(Balance {
                utxos,
                child_chain: AmountView::new(&denomination, sum),
                root_chain: AmountView::new(&denomination, on_root_chain),
            });
        }
        session.out.finish(&BalanceReport { address, balances })
    }
}

impl UtxosArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let address = session.account(self.address)?;
        session.check_deployment().await?;
        let mut utxos = session.utxos(address).await?;
        utxos.retain(|_, utxo| self.currency.is_none_or(|wanted| utxo.currency == wanted));
        let denominations = session.denominations(utxos.values().map(|utxo| utxo.currency)).await?;
        session.out.finish(&UtxosReport::new(address, &utxos, &denominations))
    }
}

/// What `balance` prints.
#[derive(Serialize)]
struct BalanceReport {
    #[serde(with = "hex")]
    address: Address,
    balances: Vec<Balance>,
}

#[derive(Serialize)]
struct Balance {
    utxos: usize,
    child_chain: AmountView,
    root_chain: AmountView,
}

impl fmt::Display for BalanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", view::address(self.address))?;
        for balance in &self.balances {
            write!(f, "\n  child chain  {}", balance.child_chain)?;
            write!(f, "  in {} outputs", balance.utxos)?;
            write!(f, "\n  root chain   {}", balance.root_chain)?;
        }
        Ok(())
    }
}

/// What `utxos` prints.
#[derive(Serialize)]
struct UtxosReport {
    #[serde(with = "hex")]
    address: Address,
    utxos: Vec<UtxoView>,
}

#[derive(Serialize)]
struct UtxoView {
    output: PositionView,
    amount: AmountView,
}

impl UtxosReport {
    fn new(
        address: Address,
        utxos: &Utxos,
        denominations: &BTreeMap<Currency, Denomination>,
    ) -> Self {
        let utxos = utxos.iter().map(|(position, utxo)| {
            let unknown = Denomination { currency: utxo.currency, known: None };
            let denomination = denominations.get(&utxo.currency).unwrap_or(&unknown);
            UtxoView {
                output: (*position).into(),
                amount: AmountView::new(denomination, utxo.amount),
            }
        });
        Self { address, utxos: utxos.collect() }
    }
}

impl fmt::Display for UtxosReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} outputs", view::address(self.address), self.utxos.len())?;
        for utxo in &self.utxos {
            write!(f, "\n  {:<16} {}", utxo.output.to_string(), utxo.amount)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::db_update::Utxo;
    use plasma_core::wire::{Blknum, OutputType, UtxoPos};

    const TOKEN: Currency = Address::repeat_byte(0xee);

    fn utxos() -> Utxos {
        [(1, ETH, 5), (2, TOKEN, 7), (3, ETH, 6)]
            .into_iter()
            .map(|(blknum, currency, amount)| {
                let amount = U256::from(amount);
                let utxo = Utxo { output_type: OutputType::Payment, currency, amount };
                (UtxoPos::deposit(Blknum::new(blknum)), utxo)
            })
            .collect()
    }

    #[test]
    fn outputs_add_up_by_currency() {
        let found: Vec<_> = sums(&utxos()).into_iter().collect();
        assert_eq!(found, [(ETH, (2, U256::from(11))), (TOKEN, (1, U256::from(7)))]);
        assert!(sums(&Utxos::new()).is_empty());
    }

    #[test]
    fn unknown_tokens_are_listed_in_their_smallest_unit() {
        let denominations = [(ETH, Denomination::eth())].into();
        let report = UtxosReport::new(Address::repeat_byte(1), &utxos(), &denominations);
        let text = report.to_string();
        assert!(text.contains("1:0:0            0.000000000000000005 ETH"), "{text}");
        assert!(text.contains("7 of the smallest unit of 0xeeee"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["utxos"][0]["output"]["position"], "1:0:0");
        assert_eq!(json["utxos"][1]["amount"]["units"], serde_json::Value::Null);
    }

    #[test]
    fn balances_have_a_stable_shape() {
        let report = BalanceReport {
            address: Address::repeat_byte(1),
            balances: vec![Balance {
                utxos: 2,
                child_chain: AmountView::wei(U256::one()),
                root_chain: AmountView::wei(U256::exp10(18)),
            }],
        };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["balances"][0]["child_chain"]["amount"], "1");
        assert_eq!(json["balances"][0]["root_chain"]["units"], "1");
        assert_eq!(json["balances"][0]["utxos"], 2);
        assert!(report.to_string().contains("root chain   1 ETH"), "{report}");
    }
}

//! `wallet deposit`: from the root chain to the child chain.

use super::session::{Session, Utxos, wait_for};
use super::view::{self, AmountView, PositionView};
use crate::failure::Failure;
use anyhow::{Context, Result};
use clap::Args;
use plasma_core::wire::{Currency, ETH, H256, SecretKey, U256, UtxoPos};
use plasma_eth::Receipt;
use plasma_rpc::json::hex;
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::CONFIGURATION_GET;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What to deposit.
#[derive(Args)]
pub(super) struct DepositArgs {
    /// How much, in whole units of the currency, such as 1.5
    amount: String,
    /// `eth` or the address of an ERC-20 token
    #[arg(long, default_value = "eth", value_parser = crate::parsing::currency)]
    currency: Currency,
    /// The amount is in the smallest unit of the currency
    #[arg(long)]
    base_units: bool,
    /// Wait until the watcher shows the deposit, so that it can be spent
    #[arg(long)]
    wait: bool,
    /// Longest wait in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "wait")]
    wait_s: u64,
}

/// A deposit that is on the root chain.
pub(super) struct Deposited {
    /// Where its output is.
    pub(super) position: UtxoPos,
    /// The mined deposit.
    pub(super) receipt: Receipt,
    /// What giving the allowance cost, in wei.
    pub(super) approval_fee_wei: U256,
}

impl Session {
    /// Deposits, after an allowance where a token needs one, and waits until it is mined.
    pub(super) async fn deposit(
        &self,
        key: &SecretKey,
        currency: Currency,
        amount: U256,
    ) -> Result<Deposited> {
        let mut approval_fee_wei = U256::zero();
        if currency != ETH
            && let Some(approval) = self.root_chain.approve_if_needed(key, currency, amount).await?
        {
            self.out.progress("letting the vault take the tokens");
            approval_fee_wei = self.mined(approval).await?.fee_wei();
        }
        self.out.progress("depositing");
        let sent = self.root_chain.deposit(key, currency, amount).await?;
        let receipt = self.mined(sent).await?;
        let blknum = receipt.deposit_blknum().context("the vault reported no deposit")?;
        Ok(Deposited { position: UtxoPos::deposit(blknum), receipt, approval_fee_wei })
    }

    /// Waits until the watcher lists these outputs of an owner, and answers with all there are then.
    pub(super) async fn wait_for_outputs(
        &self,
        key: &SecretKey,
        positions: &[UtxoPos],
        timeout: Duration,
    ) -> Result<Utxos> {
        let what = positions.iter().map(UtxoPos::to_string).collect::<Vec<_>>().join(", ");
        wait_for(&format!("the watcher to show {what}"), timeout, async || {
            let utxos = self.utxos(key.address()).await?;
            Ok(positions.iter().all(|at| utxos.contains_key(at)).then_some(utxos))
        })
        .await
    }
}

impl DepositArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let denomination = session.denomination(self.currency).await?;
        let amount = denomination.parse(&self.amount, self.base_units)?;
        if amount.is_zero() {
            return Err(Failure::new("deposit:amount_zero", "a deposit of nothing").into());
        }
        let key = session.key()?;
        let amount_view = AmountView::new(&denomination, amount);
        session.out.progress(format!("{amount_view} of {}", view::address(key.address())));
        let deposited = session.deposit(&key, self.currency, amount).await?;
        if self.wait {
            let margin = session.watcher.call(&CONFIGURATION_GET, &NoParams {}).await?;
            let margin = margin.deposit_finality_margin;
            session.out.progress(format!(
                "waiting until the watcher shows it, {margin} root chain blocks after it was mined"
            ));
            let timeout = Duration::from_secs(self.wait_s);
            session.wait_for_outputs(&key, &[deposited.position], timeout).await?;
        }
        let receipt = &deposited.receipt;
        session.out.finish(&DepositReport {
            txhash: receipt.txhash,
            eth_height: receipt.eth_height.get(),
            blknum: deposited.position.blknum.get(),
            output: deposited.position.into(),
            amount: amount_view,
            root_chain_fee: AmountView::wei(
                receipt.fee_wei().saturating_add(deposited.approval_fee_wei),
            ),
            spendable: self.wait,
        })
    }
}

/// What the command prints.
#[derive(Serialize)]
struct DepositReport {
    #[serde(with = "hex")]
    txhash: H256,
    eth_height: u64,
    blknum: u64,
    output: PositionView,
    amount: AmountView,
    root_chain_fee: AmountView,
    spendable: bool,
}

impl fmt::Display for DepositReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "deposited {}", self.amount)?;
        writeln!(
            f,
            "  root chain transaction {} in block {}",
            view::hash(self.txhash),
            self.eth_height
        )?;
        writeln!(f, "  deposit block {}, output {}", self.blknum, self.output)?;
        writeln!(f, "  gas {}", self.root_chain_fee)?;
        f.write_str(if self.spendable {
            "the watcher shows it: it can be spent"
        } else {
            "it can be spent once the watcher shows it: `penning wallet utxos`"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::Blknum;

    #[test]
    fn reports_have_a_stable_shape() {
        let report = DepositReport {
            txhash: H256::repeat_byte(1),
            eth_height: 7,
            blknum: 1,
            output: UtxoPos::deposit(Blknum::new(1)).into(),
            amount: AmountView::wei(U256::exp10(18)),
            root_chain_fee: AmountView::wei(U256::one()),
            spendable: false,
        };
        let json = serde_json::to_value(&report).unwrap();
        for (pointer, expected) in [
            ("/txhash", format!("0x{}", "01".repeat(32))),
            ("/output/position", "1:0:0".to_owned()),
            ("/output/utxo_pos", "1000000000".to_owned()),
            ("/amount/units", "1".to_owned()),
            ("/root_chain_fee/amount", "1".to_owned()),
        ] {
            assert_eq!(json.pointer(pointer).unwrap(), &expected, "{pointer}");
        }
        assert_eq!(json["blknum"], 1);
        assert_eq!(json["spendable"], false);
        assert!(report.to_string().contains("deposited 1 ETH"), "{report}");
    }
}

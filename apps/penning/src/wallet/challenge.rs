//! `wallet challenge`: stop the exit of an output that was spent. The bond goes to the key's owner.

use super::session::Session;
use super::view::{self, AmountView, PositionView, digits};
use anyhow::Result;
use clap::Args;
use plasma_core::wire::{ExitId, H256, SecretKey, U256, UtxoPos};
use plasma_eth::{ChallengeStandardExit, Receipt};
use plasma_rpc::json::hex;
use plasma_rpc::watcher::{ChallengeData, UTXO_GET_CHALLENGE_DATA, UtxoPosParams};
use serde::Serialize;
use std::fmt;

/// Which exit.
#[derive(Args)]
pub(super) struct ChallengeArgs {
    /// The exiting output, such as 1000:0:1; status.get lists the invalid exits
    #[arg(value_parser = crate::parsing::position)]
    position: UtxoPos,
}

/// A challenge that was taken.
pub(super) struct Challenged {
    pub(super) exit_id: ExitId,
    pub(super) receipt: Receipt,
    /// What the challenger got.
    pub(super) bond_wei: U256,
}

impl Session {
    /// What proves that an exiting output was spent.
    pub(super) async fn challenge_data(&self, position: UtxoPos) -> Result<ChallengeData> {
        self.check_deployment().await?;
        let params = UtxoPosParams::new(position);
        Ok(self.watcher.call(&UTXO_GET_CHALLENGE_DATA, &params).await?)
    }

    /// Challenges an exit.
    pub(super) async fn challenge(
        &self,
        key: &SecretKey,
        data: ChallengeData,
    ) -> Result<Challenged> {
        let exit_id = data.exit_id;
        let records = self.root_chain.standard_exits(&[exit_id]).await?;
        let bond_wei = records.into_iter().flatten().next().map(|record| record.bond_wei);
        let challenge = ChallengeStandardExit {
            exit_id,
            exiting_tx: data.exiting_tx,
            challenge_tx: data.txbytes,
            input_index: data.input_index.into(),
            witness: data.sig,
        };
        let sent = self.root_chain.challenge_standard_exit(key, &challenge).await?;
        let receipt = self.mined(sent).await?;
        Ok(Challenged { exit_id, receipt, bond_wei: bond_wei.unwrap_or_default() })
    }
}

impl ChallengeArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let data = session.challenge_data(self.position).await?;
        let key = session.key()?;
        let challenged = session.challenge(&key, data).await?;
        session.out.finish(&ChallengeReport {
            txhash: challenged.receipt.txhash,
            exit_id: challenged.exit_id,
            output: self.position.into(),
            bond: AmountView::wei(challenged.bond_wei),
            root_chain_fee: AmountView::wei(challenged.receipt.fee_wei()),
        })
    }
}

/// What the command prints.
#[derive(Serialize)]
struct ChallengeReport {
    #[serde(with = "hex")]
    txhash: H256,
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    output: PositionView,
    bond: AmountView,
    root_chain_fee: AmountView,
}

impl fmt::Display for ChallengeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit {} of {} challenged: it will not be paid", self.exit_id, self.output)?;
        writeln!(f, "  root chain transaction {}", view::hash(self.txhash))?;
        write!(f, "  its bond is yours: {}, gas {}", self.bond, self.root_chain_fee)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_have_a_stable_shape() {
        let report = ChallengeReport {
            txhash: H256::repeat_byte(1),
            exit_id: ExitId::from_u256(U256::from(9)),
            output: UtxoPos::decode(1_000_000_000_000).unwrap().into(),
            bond: AmountView::wei(U256::exp10(16)),
            root_chain_fee: AmountView::wei(U256::one()),
        };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["exit_id"], "9");
        assert_eq!(json["output"]["position"], "1000:0:0");
        assert_eq!(json["bond"]["units"], "0.01");
        assert!(report.to_string().contains("exit 9 of 1000:0:0 challenged"), "{report}");
    }
}

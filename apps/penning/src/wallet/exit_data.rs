//! What it takes to exit an output, and whether one should.
//!
//! It must never hand out the proof for a spent output unless it is forced to: watchers give that proof as well.

use super::session::Session;
use crate::failure::{Failure, innermost};
use anyhow::{Context, Result};
use plasma_core::wire::{InclusionProof, Output, Transaction, UtxoPos};
use plasma_eth::StartStandardExit;
use plasma_rpc::client::ClientError;
use plasma_rpc::codes;
use plasma_rpc::watcher::{UTXO_GET_EXIT_DATA, UtxoPosParams};

impl Session {
    /// What it takes to exit an output: from the watcher, or, if forced, from the operator's block and the root chain.
    pub(super) async fn exit_data(
        &self,
        position: UtxoPos,
        force: bool,
    ) -> Result<StartStandardExit> {
        let (refusal, data) = match self.watcher_exit_data(position).await {
            Ok(exit) => match self.check_exitable(&exit).await {
                Ok(()) => return Ok(exit),
                Err(refusal) => (refusal, Some(exit)),
            },
            Err(refusal) => (refusal, None),
        };
        if force {
            self.out
                .progress(format!("WARNING: exiting against the watcher's advice: {refusal:#}"));
            return match data {
                Some(exit) => Ok(exit),
                None => self.exit_without_watcher(position).await,
            };
        }
        let is_invalid = matches!(
            refusal.downcast_ref::<ClientError>(),
            Some(ClientError::Api(body)) if innermost(body).code == codes::EXIT_INVALID.code
        );
        match (is_invalid, data) {
            (true, _) => Err(not_exitable(position).into()),
            (false, Some(_)) => Err(refusal),
            (false, None) => {
                Err(refusal.context("the watcher does not give the proof for this exit"))
            }
        }
    }

    /// What it takes to exit an output, once the watcher knows all blocks and nothing signed here spends it; or if forced.
    pub(super) async fn exit_to_start(
        &self,
        position: UtxoPos,
        force: bool,
    ) -> Result<StartStandardExit> {
        if !force {
            self.wait_for_watcher().await?;
        }
        let exit = self.exit_data(position, force).await?;
        self.check_not_signed_away(position, force)?;
        Ok(exit)
    }

    /// Watchers also give the proof for outputs that are spent, or on their way out.
    async fn check_exitable(&self, exit: &StartStandardExit) -> Result<()> {
        let owner = exiting_output(exit)?.owner;
        match self.utxos(owner).await?.contains_key(&exit.position) {
            true => Ok(()),
            false => Err(not_exitable(exit.position).into()),
        }
    }

    /// Only the watcher's word: for outputs that it lists as exitable.
    pub(super) async fn watcher_exit_data(&self, position: UtxoPos) -> Result<StartStandardExit> {
        self.check_deployment().await?;
        let data = self.watcher.call(&UTXO_GET_EXIT_DATA, &UtxoPosParams::new(position)).await?;
        let inclusion_proof = InclusionProof::from_bytes(&data.proof);
        if data.utxo_pos != position {
            return Err(Failure::new(
                "watcher:malformed_answer",
                "the watcher answers about another output",
            )
            .into());
        }
        Ok(StartStandardExit {
            position,
            output_tx: data.txbytes,
            inclusion_proof: inclusion_proof.context("the watcher's proof is not one")?,
        })
    }
}

/// The output that leaves.
pub(super) fn exiting_output(exit: &StartStandardExit) -> Result<Output> {
    let tx = Transaction::decode_unsigned(&exit.output_tx);
    let tx = tx.context("the output's transaction is malformed")?;
    let output = tx.outputs().get(usize::from(exit.position.oindex.get()));
    output.copied().context("the transaction has no such output")
}

fn not_exitable(position: UtxoPos) -> Failure {
    let message = format!(
        "output {position} cannot leave: it was spent, is leaving or has left already, or is not known to the watcher (yet)"
    );
    Failure::new(codes::EXIT_INVALID.code, message).next("look with `penning wallet utxos` and `penning wallet exit status`; --force exits all the same, at the risk of the bond")
}

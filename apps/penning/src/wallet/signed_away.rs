//! What was signed here, and what therefore must not exit by itself.
//!
//! It must never let a bond be paid for the exit of an output that a payment or merge signed here spends: whoever has it, the operator
//! or a receiver, can challenge the exit with it, whether or not it ever appears in a block.

use super::evacuate::inputs;
use super::pay::SubmitArgs;
use super::session::Session;
use super::view;
use crate::failure::Failure;
use anyhow::{Context, Result};
use plasma_core::wire::{SignedTx, TxHash, UtxoPos};

/// The stable code of a refusal.
pub(super) const SIGNED_AWAY: &str = "exit:signed_away";

impl Session {
    /// All payments and merges of this deployment that are kept beside the network file, whoever of this machine signed them.
    pub(super) fn signed_here(&self) -> Result<Vec<SignedTx>> {
        let merges = self.merges.all().context("the merges of earlier runs cannot be read")?;
        let payments = self.sent_payments.all();
        let mut signed = payments.context("the payments sent from here cannot be read")?;
        let known: std::collections::BTreeSet<_> = signed.iter().map(SignedTx::hash).collect();
        for merge in merges {
            if !known.contains(&merge.hash()) {
                // A run was killed before it could; in-flight exits are found by hash there.
                self.keep_sent(&merge, SubmitArgs::SAFE)?;
                signed.push(merge);
            }
        }
        Ok(signed)
    }

    /// Refuses the exit of an output that something signed here spends.
    ///
    /// # Errors
    /// `exit:signed_away`, with the command that takes the payment out.
    pub(super) fn check_not_signed_away(&self, position: UtxoPos, force: bool) -> Result<()> {
        let Some(txhash) = spender_of(position, &self.signed_here()?) else { return Ok(()) };
        let failure = signed_away(position, txhash);
        if force {
            self.out.progress(format!("WARNING: its bond may be lost: {failure}"));
            return Ok(());
        }
        Err(failure.into())
    }
}

/// What of these spends an output.
pub(super) fn spender_of(position: UtxoPos, signed: &[SignedTx]) -> Option<TxHash> {
    let spender = signed.iter().rev().find(|tx| inputs(tx).any(|at| at == position));
    spender.map(SignedTx::hash)
}

fn signed_away(position: UtxoPos, txhash: TxHash) -> Failure {
    let txhash = view::hash(txhash);
    let message = format!(
        "the payment {txhash}, signed here, spends {position}: whoever has it can challenge this exit and take the bond"
    );
    Failure::new(SIGNED_AWAY, message).next(format!(
        "if it never appears in a block: `penning wallet exit --in-flight {txhash}`; --force exits all the same"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::sent_payments::tests::signed;
    use super::*;
    use plasma_core::wire::{Address, Blknum};

    #[test]
    fn what_a_kept_payment_spends_is_found_and_refused_with_its_hash() {
        let kept = [signed(1, Address::zero()), signed(2, Address::zero())];
        let at = |number| UtxoPos::deposit(Blknum::new(number));
        assert_eq!(spender_of(at(2), &kept), Some(kept[1].hash()));
        assert_eq!(spender_of(at(3), &kept), None);
        let report = crate::failure::ErrorReport::of(&signed_away(at(2), kept[1].hash()).into());
        assert_eq!(report.code, "exit:signed_away");
        let command = format!("penning wallet exit --in-flight {:?}", kept[1].hash());
        assert!(report.next.unwrap().contains(&command));
    }
}

//! Executing one transaction: the stateful rules, in the order of protocol 3.2.

use super::utxo_set::{OutputFact, OutputFacts};
use super::{State, output_position};
use crate::db_update::{Spender, StateUpdate, TxPos, Utxo, UtxoKey};
use crate::fees::{FeeError, RequiredFee};
use crate::wire::{
    Address, Blknum, Currency, MAX_INPUTS, Output, RecoveredTx, Transaction, TxHash, TxIndex, U256,
    U512, UtxoPos,
};
use arrayvec::ArrayVec;
use thiserror::Error;

/// Where an executed transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub tx_hash: TxHash,
    /// The block it will be in.
    pub blknum: Blknum,
    /// Its index there.
    pub txindex: TxIndex,
}

/// Why the ledger refuses a transaction. The text is its stable code (protocol 3.2 to 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExecError {
    /// The pending block is full. A retry goes into the next one.
    #[error("too_many_transactions_in_block")]
    TooManyTransactionsInBlock,
    /// Payments come before fee claims.
    #[error("payments_rejected_during_fee_claiming")]
    PaymentsRejectedDuringFeeClaiming,
    /// An input is in a block that is not there yet.
    #[error("input_utxo_ahead_of_state")]
    InputAheadOfState,
    /// An input never was, is spent, has exited, or is a deposit still waiting for confirmations.
    #[error("utxo_not_found")]
    UtxoNotFound {
        /// The first such input.
        position: UtxoPos,
    },
    /// An input belongs to somebody else.
    #[error("unauthorized_spend")]
    UnauthorizedSpend,
    /// More goes out than comes in, in some currency.
    #[error("amounts_do_not_add_up")]
    AmountsDoNotAddUp,
    /// The fee is not what the operator asks.
    #[error(transparent)]
    Fee(#[from] FeeError),
    /// A claim of a currency in which the block collected nothing.
    #[error("surplus_in_token_not_collected")]
    SurplusNotCollected,
    /// A claim of another amount than the block collected.
    #[error("claimed_and_collected_amounts_mismatch")]
    ClaimedAndCollectedAmountsMismatch,
}

/// Sums of one currency over a transaction. Four 256-bit amounts need 258 bits.
struct Balance {
    currency: Currency,
    paid_in: U512,
    paid_out: U512,
}

/// Inputs name at most four currencies, and every output's must be one of them.
type Balances = ArrayVec<Balance, MAX_INPUTS>;
type Inputs = ArrayVec<(UtxoPos, Address, Utxo), MAX_INPUTS>;

impl State {
    /// Executes a transaction, or changes nothing.
    ///
    /// `facts` holds what the store knows of the [`State::unknown_inputs`]. Writes are appended to `updates`, apart from
    /// [`State::pending_record`], which the caller writes once per batch.
    ///
    /// # Errors
    /// The first rule broken, in the order of protocol 3.2.
    ///
    /// # After a restart
    /// A transaction whose batch was committed is in the pending block again, at the same index.
    pub fn exec(
        &mut self,
        tx: &RecoveredTx,
        required_fee: &RequiredFee<'_>,
        facts: &OutputFacts,
        updates: &mut Vec<StateUpdate>,
    ) -> Result<Accepted, ExecError> {
        match tx.transaction() {
            Transaction::Payment(_) => {
                if self.has_no_room() {
                    return Err(ExecError::TooManyTransactionsInBlock);
                }
                if self.claiming_fees {
                    return Err(ExecError::PaymentsRejectedDuringFeeClaiming);
                }
                let inputs = self.spendable_inputs(tx, facts)?;
                let surpluses = surpluses(&inputs, tx.transaction().outputs())?;
                required_fee.check(&surpluses)?;
                let fees = self.collected_with(&surpluses)?;
                let accepted = self.append(tx)?;
                self.fees.extend(fees);
                self.apply(tx, &inputs, accepted, updates);
                Ok(accepted)
            }
            Transaction::FeeClaim(claim) => {
                let (currency, amount) = (claim.output.currency, claim.output.amount);
                let collected = self.fees.get(&currency).ok_or(ExecError::SurplusNotCollected)?;
                if *collected != amount {
                    return Err(ExecError::ClaimedAndCollectedAmountsMismatch);
                }
                let accepted = self.append(tx)?;
                self.fees.remove(&currency);
                self.claiming_fees = true;
                self.apply(tx, &Inputs::new(), accepted, updates);
                Ok(accepted)
            }
        }
    }

    /// The inputs with their owners, or the first reason why they cannot be spent (protocol 3.2, steps 3 to 5).
    fn spendable_inputs(&self, tx: &RecoveredTx, facts: &OutputFacts) -> Result<Inputs, ExecError> {
        let mut positions = ArrayVec::<UtxoPos, MAX_INPUTS>::new();
        for input in tx.transaction().inputs() {
            match input.position() {
                Some(position) if position.blknum <= self.blknum => positions.push(position),
                _ => return Err(ExecError::InputAheadOfState),
            }
        }
        let mut inputs = Inputs::new();
        for position in positions {
            match self.utxos.find(&position, facts) {
                Some(OutputFact::Unspent(owner, utxo)) => inputs.push((position, owner, utxo)),
                Some(OutputFact::Gone(_)) | None => {
                    return Err(ExecError::UtxoNotFound { position });
                }
            }
        }
        let owners = inputs.iter().map(|(_, owner, _)| owner);
        if !owners.eq(tx.spenders()) {
            return Err(ExecError::UnauthorizedSpend);
        }
        Ok(inputs)
    }

    /// The fee totals after these surpluses. A total beyond 256 bits could never be claimed, so it is never collected.
    fn collected_with(
        &self,
        surpluses: &[(Currency, U256)],
    ) -> Result<ArrayVec<(Currency, U256), MAX_INPUTS>, ExecError> {
        surpluses
            .iter()
            .filter(|(_, surplus)| !surplus.is_zero())
            .map(|(currency, surplus)| {
                let collected = self.fees.get(currency).copied().unwrap_or_default();
                let total = collected.checked_add(*surplus).ok_or(ExecError::AmountsDoNotAddUp)?;
                Ok((*currency, total))
            })
            .collect()
    }

    fn append(&mut self, tx: &RecoveredTx) -> Result<Accepted, ExecError> {
        let TxPos { blknum, txindex } = self.next_tx_pos();
        self.merkle.push(tx.leaf()).map_err(|_| ExecError::TooManyTransactionsInBlock)?;
        Ok(Accepted { tx_hash: tx.hash(), blknum, txindex })
    }

    fn apply(
        &mut self,
        tx: &RecoveredTx,
        inputs: &Inputs,
        accepted: Accepted,
        updates: &mut Vec<StateUpdate>,
    ) {
        let at = TxPos { blknum: accepted.blknum, txindex: accepted.txindex };
        for (position, owner, _) in inputs {
            let spender = Spender::Transaction(at);
            updates.push(StateUpdate::DeleteUtxo(UtxoKey { owner: *owner, position: *position }));
            updates.push(StateUpdate::PutSpend(*position, spender));
            self.utxos.put_fresh(*position, OutputFact::Gone(spender));
        }
        for (oindex, output) in tx.transaction().outputs().iter().enumerate() {
            let position = output_position(at, oindex);
            let utxo = Utxo {
                output_type: output.output_type,
                currency: output.currency,
                amount: output.amount,
            };
            updates.push(StateUpdate::PutUtxo(UtxoKey { owner: output.owner, position }, utxo));
            self.utxos.put_fresh(position, OutputFact::Unspent(output.owner, utxo));
        }
        updates.push(StateUpdate::PutTransaction(at.blknum, at.txindex, tx.signed_bytes().into()));
    }
}

/// What is left over per input currency, zero included (protocol 3.2, step 6).
fn surpluses(
    inputs: &Inputs,
    outputs: &[Output],
) -> Result<ArrayVec<(Currency, U256), MAX_INPUTS>, ExecError> {
    let mut balances = Balances::new();
    for (_, _, utxo) in inputs {
        let amount = U512::from(utxo.amount);
        match balances.iter_mut().find(|balance| balance.currency == utxo.currency) {
            Some(balance) => balance.paid_in = balance.paid_in.saturating_add(amount),
            None => balances.push(Balance {
                currency: utxo.currency,
                paid_in: amount,
                paid_out: U512::zero(),
            }),
        }
    }
    for output in outputs {
        let balance = balances
            .iter_mut()
            .find(|balance| balance.currency == output.currency)
            .ok_or(ExecError::AmountsDoNotAddUp)?;
        balance.paid_out = balance.paid_out.saturating_add(output.amount.into());
    }
    balances
        .into_iter()
        .map(|balance| {
            let surplus = balance.paid_in.checked_sub(balance.paid_out);
            let surplus = surplus.and_then(|surplus| U256::try_from(surplus).ok());
            Ok((balance.currency, surplus.ok_or(ExecError::AmountsDoNotAddUp)?))
        })
        .collect()
}

//! What became of a transaction, in words of the protocol.

use super::{CreditSource, RootChainClient};
use crate::contracts::events::in_chain_order;
use crate::contracts::reverts;
use crate::node::{At, Call, Node};
use crate::rpc::answers::{u64_of, u128_of};
use crate::{Revert, RootChainCause, RootChainError};
use ethers::types::TransactionReceipt;
use plasma_core::root_chain::{EthEvent, EventKind, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{Address, Blknum, EthHeight, ExitId, H256, U256};

/// All kinds there are.
const EVERY_KIND: &[EventKind] = &[
    EventKind::DepositCreated,
    EventKind::BlockSubmitted,
    EventKind::ExitStarted,
    EventKind::ExitChallenged,
    EventKind::ExitFinalized,
    EventKind::InFlightExitStarted,
    EventKind::InFlightExitInputPiggybacked,
    EventKind::InFlightExitOutputPiggybacked,
    EventKind::InFlightExitInputBlocked,
    EventKind::InFlightExitOutputBlocked,
    EventKind::InFlightExitChallenged,
    EventKind::InFlightExitChallengeResponded,
    EventKind::InFlightExitInputWithdrawn,
    EventKind::InFlightExitOutputWithdrawn,
    EventKind::InFlightExitDeleted,
    EventKind::InFlightExitFinalized,
    EventKind::InFlightExitOmitted,
];

/// A mined transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its hash.
    pub txhash: H256,
    /// The block that holds it.
    pub eth_height: EthHeight,
    /// That block's hash.
    pub eth_block_hash: H256,
    /// What it did.
    pub status: TxStatus,
    /// Gas it took; paid for whatever the status.
    pub gas_used: u64,
    /// What the gas cost, in wei per gas.
    pub gas_price_wei: u128,
    /// Events of our contracts, in order.
    pub events: Vec<EthEvent>,
    /// What else our contracts reported, in order.
    pub notes: Vec<ReceiptNote>,
}

/// What a mined transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// What was asked.
    Succeeded,
    /// Nothing: the contract refused.
    Reverted(Revert),
}

/// What a receipt tells beside the events nodes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptNote {
    /// A receiver did not take a payout or bond; it is kept as a credit, to be withdrawn.
    CreditAdded {
        /// Who keeps it.
        source: CreditSource,
        /// Whose it is.
        owner: Address,
        /// In the smallest unit.
        amount: U256,
    },
    /// This many exits were processed, paid or not.
    ExitsProcessed {
        /// How many.
        count: u64,
    },
    /// An exit left the queue without being paid: it was challenged, or its output left before.
    ExitOmitted {
        /// Which.
        exit_id: ExitId,
    },
}

impl Receipt {
    /// What the transaction cost its sender in fees, in wei.
    pub fn fee_wei(&self) -> U256 {
        U256::from(self.gas_price_wei).saturating_mul(self.gas_used.into())
    }

    /// Fails where the contract refused.
    ///
    /// # Errors
    /// The contract's refusal.
    pub fn success(self) -> Result<Self, RootChainError> {
        match self.status {
            TxStatus::Succeeded => Ok(self),
            TxStatus::Reverted(revert) => {
                let context = format!("{:?}", self.txhash);
                Err(RootChainCause::Reverted(revert).during("transaction", context))
            }
        }
    }

    /// The block of the deposit this transaction made.
    pub fn deposit_blknum(&self) -> Option<Blknum> {
        self.events.iter().find_map(|event| match event.event {
            RootChainEvent::DepositCreated { blknum, .. } => Some(blknum),
            _ => None,
        })
    }

    /// The exit this transaction started, and when it becomes processable: strictly after this second.
    pub fn started_exit(&self) -> Option<(ExitId, u64)> {
        self.events.iter().find_map(|event| match event.event {
            RootChainEvent::ExitStarted { exit_id, exitable_at_s, .. } => {
                Some((exit_id, exitable_at_s))
            }
            _ => None,
        })
    }

    /// The in-flight exit this transaction started, and when that was, in seconds.
    pub fn started_in_flight_exit(&self) -> Option<(ExitId, u64)> {
        self.events.iter().find_map(|event| match &event.event {
            RootChainEvent::InFlightExitStarted(start) => Some((start.exit_id, start.started_at_s)),
            _ => None,
        })
    }

    /// When what was piggybacked becomes processable: strictly after this second.
    pub fn piggyback_exitable_at_s(&self) -> Option<u64> {
        self.events.iter().find_map(|event| match event.event {
            RootChainEvent::InFlightExitPiggybacked { exitable_at_s, .. } => Some(exitable_at_s),
            _ => None,
        })
    }

    /// The inputs and outputs of in-flight exits this transaction paid.
    pub fn withdrawn_piggybacks(&self) -> impl Iterator<Item = (ExitId, PiggybackSlot)> + '_ {
        self.events.iter().filter_map(|event| match event.event {
            RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot } => {
                Some((exit_id, slot))
            }
            _ => None,
        })
    }

    /// The standard exits this transaction paid.
    pub fn finalized_exits(&self) -> impl Iterator<Item = ExitId> + '_ {
        self.events.iter().filter_map(|event| match event.event {
            RootChainEvent::ExitFinalized { exit_id } => Some(exit_id),
            _ => None,
        })
    }
}

impl RootChainClient {
    pub(super) async fn read_receipt(
        &self,
        receipt: TransactionReceipt,
    ) -> Result<Receipt, RootChainError> {
        let method = "eth_getTransactionReceipt";
        let txhash = receipt.transaction_hash;
        let wrong = |cause: RootChainCause| cause.during(method, format!("{txhash:?}"));
        let parts = self.deployed.parts().await?;
        let (Some(number), Some(eth_block_hash), Some(status), Some(gas_used)) =
            (receipt.block_number, receipt.block_hash, receipt.status, receipt.gas_used)
        else {
            let cause = RootChainCause::Malformed("block, status or gas is missing".to_owned());
            return Err(wrong(cause));
        };
        let eth_height = EthHeight::new(number.as_u64());
        let gas_used = u64_of(gas_used, "gas").map_err(wrong)?;
        let gas_price = receipt.effective_gas_price.unwrap_or_default();
        let (mut events, mut notes) = (Vec::new(), Vec::new());
        for log in &receipt.logs {
            events.extend(parts.logs.event(log, EVERY_KIND).map_err(wrong)?);
            notes.extend(parts.logs.note(log).map_err(wrong)?);
        }
        in_chain_order(&mut events).map_err(wrong)?;
        let status = if status.as_u64() == 1 {
            TxStatus::Succeeded
        } else {
            TxStatus::Reverted(
                refusal_reason(&self.deployed.node, txhash, eth_height, gas_used).await?,
            )
        };
        Ok(Receipt {
            txhash,
            eth_height,
            eth_block_hash,
            status,
            gas_used,
            gas_price_wei: u128_of(gas_price, "gas price").map_err(wrong)?,
            events,
            notes,
        })
    }
}

/// Why a mined transaction was refused: nodes do not keep reasons, so it is tried again on top of the block before its own. That is
/// not always the state it met; then nobody can say.
pub(crate) async fn refusal_reason(
    node: &Node,
    txhash: H256,
    mined_at: EthHeight,
    gas_used: u64,
) -> Result<Revert, RootChainError> {
    let unknown = || reverts::unexplained(vec![("transaction", format!("{txhash:?}"))]);
    let Some(tx) = node.transaction(txhash).await? else {
        return Ok(unknown());
    };
    if tx.gas == gas_used.into() {
        return Ok(reverts::out_of_gas(gas_used));
    }
    let call =
        Call { from: Some(tx.from), to: tx.to, value_wei: tx.value, data: tx.input.to_vec() };
    let before = At::Height(mined_at.minus(1));
    let tried = node.call(&call, before, || format!("{txhash:?} again"));
    Ok(match tried.await {
        Err(error) => error.revert().cloned().unwrap_or_else(unknown),
        Ok(_) => unknown(),
    })
}

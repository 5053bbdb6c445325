//! What can be wrong with the child chain or with an exit (protocol 5.6), as data.
//!
//! These values must never depend on who is told about them: the same condition is the same value, so that sets of them can
//! be compared. The block getter and the exit processor make them, [`eventer`](crate::eventer) watches them come and go, and
//! the servers show them under `byzantine_events`.

use crate::db_update::{ChainFault, FaultKind};
use crate::wire::{
    Address, Blknum, BlockHash, Currency, EthHeight, ExitId, H256, TxHash, U256, UtxoPos,
};

/// A condition that breaks a rule and is true now. Ordered as the status lists them: exits first, the urgent ones ahead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ByzantineEvent {
    /// An invalid exit that nobody challenged in time, or that was paid.
    UnchallengedExit(ExitFault),
    /// An exit of something that was spent or never was, and that can still be challenged.
    InvalidExit(ExitFault),
    /// The operator submitted a block that breaks a rule.
    InvalidBlock {
        /// The block.
        blknum: Blknum,
        /// The root that was submitted for it.
        hash: BlockHash,
        /// Stable code of the rule, such as `incorrect_hash` or `tx_execution`.
        error_type: String,
    },
    /// The operator submitted a block and did not show it for longer than allowed.
    BlockWithholding {
        /// The block.
        blknum: Blknum,
        /// The root that was submitted for it.
        hash: BlockHash,
    },
}

/// An exit that must not be paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExitFault {
    /// Where the exit was started.
    pub eth_height: EthHeight,
    /// The exiting output.
    pub position: UtxoPos,
    /// The contract's key, which a challenge names.
    pub exit_id: ExitId,
    /// Who exits.
    pub owner: Address,
    /// What would leave.
    pub currency: Currency,
    /// How much would leave, in the smallest unit.
    pub amount: U256,
    /// The root chain transaction that started the exit.
    pub root_chain_txhash: H256,
    /// When the exit can be processed: strictly after this, in seconds of root chain time.
    pub scheduled_finalization_time_s: u64,
    /// The transaction that spent the output; `None` when the output never was, so that there is nothing to show.
    pub spending_txhash: Option<TxHash>,
}

/// What a user does about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Show the spending transaction to the contract (`utxo.get_challenge_data`) before the exit is processed.
    ChallengeExit,
    /// Take everything off this child chain, oldest outputs first: nothing new on it can be trusted.
    MassExit,
}

impl ByzantineEvent {
    /// The stable name, in `status.get` and in subscriptions.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UnchallengedExit(_) => "unchallenged_exit",
            Self::InvalidExit(_) => "invalid_exit",
            Self::InvalidBlock { .. } => "invalid_block",
            Self::BlockWithholding { .. } => "block_withholding",
        }
    }

    /// What to do now.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::InvalidExit(_) => Remedy::ChallengeExit,
            Self::UnchallengedExit(_)
            | Self::InvalidBlock { .. }
            | Self::BlockWithholding { .. } => Remedy::MassExit,
        }
    }

    /// Whether nobody should receive or spend on the chain while this is true.
    pub const fn makes_chain_unsafe(&self) -> bool {
        matches!(self.remedy(), Remedy::MassExit)
    }
}

impl Remedy {
    /// The stable key under which servers and wallets keep the advice in words.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ChallengeExit => "challenge_exit",
            Self::MassExit => "mass_exit",
        }
    }
}

impl From<&ChainFault> for ByzantineEvent {
    fn from(fault: &ChainFault) -> Self {
        let (blknum, hash) = (fault.blknum, fault.hash);
        match &fault.kind {
            FaultKind::InvalidBlock(error_type) => {
                Self::InvalidBlock { blknum, hash, error_type: error_type.clone() }
            }
            FaultKind::Withheld => Self::BlockWithholding { blknum, hash },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_documented_name_and_remedy() {
        let exit = ExitFault {
            eth_height: EthHeight::new(7),
            position: UtxoPos::deposit(Blknum::new(1)),
            exit_id: ExitId::from_bytes([1; 20]),
            owner: Address::repeat_byte(2),
            currency: Currency::zero(),
            amount: U256::one(),
            root_chain_txhash: H256::zero(),
            scheduled_finalization_time_s: 0,
            spending_txhash: None,
        };
        let fault = |kind| ChainFault { blknum: Blknum::new(1000), hash: H256::zero(), kind };
        let invalid = fault(FaultKind::InvalidBlock("incorrect_hash".to_owned()));
        for (event, name, remedy) in [
            (ByzantineEvent::UnchallengedExit(exit.clone()), "unchallenged_exit", Remedy::MassExit),
            (ByzantineEvent::InvalidExit(exit), "invalid_exit", Remedy::ChallengeExit),
            ((&invalid).into(), "invalid_block", Remedy::MassExit),
            ((&fault(FaultKind::Withheld)).into(), "block_withholding", Remedy::MassExit),
        ] {
            assert_eq!(event.name(), name);
            assert_eq!(event.remedy(), remedy, "{name}");
            assert_eq!(event.makes_chain_unsafe(), remedy == Remedy::MassExit, "{name}");
        }
    }
}

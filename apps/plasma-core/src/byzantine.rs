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
    /// A non-canonical in-flight exit that nobody challenged in time.
    UnchallengedNonCanonicalIfe(InFlightFault),
    /// An invalid exit that nobody challenged in time, or that was paid.
    UnchallengedExit(ExitFault),
    /// Invalid piggybacks that nobody challenged in time, or that were paid.
    UnchallengedPiggyback(PiggybackFault),
    /// An exit of something that was spent or never was, and that can still be challenged.
    InvalidExit(ExitFault),
    /// Piggybacks of something that was spent, and that can still be challenged.
    InvalidPiggyback(PiggybackFault),
    /// An in-flight exit with a competitor that the contract should be shown.
    NonCanonicalIfe(InFlightFault),
    /// An in-flight exit that counts as non-canonical although its transaction was included first.
    InvalidIfeChallenge(InFlightFault),
    /// An in-flight exit that owners of its inputs and outputs may join.
    PiggybackAvailable(AvailablePiggybacks),
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

/// An in-flight exit about which something has to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFlightFault {
    /// Where the exit was started.
    pub eth_height: EthHeight,
    /// The contract's key.
    pub exit_id: ExitId,
    /// The in-flight transaction.
    pub tx_hash: TxHash,
    /// Its unsigned bytes (`txbytes` in the documented details), by which the remedy is asked for.
    pub tx_bytes: Box<[u8]>,
    /// When the exit was started, in seconds: the contract takes competitors for half of the minimum exit period from then on.
    pub started_at_s: u64,
    /// The competitor to show; `None` when there is none, or when a competitor was shown wrongly.
    pub competing_txhash: Option<TxHash>,
}

/// Piggybacks that must not be paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PiggybackFault {
    /// Where the exit was started.
    pub eth_height: EthHeight,
    /// The contract's key.
    pub exit_id: ExitId,
    /// The in-flight transaction.
    pub tx_hash: TxHash,
    /// Its unsigned bytes (`txbytes`).
    pub tx_bytes: Box<[u8]>,
    /// Which inputs, ascending.
    pub inputs: Vec<u16>,
    /// Which outputs, ascending.
    pub outputs: Vec<u16>,
}

/// What can still be piggybacked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AvailablePiggybacks {
    /// Where the exit was started.
    pub eth_height: EthHeight,
    /// The contract's key.
    pub exit_id: ExitId,
    /// The in-flight transaction.
    pub tx_hash: TxHash,
    /// Its unsigned bytes (`txbytes`).
    pub tx_bytes: Box<[u8]>,
    /// When the exit was started, in seconds: the contract takes piggybacks for half of the minimum exit period from then on.
    pub started_at_s: u64,
    /// Inputs (`available_inputs`), ascending.
    pub inputs: Vec<AvailablePiggyback>,
    /// Outputs (`available_outputs`), ascending.
    pub outputs: Vec<AvailablePiggyback>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AvailablePiggyback {
    /// Which input or output.
    pub index: u16,
    /// Who may do it: its owner (`address`).
    pub owner: Address,
}

/// What a user does about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Show the spending transaction to the contract (`utxo.get_challenge_data`) before the exit is processed.
    ChallengeExit,
    /// Show the spend of each input or output to the contract (`in_flight_exit.get_input_challenge_data`,
    /// `in_flight_exit.get_output_challenge_data`) before the exit is processed.
    ChallengePiggyback,
    /// Show the competitor to the contract (`in_flight_exit.get_competitor`) in the first half of the exit period.
    ChallengeCanonicity,
    /// Show the contract where the transaction is included (`in_flight_exit.prove_canonical`) before the exit is processed.
    ProveCanonical,
    /// Whoever owns a listed input or output joins the exit with a bond, in the first half of the exit period.
    Piggyback,
    /// Take everything off this child chain, oldest outputs first: nothing new on it can be trusted.
    MassExit,
}

impl ByzantineEvent {
    /// The stable name, in `status.get` and in subscriptions.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UnchallengedNonCanonicalIfe(_) => "unchallenged_non_canonical_ife",
            Self::UnchallengedExit(_) => "unchallenged_exit",
            Self::UnchallengedPiggyback(_) => "unchallenged_piggyback",
            Self::InvalidExit(_) => "invalid_exit",
            Self::InvalidPiggyback(_) => "invalid_piggyback",
            Self::NonCanonicalIfe(_) => "non_canonical_ife",
            Self::InvalidIfeChallenge(_) => "invalid_ife_challenge",
            Self::PiggybackAvailable(_) => "piggyback_available",
            Self::InvalidBlock { .. } => "invalid_block",
            Self::BlockWithholding { .. } => "block_withholding",
        }
    }

    /// What to do now.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::InvalidExit(_) => Remedy::ChallengeExit,
            Self::InvalidPiggyback(_) => Remedy::ChallengePiggyback,
            Self::NonCanonicalIfe(_) => Remedy::ChallengeCanonicity,
            Self::InvalidIfeChallenge(_) => Remedy::ProveCanonical,
            Self::PiggybackAvailable(_) => Remedy::Piggyback,
            Self::UnchallengedNonCanonicalIfe(_)
            | Self::UnchallengedExit(_)
            | Self::UnchallengedPiggyback(_)
            | Self::InvalidBlock { .. }
            | Self::BlockWithholding { .. } => Remedy::MassExit,
        }
    }

    /// Whether nobody should receive or spend on the chain while this is true.
    pub const fn makes_chain_unsafe(&self) -> bool {
        matches!(self.remedy(), Remedy::MassExit)
    }

    /// Whether nothing is wrong and nothing has to be done: owners may, if they like.
    pub const fn is_optional(&self) -> bool {
        matches!(self.remedy(), Remedy::Piggyback)
    }
}

impl Remedy {
    /// The stable key under which servers and wallets keep the advice in words.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ChallengeExit => "challenge_exit",
            Self::ChallengePiggyback => "challenge_piggyback",
            Self::ChallengeCanonicity => "challenge_canonicity",
            Self::ProveCanonical => "prove_canonical",
            Self::Piggyback => "piggyback",
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
        let in_flight = InFlightFault {
            eth_height: EthHeight::new(7),
            exit_id: ExitId::from_bytes([1; 20]),
            tx_hash: H256::zero(),
            tx_bytes: Box::default(),
            started_at_s: 0,
            competing_txhash: None,
        };
        let piggybacks = PiggybackFault {
            eth_height: EthHeight::new(7),
            exit_id: ExitId::from_bytes([1; 20]),
            tx_hash: H256::zero(),
            tx_bytes: Box::default(),
            inputs: vec![0],
            outputs: vec![],
        };
        let available = AvailablePiggybacks {
            eth_height: EthHeight::new(7),
            exit_id: ExitId::from_bytes([1; 20]),
            tx_hash: H256::zero(),
            tx_bytes: Box::default(),
            started_at_s: 0,
            inputs: vec![],
            outputs: vec![],
        };
        let fault = |kind| ChainFault { blknum: Blknum::new(1000), hash: H256::zero(), kind };
        let invalid = fault(FaultKind::InvalidBlock("incorrect_hash".to_owned()));
        use ByzantineEvent as Event;
        use Remedy::{ChallengeCanonicity, ChallengeExit, ChallengePiggyback, MassExit};
        let mut last = None;
        // In the order of the status.
        for (event, name, remedy) in [
            (
                Event::UnchallengedNonCanonicalIfe(in_flight.clone()),
                "unchallenged_non_canonical_ife",
                MassExit,
            ),
            (Event::UnchallengedExit(exit.clone()), "unchallenged_exit", MassExit),
            (Event::UnchallengedPiggyback(piggybacks.clone()), "unchallenged_piggyback", MassExit),
            (Event::InvalidExit(exit), "invalid_exit", ChallengeExit),
            (Event::InvalidPiggyback(piggybacks), "invalid_piggyback", ChallengePiggyback),
            (Event::NonCanonicalIfe(in_flight.clone()), "non_canonical_ife", ChallengeCanonicity),
            (
                Event::InvalidIfeChallenge(in_flight),
                "invalid_ife_challenge",
                Remedy::ProveCanonical,
            ),
            (Event::PiggybackAvailable(available), "piggyback_available", Remedy::Piggyback),
            ((&invalid).into(), "invalid_block", MassExit),
            ((&fault(FaultKind::Withheld)).into(), "block_withholding", MassExit),
        ] {
            assert_eq!(event.name(), name);
            assert_eq!(event.remedy(), remedy, "{name}");
            assert_eq!(event.makes_chain_unsafe(), remedy == MassExit, "{name}");
            assert_eq!(event.is_optional(), name == "piggyback_available", "{name}");
            assert!(last < Some(event.clone()), "{name}");
            last = Some(event);
        }
    }
}

//! How far a transaction is, and what comes next. Pure: facts in, a phase out.

use serde::Serialize;

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Nobody has shown it.
    Unknown,
    /// Accepted by the operator, and in no block yet as far as can be seen.
    Pending,
    /// Its block is formed and on its way to the root chain.
    InBlock,
    /// Its block is on the root chain, with too few confirmations or not yet verified by the watcher.
    Submitted,
    /// Its block has enough confirmations and the watcher has verified it.
    Final,
    /// Its block is on the root chain, and the watcher says that the chain is broken from there or earlier on.
    Unsafe,
}

impl Phase {
    /// The stable name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::InBlock => "in_block",
            Self::Submitted => "submitted",
            Self::Final => "final",
            Self::Unsafe => "unsafe",
        }
    }
}

/// What is known about the block of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockFacts {
    /// Confirmations of the block on the root chain, the one that holds it counted; `None` when it is not there.
    pub(super) confirmations: Option<u64>,
    /// Confirmations that make it final.
    pub(super) wanted: u64,
    /// How many blocks the operator has to submit until it is the turn of this one; 1 is the next.
    pub(super) blocks_until: u64,
    /// Submissions of the operator that are on their way.
    pub(super) submissions_under_way: u64,
    /// Whether the watcher has executed the block and found it valid. Deposits come from the root chain and need no verdict.
    pub(super) is_verified: bool,
    /// Whether the watcher calls the chain unsafe.
    pub(super) is_unsafe: bool,
}

/// The phase, and what is next.
pub(super) fn phase(facts: &BlockFacts) -> (Phase, String) {
    let Some(confirmations) = facts.confirmations else {
        return if facts.blocks_until <= facts.submissions_under_way {
            (Phase::InBlock, "its block is being submitted to the root chain".to_owned())
        } else {
            (Phase::Pending, "the operator puts it into a block and submits that".to_owned())
        };
    };
    if facts.is_unsafe && !facts.is_verified {
        let next = "the chain is unsafe: do not rely on this payment; exit what you had before";
        return (Phase::Unsafe, next.to_owned());
    }
    if confirmations < facts.wanted {
        let left = facts.wanted.saturating_sub(confirmations);
        return (Phase::Submitted, format!("{left} more root chain blocks make it final"));
    }
    if !facts.is_verified {
        return (Phase::Submitted, "the watcher has yet to verify its block".to_owned());
    }
    (Phase::Final, "nothing: it is final".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_go_through_their_phases() {
        let pending = BlockFacts {
            confirmations: None,
            wanted: 3,
            blocks_until: 1,
            submissions_under_way: 0,
            is_verified: false,
            is_unsafe: false,
        };
        let on_root_chain = |confirmations, is_verified| BlockFacts {
            confirmations: Some(confirmations),
            is_verified,
            ..pending
        };
        for (facts, expected) in [
            (pending, Phase::Pending),
            (BlockFacts { submissions_under_way: 1, ..pending }, Phase::InBlock),
            (BlockFacts { submissions_under_way: 1, blocks_until: 2, ..pending }, Phase::Pending),
            (BlockFacts { is_unsafe: true, ..pending }, Phase::Pending),
            (on_root_chain(1, false), Phase::Submitted),
            (on_root_chain(2, true), Phase::Submitted),
            (on_root_chain(3, false), Phase::Submitted),
            (on_root_chain(3, true), Phase::Final),
            (on_root_chain(9, true), Phase::Final),
            (BlockFacts { is_unsafe: true, ..on_root_chain(9, false) }, Phase::Unsafe),
            (BlockFacts { is_unsafe: true, ..on_root_chain(9, true) }, Phase::Final),
        ] {
            let (found, next) = phase(&facts);
            assert_eq!(found, expected, "{facts:?}");
            assert!(!next.is_empty());
            assert_eq!(serde_json::to_value(found).unwrap(), found.name());
        }
    }
}

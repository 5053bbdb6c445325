//! Canonicity: whether an in-flight transaction comes before every other that spends one of its inputs (protocol 5.5).
//!
//! Two opinions are compared and never mixed up: the contract's, which hears only what it is shown, and the ledger's.

use super::competitor::Competitor;
use crate::db_update::TxPos;

/// What the contract holds an in-flight transaction for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Canonicity {
    /// Its outputs may leave.
    Canonical {
        /// Where it was shown to be included, in answer to a challenge.
        included_at: Option<TxPos>,
    },
    /// Its inputs may leave.
    NonCanonical {
        /// Where the oldest competitor that was shown is included; `None` when it was shown without a block.
        competitor: Option<TxPos>,
    },
}

impl Canonicity {
    /// Whether the contract takes this competitor: none was shown yet, or this one is older than everything that was.
    /// A position is older than none. (`I8`)
    fn takes(self, competitor: Option<TxPos>) -> bool {
        match self {
            Self::Canonical { included_at: None } => true,
            Self::Canonical { included_at: shown } | Self::NonCanonical { competitor: shown } => {
                is_older(competitor, shown)
            }
        }
    }

    /// Whether the contract should be shown this competitor of a transaction that the ledger has at `included_at`. (`I8`)
    pub(super) fn is_viable(self, included_at: Option<TxPos>, competitor: &Competitor) -> bool {
        let is_first = included_at.is_none() || is_older(competitor.included_at, included_at);
        is_first && self.takes(competitor.included_at)
    }

    /// Where the transaction is included, if the contract wrongly holds it for non-canonical. (`I10`)
    pub(super) fn answer(self, included_at: Option<TxPos>) -> Option<TxPos> {
        match self {
            Self::Canonical { .. } => None,
            Self::NonCanonical { competitor } => {
                included_at.filter(|_| is_older(included_at, competitor))
            }
        }
    }
}

/// Strictly older: what is in no block is younger than everything that is.
fn is_older(position: Option<TxPos>, than: Option<TxPos>) -> bool {
    match (position, than) {
        (Some(position), Some(than)) => position < than,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

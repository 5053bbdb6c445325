//! What a watcher went through, in the order in which it committed it: the one source of everything that is told to the outside.
//!
//! It must never skip a number, change an entry, or hold what was not committed together with it: an entry travels in the same batch as
//! its cause. Whoever follows — subscriptions, the WatcherDB — remembers a number and reads on from there, as late as it likes; the
//! path that secures funds waits for nobody.
//!
//! ```text
//! guard: decide ─► updates + PutJournal ─► one commit ─► journal ─► topics (blocks, deposits, exits, byzantine, status)
//!                                                          ├─► transfers of each account
//!                                                          └─► WatcherDB
//! ```

mod told;
mod writer;

pub use told::TOLD_EXIT_EVENTS_MAX;
pub use writer::{Journal, JournalRecord, JournalUpdate, NumberedEntry, ToldStatus};

use crate::byzantine::ByzantineEvent;
use crate::eventer::Change;
use crate::root_chain::{EthEvent, RootChainEvent};
use crate::wire::{Address, Blknum, BlockHash, EthHeight};

/// Number of an entry: one more than that of the entry before, 1 for the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalSeq(pub u64);

impl JournalSeq {
    /// The number after it.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// When the watcher learned of it, in milliseconds since 1970 by its own clock. Told, never compared.
    pub at_ms: u64,
    /// What happened.
    pub fact: JournalFact,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalFact {
    /// A child chain block was executed and is valid.
    Block(JournalBlock),
    /// The root chain was reorganised: a block that is in the journal was submitted somewhere else. Its transactions are the same.
    BlockMoved {
        /// The block.
        blknum: Blknum,
        /// Where it was submitted now.
        eth_height: EthHeight,
        /// Root chain time of that, in seconds.
        timestamp_s: u64,
    },
    /// A deposit, or something that happened to an exit, has enough confirmations and was taken.
    RootChain(Box<EthEvent>),
    /// Something is wrong, or is not any more.
    Byzantine {
        /// Came or went.
        change: Change,
        /// The condition.
        event: Box<ByzantineEvent>,
    },
    /// Whether the chain can be used changed, or how much is wrong with it.
    Status {
        /// Whether nobody should receive or spend on the chain.
        is_unsafe: bool,
        /// Conditions that are true.
        byzantine_events: u32,
        /// The newest valid block, zero when there is none.
        last_validated: Blknum,
    },
}

/// A child chain block as the journal has it. Its transactions are in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalBlock {
    /// Its number.
    pub blknum: Blknum,
    /// Merkle root of its transactions.
    pub hash: BlockHash,
    /// How many there are, payments and fee claims.
    pub tx_count: u32,
    /// Where it was submitted.
    pub eth_height: EthHeight,
    /// Root chain time of that, in seconds.
    pub timestamp_s: u64,
}

/// What can be followed by itself. Every topic has numbers of its own, without gaps, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Conditions that appear and are resolved.
    Byzantine,
    /// Valid blocks.
    Blocks,
    /// Deposits.
    Deposits,
    /// Everything that happens to exits.
    Exits,
    /// Whether the chain can be used.
    Status,
    /// Payments and deposits that concern one account. Numbered by a follower of the journal, not by its writer.
    Transfer(Address),
}

impl JournalFact {
    /// The topic it belongs to, apart from transfers; `None` for what only corrects an earlier entry.
    pub const fn topic(&self) -> Option<Topic> {
        match self {
            Self::Block(_) => Some(Topic::Blocks),
            Self::BlockMoved { .. } => None,
            Self::RootChain(event) => match event.event {
                RootChainEvent::DepositCreated { .. } => Some(Topic::Deposits),
                _ => Some(Topic::Exits),
            },
            Self::Byzantine { .. } => Some(Topic::Byzantine),
            Self::Status { .. } => Some(Topic::Status),
        }
    }
}

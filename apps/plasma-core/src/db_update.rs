//! Writes as data: a core decides them, a shell commits them in one durable batch, and only then does anybody hear of it.
//!
//! Updates are grouped by owner, and only the owner of a key ever asks to write it (invariant I6). An event listener's height
//! therefore travels inside its owner's updates, in the same batch as the events up to that height.

use crate::wire::{
    Address, Blknum, BlockHash, Currency, EthHeight, ExitId, H256, OutputType, TxHash, TxIndex,
    U256, UtxoPos,
};
use std::collections::BTreeMap;

pub use crate::exit_processor::ExitProcessorUpdate;
pub use crate::journal::JournalUpdate;
pub use crate::sentinel::SentinelUpdate;
pub use crate::state::InFlightRecord;

/// One requested write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbUpdate {
    /// Owned by [`State`](crate::state::State).
    State(StateUpdate),
    /// Owned by the exit processor of a watcher.
    ExitProcessor(ExitProcessorUpdate),
    /// Owned by the block getter of a watcher.
    BlockGetter(BlockGetterUpdate),
    /// Owned by the block queue of a child chain.
    BlockQueue(BlockQueueUpdate),
    /// Owned by the [`Sentinel`](crate::sentinel::Sentinel) of a watcher.
    Sentinel(SentinelUpdate),
    /// Owned by the [`Journal`](crate::journal::Journal) of a watcher.
    Journal(JournalUpdate),
    /// Owned by the service it names.
    ServiceHeight(Service, EthHeight),
}

/// What the ledger writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateUpdate {
    /// An output exists and is unspent.
    PutUtxo(UtxoKey, Utxo),
    /// An output is gone; a [`StateUpdate::PutSpend`] in the same batch says how.
    DeleteUtxo(UtxoKey),
    /// How an output left the set.
    PutSpend(UtxoPos, Spender),
    /// The signed bytes of a transaction, pending or in a block; a deposit's at index 0 of its own block.
    PutTransaction(Blknum, TxIndex, Box<[u8]>),
    /// A formed or closed block and the roots of its Merkle subtrees.
    PutBlock(BlockHeader, Vec<H256>),
    /// What the pending block needs to be continued after a restart.
    PutPending(PendingRecord),
    /// An in-flight exit that an operator heard of, keyed by exit id. A watcher writes none.
    PutInFlightRecord(InFlightRecord),
}

/// What the block getter writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockGetterUpdate {
    /// The chain broke a rule: the ledger stays at the last good block from here on. Replaces the one before.
    PutFault(ChainFault),
    /// The signed bytes of a transaction, not part of the ledger, in which this account spends this output. Nobody else can write
    /// under somebody's key. Different transactions are kept side by side, for a competitor is another transaction than the one
    /// in flight; of one transaction any bytes will do.
    PutQuarantinedSpend(UtxoKey, TxHash, Box<[u8]>),
    /// Every block from the fault up to this one has been looked at. Replaces the one before, also by a lower one.
    PutQuarantinedUpTo(Blknum),
}

/// What the block queue writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockQueueUpdate {
    /// The authority's nonce for a block is `blknum / interval + offset`.
    PutNonceOffset(i64),
}

/// Key of an unspent output: the owner first, so that a wallet's outputs lie together and nothing ever scans the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtxoKey {
    /// Who may spend it.
    pub owner: Address,
    /// Where it was made.
    pub position: UtxoPos,
}

/// An unspent output without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utxo {
    /// What made it.
    pub output_type: OutputType,
    /// What it is counted in.
    pub currency: Currency,
    /// In the smallest unit of the currency.
    pub amount: U256,
}

/// Where a transaction stands. Ordered by age: older first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxPos {
    /// Its block.
    pub blknum: Blknum,
    /// Its index in the block.
    pub txindex: TxIndex,
}

/// How an output left the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spender {
    /// A transaction in a block, or in the pending one.
    Transaction(TxPos),
    /// An exit on the root chain.
    Exit(ExitId),
}

/// A block without its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// Its number.
    pub number: Blknum,
    /// Merkle root of its transactions.
    pub hash: BlockHash,
    /// How many there are, payments and fee claims.
    pub tx_count: u32,
}

/// The pending block, without what can be computed from its transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingRecord {
    /// The number it will have.
    pub blknum: Blknum,
    /// Transactions accepted so far.
    pub tx_count: u32,
    /// Fees collected so far.
    pub fees: BTreeMap<Currency, U256>,
}

/// What is wrong with the child chain, and from which block on (protocol 5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    /// The first block that is not part of the valid chain.
    pub blknum: Blknum,
    /// The root that was submitted for it.
    pub hash: BlockHash,
    /// Which rule broke.
    pub kind: FaultKind,
}

/// Which rule of the chain broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The block is invalid; the text is a stable code such as `incorrect_hash` or `tx_execution`.
    InvalidBlock(String),
    /// The block could not be fetched for longer than allowed.
    Withheld,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)*) => {
        /// Whatever follows the root chain and remembers how far it got. The name is also its key in the store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Service {
            $($(#[$doc])* $name,)*
        }

        impl Service {
            /// All services, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name: in the store, in `status.get` and in logs.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)*
                }
            }
        }
    };
}

services! {
    /// Credits deposits (both nodes).
    Depositor = "depositor",
    /// Removes exiting outputs from the operator's ledger (child chain).
    Exiter = "exiter",
    /// Downloads and applies blocks (watcher).
    BlockGetter = "block_getter",
    /// Recognises standard exits (watcher).
    ExitProcessor = "exit_processor",
    /// Recognises finalised standard exits (watcher).
    ExitFinalizer = "exit_finalizer",
    /// Recognises challenges of standard exits (watcher).
    ExitChallenger = "exit_challenger",
    /// Takes inputs and piggybacked outputs of in-flight exits off the operator's ledger (child chain).
    InFlightExiter = "in_flight_exiter",
    /// Recognises everything that happens to in-flight exits but payments (watcher).
    InFlightExitProcessor = "in_flight_exit_processor",
    /// Recognises payments and the end of in-flight exits (watcher).
    InFlightExitFinalizer = "in_flight_exit_finalizer",
}

impl From<StateUpdate> for DbUpdate {
    fn from(update: StateUpdate) -> Self {
        Self::State(update)
    }
}

impl From<ExitProcessorUpdate> for DbUpdate {
    fn from(update: ExitProcessorUpdate) -> Self {
        Self::ExitProcessor(update)
    }
}

impl From<BlockGetterUpdate> for DbUpdate {
    fn from(update: BlockGetterUpdate) -> Self {
        Self::BlockGetter(update)
    }
}

impl From<BlockQueueUpdate> for DbUpdate {
    fn from(update: BlockQueueUpdate) -> Self {
        Self::BlockQueue(update)
    }
}

impl From<SentinelUpdate> for DbUpdate {
    fn from(update: SentinelUpdate) -> Self {
        Self::Sentinel(update)
    }
}

impl From<JournalUpdate> for DbUpdate {
    fn from(update: JournalUpdate) -> Self {
        Self::Journal(update)
    }
}

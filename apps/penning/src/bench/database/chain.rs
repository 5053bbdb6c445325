//! A chain that is made up on demand: full blocks of payments between a hundred thousand accounts, without a place to keep them.

use plasma_core::journal::{JournalBlock, JournalEntry, JournalFact, JournalSeq};
use plasma_core::root_chain::{EthEvent, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, BlockHash, ETH, EthHeight, H256, InputPointer, Output, OutputIndex, PaymentTx,
    Signature, Transaction, TxHash, TxIndex, U256, UtxoPos,
};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;
use watcher::watcher_db::{JournalSource, SourceError};

/// Payments in a block.
pub(super) const BLOCK_TXS: u64 = 65_536;
/// Deposits stand in blocks between two child chain blocks: as many as fit.
const DEPOSITS: u64 = 999;
const ACCOUNTS: u64 = 100_000;
/// When the chain ends, by the time of blocks.
pub(super) const NOW_S: u64 = 1_700_100_000;

/// See the module. Only a beginning of it is shown at a time.
pub(super) struct MadeUp {
    head: AtomicU64,
    news: watch::Sender<u64>,
}

impl Default for MadeUp {
    fn default() -> Self {
        Self { head: AtomicU64::new(0), news: watch::channel(0).0 }
    }
}

impl MadeUp {
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Shows everything up to a block; 0 for deposits only. Returns the newest number.
    pub(super) fn reveal(&self, block: u64) -> u64 {
        let head = DEPOSITS.saturating_add(block);
        self.head.store(head, Ordering::Relaxed);
        self.news.send_replace(head);
        head
    }
}

impl JournalSource for MadeUp {
    fn journal_after(
        &self,
        after: JournalSeq,
        entries_max: usize,
    ) -> Result<Vec<(JournalSeq, JournalEntry)>, SourceError> {
        let head = self.head.load(Ordering::Relaxed);
        let numbers = after.0.saturating_add(1)..=head;
        Ok(numbers.take(entries_max).map(|seq| (JournalSeq(seq), entry(seq))).collect())
    }

    fn journal_head(&self) -> Result<JournalSeq, SourceError> {
        Ok(JournalSeq(self.head.load(Ordering::Relaxed)))
    }

    fn newest_blknum(&self) -> Result<Blknum, SourceError> {
        let blocks = self.head.load(Ordering::Relaxed).saturating_sub(DEPOSITS);
        Ok(Blknum::new(blocks.saturating_mul(1_000)))
    }

    fn transactions(&self, blknum: Blknum, count: u32) -> Result<Vec<Box<[u8]>>, SourceError> {
        let block = blknum.get() / 1_000;
        let signatures = [Signature::from_bytes([7; 65])];
        let bytes = |index| {
            let tx = payment(block, index);
            let signatures = signatures.get(..tx.inputs().len()).unwrap_or_default();
            tx.encode_signed(signatures).into_boxed_slice()
        };
        Ok((0..u64::from(count)).map(bytes).collect())
    }
}

fn entry(seq: u64) -> JournalEntry {
    let at_ms = 1_700_000_000_000_u64.saturating_add(seq);
    let fact = match seq.checked_sub(DEPOSITS).filter(|block| *block > 0) {
        None => JournalFact::RootChain(Box::new(EthEvent {
            eth_height: EthHeight::new(seq),
            eth_block_hash: H256::from_low_u64_be(seq),
            root_chain_txhash: H256::from_low_u64_be(seq),
            log_index: 0,
            event: RootChainEvent::DepositCreated {
                depositor: account(seq),
                blknum: Blknum::new(seq),
                currency: ETH,
                amount: U256::exp10(18),
            },
        })),
        Some(block) => JournalFact::Block(JournalBlock {
            blknum: Blknum::new(block.saturating_mul(1_000)),
            hash: BlockHash::from_low_u64_be(block),
            tx_count: u32::try_from(BLOCK_TXS).unwrap_or(u32::MAX),
            eth_height: EthHeight::new(DEPOSITS.saturating_add(block)),
            timestamp_s: NOW_S.saturating_sub(100_000).saturating_add(block.saturating_mul(60)),
        }),
    };
    JournalEntry { at_ms, fact }
}

/// A payment. Those of the first block spend deposits and then, in order, all outputs that the block makes, as far as there are payments;
/// those of the second block what the first one left; later ones the first outputs of the block before.
fn payment(block: u64, index: u64) -> Transaction {
    let at = |block: u64, index: u64, oindex: u64| {
        let txindex = TxIndex::new(u32::try_from(index).unwrap_or_default());
        let oindex = OutputIndex::new(u16::try_from(oindex).unwrap_or_default());
        UtxoPos::new(Blknum::new(block.saturating_mul(1_000)), txindex, oindex)
    };
    let spent = match (block, index.checked_sub(DEPOSITS)) {
        (1, None) => UtxoPos::deposit(Blknum::new(index.saturating_add(1))),
        (1, Some(output)) => at(1, output / 2, output % 2),
        (2, _) => {
            let output = BLOCK_TXS.saturating_mul(2).saturating_sub(1).saturating_sub(index);
            at(1, output / 2, output % 2)
        }
        _ => at(block.saturating_sub(1), index, 0),
    };
    let outputs = (0..2_u64).map(|oindex| {
        let seed = block.wrapping_mul(BLOCK_TXS).wrapping_add(index).wrapping_mul(2);
        let owner = account(mixed(seed.wrapping_add(oindex)));
        let amount = U256::from(mixed(seed) >> 20).saturating_mul(U256::from(1_000_u64));
        Output::payment(owner, ETH, amount.saturating_add(U256::one()))
    });
    Transaction::Payment(PaymentTx {
        inputs: [InputPointer::from(spent)].into_iter().collect(),
        outputs: outputs.collect(),
        metadata: H256::zero(),
    })
}

/// The hash of a payment.
pub(super) fn txhash(block: u64, random: u64) -> TxHash {
    payment(block, random % BLOCK_TXS).hash()
}

/// One of the accounts.
pub(super) fn account(number: u64) -> Address {
    let number = number % ACCOUNTS;
    // Spread, as real addresses are.
    let (high, low) = (mixed(number), mixed(number ^ 0x5555));
    let mut bytes = [0; 20];
    if let Some(part) = bytes.first_chunk_mut::<8>() {
        *part = high.to_be_bytes();
    }
    if let Some(part) = bytes.last_chunk_mut::<8>() {
        *part = low.to_be_bytes();
    }
    Address(bytes)
}

/// Splitmix: a number that looks random.
pub(super) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

//! The getter against a small root chain.

mod faults;
mod following;

use super::testing::{block_of, key, payment, pos, verified};
use super::*;
use crate::db_update::UtxoKey;
use crate::root_chain::{ChildBlock, RootChainEvent};
use crate::wire::{H256, RecoverTxError};
use std::collections::BTreeSet;

const CONFIG: BlockGetterConfig = BlockGetterConfig {
    downloads_max: 3,
    unapplied_max: 5,
    unapplied_txs_max: 1_000,
    withholding_ms_max: 10_000,
    retry_pause_ms_min: 1_000,
    retry_pause_ms_max: 4_000,
    reorg_margin_eth_blocks: 20,
};

/// The transactions of a block; each number has its own.
fn transactions(blknum: u64) -> Vec<RecoveredTx> {
    let seed = u8::try_from(blknum / 1000 % 200 + 1).unwrap();
    vec![payment(&key(seed), &[(blknum - 1, 0)], blknum)]
}

fn block(blknum: u64) -> VerifiedBlock {
    verified(blknum, &transactions(blknum))
}

fn other_block(blknum: u64) -> VerifiedBlock {
    verified(blknum, &[payment(&key(7), &[(blknum - 2, 0)], blknum)])
}

fn eth(height: u64) -> EthHeight {
    EthHeight::new(height)
}

fn numbers(blocks: &[u64]) -> Vec<Blknum> {
    blocks.iter().copied().map(Blknum::new).collect()
}

/// A getter, the root chain it reads, and what it asked to write.
struct Universe {
    getter: BlockGetter,
    /// Submissions as they stand on the root chain now: number, height, root. The branch changes all block hashes.
    submitted: Vec<(u64, u64, BlockHash)>,
    branch: u8,
    ledger: BTreeMap<Blknum, BlockHash>,
    record: BlockGetterRecord,
    evidence: BTreeSet<UtxoKey>,
}

impl Universe {
    fn new() -> Self {
        Self::with(BlockGetterRecord::default())
    }

    fn with(record: BlockGetterRecord) -> Self {
        Self {
            getter: BlockGetter::restore(CONFIG, record.clone()),
            submitted: Vec::new(),
            branch: 0,
            ledger: BTreeMap::new(),
            record,
            evidence: BTreeSet::new(),
        }
    }

    /// Blocks 1000, 2000 … one per height from 1.
    fn with_blocks(count: u64) -> Self {
        let mut universe = Self::new();
        (1..=count).for_each(|height| universe.submit(height * 1000, height));
        universe
    }

    fn restarted(mut self) -> Self {
        self.record.last_applied = self.getter.last_applied();
        self.getter = BlockGetter::restore(CONFIG, self.record.clone());
        self
    }

    fn submit(&mut self, blknum: u64, eth_height: u64) {
        let hash = block(blknum).id().hash;
        self.submitted.push((blknum, eth_height, hash));
    }

    fn event(&self, blknum: u64, eth_height: u64) -> EthEvent {
        let mut eth_block_hash = [self.branch; 32];
        eth_block_hash[..8].copy_from_slice(&eth_height.to_be_bytes());
        EthEvent {
            eth_height: eth(eth_height),
            eth_block_hash: H256(eth_block_hash),
            root_chain_txhash: H256::from_low_u64_be(blknum),
            log_index: 0,
            event: RootChainEvent::BlockSubmitted { blknum: Blknum::new(blknum) },
        }
    }

    /// Reads the root chain up to this height. Returns the numbers that were asked about, and a fault.
    fn scan(&mut self, to: u64) -> (Vec<u64>, Option<ChainFault>) {
        let Some(range) = self.getter.scan_range(eth(to)) else {
            return (Vec::new(), None);
        };
        let in_range = self.submitted.iter().filter(|(_, height, _)| range.contains(&eth(*height)));
        let events: Vec<_> =
            in_range.map(|(blknum, height, _)| self.event(*blknum, *height)).collect();
        let needed = self.getter.facts_needed(&events);
        let mut facts = SubmissionFacts::default();
        for blknum in &needed {
            let submitted = self.submitted.iter().find(|(number, _, _)| number == &blknum.get());
            facts.roots.extend(submitted.map(|(_, height, hash)| {
                (*blknum, ChildBlock { root: *hash, timestamp_s: *height * 10 })
            }));
            facts.ledger.extend(self.ledger.get(blknum).map(|hash| (*blknum, *hash)));
        }
        let mut updates = Vec::new();
        let fault = self.getter.on_submissions(&range, &events, &facts, &mut updates);
        self.commit(updates);
        (needed.into_iter().map(Blknum::get).collect(), fault)
    }

    fn start(&mut self, now_ms: u64) -> Vec<u64> {
        let started = self.getter.start_downloads(now_ms);
        started.into_iter().map(|download| download.blknum.get()).collect()
    }

    fn answer(&mut self, blknum: u64, outcome: DownloadOutcome, now_ms: u64) -> Downloaded {
        let mut updates = Vec::new();
        let answer = self.getter.on_download(Blknum::new(blknum), outcome, now_ms, &mut updates);
        self.commit(updates);
        answer
    }

    fn deliver(&mut self, blknum: u64) -> Downloaded {
        self.answer(blknum, DownloadOutcome::Answered(Ok(block(blknum))), 0)
    }

    /// Downloads and applies whatever is possible.
    fn sync(&mut self, to: u64) {
        self.scan(to);
        loop {
            let started = self.start(0);
            started.iter().for_each(|blknum| assert_eq!(self.deliver(*blknum), Downloaded::Kept));
            if self.apply(to).is_empty() && started.is_empty() {
                break;
            }
        }
    }

    /// Applies whatever is ready up to this height.
    fn apply(&mut self, sync_height: u64) -> Vec<u64> {
        let mut applied = Vec::new();
        let mut updates = Vec::new();
        while let Some(block) = self.getter.next_block(eth(sync_height), eth(sync_height)) {
            self.ledger.insert(block.id().blknum, block.id().hash);
            applied.push(block.id().blknum.get());
            self.getter.on_applied(eth(sync_height), &mut updates);
        }
        self.getter.on_synced(eth(sync_height), &mut updates);
        self.commit(updates);
        applied
    }

    fn on_time(&mut self, now_ms: u64) -> Option<ChainFault> {
        let mut updates = Vec::new();
        let fault = self.getter.on_time(now_ms, &mut updates);
        self.commit(updates);
        fault
    }

    fn quarantine(&mut self) -> Vec<u64> {
        let mut quarantined = Vec::new();
        loop {
            let mut updates = Vec::new();
            let next = self.getter.next_quarantined(&mut updates);
            self.commit(updates);
            match next {
                Some(block) => quarantined.push(block.blknum.get()),
                None => return quarantined,
            }
        }
    }

    fn commit(&mut self, updates: Vec<DbUpdate>) {
        for update in updates {
            match update {
                DbUpdate::ServiceHeight(Service::BlockGetter, height) => {
                    assert!(height > self.record.synced_height, "the height never falls");
                    self.record.synced_height = height;
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutFault(fault)) => {
                    self.record.fault = Some(fault);
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutQuarantinedUpTo(blknum)) => {
                    self.record.quarantined_up_to = blknum;
                }
                DbUpdate::BlockGetter(BlockGetterUpdate::PutQuarantinedSpend(key, _, bytes)) => {
                    assert!(!bytes.is_empty());
                    self.evidence.insert(key);
                }
                other => panic!("not the getter's to write: {other:?}"),
            }
        }
    }

    fn knows_evidence_of(&self, blknum: u64) -> bool {
        transactions(blknum).iter().all(|tx| {
            let position = pos(blknum - 1, 0, 0);
            let owner = tx.spenders()[0];
            self.evidence.contains(&UtxoKey { owner, position })
        })
    }
}

fn refused(blknum: u64, fault: BlockFault) -> DownloadOutcome {
    DownloadOutcome::Answered(Err(Box::new(RefusedBlock {
        id: block(blknum).id(),
        fault,
        transactions: transactions(blknum),
    })))
}

/// No numbers.
const NOTHING: [u64; 0] = [];
const UNAVAILABLE: DownloadOutcome = DownloadOutcome::Unavailable;

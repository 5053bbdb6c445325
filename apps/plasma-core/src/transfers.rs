//! Which payments and deposits concern which account, numbered for each account: what the topic `transfer` of an account tells.
//!
//! It must never decide by anything but the journal and the transactions of its blocks: whoever follows the journal again, from wherever
//! it was interrupted, gives every transfer the number that it had. The path that secures funds does not wait for it.
//!
//! ```text
//! journal behind the cursor ─► next_pages ─► transactions of the store ─► accounts_of ─► number ─► one batch with the cursor
//! ```

use crate::db_update::TxPos;
use crate::journal::{JournalEntry, JournalFact, JournalSeq};
use crate::root_chain::RootChainEvent;
use crate::wire::{Address, Blknum, Transaction};
use std::collections::{BTreeMap, BTreeSet};

/// A payment, deposit or fee claim that concerns an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The entry of the journal with its block, or with the deposit.
    pub journal: JournalSeq,
    /// The transaction; a deposit is the only one of its own block.
    pub at: TxPos,
}

/// How far a follower is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransfersCursor {
    /// Everything up to this entry is done.
    pub done: JournalSeq,
    /// How many transactions of the entry behind it are done: a block can be too big for one batch.
    pub txs: u32,
}

/// What the index of transfers writes. All of it can be made again from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransfersUpdate {
    /// A transfer under its number for an account.
    Put(Address, u64, Transfer),
    /// The newest number of an account. Replaces the one before.
    PutHead(Address, u64),
    /// How far the index is. Replaces the one before.
    PutCursor(TransfersCursor),
}

/// Transactions to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entry of the journal they are from.
    pub journal: JournalSeq,
    /// Their block.
    pub blknum: Blknum,
    /// Index of the first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// What to look at next, at most `txs_max` transactions, and how far the index is then. `entries` are those behind the cursor, in order.
pub fn next_pages(
    mut cursor: TransfersCursor,
    entries: &[(JournalSeq, JournalEntry)],
    txs_max: u32,
) -> (Vec<Page>, TransfersCursor) {
    let (mut pages, mut room) = (Vec::new(), txs_max);
    for (seq, entry) in entries {
        let (blknum, txs) = transactions_of(&entry.fact);
        let left = txs.saturating_sub(cursor.txs);
        let count = left.min(room);
        if count > 0 {
            pages.push(Page { journal: *seq, blknum, first: cursor.txs, count });
            room = room.saturating_sub(count);
        }
        if count < left {
            cursor.txs = cursor.txs.saturating_add(count);
            break;
        }
        cursor = TransfersCursor { done: *seq, txs: 0 };
    }
    (pages, cursor)
}

/// The block that an entry is about, and how many transactions are told with it.
const fn transactions_of(fact: &JournalFact) -> (Blknum, u32) {
    match fact {
        JournalFact::Block(block) => (block.blknum, block.tx_count),
        JournalFact::RootChain(event) => match event.event {
            RootChainEvent::DepositCreated { blknum, .. } => (blknum, 1),
            _ => (Blknum::new(0), 0),
        },
        _ => (Blknum::new(0), 0),
    }
}

/// Whom a transaction concerns: the owners of what it spends, and of what it makes.
pub fn accounts_of(
    tx: &Transaction,
    input_owners: impl IntoIterator<Item = Address>,
) -> BTreeSet<Address> {
    tx.outputs().iter().map(|output| output.owner).chain(input_owners).collect()
}

/// Gives transfers the next numbers of their accounts, in order. `heads` has the newest number of each account; one that is missing
/// has none yet.
pub fn number(
    transfers: impl IntoIterator<Item = (Transfer, BTreeSet<Address>)>,
    mut heads: BTreeMap<Address, u64>,
    cursor: TransfersCursor,
) -> Vec<TransfersUpdate> {
    let mut updates = Vec::new();
    let mut concerned = BTreeSet::new();
    for (transfer, accounts) in transfers {
        for account in accounts {
            let head = heads.entry(account).or_default();
            *head = head.saturating_add(1);
            updates.push(TransfersUpdate::Put(account, *head, transfer));
            concerned.insert(account);
        }
    }
    let heads = heads.into_iter().filter(|(account, _)| concerned.contains(account));
    updates.extend(heads.map(|(account, head)| TransfersUpdate::PutHead(account, head)));
    updates.push(TransfersUpdate::PutCursor(cursor));
    updates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalBlock;
    use crate::root_chain::EthEvent;
    use crate::wire::{EthHeight, H256, TxIndex};
    use proptest::prelude::*;

    /// What an index keeps.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Disk {
        transfers: BTreeMap<Address, Vec<Transfer>>,
        heads: BTreeMap<Address, u64>,
        cursor: TransfersCursor,
    }

    impl Disk {
        fn commit(&mut self, updates: Vec<TransfersUpdate>) {
            for update in updates {
                match update {
                    TransfersUpdate::Put(account, number, transfer) => {
                        let of_account = self.transfers.entry(account).or_default();
                        of_account.push(transfer);
                        assert_eq!(number, u64::try_from(of_account.len()).unwrap(), "no gap");
                    }
                    TransfersUpdate::PutHead(account, number) => {
                        self.heads.insert(account, number);
                        let count = u64::try_from(self.transfers[&account].len()).unwrap();
                        assert_eq!(number, count);
                    }
                    TransfersUpdate::PutCursor(cursor) => self.cursor = cursor,
                }
            }
        }
    }

    /// Everybody a transaction concerns follows from where it is.
    fn concerned(at: TxPos) -> BTreeSet<Address> {
        let number = at.blknum.get() + u64::from(at.txindex.get());
        [number % 5, number % 3].map(Address::from_low_u64_be).into()
    }

    /// Follows the journal to its end. After `dies` steps, one is lost and done again.
    fn follow(
        journal: &[(JournalSeq, JournalEntry)],
        (entries_max, txs_max): (usize, u32),
        dies: usize,
    ) -> Disk {
        let mut disk = Disk::default();
        for step in 0.. {
            let done = usize::try_from(disk.cursor.done.0).unwrap();
            let entries = journal[done..].iter().take(entries_max).cloned().collect::<Vec<_>>();
            let (pages, cursor) = next_pages(disk.cursor, &entries, txs_max);
            assert!(pages.iter().map(|page| page.count).sum::<u32>() <= txs_max);
            if cursor == disk.cursor {
                assert!(entries.is_empty(), "it gets on");
                break;
            }
            let transfers = pages.iter().flat_map(|page| {
                (page.first..page.first + page.count).map(|txindex| {
                    let at = TxPos { blknum: page.blknum, txindex: TxIndex::new(txindex) };
                    (Transfer { journal: page.journal, at }, concerned(at))
                })
            });
            let updates = number(transfers, disk.heads.clone(), cursor);
            if step != dies {
                disk.commit(updates);
            }
        }
        disk
    }

    fn journal(kinds: &[(u8, u32)]) -> Vec<(JournalSeq, JournalEntry)> {
        let (eth_height, timestamp_s) = (EthHeight::new(1), 1);
        let entry = |(number, (kind, tx_count)): (u64, &(u8, u32))| {
            let blknum = Blknum::new(number * 1000);
            let hash = H256::zero();
            let fact = match kind {
                0 => JournalFact::Block(JournalBlock {
                    blknum,
                    hash,
                    tx_count: *tx_count,
                    eth_height,
                    timestamp_s,
                }),
                1 => JournalFact::RootChain(Box::new(EthEvent {
                    eth_height,
                    eth_block_hash: hash,
                    root_chain_txhash: hash,
                    log_index: 0,
                    event: RootChainEvent::DepositCreated {
                        depositor: Address::zero(),
                        blknum: Blknum::new(number),
                        currency: Address::zero(),
                        amount: 1.into(),
                    },
                })),
                _ => JournalFact::BlockMoved { blknum, eth_height, timestamp_s },
            };
            (JournalSeq(number), JournalEntry { at_ms: 0, fact })
        };
        (1..).zip(kinds).map(entry).collect()
    }

    proptest! {
        #[test]
        fn every_transfer_has_the_same_number_however_the_journal_is_followed(
            kinds in prop::collection::vec((0..3_u8, 0..9_u32), 0..20),
            limits in (1..6_usize, 1..12_u32),
            dies in 0..12_usize,
        ) {
            let journal = journal(&kinds);
            let all = follow(&journal, (usize::MAX, u32::MAX), usize::MAX);
            prop_assert_eq!(&follow(&journal, limits, dies), &all);
            let told: usize = all.transfers.values().map(Vec::len).sum();
            let txs = kinds.iter().map(|(kind, count)| match kind { 0 => *count, 1 => 1, _ => 0 }).sum::<u32>();
            prop_assert!(told >= usize::try_from(txs).unwrap(), "every transaction concerns somebody");
        }
    }
}

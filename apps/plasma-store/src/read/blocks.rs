//! Blocks, their transactions, and proofs of these.

use crate::columns::Column;
use crate::error::StoreError;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::db_update::{BlockHeader, TxPos};
use plasma_core::wire::merkle::{MerkleBuilder, SUBTREE_LEAVES};
use plasma_core::wire::{Blknum, BlockHash, H256, InclusionProof, SignedTx, TxIndex};
use rocksdb::{Direction, IteratorMode};

impl Store {
    /// The signed bytes of a transaction, pending ones included; a deposit's are at index 0 of its own block.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn transaction(&self, at: TxPos) -> Result<Option<Box<[u8]>>, StoreError> {
        Ok(self.get(Column::Transactions, &keys::tx_pos(at))?.map(|bytes| Box::from(&*bytes)))
    }

    /// The signed bytes of these transactions, as far as there are any, looked up together.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn transactions_at(&self, places: &[TxPos]) -> Result<Vec<Option<Box<[u8]>>>, StoreError> {
        let keys: Vec<_> = places.iter().map(|at| keys::tx_pos(*at)).collect();
        let column = self.column(Column::Transactions)?;
        let values = self.db().batched_multi_get_cf(column, &keys, false).into_iter();
        let bytes = values.map(|value| Ok(value?.map(|bytes| Box::from(&*bytes))));
        bytes.collect::<Result<_, _>>().map_err(StoreError::io("read"))
    }

    /// Transactions of a block in order, from index `first` on, at most `count`.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn transactions(
        &self,
        blknum: Blknum,
        first: u32,
        count: u32,
    ) -> Result<Vec<Box<[u8]>>, StoreError> {
        let first = keys::tx_pos(TxPos { blknum, txindex: TxIndex::new(first) });
        let end = blknum.get().checked_add(1).map(|next| next.to_be_bytes().to_vec());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.range(Column::Transactions, &first, end, count, |_, value| Ok(Box::from(value)))
    }

    /// A formed or closed block without its transactions.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn block_header(&self, number: Blknum) -> Result<Option<BlockHeader>, StoreError> {
        Ok(self.block_record(number)?.map(|(header, _)| header))
    }

    /// The newest block with this hash. Two blocks share one only if they hold the same transactions.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn block_by_hash(&self, hash: BlockHash) -> Result<Option<BlockHeader>, StoreError> {
        let column = Column::BlockHashes;
        let newest = keys::block_hash(hash, Blknum::new(u64::MAX));
        let mode = IteratorMode::From(&newest, Direction::Reverse);
        let Some(entry) = self.db().iterator_cf(self.column(column)?, mode).next() else {
            return Ok(None);
        };
        let (key, _) = entry.map_err(StoreError::io("read"))?;
        let Some(number) = key.strip_prefix(hash.as_bytes()) else {
            return Ok(None);
        };
        let number = keys::read_blknum(number)
            .map_err(|reason| StoreError::corrupted(column, &key, reason))?;
        self.block_header(number)
    }

    /// The newest block; `None` before the first.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn newest_block(&self) -> Result<Option<BlockHeader>, StoreError> {
        let column = Column::Blocks;
        let Some(entry) = self.db().iterator_cf(self.column(column)?, IteratorMode::End).next()
        else {
            return Ok(None);
        };
        let (key, value) = entry.map_err(StoreError::io("read"))?;
        let decode = || records::decode_block(keys::read_blknum(&key)?, &value);
        let (header, _) = decode().map_err(|reason| StoreError::corrupted(column, &key, reason))?;
        Ok(Some(header))
    }

    /// Headers from block `first` on, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn block_headers(
        &self,
        first: Blknum,
        limit: usize,
    ) -> Result<Vec<BlockHeader>, StoreError> {
        self.range(Column::Blocks, &keys::blknum(first), None, limit, |key, value| {
            let (header, _) = records::decode_block(keys::read_blknum(key)?, value)?;
            Ok(header)
        })
    }

    /// Proof that a transaction is in its block; `None` when there is no such block or transaction. Reads the 256 transactions
    /// around it, not the whole block.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn inclusion_proof(&self, at: TxPos) -> Result<Option<InclusionProof>, StoreError> {
        let (txindex, subtree_roots) = if at.blknum.is_deposit() {
            let leaves = self.leaves(at.blknum, 0)?;
            (
                at.txindex.get(),
                MerkleBuilder::from_leaves(leaves)
                    .map_or_else(|_| Vec::new(), |tree| tree.subtree_roots()),
            )
        } else {
            let Some((_, roots)) = self.block_record(at.blknum)? else {
                return Ok(None);
            };
            (at.txindex.get(), roots)
        };
        let first = txindex - txindex % SUBTREE_LEAVES;
        let leaves = self.leaves(at.blknum, first)?;
        Ok(InclusionProof::from_subtree(txindex, &leaves, &subtree_roots))
    }

    fn leaves(&self, blknum: Blknum, first: u32) -> Result<Vec<H256>, StoreError> {
        let transactions = self.transactions(blknum, first, SUBTREE_LEAVES)?;
        let leaf = |(bytes, txindex): (Box<[u8]>, u32)| {
            let at = TxPos { blknum, txindex: TxIndex::new(txindex) };
            let broken = |_| {
                StoreError::corrupted(
                    Column::Transactions,
                    &keys::tx_pos(at),
                    "transaction that does not decode",
                )
            };
            SignedTx::decode(&bytes).map(|tx| tx.leaf()).map_err(broken)
        };
        transactions.into_iter().zip(first..).map(leaf).collect()
    }

    fn block_record(&self, number: Blknum) -> Result<Option<(BlockHeader, Vec<H256>)>, StoreError> {
        self.decoded(Column::Blocks, &keys::blknum(number), |value| {
            records::decode_block(number, value)
        })
    }
}

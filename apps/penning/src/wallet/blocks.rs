//! Blocks of the operator, believed only as far as the root chain vouches for them.
//!
//! Everything here is checked against the Merkle root on the root chain, so a lying operator can withhold a block, but not change it.

use super::session::Session;
use crate::failure::Failure;
use anyhow::{Context, Result};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::{
    Blknum, Block, BlockHash, EthHeight, InclusionProof, MerkleBuilder, SignedTx, Transaction,
    TxHash, TxIndex, UtxoPos, merkle::leaf_hash,
};
use plasma_eth::{ChildBlock, RootChain, StartStandardExit};
use plasma_rpc::child_chain::{BLOCK_GET, BlockGetParams};

/// A block whose transactions are those of its root.
#[derive(Clone, Debug)]
pub(super) struct VerifiedBlock {
    pub(super) root: BlockHash,
    transactions: Vec<SignedTx>,
}

impl VerifiedBlock {
    /// Compares a block with its root on the root chain.
    pub(super) fn new(block: &Block, root: BlockHash) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::new(
                "operator:wrong_block",
                format!(
                    "block {} of the operator is not the one on the root chain: {why}",
                    block.number
                ),
            )
            .next("ask the watcher with status.get what it sees; the chain may be unsafe")
        };
        let transactions = block.transactions.iter().map(|bytes| SignedTx::decode(bytes));
        let transactions: Vec<SignedTx> =
            transactions.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
        let leaves = transactions.iter().map(SignedTx::leaf);
        let tree = MerkleBuilder::from_leaves(leaves).map_err(|_| wrong("too long".to_owned()))?;
        if tree.root() != root {
            return Err(wrong("its Merkle root differs".to_owned()));
        }
        Ok(Self { root, transactions })
    }

    /// The transaction at this index.
    pub(super) fn transaction(&self, index: TxIndex) -> Option<&SignedTx> {
        self.transactions.get(usize::try_from(index.get()).ok()?)
    }

    /// All transactions, in order.
    pub(super) fn transactions(&self) -> &[SignedTx] {
        &self.transactions
    }

    /// Where a transaction is.
    pub(super) fn find(&self, txhash: TxHash) -> Option<TxIndex> {
        let index = self.transactions.iter().position(|tx| tx.hash() == txhash)?;
        u32::try_from(index).ok().map(TxIndex::new)
    }

    /// What it takes to exit an output, spent or not.
    pub(super) fn exit_of(&self, position: UtxoPos) -> Option<StartStandardExit> {
        let tx = self.transaction(position.txindex)?;
        tx.transaction().outputs().get(usize::from(position.oindex.get()))?;
        let leaves: Vec<_> = self.transactions.iter().map(SignedTx::leaf).collect();
        Some(StartStandardExit {
            position,
            output_tx: tx.unsigned_bytes(),
            inclusion_proof: InclusionProof::from_leaves(position.txindex.get(), &leaves)?,
        })
    }
}

/// What it takes to exit a deposit, spent or not: it is the only transaction of its block.
pub(super) fn exit_of_deposit(
    position: UtxoPos,
    deposit: &Transaction,
) -> Option<StartStandardExit> {
    let output_tx = deposit.encode_unsigned();
    let inclusion_proof = InclusionProof::from_leaves(0, &[leaf_hash(&output_tx)])?;
    Some(StartStandardExit { position, output_tx, inclusion_proof })
}

impl Session {
    /// Root and time of a block on the root chain.
    pub(super) async fn child_block(&self, blknum: Blknum) -> Result<Option<ChildBlock>> {
        Ok(self.reader.child_block(blknum).await?)
    }

    /// A block of the operator that is on the root chain.
    pub(super) async fn verified_block(
        &self,
        blknum: Blknum,
        root: BlockHash,
    ) -> Result<VerifiedBlock> {
        let params = BlockGetParams { hash: root };
        let answer = self.child_chain.call(&BLOCK_GET, &params).await;
        let answer =
            answer.with_context(|| format!("block {blknum} cannot be had from the operator"))?;
        Ok(VerifiedBlock::new(&answer.0, root)?)
    }

    /// What it takes to exit an output without asking the watcher, who refuses spent ones.
    pub(super) async fn exit_without_watcher(
        &self,
        position: UtxoPos,
    ) -> Result<StartStandardExit> {
        let missing = || {
            Failure::new(
                "exit:no_such_output",
                format!("there is no output {position} on the root chain"),
            )
        };
        let on_root_chain = self.child_block(position.blknum).await?.ok_or_else(missing)?;
        let exit = if position.blknum.is_deposit() {
            let deposit = self.find_deposit(position.blknum, on_root_chain).await?;
            exit_of_deposit(position, &deposit.ok_or_else(missing)?)
        } else {
            self.verified_block(position.blknum, on_root_chain.root).await?.exit_of(position)
        };
        Ok(exit.ok_or_else(missing)?)
    }

    async fn find_deposit(&self, blknum: Blknum, at: ChildBlock) -> Result<Option<Transaction>> {
        let (first, last) = self.heights_at(at.timestamp_s).await?;
        let events = self.reader.events(&[EventKind::DepositCreated], first, last).await?;
        Ok(events.into_iter().find_map(|event| match event.event {
            RootChainEvent::DepositCreated { depositor, blknum: found, currency, amount }
                if found == blknum =>
            {
                Some(Transaction::deposit(depositor, currency, amount))
            }
            _ => None,
        }))
    }

    /// First and last root chain block of this time: child blocks are kept with the time of theirs. Some chains make several blocks
    /// in a second. Empty (the first behind the last) when there is none.
    pub(super) async fn heights_at(&self, timestamp_s: u64) -> Result<(EthHeight, EthHeight)> {
        let newest = self.root_chain.newest_block().await?.eth_height;
        let deployed_at = self.network.deployment.eth_height;
        let first = self.first_since(timestamp_s, deployed_at, newest).await?;
        let behind = self.first_since(timestamp_s.saturating_add(1), first, newest).await?;
        Ok((first, behind.minus(1)))
    }

    /// The first block of this time or later, by bisection; the one behind the newest when there is none.
    async fn first_since(
        &self,
        timestamp_s: u64,
        low: EthHeight,
        newest: EthHeight,
    ) -> Result<EthHeight> {
        let (mut low, mut high) = (low.get(), newest.plus(1).get());
        while low < high {
            let middle = low.midpoint(high);
            match self.root_chain.block(EthHeight::new(middle)).await? {
                Some(block) if block.timestamp_s < timestamp_s => low = middle.saturating_add(1),
                _ => high = middle,
            }
        }
        Ok(EthHeight::new(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Address, ETH, OutputIndex, U256};

    fn block() -> (Block, BlockHash) {
        let claims = (1_u64..=3).map(|amount| {
            Transaction::fee_claim(Blknum::new(amount), Address::repeat_byte(1), ETH, amount.into())
        });
        let transactions: Vec<Box<[u8]>> = claims.map(|tx| tx.encode_signed(&[]).into()).collect();
        let leaves = transactions.iter().map(|tx| SignedTx::decode(tx).unwrap().leaf());
        let root = MerkleBuilder::from_leaves(leaves).unwrap().root();
        (Block { number: Blknum::new(1000), hash: root, transactions }, root)
    }

    #[test]
    fn a_block_is_believed_only_under_its_own_root() {
        let (block, root) = block();
        let verified = VerifiedBlock::new(&block, root).unwrap();
        let second = verified.transaction(TxIndex::new(1)).unwrap();
        assert_eq!(verified.find(second.hash()), Some(TxIndex::new(1)));
        assert_eq!(verified.find(TxHash::zero()), None);
        assert!(VerifiedBlock::new(&block, BlockHash::zero()).is_err());
        let mut shorter = block.clone();
        shorter.transactions.pop();
        assert!(VerifiedBlock::new(&shorter, root).is_err());
        let mut odd = block;
        odd.transactions[0] = vec![1, 2].into();
        assert!(VerifiedBlock::new(&odd, root).is_err());
    }

    #[test]
    fn any_output_of_a_block_can_be_proven() {
        let (block, root) = block();
        let verified = VerifiedBlock::new(&block, root).unwrap();
        let at = |txindex, oindex| {
            UtxoPos::new(Blknum::new(1000), TxIndex::new(txindex), OutputIndex::new(oindex))
        };
        let exit = verified.exit_of(at(2, 0)).unwrap();
        assert!(exit.inclusion_proof.verify(leaf_hash(&exit.output_tx), 2, root));
        assert!(verified.exit_of(at(2, 1)).is_none());
        assert!(verified.exit_of(at(3, 0)).is_none());
    }

    #[test]
    fn a_deposit_is_proven_alone_in_its_block() {
        let deposit = Transaction::deposit(Address::repeat_byte(1), ETH, U256::one());
        let position = UtxoPos::deposit(Blknum::new(1));
        let exit = exit_of_deposit(position, &deposit).unwrap();
        let leaf = leaf_hash(&exit.output_tx);
        let root = MerkleBuilder::from_leaves([leaf]).unwrap().root();
        assert!(exit.inclusion_proof.verify(leaf, 0, root));
    }
}

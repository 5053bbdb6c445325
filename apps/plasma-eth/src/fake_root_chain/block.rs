//! A root chain block while it is filled.

use super::World;
use super::chain::{AuthorityTx, MinedBlock};
use crate::{ChildBlock, GasFees};
use plasma_core::root_chain::{EthEvent, InFlightExitStart, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, ExitId, H256, MerkleBuilder, SignedTx, Transaction, U256,
    UtxoPos, ids, merkle::leaf_hash,
};

/// A root chain block while it is filled: every call adds a transaction, which is executed at once.
#[derive(Debug)]
pub struct FakeBlock<'a> {
    world: &'a mut World,
    mined: MinedBlock,
}

impl<'a> FakeBlock<'a> {
    pub(super) fn new(world: &'a mut World, timestamp_s: Option<u64>) -> Self {
        let mined = world.chain.next(timestamp_s);
        Self { world, mined }
    }

    /// The block becomes the newest one.
    pub(super) fn close(self) {
        self.world.pool.forget_mined(self.mined.after.authority_nonce);
        self.world.forget_mined_calls(&self.mined);
        self.world.chain.push(self.mined);
    }

    /// Its time, in seconds since 1970.
    pub const fn timestamp_s(&self) -> u64 {
        self.mined.block.timestamp_s
    }

    /// Somebody deposits, and gets the next number between two blocks of the operator (protocol 2.2).
    ///
    /// # Panics
    /// When the contracts refuse it: an amount of zero, or no number is left
    /// ([`deposits_left`](super::FakeRootChain::deposits_left)).
    pub fn deposit(&mut self, owner: Address, currency: Currency, amount: U256) -> Blknum {
        assert!(!amount.is_zero(), "the vaults refuse a deposit of nothing");
        assert!(
            self.mined.after.deposits_left() > 0,
            "the framework takes no more deposits before the operator's next block"
        );
        let blknum = self.mined.after.deposit_blknum();
        self.mined.after.next_deposit = self.mined.after.next_deposit.saturating_add(1);
        let tx = Transaction::deposit(owner, currency, amount).encode_unsigned();
        let root = MerkleBuilder::from_leaves([leaf_hash(&tx)]).unwrap_or_default().root();
        self.store(blknum, root);
        self.emit(RootChainEvent::DepositCreated { depositor: owner, blknum, currency, amount });
        blknum
    }

    /// Somebody starts an exit of an output. Nothing of it is checked; it can be finalized as late as the contract would say.
    ///
    /// # Panics
    /// When the output index has no room in an exit id.
    pub fn exit_started(&mut self, owner: Address, position: UtxoPos, output_tx: &[u8]) -> ExitId {
        let exit_id = ExitId::standard(output_tx, position);
        assert!(exit_id.is_some(), "the exit game refuses output {position}");
        let exit_id = exit_id.unwrap_or(ExitId::from_bytes([0; 20]));
        let included_at_s = self.child_block(position.blknum).map(|block| block.timestamp_s);
        let exitable_at_s = ids::exitable_at_s(
            self.timestamp_s(),
            included_at_s.unwrap_or_default(),
            self.world.facts.min_exit_period_s,
            position.blknum.is_deposit(),
        );
        let output_tx = output_tx.into();
        self.emit(RootChainEvent::ExitStarted {
            owner,
            exit_id,
            position,
            output_tx,
            exitable_at_s,
        });
        exit_id
    }

    /// Somebody challenges the exit of an output.
    pub fn exit_challenged(&mut self, position: UtxoPos) {
        self.emit(RootChainEvent::ExitChallenged { position });
    }

    /// An exit is paid.
    pub fn exit_finalized(&mut self, exit_id: ExitId) {
        self.emit(RootChainEvent::ExitFinalized { exit_id });
    }

    /// An exit leaves the queue unpaid.
    pub fn exit_omitted(&mut self, exit_id: ExitId) {
        self.emit(RootChainEvent::ExitOmitted { exit_id });
    }

    /// Somebody starts an in-flight exit of a transaction, `input_txs` being the unsigned bytes of what made its inputs. Nothing of
    /// it is checked.
    pub fn in_flight_exit_started(
        &mut self,
        initiator: Address,
        tx: &SignedTx,
        input_txs: &[Vec<u8>],
    ) -> ExitId {
        let tx_bytes = tx.unsigned_bytes();
        let exit_id = ExitId::in_flight(&tx_bytes);
        let witnesses = tx.signatures().map(|signature| signature.as_bytes().as_slice().into());
        self.emit(RootChainEvent::InFlightExitStarted(Box::new(InFlightExitStart {
            exit_id,
            tx_hash: tx.hash(),
            initiator,
            started_at_s: self.timestamp_s(),
            tx_bytes: tx_bytes.into(),
            input_positions: tx.transaction().spent_positions().collect(),
            witnesses: witnesses.collect(),
            input_txs: input_txs.iter().map(|bytes| bytes.as_slice().into()).collect(),
        })));
        exit_id
    }

    /// The owner of an input or an output joins the exit of a transaction. Nothing of it is checked; it can be paid as late as the
    /// contract would say of the first piggyback of its currency.
    pub fn in_flight_piggybacked(
        &mut self,
        tx: &SignedTx,
        slot: PiggybackSlot,
        exit_target: Address,
    ) -> ExitId {
        let exit_id = ExitId::in_flight(&tx.unsigned_bytes());
        let youngest = tx
            .transaction()
            .spent_positions()
            .max()
            .and_then(|input| self.child_block(input.blknum));
        let exitable_at_s = ids::exitable_at_s(
            self.timestamp_s(),
            youngest.map_or(0, |block| block.timestamp_s),
            self.world.facts.min_exit_period_s,
            false,
        );
        self.emit(RootChainEvent::InFlightExitPiggybacked {
            exit_id,
            tx_hash: tx.hash(),
            slot,
            exit_target,
            exitable_at_s,
        });
        exit_id
    }

    /// Any other event, which changes nothing but what is reported: nothing of it is checked. Returns the transaction it is from.
    pub fn event(&mut self, event: RootChainEvent) -> H256 {
        let txhash = self.world.chain.fresh_hash();
        self.emit_from(txhash, event);
        txhash
    }

    /// Whatever the pool holds that is next in line and can pay for this block, also while the pool is held.
    pub fn submissions(&mut self) {
        let base_fee = self.world.base_fee_per_gas_wei;
        while let Some(tx) = self.world.pool.take(self.mined.after.authority_nonce, base_fee) {
            self.execute(tx);
        }
        self.world.mine_calls(&mut self.mined);
    }

    /// A Sentinel's key is used for something else; see [`FakeSentinelChain::spend_nonce`](super::FakeSentinelChain::spend_nonce).
    pub fn spend_nonce_of(&mut self, account: Address) {
        self.mined.spend_nonce(account, U256::zero());
    }

    /// The operator submits any root, with its next nonce and past its node's queue. What waits in the pool with that nonce never
    /// will be mined.
    pub fn raw_root(&mut self, root: BlockHash) -> Blknum {
        let blknum = self.mined.after.next_child_block;
        self.execute_now(Some(root));
        blknum
    }

    /// The authority sends something else than a block. From here on its nonces no longer follow from block numbers.
    pub fn spend_authority_nonce(&mut self) {
        self.execute_now(None);
    }

    fn execute_now(&mut self, root: Option<BlockHash>) {
        let any_price = GasFees { max_fee_per_gas_wei: u128::MAX, max_priority_fee_per_gas_wei: 0 };
        let txhash = self.world.chain.fresh_hash();
        let nonce = self.mined.after.authority_nonce;
        self.execute(AuthorityTx { nonce, root, fees: any_price, txhash });
    }

    fn execute(&mut self, tx: AuthorityTx) {
        self.mined.after.authority_nonce = tx.nonce.saturating_add(1);
        self.mined.authority_txs.push(tx);
        let Some(root) = tx.root else { return };
        let blknum = self.mined.after.next_child_block;
        self.mined.after.next_child_block = blknum.next_child_block().unwrap_or(blknum);
        self.mined.after.next_deposit = 1;
        self.store(blknum, root);
        self.emit_from(tx.txhash, RootChainEvent::BlockSubmitted { blknum });
    }

    fn store(&mut self, blknum: Blknum, root: BlockHash) {
        let timestamp_s = self.timestamp_s();
        self.mined.child_blocks.push((blknum, ChildBlock { root, timestamp_s }));
    }

    fn child_block(&self, blknum: Blknum) -> Option<ChildBlock> {
        let here = self.mined.child_blocks.iter().find(|(found, _)| *found == blknum);
        here.map(|(_, block)| *block)
            .or_else(|| self.world.chain.child_block(blknum, self.mined.block.eth_height))
    }

    fn emit(&mut self, event: RootChainEvent) {
        self.event(event);
    }

    fn emit_from(&mut self, root_chain_txhash: H256, event: RootChainEvent) {
        self.mined.events.push(EthEvent {
            eth_height: self.mined.block.eth_height,
            eth_block_hash: self.mined.block.hash,
            root_chain_txhash,
            log_index: u32::try_from(self.mined.events.len()).unwrap_or(u32::MAX),
            event,
        });
    }
}

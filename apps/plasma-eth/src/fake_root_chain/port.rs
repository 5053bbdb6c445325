//! The port over the chain in memory: each call takes the lock once, and nothing waits while it is held.

use super::chain::AuthorityTx;
use super::pool::Terms;
use super::{FakeRootChain, World};
use crate::{
    ChildBlock, ContractFacts, EthBlock, FeeQuote, GasFees, RootChain, RootChainCause,
    RootChainError, SubmissionState, SubmitOutcome,
};
use async_trait::async_trait;
use plasma_core::root_chain::{EthEvent, EventKind};
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::{Address, Blknum, BlockHash, EthHeight};
use std::sync::MutexGuard;

impl FakeRootChain {
    /// The chain, and how many blocks the node that answers is behind.
    pub(super) fn call(
        &self,
        method: &'static str,
    ) -> Result<(MutexGuard<'_, World>, u64), RootChainError> {
        let mut world = self.lock();
        match world.faults.on_call() {
            Ok(behind) => Ok((world, behind)),
            Err(cause) => Err(cause.during(method, "")),
        }
    }
}

#[async_trait]
impl RootChain for FakeRootChain {
    async fn eth_height(&self) -> Result<EthHeight, RootChainError> {
        let (world, behind) = self.call("eth_blockNumber")?;
        Ok(world.chain.head(behind).block.eth_height)
    }

    async fn syncing(&self) -> Result<bool, RootChainError> {
        let (world, _) = self.call("eth_syncing")?;
        Ok(world.syncing)
    }

    async fn block(&self, height: EthHeight) -> Result<Option<EthBlock>, RootChainError> {
        let (world, behind) = self.call("eth_getBlockByNumber")?;
        let newest = world.chain.head(behind).block.eth_height;
        let block = world.chain.block(height).filter(|_| height <= newest);
        Ok(block.map(|mined| mined.block))
    }

    async fn events(
        &self,
        kinds: &[EventKind],
        from: EthHeight,
        to: EthHeight,
    ) -> Result<Vec<EthEvent>, RootChainError> {
        let method = "eth_getLogs";
        if from > to || kinds.is_empty() {
            return Ok(Vec::new());
        }
        let (world, behind) = self.call(method)?;
        let newest = world.chain.head(behind).block.eth_height;
        if to > newest {
            let cause = RootChainCause::BeyondHead { wanted: to, newest };
            return Err(cause.during(method, format!("blocks {from} to {to}")));
        }
        let times = if world.faults.events_twice { 2 } else { 1 };
        let events = (from.get()..=to.get())
            .filter_map(|height| world.chain.block(EthHeight::new(height)))
            .flat_map(|mined| &mined.events)
            .filter(|event| kinds.contains(&event.event.kind()))
            .flat_map(|event| std::iter::repeat_n(event, times))
            .cloned()
            .collect();
        Ok(events)
    }

    async fn contract_facts(&self) -> Result<ContractFacts, RootChainError> {
        let (world, _) = self.call("contract_facts")?;
        Ok(world.facts.clone())
    }

    async fn submission_state(&self) -> Result<SubmissionState, RootChainError> {
        let (world, behind) = self.call("nextChildBlock")?;
        let head = world.chain.head(behind);
        // Pools are shared among the nodes of a cluster, and know the newest block of all.
        let pending_nonce = world.pool.next_nonce(world.chain.head(0).after.authority_nonce);
        Ok(SubmissionState {
            eth_height: head.block.eth_height,
            mined_blknum: head.after.next_child_block.previous_child_block(),
            authority_nonce: head.after.authority_nonce,
            pending_nonce,
        })
    }

    async fn child_block(&self, blknum: Blknum) -> Result<Option<ChildBlock>, RootChainError> {
        let (world, behind) = self.call("blocks")?;
        let at = world.chain.head(behind).block.eth_height;
        Ok(world.chain.child_block(blknum, at))
    }

    async fn fee_quote(&self) -> Result<FeeQuote, RootChainError> {
        let (world, _) = self.call("eth_feeHistory")?;
        Ok(FeeQuote {
            base_fee_per_gas_wei: world.base_fee_per_gas_wei,
            priority_fee_per_gas_wei: world.priority_fee_per_gas_wei,
        })
    }

    async fn submit_block(
        &self,
        root: BlockHash,
        nonce: u64,
        fees: GasFees,
    ) -> Result<SubmitOutcome, RootChainError> {
        let method = "submitBlock";
        let context = || format!("root {root:?}, nonce {nonce}");
        let (mut world, _) = self.call(method)?;
        let authority = world.facts.authority;
        if self.key_of != Some(authority) {
            let key = self.key_of.unwrap_or(Address::zero());
            return Err(RootChainCause::NotAuthority { key, authority }.during(method, context()));
        }
        let outcome = world.submit(root, nonce, fees);
        world.faults.submissions.loses_answer(method, context)?;
        Ok(outcome)
    }
}

impl World {
    fn submit(&mut self, root: BlockHash, nonce: u64, fees: GasFees) -> SubmitOutcome {
        if let Some(outcome) = self.faults.submissions.outcomes.pop_front() {
            return outcome;
        }
        // The same arguments make the same transaction, as signing does.
        let txhash = keccak256_concat(&[
            b"fake submission",
            root.as_bytes(),
            &nonce.to_be_bytes(),
            &fees.max_fee_per_gas_wei.to_be_bytes(),
            &fees.max_priority_fee_per_gas_wei.to_be_bytes(),
        ]);
        let terms = Terms {
            rules: self.pool_rules,
            nonce: self.chain.head(0).after.authority_nonce,
            base_fee_per_gas_wei: self.base_fee_per_gas_wei,
            balance_wei: self.authority_balance_wei,
        };
        let tx = AuthorityTx { nonce, root: Some(root), fees, txhash };
        let outcome = self.pool.add(tx, terms);
        self.automine_after(&outcome);
        outcome
    }

    /// Mines what was just accepted, if the test wants that.
    pub(super) fn automine_after(&mut self, outcome: &SubmitOutcome) {
        if self.automine && !self.pool_held && matches!(outcome, SubmitOutcome::Accepted { .. }) {
            self.mine(None);
        }
    }
}

//! The Sentinel's port over the chain in memory: each call takes the lock once, and nothing waits while it is held.

use super::{FakeSentinelChain, SentinelTx, hash};
use crate::{
    AccountState, FeeQuote, InFlightExitRecord, RootChainCause, RootChainError, SentinelChain,
    StandardExitRecord, SubmitOutcome,
};
use async_trait::async_trait;
use plasma_core::sentinel::{Call, Checked, RootChainFacts, Transaction};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::{Address, ExitId, H256};

#[async_trait]
impl SentinelChain for FakeSentinelChain {
    fn address(&self) -> Address {
        self.address
    }

    async fn account(&self) -> Result<AccountState, RootChainError> {
        let (world, behind) = self.chain.call("eth_getTransactionCount")?;
        let head = world.chain.head(behind);
        Ok(AccountState { block: head.block, nonce: head.account(self.address).nonce })
    }

    async fn facts(
        &self,
        account: &AccountState,
        receipts_needed: &[H256],
    ) -> Result<RootChainFacts, RootChainError> {
        let method = "eth_getBlockByNumber";
        let AccountState { block, nonce } = *account;
        let (world, behind) = self.chain.call(method)?;
        let newest = world.chain.head(behind).block.eth_height;
        let there = world.chain.block(block.eth_height).filter(|_| block.eth_height <= newest);
        let Some(there) = there.filter(|there| there.block.hash == block.hash) else {
            let context = format!("block {}", block.eth_height);
            return Err(RootChainCause::HistoryChanged.during(method, context));
        };
        let mined = world.chain.up_to(block.eth_height).flat_map(|b| b.calls_of(self.address));
        let needed = mined.filter(|call| receipts_needed.contains(&call.txhash));
        let newest_nonce = world.chain.head(0).account(self.address).nonce;
        let wallet = world.wallets.get(&self.address);
        let paid_wei = there.account(self.address).paid_wei;
        Ok(RootChainFacts {
            eth_height: block.eth_height,
            eth_time_s: block.timestamp_s,
            account_nonce: nonce,
            pending_nonce: wallet
                .map_or(newest_nonce, |wallet| wallet.pool.next_nonce(newest_nonce))
                .max(nonce),
            balance_wei: wallet
                .map(|wallet| wallet.funds_wei.saturating_sub(paid_wei))
                .unwrap_or_default(),
            quote: FeeQuote {
                base_fee_per_gas_wei: world.base_fee_per_gas_wei,
                priority_fee_per_gas_wei: world.priority_fee_per_gas_wei,
            },
            receipts: needed.map(|call| (call.txhash, call.receipt)).collect(),
        })
    }

    async fn check(&self, call: &Call) -> Result<Checked, RootChainError> {
        let (world, _) = self.chain.call("eth_estimateGas")?;
        Ok(world.script.check(call))
    }

    async fn send(
        &self,
        transaction: &Transaction,
    ) -> (H256, Result<SubmitOutcome, RootChainError>) {
        let method = "eth_sendRawTransaction";
        let txhash = hash(self.address, transaction);
        let mut world = match self.chain.call(method) {
            Ok((world, _)) => world,
            Err(error) => return (txhash, Err(error)),
        };
        let tx = SentinelTx { transaction: transaction.clone(), txhash };
        let outcome = world.send(self.address, tx);
        let lost = world
            .wallet(self.address)
            .faults
            .loses_answer(method, || format!("{txhash:?}, nonce {}", transaction.nonce));
        (txhash, lost.map(|()| outcome))
    }

    async fn standard_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<StandardExitRecord>>, RootChainError> {
        let (world, _) = self.chain.call("standardExits")?;
        let records = &world.script.standard_exits;
        Ok(exit_ids.iter().map(|exit_id| records.get(exit_id).copied()).collect())
    }

    async fn in_flight_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<InFlightExitRecord>>, RootChainError> {
        let (world, _) = self.chain.call("inFlightExits")?;
        let records = &world.script.in_flight_exits;
        Ok(exit_ids.iter().map(|exit_id| records.get(exit_id).cloned()).collect())
    }

    async fn next_exits(
        &self,
        queues: &[(u64, Address)],
    ) -> Result<Vec<Option<ExitPriority>>, RootChainError> {
        let (world, _) = self.chain.call("getNextExit")?;
        Ok(queues.iter().map(|queue| world.script.next_exits.get(queue).copied()).collect())
    }
}

//! Powers over a development node (anvil): money, time, mining, history.
//!
//! A real node refuses all of these as unknown methods.

use crate::rpc::Rpc;
use crate::{EthConfig, RootChainCause, RootChainError};
use plasma_core::wire::{Address, H256, U256};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// Control of a development node.
#[derive(Debug)]
pub struct DevChain {
    rpc: Rpc,
}

/// A moment a development node can go back to, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot(U256);

impl DevChain {
    /// Prepares to talk to a node; makes no call yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(config: &EthConfig) -> Result<Self, RootChainError> {
        Ok(Self { rpc: Rpc::new(config)? })
    }

    /// Gives an account exactly so many wei.
    pub async fn set_balance(
        &self,
        account: Address,
        balance_wei: U256,
    ) -> Result<(), RootChainError> {
        self.tell("anvil_setBalance", json!([account, balance_wei])).await
    }

    /// Puts code at an address: makes an account a contract.
    pub async fn set_code(&self, account: Address, code: &[u8]) -> Result<(), RootChainError> {
        let code = const_hex::encode_prefixed(code);
        self.tell("anvil_setCode", json!([account, code])).await
    }

    /// Moves the clock on and mines a block, whose time is that much later.
    pub async fn advance_time(&self, seconds: u64) -> Result<(), RootChainError> {
        self.tell("evm_increaseTime", json!([U256::from(seconds)])).await?;
        self.mine(1).await
    }

    /// Mines blocks now, one second apart.
    pub async fn mine(&self, eth_blocks: u64) -> Result<(), RootChainError> {
        let params = json!([U256::from(eth_blocks), U256::one()]);
        self.tell("anvil_mine", params).await
    }

    /// Whether each transaction gets a block of its own at once. Otherwise they wait in the pool.
    pub async fn set_automine(&self, automine: bool) -> Result<(), RootChainError> {
        self.tell("evm_setAutomine", json!([automine])).await
    }

    /// Mines a block every so many seconds; 0 stops that.
    pub async fn set_interval_mining(&self, seconds: u64) -> Result<(), RootChainError> {
        self.tell("evm_setIntervalMining", json!([seconds])).await
    }

    /// The base fee of the next block.
    pub async fn set_next_base_fee(
        &self,
        base_fee_per_gas_wei: u128,
    ) -> Result<(), RootChainError> {
        let params = json!([U256::from(base_fee_per_gas_wei)]);
        self.tell("anvil_setNextBlockBaseFeePerGas", params).await
    }

    /// Throws a transaction out of the pool.
    pub async fn drop_transaction(&self, txhash: H256) -> Result<(), RootChainError> {
        self.tell("anvil_dropTransaction", json!([txhash])).await
    }

    /// Remembers this moment.
    pub async fn snapshot(&self) -> Result<Snapshot, RootChainError> {
        let id = self.rpc.call("evm_snapshot", String::new, json!([])).await;
        id.map(Snapshot)
    }

    /// Goes back to a moment, which is used up by that, and forgets everything since.
    ///
    /// # Errors
    /// Also when there is no such moment any more.
    pub async fn revert(&self, snapshot: Snapshot) -> Result<(), RootChainError> {
        let (method, context) = ("evm_revert", || format!("snapshot {}", snapshot.0));
        let found: bool = self.rpc.call(method, context, json!([snapshot.0])).await?;
        if found {
            return Ok(());
        }
        let cause = RootChainCause::Invalid("there is no such snapshot".to_owned());
        Err(RootChainError::new(method, context(), cause))
    }

    /// Replaces the newest `depth` blocks by as many empty ones with other hashes. Their transactions are gone.
    pub async fn reorg(&self, depth: u64) -> Result<(), RootChainError> {
        self.tell("anvil_reorg", json!([depth, []])).await
    }

    /// Removes the newest `depth` blocks: the chain is shorter then.
    pub async fn rollback(&self, depth: u64) -> Result<(), RootChainError> {
        self.tell("anvil_rollback", json!([depth])).await
    }

    /// Back to the first block, with nothing deployed.
    pub async fn reset(&self) -> Result<(), RootChainError> {
        self.tell("anvil_reset", json!([])).await
    }

    async fn tell(&self, method: &'static str, params: Value) -> Result<(), RootChainError> {
        let context = || params.to_string();
        let _: IgnoredAny = self.rpc.call(method, context, &params).await?;
        Ok(())
    }
}

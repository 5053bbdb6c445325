//! [`SentinelChain`] by a real node and a local key.
//!
//! It must never hand the key to a node, or sign anything with value. What a transaction is, down to its hash, follows from the
//! address file and the key alone, without a word of the node; nothing is handed over before the node's framework has confirmed
//! that file. It holds no state but what never changes.

use crate::client::{exit_ids_argument, next_exit, read_exit_records, read_in_flight_records};
use crate::contracts::calls::call_data;
use crate::contracts::{Contract, Fields};
use crate::deployed::{Deployed, Parts};
use crate::error::printable;
use crate::node::{At, Call as NodeCall, Node};
use crate::rpc::answers::{u64_of, u128_of};
use crate::tx::{Draft, Signed};
use crate::{
    AccountState, ContractAddresses, Deployment, EthConfig, InFlightExitRecord, RootChainCause,
    RootChainError, SentinelChain, StandardExitRecord, SubmitOutcome,
};
use async_trait::async_trait;
use ethers::types::TransactionReceipt;
use futures::future::try_join_all;
use plasma_core::sentinel::{Call, Checked, Receipt, RootChainFacts, Transaction};
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::{Address, EthHeight, ExitId, H256, SecretKey, U256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records of exits that are read with one request; more take several. A record of an in-flight exit takes up to 80,000 of the gas
/// that nodes allow, which is 50 million at geth.
const EXIT_RECORDS_MAX: usize = 256;

/// The root chain as a node tells it to a Sentinel.
#[derive(Debug)]
pub struct EthersSentinelChain {
    deployed: Deployed,
    /// From the address file.
    addresses: ContractAddresses,
    key: SecretKey,
}

/// A receipt, and the block that holds it.
type Found = (H256, (Receipt, H256));

impl EthersSentinelChain {
    /// Prepares to talk to a node; makes no call yet. The key should hold some ether for gas and be used for nothing else.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(
        config: EthConfig,
        deployment: &Deployment,
        key: SecretKey,
    ) -> Result<Self, RootChainError> {
        let addresses = deployment.addresses;
        let framework = addresses.plasma_framework;
        let deployed = Deployed::new(Arc::new(Node::new(config)?), framework, deployment.chain_id);
        Ok(Self { deployed, addresses, key })
    }

    /// Makes sure, once, that the node follows the right chain with the contracts of the address file on it.
    async fn parts(&self) -> Result<&Parts, RootChainError> {
        let parts = self.deployed.parts().await?;
        let (of_file, on_chain) =
            (self.addresses.payment_exit_game, parts.addresses.payment_exit_game);
        if of_file == on_chain {
            return Ok(parts);
        }
        let cause = RootChainCause::Invalid(format!(
            "the address file has exit game {of_file:?}, the framework has {on_chain:?}"
        ));
        Err(cause.during("exitGames", ""))
    }

    /// Where a call goes, and its bytes.
    fn target(&self, call: Option<&Call>) -> (Address, Vec<u8>) {
        let Some(call) = call else {
            return (self.key.address(), Vec::new());
        };
        let (contract, data) = call_data(call, self.key.address());
        match contract {
            Contract::PlasmaFramework => (self.addresses.plasma_framework, data),
            _ => (self.addresses.payment_exit_game, data),
        }
    }

    fn sign(&self, transaction: &Transaction) -> Signed {
        let (to, data) = self.target(transaction.call.as_ref());
        let draft = Draft {
            chain_id: self.deployed.chain_id(),
            nonce: transaction.nonce,
            to: Some(to),
            value_wei: U256::zero(),
            data,
            gas_limit: transaction.gas_limit,
            fees: transaction.fees,
        };
        draft.sign(&self.key)
    }

    async fn receipt(&self, txhash: H256) -> Result<Option<Found>, RootChainError> {
        let Some(receipt) = self.deployed.node.receipt(txhash).await? else {
            return Ok(None);
        };
        read_receipt(txhash, &receipt)
            .map(|found| Some((txhash, found)))
            .map_err(|cause| cause.during("eth_getTransactionReceipt", format!("{txhash:?}")))
    }

    /// The exit game's records of these exits as of the newest block.
    async fn records<T>(
        &self,
        function: &'static str,
        exit_ids: &[ExitId],
        read: fn(&mut Fields, usize) -> Result<Vec<T>, RootChainCause>,
    ) -> Result<Vec<T>, RootChainError> {
        let game = (Contract::PaymentExitGame, self.parts().await?.addresses.payment_exit_game);
        let node = &self.deployed.node;
        let at = At::Block(node.newest_block().await?.hash);
        let mut records = Vec::with_capacity(exit_ids.len());
        for some in exit_ids.chunks(EXIT_RECORDS_MAX) {
            let mut fields = node.read(game, function, &[exit_ids_argument(some)], at).await?;
            let read = read(&mut fields, some.len());
            records.extend(read.map_err(|cause| cause.during(function, ""))?);
        }
        Ok(records)
    }

    /// Fails unless each of these blocks is the one at its height.
    async fn require_canonical(
        &self,
        blocks: BTreeSet<(EthHeight, H256)>,
    ) -> Result<(), RootChainError> {
        let node = &self.deployed.node;
        let looks = blocks.into_iter().map(async |(height, hash)| {
            let there = node.block(At::Height(height)).await?;
            if there.is_some_and(|there| there.hash == hash) {
                return Ok(());
            }
            let context = format!("block {height}");
            Err(RootChainCause::HistoryChanged.during("eth_getBlockByNumber", context))
        });
        try_join_all(looks).await.map(|_| ())
    }
}

#[async_trait]
impl SentinelChain for EthersSentinelChain {
    fn address(&self) -> Address {
        self.key.address()
    }

    async fn account(&self) -> Result<AccountState, RootChainError> {
        self.parts().await?;
        let node = &self.deployed.node;
        let block = node.newest_block().await?;
        let nonce = node.nonce(self.key.address(), At::Block(block.hash)).await?;
        Ok(AccountState { block, nonce })
    }

    async fn facts(
        &self,
        account: &AccountState,
        receipts_needed: &[H256],
    ) -> Result<RootChainFacts, RootChainError> {
        self.parts().await?;
        let (node, address) = (&self.deployed.node, self.key.address());
        let AccountState { block, nonce } = *account;
        let receipts = receipts_needed.iter().map(|txhash| self.receipt(*txhash));
        let (balance_wei, found) = tokio::try_join!(
            node.balance_wei(address, At::Block(block.hash)),
            try_join_all(receipts)
        )?;
        let mut found: BTreeMap<H256, (Receipt, H256)> = found.into_iter().flatten().collect();
        // What was mined since belongs to the next facts.
        found.retain(|_, (receipt, _)| receipt.eth_height <= block.eth_height);
        let (quote, pending_nonce) =
            tokio::try_join!(node.fee_quote(), node.nonce(address, At::Pending))?;
        // Last, so that all of the above was read while these were the chain.
        let mut blocks: BTreeSet<_> =
            found.values().map(|(receipt, hash)| (receipt.eth_height, *hash)).collect();
        blocks.insert((block.eth_height, block.hash));
        self.require_canonical(blocks).await?;
        Ok(RootChainFacts {
            eth_height: block.eth_height,
            eth_time_s: block.timestamp_s,
            account_nonce: nonce,
            // A node's pool may lag behind its chain for a moment.
            pending_nonce: pending_nonce.max(nonce),
            balance_wei,
            quote,
            receipts: found.into_iter().map(|(txhash, (receipt, _))| (txhash, receipt)).collect(),
        })
    }

    async fn check(&self, call: &Call) -> Result<Checked, RootChainError> {
        self.parts().await?;
        let (to, data) = self.target(Some(call));
        let from = Some(self.key.address());
        let tried = NodeCall { from, to: Some(to), value_wei: U256::zero(), data };
        let gas =
            self.deployed.node.estimate_gas_at(&tried, Some(At::Latest), || call.name().into());
        match gas.await {
            Ok(gas) => Ok(Checked::Passes { gas }),
            Err(error) => match error.revert() {
                Some(revert) => Ok(Checked::Reverts { reason: printable(&revert.to_string()) }),
                None => Err(error),
            },
        }
    }

    async fn send(
        &self,
        transaction: &Transaction,
    ) -> (H256, Result<SubmitOutcome, RootChainError>) {
        let signed = self.sign(transaction);
        let outcome = async {
            self.parts().await?;
            let context = || format!("{:?}, nonce {}", signed.txhash, transaction.nonce);
            self.deployed.node.send(&signed, context).await
        };
        (signed.txhash, outcome.await)
    }

    async fn standard_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<StandardExitRecord>>, RootChainError> {
        self.records("standardExits", exit_ids, read_exit_records).await
    }

    async fn in_flight_exits(
        &self,
        exit_ids: &[ExitId],
    ) -> Result<Vec<Option<InFlightExitRecord>>, RootChainError> {
        self.records("inFlightExits", exit_ids, read_in_flight_records).await
    }

    async fn next_exits(
        &self,
        queues: &[(u64, Address)],
    ) -> Result<Vec<Option<ExitPriority>>, RootChainError> {
        self.parts().await?;
        let at = At::Block(self.deployed.node.newest_block().await?.hash);
        try_join_all(queues.iter().map(|queue| next_exit(&self.deployed, *queue, at))).await
    }
}

fn read_receipt(
    txhash: H256,
    receipt: &TransactionReceipt,
) -> Result<(Receipt, H256), RootChainCause> {
    let malformed = |what: &str| RootChainCause::Malformed(what.to_owned());
    if receipt.transaction_hash != txhash {
        return Err(malformed("it belongs to another transaction"));
    }
    let (Some(number), Some(block_hash), Some(status), Some(gas_used), Some(gas_price)) = (
        receipt.block_number,
        receipt.block_hash,
        receipt.status,
        receipt.gas_used,
        receipt.effective_gas_price,
    ) else {
        return Err(malformed("block, status, gas or gas price is missing"));
    };
    let receipt = Receipt {
        eth_height: EthHeight::new(number.as_u64()),
        gas_used: u64_of(gas_used, "gas")?,
        gas_price_wei: u128_of(gas_price, "gas price")?,
        succeeded: status.as_u64() == 1,
    };
    Ok((receipt, block_hash))
}

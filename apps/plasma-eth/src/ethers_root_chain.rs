//! [`RootChain`] by a real node: JSON-RPC over HTTP, types and ABI by ethers, nothing of ethers to be seen from outside.
//!
//! The node is believed about what exists, since there is nobody else to ask, but not about shapes: whatever does not decode to
//! exactly what the contracts emit is an error. It holds no state but what never changes, so it can be dropped and made anew at any
//! time.

use crate::contracts::abi::arg;
use crate::contracts::events::{LogReader, in_chain_order};
use crate::deployed::Deployed;
use crate::node::{At, Node};
use crate::rpc::{Failure, is_range_refusal};
use crate::tx::Draft;
use crate::{
    ChildBlock, ContractFacts, Deployment, EthBlock, EthConfig, FeeQuote, GasFees, RootChain,
    RootChainCause, RootChainError, SubmissionState, SubmitOutcome,
};
use async_trait::async_trait;
use ethers::types::{Filter, Log};
use plasma_core::root_chain::{EthEvent, EventKind};
use plasma_core::wire::{Address, Blknum, BlockHash, EthHeight, SecretKey, U256};
use std::sync::Arc;

/// Gas a block submission may use (protocol 4.5). It takes some 75,000.
pub const SUBMIT_BLOCK_GAS_MAX: u64 = 100_000;

/// The root chain as a node tells it.
#[derive(Debug)]
pub struct EthersRootChain {
    deployed: Deployed,
    authority_key: Option<SecretKey>,
}

/// Why a range of logs did not come.
enum RangeFailure {
    /// A smaller range may.
    TooLarge(String),
    Other(RootChainCause),
}

impl EthersRootChain {
    /// Prepares to talk to a node; makes no call yet. Watchers need no key.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(
        config: EthConfig,
        deployment: &Deployment,
        authority_key: Option<SecretKey>,
    ) -> Result<Self, RootChainError> {
        let framework = deployment.addresses.plasma_framework;
        Ok(Self {
            deployed: Deployed::new(Arc::new(Node::new(config)?), framework, deployment.chain_id),
            authority_key,
        })
    }

    /// The events of one range small enough for the node.
    async fn events_of_range(
        &self,
        reader: &LogReader,
        kinds: &[EventKind],
        (from, to): (EthHeight, EthHeight),
    ) -> Result<Vec<EthEvent>, RangeFailure> {
        let (emitters, topics) = reader.filter(kinds);
        let filter = Filter::new()
            .from_block(from.get())
            .to_block(to.get())
            .address(emitters)
            .topic0(topics);
        let logs = self.deployed.node.logs(&filter).await;
        let logs: Vec<Log> = logs.map_err(|failure| match failure {
            Failure::Node(error) if is_range_refusal(&error) => {
                RangeFailure::TooLarge(error.message)
            }
            Failure::Cause(cause @ RootChainCause::AnswerTooLarge { .. }) => {
                RangeFailure::TooLarge(cause.to_string())
            }
            other => RangeFailure::Other(crate::rpc::cause_of(other)),
        })?;
        let mut events = Vec::new();
        for log in &logs {
            let event = reader.event(log, kinds).map_err(RangeFailure::Other)?;
            let Some(event) = event else { continue };
            if event.eth_height < from || event.eth_height > to {
                let cause = RootChainCause::Malformed(format!(
                    "a log of block {}, which is not in the range",
                    event.eth_height
                ));
                return Err(RangeFailure::Other(cause));
            }
            events.push(event);
        }
        in_chain_order(&mut events).map_err(RangeFailure::Other)?;
        Ok(events)
    }
}

#[async_trait]
impl RootChain for EthersRootChain {
    async fn eth_height(&self) -> Result<EthHeight, RootChainError> {
        self.deployed.node.eth_height().await
    }

    async fn syncing(&self) -> Result<bool, RootChainError> {
        self.deployed.node.syncing().await
    }

    async fn block(&self, height: EthHeight) -> Result<Option<EthBlock>, RootChainError> {
        self.deployed.node.block(At::Height(height)).await
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
        let reader = &self.deployed.parts().await?.logs;
        let newest = self.deployed.node.eth_height().await?;
        if to > newest {
            // Most nodes answer such a range as if nothing happened in the blocks they have not seen.
            let cause = RootChainCause::BeyondHead { wanted: to, newest };
            return Err(cause.during(method, format!("blocks {from} to {to}")));
        }
        let mut events = Vec::new();
        let mut start = from;
        let mut size = self.deployed.node.config().event_range_eth_blocks_max.max(1);
        while start <= to {
            let end = to.min(start.plus(size - 1));
            let cause = match self.events_of_range(reader, kinds, (start, end)).await {
                Ok(found) => {
                    events.extend(found);
                    if end == to {
                        break;
                    }
                    start = end.plus(1);
                    continue;
                }
                Err(RangeFailure::TooLarge(_)) if start < end => {
                    size = (end.get() - start.get()).div_ceil(2);
                    continue;
                }
                Err(RangeFailure::TooLarge(message)) => RootChainCause::TooManyEvents(message),
                Err(RangeFailure::Other(cause)) => cause,
            };
            return Err(cause.during(method, format!("blocks {start} to {end}")));
        }
        Ok(events)
    }

    async fn contract_facts(&self) -> Result<ContractFacts, RootChainError> {
        self.deployed.facts().await
    }

    async fn submission_state(&self) -> Result<SubmissionState, RootChainError> {
        let node = &self.deployed.node;
        let authority = self.deployed.parts().await?.authority;
        let newest = node.newest_block().await?;
        let at = At::Block(newest.hash);
        let (mut next, authority_nonce) = tokio::try_join!(
            self.deployed.read("nextChildBlock", &[], at),
            node.nonce(authority, at),
        )?;
        let pending_nonce = node.nonce(authority, At::Pending).await?;
        let next = next.u64().map_err(|cause| cause.during("nextChildBlock", ""))?;
        Ok(SubmissionState {
            eth_height: newest.eth_height,
            mined_blknum: Blknum::new(next).previous_child_block(),
            authority_nonce,
            // A node's pool may lag behind its chain for a moment.
            pending_nonce: pending_nonce.max(authority_nonce),
        })
    }

    async fn child_block(&self, blknum: Blknum) -> Result<Option<ChildBlock>, RootChainError> {
        let arguments = [arg::uint(blknum.get())];
        let mut fields = self.deployed.read("blocks", &arguments, At::Latest).await?;
        let mut read = || {
            let (root, timestamp_s) = (fields.h256()?, fields.u64()?);
            Ok((timestamp_s != 0).then_some(ChildBlock { root, timestamp_s }))
        };
        read().map_err(|cause: RootChainCause| cause.during("blocks", format!("block {blknum}")))
    }

    async fn fee_quote(&self) -> Result<FeeQuote, RootChainError> {
        self.deployed.node.fee_quote().await
    }

    async fn submit_block(
        &self,
        root: BlockHash,
        nonce: u64,
        fees: GasFees,
    ) -> Result<SubmitOutcome, RootChainError> {
        let context = || format!("root {root:?}, nonce {nonce}");
        let authority = self.deployed.parts().await?.authority;
        let key = match &self.authority_key {
            Some(key) if key.address() == authority => key,
            other => {
                let key = other.as_ref().map_or(Address::zero(), SecretKey::address);
                let cause = RootChainCause::NotAuthority { key, authority };
                return Err(cause.during("submitBlock", context()));
            }
        };
        let (contract, framework) = self.deployed.framework();
        let data = crate::contracts::encode_call(contract, "submitBlock", &[arg::h256(root)])
            .map_err(|cause| cause.during("submitBlock", context()))?;
        let draft = Draft {
            chain_id: self.deployed.chain_id(),
            nonce,
            to: Some(framework),
            value_wei: U256::zero(),
            data,
            gas_limit: SUBMIT_BLOCK_GAS_MAX,
            fees,
        };
        self.deployed.node.send(&draft.sign(key), context).await
    }
}

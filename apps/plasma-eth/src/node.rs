//! An Ethereum node: the few methods of its JSON-RPC that we use, with core types in and out.

use crate::config::ms;
use crate::contracts::{Contract, Fields, decode_output, encode_call};
use crate::rpc::answers::{BlockAnswer, FeeHistoryAnswer, SyncingAnswer, u64_of, u128_of};
use crate::rpc::{Failure, Rpc, submit_outcome};
use crate::tx::Signed;
use crate::{EthBlock, EthConfig, FeeQuote, RootChainCause, RootChainError, SubmitOutcome};
use ethers::abi::Token;
use ethers::types::{Bytes, Filter, Log, Transaction, TransactionReceipt, U64};
use plasma_core::wire::{Address, EthHeight, H256, U256};
use serde_json::{Value, json};
use std::time::Duration;

/// Blocks that a fee quote looks at.
const FEE_HISTORY_ETH_BLOCKS: u64 = 10;
/// The priority fee in the middle of a block's transactions.
const FEE_PERCENTILE: f64 = 50.0;
/// What is offered to block producers where nobody else offers anything: 1 gwei.
const PRIORITY_FEE_DEFAULT_WEI: u128 = 1_000_000_000;

/// A connection to a node.
#[derive(Debug)]
pub(crate) struct Node {
    rpc: Rpc,
    config: EthConfig,
}

/// As of when something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The newest block.
    Latest,
    /// The newest block and the node's pool.
    Pending,
    /// Exactly this block (EIP-1898), so that several reads agree; an error when it is no longer part of the chain.
    Block(H256),
    /// The block at this height.
    Height(EthHeight),
}

impl At {
    fn param(self) -> Value {
        match self {
            Self::Latest => json!("latest"),
            Self::Pending => json!("pending"),
            Self::Block(hash) => json!({"blockHash": hash, "requireCanonical": true}),
            Self::Height(height) => json!(U64::from(height.get())),
        }
    }
}

/// A call as it would be sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) from: Option<Address>,
    pub(crate) to: Option<Address>,
    pub(crate) value_wei: U256,
    pub(crate) data: Vec<u8>,
}

impl Call {
    /// A read of a contract.
    pub(crate) const fn read(to: Address, data: Vec<u8>) -> Self {
        Self { from: None, to: Some(to), value_wei: U256::zero(), data }
    }

    fn param(&self) -> Value {
        let mut param = json!({"value": self.value_wei, "data": hex(&self.data)});
        if let Value::Object(fields) = &mut param {
            fields.extend(self.from.map(|from| ("from".to_owned(), json!(from))));
            fields.extend(self.to.map(|to| ("to".to_owned(), json!(to))));
        }
        param
    }
}

impl Node {
    pub(crate) fn new(config: EthConfig) -> Result<Self, RootChainError> {
        Ok(Self { rpc: Rpc::new(&config)?, config })
    }

    pub(crate) const fn config(&self) -> &EthConfig {
        &self.config
    }

    pub(crate) const fn receipt_poll(&self) -> Duration {
        ms(self.config.receipt_poll_ms)
    }

    pub(crate) async fn eth_height(&self) -> Result<EthHeight, RootChainError> {
        let height: U64 = self.rpc.call("eth_blockNumber", String::new, json!([])).await?;
        Ok(EthHeight::new(height.as_u64()))
    }

    pub(crate) async fn syncing(&self) -> Result<bool, RootChainError> {
        let answer: SyncingAnswer = self.rpc.call("eth_syncing", String::new, json!([])).await?;
        Ok(answer.is_syncing())
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, RootChainError> {
        let id: U256 = self.rpc.call("eth_chainId", String::new, json!([])).await?;
        u64_of(id, "chain id").map_err(|cause| cause.during("eth_chainId", ""))
    }

    /// The block at a height, `None` when there is none.
    pub(crate) async fn block(&self, at: At) -> Result<Option<EthBlock>, RootChainError> {
        let method = "eth_getBlockByNumber";
        let context = || format!("block {}", at.param());
        let answer: Option<BlockAnswer> =
            self.rpc.call(method, context, json!([at.param(), false])).await?;
        let block = answer
            .map(|answer| answer.block())
            .transpose()
            .map_err(|cause| cause.during(method, context()))?;
        match (block, at) {
            (Some(block), At::Height(height)) if block.eth_height != height => {
                let cause = RootChainCause::Malformed(format!("it is block {}", block.eth_height));
                Err(cause.during(method, context()))
            }
            _ => Ok(block),
        }
    }

    /// The newest block.
    pub(crate) async fn newest_block(&self) -> Result<EthBlock, RootChainError> {
        self.block(At::Latest).await?.ok_or_else(|| {
            RootChainCause::Malformed("there is no newest block".to_owned())
                .during("eth_getBlockByNumber", "block \"latest\"")
        })
    }

    pub(crate) async fn balance_wei(&self, owner: Address, at: At) -> Result<U256, RootChainError> {
        let context = || format!("of {owner:?}");
        self.rpc.call("eth_getBalance", context, json!([owner, at.param()])).await
    }

    pub(crate) async fn nonce(&self, account: Address, at: At) -> Result<u64, RootChainError> {
        let method = "eth_getTransactionCount";
        let context = || format!("of {account:?}");
        let nonce: U256 = self.rpc.call(method, context, json!([account, at.param()])).await?;
        u64_of(nonce, "nonce").map_err(|cause| cause.during(method, context()))
    }

    /// What a call returns, as bytes.
    pub(crate) async fn call(
        &self,
        call: &Call,
        at: At,
        context: impl FnOnce() -> String,
    ) -> Result<Vec<u8>, RootChainError> {
        let params = json!([call.param(), at.param()]);
        let answer: Bytes = self.rpc.call("eth_call", context, params).await?;
        Ok(answer.to_vec())
    }

    /// Reads a contract.
    pub(crate) async fn read(
        &self,
        (contract, address): (Contract, Address),
        function: &'static str,
        arguments: &[Token],
        at: At,
    ) -> Result<Fields, RootChainError> {
        let context = || format!("{} at {address:?}", contract.name());
        let data = encode_call(contract, function, arguments)
            .map_err(|cause| cause.during(function, context()))?;
        let output = self
            .call(&Call::read(address, data), at, || format!("{function}, {}", context()))
            .await?;
        if output.is_empty() {
            return Err(RootChainCause::NoContract(address).during(function, context()));
        }
        decode_output(contract, function, &output)
            .map_err(|cause| cause.during(function, context()))
    }

    /// How much gas a transaction takes as of now. A refusal of the contract shows here, before anything is paid for.
    pub(crate) async fn estimate_gas(
        &self,
        call: &Call,
        context: impl Fn() -> String,
    ) -> Result<u64, RootChainError> {
        self.estimate_gas_at(call, None, context).await
    }

    /// The same as of a block, or as of what the node takes by itself.
    pub(crate) async fn estimate_gas_at(
        &self,
        call: &Call,
        at: Option<At>,
        context: impl Fn() -> String,
    ) -> Result<u64, RootChainError> {
        let method = "eth_estimateGas";
        let params: Vec<Value> = std::iter::once(call.param()).chain(at.map(At::param)).collect();
        let gas: U256 = self.rpc.call(method, &context, params).await?;
        u64_of(gas, "gas").map_err(|cause| cause.during(method, context()))
    }

    /// What a transaction costs now.
    pub(crate) async fn fee_quote(&self) -> Result<FeeQuote, RootChainError> {
        let method = "eth_feeHistory";
        let params = json!([U64::from(FEE_HISTORY_ETH_BLOCKS), "latest", [FEE_PERCENTILE]]);
        let history: FeeHistoryAnswer = self.rpc.call(method, String::new, params).await?;
        quote(&history).map_err(|cause| cause.during(method, ""))
    }

    /// Hands a signed transaction to the node. Handing it over again is harmless, so transient errors are retried.
    pub(crate) async fn send(
        &self,
        signed: &Signed,
        context: impl FnOnce() -> String,
    ) -> Result<SubmitOutcome, RootChainError> {
        let method = "eth_sendRawTransaction";
        let sent: Result<H256, Failure> =
            self.rpc.try_call(method, json!([hex(&signed.raw)])).await;
        let outcome = match sent {
            Ok(txhash) if txhash == signed.txhash => Ok(SubmitOutcome::Accepted { txhash }),
            Ok(other) => Err(RootChainCause::Malformed(format!(
                "the node calls the transaction {other:?}, it is {:?}",
                signed.txhash
            ))),
            Err(failure) => submit_outcome(failure, signed.txhash),
        };
        outcome.map_err(|cause| cause.during(method, context()))
    }

    pub(crate) async fn receipt(
        &self,
        txhash: H256,
    ) -> Result<Option<TransactionReceipt>, RootChainError> {
        let context = || format!("{txhash:?}");
        self.rpc.call("eth_getTransactionReceipt", context, json!([txhash])).await
    }

    pub(crate) async fn transaction(
        &self,
        txhash: H256,
    ) -> Result<Option<Transaction>, RootChainError> {
        let context = || format!("{txhash:?}");
        self.rpc.call("eth_getTransactionByHash", context, json!([txhash])).await
    }

    /// Logs as they come; the caller reads the node's errors, which may ask for a smaller range.
    pub(crate) async fn logs(&self, filter: &Filter) -> Result<Vec<Log>, Failure> {
        self.rpc.try_call("eth_getLogs", json!([filter])).await
    }
}

fn quote(history: &FeeHistoryAnswer) -> Result<FeeQuote, RootChainCause> {
    // One entry more than blocks were asked for: the last is the next block's.
    let base_fee = history.base_fee_per_gas.last().ok_or_else(|| {
        RootChainCause::Invalid("the chain has no base fee (EIP-1559)".to_owned())
    })?;
    let rewards = history.reward.iter().flatten().filter_map(|of_block| of_block.first());
    let mut offered: Vec<U256> = rewards.filter(|reward| !reward.is_zero()).copied().collect();
    offered.sort_unstable();
    let middle = offered.get(offered.len() / 2).copied();
    Ok(FeeQuote {
        base_fee_per_gas_wei: u128_of(*base_fee, "base fee")?,
        priority_fee_per_gas_wei: match middle {
            Some(reward) => u128_of(reward, "priority fee")?,
            None => PRIORITY_FEE_DEFAULT_WEI,
        },
    })
}

fn hex(bytes: &[u8]) -> String {
    const_hex::encode_prefixed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_quotes_take_the_next_base_fee_and_the_middle_offer() {
        for (base_fees, rewards, expected) in [
            (vec![5, 6, 7], Some(vec![3, 0, 9, 4]), Ok((7, 4))),
            (vec![7], Some(vec![0, 0]), Ok((7, PRIORITY_FEE_DEFAULT_WEI))),
            (vec![7], None, Ok((7, PRIORITY_FEE_DEFAULT_WEI))),
            (vec![], None, Err("invalid")),
        ] {
            let history = FeeHistoryAnswer {
                base_fee_per_gas: base_fees.into_iter().map(U256::from).collect(),
                reward: rewards
                    .map(|rewards| rewards.into_iter().map(|r| vec![U256::from(r)]).collect()),
            };
            let found = quote(&history)
                .map(|quote| (quote.base_fee_per_gas_wei, quote.priority_fee_per_gas_wei))
                .map_err(|cause| cause.code());
            assert_eq!(found, expected);
        }
        let absurd = FeeHistoryAnswer { base_fee_per_gas: vec![U256::MAX], reward: None };
        assert_eq!(quote(&absurd).unwrap_err().code(), "malformed_answer");
    }
}

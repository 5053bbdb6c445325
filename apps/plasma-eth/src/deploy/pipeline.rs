//! Sends the transactions of a stage one after another without waiting, then waits for all of them.
//!
//! What a transaction builds on may not be mined when it is sent, so nothing can be tried beforehand: gas limits come from a formula,
//! and what is not used is not paid for. Addresses of contracts follow from sender and nonce and are known at once.

use super::{DeployError, DeployStep, step_failed};
use crate::client::refusal_reason;
use crate::contracts::abi::encode_deployment;
use crate::contracts::{Contract, encode_call};
use crate::node::{At, Node};
use crate::tx::Draft;
use crate::{GasFees, RootChainCause, RootChainError, SubmitOutcome};
use ethers::abi::Token;
use ethers::utils::get_contract_address;
use plasma_core::wire::{Address, EthHeight, H256, SecretKey, U256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Gas for a call; ours take below 100,000.
const CALL_GAS_MAX: u64 = 300_000;
/// Gas for a plain transfer.
const TRANSFER_GAS: u64 = 21_000;
/// Gas for a deployment beside its code: the transaction, the account, what a constructor stores.
const CREATE_GAS_BASE: u64 = 700_000;
/// Gas for a byte of a deployment's code: storing (200), sending (16), reading.
const CREATE_GAS_PER_BYTE: u64 = 240;
/// Longest wait for the transactions of one stage.
const STAGE_MS_MAX: u64 = 600_000;

/// Longest wait for a transaction before the next is sent, where blocks are made at once. Development nodes that mine while more of the same
/// account comes in can forget to go on.
const AT_ONCE_MS_MAX: u64 = 2_000;
/// The same for the first one, which shows whether blocks are made at once.
const FIRST_AT_ONCE_MS_MAX: u64 = 250;
/// Pause between two looks during these.
const AT_ONCE_POLL_MS: u64 = 5;

/// A contract that was sent for deployment.
#[derive(Clone, Copy)]
pub(super) struct Created {
    pub(super) contract: Contract,
    pub(super) address: Address,
    pub(super) txhash: H256,
}

pub(super) struct Pipeline<F> {
    node: Arc<Node>,
    chain_id: u64,
    fees: GasFees,
    nonces: BTreeMap<Address, u64>,
    sent: Vec<(DeployStep, H256)>,
    libraries: BTreeMap<String, Address>,
    /// Whether the node makes a block for each transaction; `None` before the first was sent.
    mines_at_once: Option<bool>,
    on_step: F,
}

impl<F: FnMut(DeployStep) + Send> Pipeline<F> {
    pub(super) async fn start(node: Arc<Node>, mut on_step: F) -> Result<Self, DeployError> {
        let step = DeployStep::Look;
        on_step(step);
        let failed = |source| step_failed(step, source);
        Ok(Self {
            chain_id: node.chain_id().await.map_err(failed)?,
            fees: node.fee_quote().await.map_err(failed)?.generous(),
            node,
            nonces: BTreeMap::new(),
            sent: Vec::new(),
            libraries: BTreeMap::new(),
            mines_at_once: None,
            on_step,
        })
    }

    pub(super) const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    pub(super) fn tell(&mut self, step: DeployStep) {
        (self.on_step)(step);
    }

    /// The nonce of an account's next transaction.
    pub(super) async fn nonce_of(
        &mut self,
        step: DeployStep,
        account: Address,
    ) -> Result<u64, DeployError> {
        if let Some(nonce) = self.nonces.get(&account) {
            return Ok(*nonce);
        }
        let nonce = self.node.nonce(account, At::Pending).await;
        let nonce = nonce.map_err(|source| step_failed(step, source))?;
        self.nonces.insert(account, nonce);
        Ok(nonce)
    }

    /// Gives an account what it lacks of `wanted_wei`.
    pub(super) async fn top_up(
        &mut self,
        key: &SecretKey,
        account: Address,
        wanted_wei: U256,
    ) -> Result<(), DeployError> {
        let step = DeployStep::FundAccounts;
        let has_wei = self.node.balance_wei(account, At::Latest).await;
        let has_wei = has_wei.map_err(|source| step_failed(step, source))?;
        if has_wei >= wanted_wei {
            return Ok(());
        }
        let lacks_wei = wanted_wei.saturating_sub(has_wei);
        self.send(step, key, (Some(account), lacks_wei, Vec::new()), TRANSFER_GAS).await.map(drop)
    }

    /// Deploys a contract, and before it the libraries it needs.
    pub(super) async fn create(
        &mut self,
        key: &SecretKey,
        contract: Contract,
        arguments: &[Token],
    ) -> Result<Created, DeployError> {
        let step = DeployStep::Create(contract.name());
        let invalid = |why: String| {
            step_failed(step, RootChainCause::Invalid(why).during("deploy", contract.name()))
        };
        let artifact = contract.artifact();
        let artifact = artifact.map_err(|cause| invalid(cause.to_string()))?;
        for name in artifact.libraries() {
            if self.libraries.contains_key(name) {
                continue;
            }
            let library = Contract::by_name(name)
                .ok_or_else(|| invalid(format!("library {name} is not built in")))?;
            let address = self.create_plain(key, library, &[]).await?.address;
            self.libraries.insert(name.to_owned(), address);
        }
        self.create_plain(key, contract, arguments).await
    }

    async fn create_plain(
        &mut self,
        key: &SecretKey,
        contract: Contract,
        arguments: &[Token],
    ) -> Result<Created, DeployError> {
        let step = DeployStep::Create(contract.name());
        let failed =
            |cause: RootChainCause| step_failed(step, cause.during("deploy", contract.name()));
        let artifact = contract.artifact().map_err(failed)?;
        let code = artifact.linked_code(&self.libraries);
        let code = code.map_err(|why| failed(RootChainCause::Invalid(why)))?;
        let data = encode_deployment(contract, code, arguments).map_err(failed)?;
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let gas = CREATE_GAS_BASE.saturating_add(bytes.saturating_mul(CREATE_GAS_PER_BYTE));
        let (txhash, nonce) = self.send(step, key, (None, U256::zero(), data), gas).await?;
        Ok(Created { contract, address: get_contract_address(key.address(), nonce), txhash })
    }

    /// Calls a function of a contract made here.
    pub(super) async fn call(
        &mut self,
        key: &SecretKey,
        created: Created,
        function: &'static str,
        arguments: &[Token],
    ) -> Result<(), DeployError> {
        let name = created.contract.name();
        let step = DeployStep::Call(name, function);
        let data = encode_call(created.contract, function, arguments)
            .map_err(|cause| step_failed(step, cause.during(function, name)))?;
        let to = Some(created.address);
        self.send(step, key, (to, U256::zero(), data), CALL_GAS_MAX).await.map(drop)
    }

    async fn send(
        &mut self,
        step: DeployStep,
        key: &SecretKey,
        (to, value_wei, data): (Option<Address>, U256, Vec<u8>),
        gas_limit: u64,
    ) -> Result<(H256, u64), DeployError> {
        self.tell(step);
        let sender = key.address();
        let nonce = self.nonce_of(step, sender).await?;
        let draft = Draft {
            chain_id: self.chain_id,
            nonce,
            to,
            value_wei,
            data,
            gas_limit,
            fees: self.fees,
        };
        let context = || format!("{step}, from {sender:?}");
        let outcome = self.node.send(&draft.sign(key), context).await;
        let cause = match outcome.map_err(|source| step_failed(step, source))? {
            SubmitOutcome::Accepted { txhash } | SubmitOutcome::AlreadyKnown { txhash } => {
                self.nonces.insert(sender, nonce.saturating_add(1));
                self.sent.push((step, txhash));
                self.pace(txhash).await.map_err(|source| step_failed(step, source))?;
                return Ok((txhash, nonce));
            }
            SubmitOutcome::InsufficientFunds => {
                RootChainCause::InsufficientFunds(format!("{sender:?}"))
            }
            other => RootChainCause::NotAccepted(other),
        };
        Err(step_failed(step, cause.during("send", context())))
    }

    /// Where blocks are made at once, waits for this one's.
    async fn pace(&mut self, txhash: H256) -> Result<(), RootChainError> {
        let longest_ms = match self.mines_at_once {
            None => FIRST_AT_ONCE_MS_MAX,
            Some(true) => AT_ONCE_MS_MAX,
            Some(false) => return Ok(()),
        };
        let started = Instant::now();
        let mut is_mined = false;
        while !is_mined && started.elapsed().as_millis() < u128::from(longest_ms) {
            is_mined = self.node.receipt(txhash).await?.is_some_and(|it| it.block_number.is_some());
            if !is_mined {
                tokio::time::sleep(Duration::from_millis(AT_ONCE_POLL_MS)).await;
            }
        }
        self.mines_at_once = Some(is_mined);
        Ok(())
    }

    /// Waits until everything sent so far is mined and did what it should. Says where each transaction is, and takes a fresh look at
    /// fees for the next stage.
    pub(super) async fn settle(&mut self) -> Result<BTreeMap<H256, EthHeight>, DeployError> {
        let started = Instant::now();
        let mut mined_at = BTreeMap::new();
        for (step, txhash) in std::mem::take(&mut self.sent) {
            let eth_height =
                self.wait_for(txhash, started).await.map_err(|source| step_failed(step, source))?;
            mined_at.insert(txhash, eth_height);
        }
        let quote = self.node.fee_quote().await;
        self.fees = quote.map_err(|source| step_failed(DeployStep::Look, source))?.generous();
        Ok(mined_at)
    }

    async fn wait_for(&self, txhash: H256, started: Instant) -> Result<EthHeight, RootChainError> {
        let method = "eth_getTransactionReceipt";
        let context = || format!("{txhash:?}");
        loop {
            let receipt = self.node.receipt(txhash).await?;
            let mined = receipt.and_then(|receipt| Some((receipt.block_number?, receipt)));
            if let Some((number, receipt)) = mined {
                let eth_height = EthHeight::new(number.as_u64());
                if receipt.status.is_some_and(|status| status.as_u64() == 1) {
                    return Ok(eth_height);
                }
                let gas_used = receipt.gas_used.unwrap_or_default().low_u64();
                let revert = refusal_reason(&self.node, txhash, eth_height, gas_used).await?;
                return Err(RootChainCause::Reverted(revert).during(method, context()));
            }
            if started.elapsed().as_millis() >= u128::from(STAGE_MS_MAX) {
                let after_ms = STAGE_MS_MAX;
                return Err(RootChainCause::Timeout { after_ms }.during(method, context()));
            }
            tokio::time::sleep(self.node.receipt_poll()).await;
        }
    }
}

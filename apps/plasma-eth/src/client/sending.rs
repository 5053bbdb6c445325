//! One way to send a transaction, for everybody, and one way to wait for it.

use super::{Receipt, RootChainClient};
use crate::node::{At, Call};
use crate::tx::Draft;
use crate::{RootChainCause, RootChainError, SubmitOutcome};
use plasma_core::wire::{Address, EthHeight, H256, SecretKey, U256};

/// A transaction gets this much more gas than it took when it was tried: state moves between the trial and the block.
const GAS_MARGIN_PERCENT: u64 = 30;
/// How often a nonce is read anew when another transaction of the account was faster.
const NONCE_ATTEMPTS_MAX: usize = 3;
/// How often in a row a transaction must look replaced. Nodes show a new nonce before the receipts of the same block, and behind a
/// load balancer one node is ahead of another.
const REPLACED_LOOKS_MIN: u32 = 5;

/// A transaction a node has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentTransaction {
    /// Its hash.
    pub txhash: H256,
    /// Who sent it.
    pub sender: Address,
    /// Its nonce; once another transaction of the sender has this nonce, this one is gone for good.
    pub nonce: u64,
}

/// How far a transaction is, while somebody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The root chain's newest block.
    pub eth_height: EthHeight,
    /// The block that holds the transaction, if there is one. Can change or vanish again while the chain is reorganised.
    pub mined_at: Option<EthHeight>,
    /// Blocks from the one that holds it to the newest, both counted; 0 before it is mined.
    pub confirmations: u64,
    /// Confirmations waited for.
    pub wanted: u64,
}

impl RootChainClient {
    /// Waits until a transaction has `confirmations` blocks, its own counted, and tells `on_progress` after every look. There is no
    /// time limit: stop by dropping the future, wait again whenever you like.
    ///
    /// # Errors
    /// `Replaced` when it can never be mined; any error of the node that did not pass. That a contract refused is no error here but a
    /// [`TxStatus`](super::TxStatus) of the receipt.
    pub async fn confirm(
        &self,
        sent: &SentTransaction,
        confirmations: u64,
        mut on_progress: impl FnMut(Progress) + Send,
    ) -> Result<Receipt, RootChainError> {
        let wanted = confirmations.max(1);
        let mut looks_replaced: u32 = 0;
        loop {
            let receipt = self.deployed.node.receipt(sent.txhash).await?;
            let eth_height = self.deployed.node.eth_height().await?;
            let mined_at = receipt
                .as_ref()
                .and_then(|receipt| receipt.block_number)
                .map(|number| EthHeight::new(number.as_u64()));
            let confirmations = mined_at.map_or(0, |mined_at| {
                eth_height.get().saturating_sub(mined_at.get()).saturating_add(1)
            });
            on_progress(Progress { eth_height, mined_at, confirmations, wanted });
            match receipt {
                Some(receipt) if confirmations >= wanted => {
                    return self.read_receipt(receipt).await;
                }
                Some(_) => looks_replaced = 0,
                None if self.is_nonce_used(sent).await? => {
                    looks_replaced = looks_replaced.saturating_add(1);
                }
                None => looks_replaced = 0,
            }
            if looks_replaced >= REPLACED_LOOKS_MIN {
                let (txhash, nonce) = (sent.txhash, sent.nonce);
                return Err(RootChainCause::Replaced { txhash, nonce }.during("confirm", ""));
            }
            tokio::time::sleep(self.deployed.node.receipt_poll()).await;
        }
    }

    /// How many transactions of an account the node has that are in no block yet.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn pending_transactions(&self, account: Address) -> Result<u64, RootChainError> {
        let mined = self.deployed.node.nonce(account, At::Latest).await?;
        let known = self.deployed.node.nonce(account, At::Pending).await?;
        Ok(known.saturating_sub(mined))
    }

    /// Tries, signs and sends a call of a contract or a transfer.
    pub(super) async fn send(
        &self,
        key: &SecretKey,
        (function, context): (&'static str, String),
        (to, value_wei, data): (Address, U256, Vec<u8>),
    ) -> Result<SentTransaction, RootChainError> {
        let node = &self.deployed.node;
        // Looked up first, so that nothing is ever signed for another chain than the deployment's.
        self.deployed.parts().await?;
        let call = Call { from: Some(key.address()), to: Some(to), value_wei, data };
        let gas = node.estimate_gas(&call, || format!("{function}, {context}")).await?;
        let fees = node.fee_quote().await?.generous();
        let sender = key.address();
        let mut draft = Draft {
            chain_id: self.deployed.chain_id(),
            nonce: 0,
            to: Some(to),
            value_wei,
            data: call.data,
            gas_limit: gas.saturating_add(gas.saturating_mul(GAS_MARGIN_PERCENT) / 100),
            fees,
        };
        let _one_at_a_time = self.sending.lock().await;
        let mut attempts = 0;
        loop {
            draft.nonce = node.nonce(sender, At::Pending).await?;
            let signed = draft.clone().sign(key);
            let outcome = node.send(&signed, || context.clone()).await?;
            attempts += 1;
            let cause = match outcome {
                SubmitOutcome::Accepted { txhash } | SubmitOutcome::AlreadyKnown { txhash } => {
                    let nonce = draft.nonce;
                    tracing::debug!(function, ?txhash, nonce, "sent");
                    return Ok(SentTransaction { txhash, sender, nonce });
                }
                SubmitOutcome::NonceTooLow if attempts < NONCE_ATTEMPTS_MAX => continue,
                SubmitOutcome::InsufficientFunds => {
                    RootChainCause::InsufficientFunds(format!("{sender:?}"))
                }
                other => RootChainCause::NotAccepted(other),
            };
            return Err(cause.during(function, context));
        }
    }

    /// A transaction without a receipt is gone when its nonce is used up.
    async fn is_nonce_used(&self, sent: &SentTransaction) -> Result<bool, RootChainError> {
        Ok(self.deployed.node.nonce(sent.sender, At::Latest).await? > sent.nonce)
    }
}

//! The operator's methods (protocol 6.3): each a few lines between the wire and an actor.
//!
//! It contains no rule. The server around it bounds and validates requests; what is left to say is which part answers.

use crate::blocks::Blocks;
use crate::tree::ChildChain;
use plasma_core::state::{Accepted, ExecError};
use plasma_core::submission::check_submittable;
use plasma_core::wire::{BlockHash, RecoveredTx, TypedDataDomain};
use plasma_node::core_actor::Unanswered;
use plasma_node::recover::recover_all;
use plasma_node::supervisor::Published;
use plasma_node::telemetry::{Answer, AnswerLabel, Metrics};
use plasma_rpc::child_chain::{
    BLOCK_GET, BatchItem, BlockAnswer, CONFIGURATION_GET, Configuration, FEES_ALL, FeesAnswer,
    SubmitAnswer, TRANSACTION_BATCH_SUBMIT, TRANSACTION_SUBMIT,
};
use plasma_rpc::codes;
use plasma_rpc::server::MethodTable;
use plasma_rpc::{Rendered, RpcError, Service};
use std::sync::Arc;

/// What the methods need.
pub(crate) struct Api {
    pub(crate) tree: Published<ChildChain>,
    pub(crate) blocks: Blocks,
    pub(crate) domain: Arc<TypedDataDomain>,
    pub(crate) configuration: Configuration,
    pub(crate) metrics: Metrics,
}

/// The table of methods.
pub(crate) fn methods(api: Arc<Api>) -> MethodTable<Api> {
    MethodTable::new(Service::ChildChain, api)
        .on(&BLOCK_GET, |api, params| async move { api.block(params.hash).await })
        .on(&TRANSACTION_SUBMIT, |api, params| async move {
            let mut answers = api.submit(vec![params.transaction]).await?;
            answers.pop().unwrap_or_else(|| Err(RpcError::internal()))
        })
        .on(&TRANSACTION_BATCH_SUBMIT, |api, params| async move {
            api.submit_batch(params.transactions).await
        })
        .on(&FEES_ALL, |api, params| async move {
            let fees = api.tree()?.fees.borrow().clone();
            FeesAnswer::filtered(&fees.specs, &params)
        })
        .on(&CONFIGURATION_GET, |api, _| async move { Ok(api.configuration.clone()) })
}

impl Api {
    fn tree(&self) -> Result<ChildChain, RpcError> {
        self.tree.get().ok_or_else(|| codes::SERVICE_UNAVAILABLE.into())
    }

    async fn block(&self, hash: BlockHash) -> Result<Rendered<BlockAnswer>, RpcError> {
        match self.blocks.get(hash).await {
            Ok(found) => found.ok_or_else(|| RpcError::reason("not_found")),
            Err(error) => {
                tracing::error!(?hash, %error, "a block cannot be served");
                Err(RpcError::internal())
            }
        }
    }

    /// One answer per transaction, in order. An error of one fails them all before any is executed.
    async fn submit(
        &self,
        transactions: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<SubmitAnswer, RpcError>>, RpcError> {
        let outcomes = self.exec(transactions).await?;
        let answer = |outcome: Result<_, _>| outcome.map(SubmitAnswer::from).map_err(Into::into);
        Ok(outcomes.into_iter().map(answer).collect())
    }

    async fn submit_batch(&self, transactions: Vec<Vec<u8>>) -> Result<Vec<BatchItem>, RpcError> {
        Ok(self.exec(transactions).await?.into_iter().map(BatchItem::from).collect())
    }

    async fn exec(
        &self,
        transactions: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<Accepted, ExecError>>, RpcError> {
        let tree = self.tree()?;
        let count = transactions.len();
        let recovered = self.recover(transactions).await.inspect_err(|_| self.count(0, count))?;
        let fees = tree.fees.borrow().accepted.clone();
        let outcomes = tree.state.exec(recovered, fees).await.map_err(unanswered)?;
        let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        self.count(accepted, count - accepted);
        Ok(outcomes)
    }

    async fn recover(&self, transactions: Vec<Vec<u8>>) -> Result<Vec<RecoveredTx>, RpcError> {
        let count = transactions.len();
        let recovered = recover_all(transactions, self.domain.clone()).await;
        if recovered.len() != count {
            return Err(RpcError::internal());
        }
        let submittable = recovered.into_iter().map(|tx| {
            let tx = tx?;
            check_submittable(&tx).map_err(|error| RpcError::reason(error.to_string()))?;
            Ok(tx)
        });
        submittable.collect()
    }

    fn count(&self, accepted: usize, refused: usize) {
        for (answer, count) in [(Answer::Accepted, accepted), (Answer::Refused, refused)] {
            let counter = self.metrics.transactions.get_or_create(&AnswerLabel { answer });
            counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}

fn unanswered(error: Unanswered) -> RpcError {
    match error {
        Unanswered::Overloaded => codes::OVERLOADED.into(),
        Unanswered::Restarting => codes::SERVICE_UNAVAILABLE.into(),
    }
}

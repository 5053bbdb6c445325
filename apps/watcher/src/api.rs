//! The watcher's methods (protocol 6.5): each a few lines between the wire and a core.
//!
//! It contains no rule. Whatever secures funds — exit data, challenge data, exitable outputs — is read from the store, so that it is
//! served while actors restart and whatever is wrong with the chain. Nothing that helps to spend is, once the chain is unsafe.

mod in_flight;

use crate::config::WatcherConfig;
use crate::exit_facts::{Unexitable, exit_data_facts, exit_fact, unexitable};
use crate::exits_api::Exits;
use crate::status::{StatusBasis, StatusDocuments};
use crate::tree::Watcher;
use plasma_core::block_validator::{check_size, validate_block};
use plasma_core::db_update::Utxo;
use plasma_core::exit_concierge::ExitClock;
use plasma_core::exit_processor::{ChallengeError, challenge_data, exit_data, exitable_utxos};
use plasma_core::submission::check_submittable;
use plasma_core::wire::{Address, Blknum, Block, TypedDataDomain, UtxoPos};
use plasma_node::recover::recover_all;
use plasma_node::supervisor::Published;
use plasma_rpc::child_chain::{self, BatchItem, BatchSubmitParams, SubmitAnswer, SubmitParams};
use plasma_rpc::client::HttpRpcClient;
use plasma_rpc::codes;
use plasma_rpc::json::Rendered;
use plasma_rpc::server::MethodTable;
use plasma_rpc::watcher::{
    ACCOUNT_GET_EXITABLE_UTXOS, BLOCK_VALIDATE, BlockValidateParams, BlockValidity,
    CONFIGURATION_GET, ChallengeData, EXIT_ALL, EXIT_GET, ExitData, ExitableUtxo, SENTINEL_GET,
    STATUS_GET, SentinelAnswer, Status, TRANSACTION_BATCH_SUBMIT, TRANSACTION_SUBMIT,
    UTXO_GET_CHALLENGE_DATA, UTXO_GET_EXIT_DATA, UtxoPosParams, WatcherConfiguration,
};
use plasma_rpc::{RpcError, Service};
use plasma_store::{Store, StoreError};
use std::sync::Arc;

/// Outputs that are looked at in one go.
const EXITABLE_PAGE_LEN: usize = 1_000;

/// What the methods need.
pub(crate) struct Api {
    pub(crate) tree: Published<Watcher>,
    pub(crate) store: Store,
    pub(crate) child_chain: HttpRpcClient,
    pub(crate) domain: Arc<TypedDataDomain>,
    pub(crate) configuration: WatcherConfiguration,
    pub(crate) statuses: StatusDocuments,
    pub(crate) exitable_utxos_max: usize,
    pub(crate) min_exit_period_s: u64,
    pub(crate) eth_block_time_ms: u64,
}

/// The table of methods.
pub(crate) fn methods(service: Service, api: Arc<Api>) -> MethodTable<Api> {
    in_flight::methods(MethodTable::new(service, api))
        .on(&STATUS_GET, |api, _| async move { api.status().await })
        .on(&CONFIGURATION_GET, |api, _| async move { Ok(api.configuration.clone()) })
        .on(&ACCOUNT_GET_EXITABLE_UTXOS, |api, params| async move {
            api.read(move |api| api.exitable(params.address)).await
        })
        .on(&UTXO_GET_EXIT_DATA, |api, params| async move {
            api.read(move |api| api.exit_data(&params)).await?
        })
        .on(&UTXO_GET_CHALLENGE_DATA, |api, params| async move {
            api.read(move |api| api.challenge_data(&params)).await?
        })
        .on(&SENTINEL_GET, |api, _| async move { api.sentinel() })
        .on(&EXIT_GET, |api, params| async move {
            let found = api.exits(move |exits| exits.get(&params)).await?;
            found.ok_or_else(|| codes::EXIT_NOT_FOUND.into())
        })
        .on(
            &EXIT_ALL,
            |api, params| async move { api.exits(move |exits| exits.all(&params)).await },
        )
        .on(&BLOCK_VALIDATE, |api, params| async move { api.validate(params).await })
        .on(&TRANSACTION_SUBMIT, |api, params| async move { api.submit(params).await })
        .on(&TRANSACTION_BATCH_SUBMIT, |api, params| async move { api.submit_batch(params).await })
}

/// What `configuration.get` answers.
pub(crate) fn configuration(config: &WatcherConfig, contract_semver: &str) -> WatcherConfiguration {
    WatcherConfiguration {
        deposit_finality_margin: config.deposit_finality_margin_eth_blocks,
        contract_semver: contract_semver.to_owned(),
        network: config.network.clone(),
        exit_processor_sla_margin: config.exit_processor_sla_margin_eth_blocks,
    }
}

impl Api {
    fn tree(&self) -> Result<Watcher, RpcError> {
        self.tree.get().ok_or_else(|| codes::SERVICE_UNAVAILABLE.into())
    }

    async fn status(&self) -> Result<Rendered<Status>, RpcError> {
        let tree = self.tree()?;
        let findings = tree.findings.borrow().clone();
        let facts = tree.facts.borrow().clone();
        let (Some(findings), Some(facts)) = (findings, facts) else {
            return Err(codes::SERVICE_UNAVAILABLE.into());
        };
        let basis = StatusBasis { findings, facts, progress: tree.coordinator.progress() };
        self.statuses.document(basis).await
    }

    fn sentinel(&self) -> Result<SentinelAnswer, RpcError> {
        let watch = self.tree()?.sentinel.ok_or(codes::SENTINEL_NOT_RUNNING)?;
        let answer = watch.borrow().clone();
        answer.map(Arc::unwrap_or_clone).ok_or_else(|| codes::SERVICE_UNAVAILABLE.into())
    }

    /// Reads from the store, off the threads that serve requests.
    pub(crate) async fn read<R: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, RpcError> {
        let api = self.clone();
        let done = tokio::task::spawn_blocking(move || read(&api)).await;
        match done {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                tracing::error!(%error, "the store cannot be read");
                Err(RpcError::internal())
            }
            Err(_) => Err(codes::SERVICE_UNAVAILABLE.into()),
        }
    }

    /// Looks at exits.
    async fn exits<R: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(Exits<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, RpcError> {
        let tree = self.tree()?;
        let (findings, facts) = (tree.findings.borrow().clone(), tree.facts.borrow().clone());
        let (Some(findings), Some(facts)) = (findings, facts) else {
            return Err(codes::SERVICE_UNAVAILABLE.into());
        };
        let (eth_height, now_s) = facts.newest();
        let clock = ExitClock {
            eth_height,
            now_s,
            block_time_ms: self.eth_block_time_ms,
            min_exit_period_s: self.min_exit_period_s,
        };
        let board = findings.board.clone();
        self.read(move |api| look(Exits { board, store: &api.store, clock })).await
    }

    fn exitable(&self, owner: Address) -> Result<Vec<ExitableUtxo>, StoreError> {
        let mut found = Vec::new();
        let mut after = None;
        while found.len() < self.exitable_utxos_max {
            let page = self.store.utxos_of(owner, after, EXITABLE_PAGE_LEN)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = Some(*last);
            found.extend(self.exitable_of(owner, page)?);
        }
        found.truncate(self.exitable_utxos_max);
        Ok(found)
    }

    /// Those of a page of unspent outputs that can leave. What cannot makes room for others in the answer.
    fn exitable_of(
        &self,
        owner: Address,
        unspent: Vec<(UtxoPos, Utxo)>,
    ) -> Result<Vec<ExitableUtxo>, StoreError> {
        let positions: Vec<UtxoPos> = unspent.iter().map(|(position, _)| *position).collect();
        let Unexitable { exiting, quarantined } = unexitable(&self.store, owner, &positions)?;
        let exitable =
            exitable_utxos(unspent, &quarantined, |position| exiting.contains(&position));
        let shown = |(position, utxo): (UtxoPos, Utxo)| ExitableUtxo {
            blknum: position.blknum,
            txindex: position.txindex,
            oindex: position.oindex,
            otype: utxo.output_type.number(),
            owner,
            currency: utxo.currency,
            amount: utxo.amount,
            utxo_pos: position,
        };
        Ok(exitable.map(shown).collect())
    }

    fn exit_data(&self, params: &UtxoPosParams) -> Result<Result<ExitData, RpcError>, StoreError> {
        let Some(position) = params.position() else {
            return Ok(Err(codes::EXIT_INVALID.into()));
        };
        let found = exit_data(position, exit_data_facts(&self.store, position)?);
        Ok(found.map_err(|_| codes::EXIT_INVALID.into()).map(|data| ExitData {
            utxo_pos: position,
            txbytes: data.tx_bytes.into(),
            proof: data.proof.to_bytes(),
        }))
    }

    fn challenge_data(
        &self,
        params: &UtxoPosParams,
    ) -> Result<Result<ChallengeData, RpcError>, StoreError> {
        let Some(position) = params.position() else {
            return Ok(Err(codes::CHALLENGE_EXIT_NOT_FOUND.into()));
        };
        let Some(exit) = self.store.standard_exit(position)? else {
            return Ok(Err(codes::CHALLENGE_EXIT_NOT_FOUND.into()));
        };
        let fact = exit_fact(&self.store, exit.owner, position)?;
        let found = challenge_data(Some(&exit), &fact, &self.domain);
        Ok(found
            .map(|data| ChallengeData {
                exit_id: data.exit_id,
                exiting_tx: data.exiting_tx.into(),
                txbytes: data.tx_bytes.into(),
                input_index: u8::try_from(data.input_index).unwrap_or(u8::MAX),
                sig: data.signature.as_bytes().to_vec(),
            })
            .map_err(|error| match error {
                ChallengeError::ExitNotFound => codes::CHALLENGE_EXIT_NOT_FOUND.into(),
                ChallengeError::UtxoNotSpent => codes::CHALLENGE_UTXO_NOT_SPENT.into(),
            }))
    }

    async fn validate(&self, params: BlockValidateParams) -> Result<BlockValidity, RpcError> {
        let BlockValidateParams { hash, transactions, number } = params;
        let number = Blknum::new(u64::try_from(number).unwrap_or(u64::MAX));
        let transactions = transactions.into_iter().map(Into::into).collect();
        let block = Block { number, hash, transactions };
        if check_size(&block).is_err() {
            return Ok(BlockValidity { valid: false });
        }
        let recovered = recover_all(block.transactions.clone(), self.domain.clone()).await;
        Ok(BlockValidity { valid: validate_block(&block, recovered).is_ok() })
    }

    pub(crate) fn check_safe(&self) -> Result<(), RpcError> {
        let findings = self.tree()?.findings.borrow().clone();
        match findings {
            Some(findings) if findings.is_unsafe => Err(codes::CHAIN_UNSAFE.into()),
            Some(_) => Ok(()),
            None => Err(codes::SERVICE_UNAVAILABLE.into()),
        }
    }

    pub(crate) async fn submit(&self, params: SubmitParams) -> Result<SubmitAnswer, RpcError> {
        let mut recovered =
            recover_all(vec![params.transaction.clone()], self.domain.clone()).await;
        let tx = recovered.pop().ok_or_else(RpcError::internal)??;
        check_submittable(&tx).map_err(|error| RpcError::reason(error.to_string()))?;
        self.check_safe()?;
        Ok(self.child_chain.call(&child_chain::TRANSACTION_SUBMIT, &params).await?)
    }

    async fn submit_batch(&self, params: BatchSubmitParams) -> Result<Vec<BatchItem>, RpcError> {
        self.check_safe()?;
        Ok(self.child_chain.call(&child_chain::TRANSACTION_BATCH_SUBMIT, &params).await?)
    }
}

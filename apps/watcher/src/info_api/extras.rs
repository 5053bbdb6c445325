//! What the originals do not have: proofs of inclusion, the history of fees, and what happens at an account.

use super::InfoApi;
use plasma_core::db_update::TxPos;
use plasma_core::journal::Topic;
use plasma_core::wire::merkle::leaf_hash;
use plasma_core::wire::{BlockHash, SignedTx, TxIndex, UtxoPos};
use plasma_rpc::info::{
    ADDRESS_WATCH, AddressWatch, AddressWatchParams, FEES_HISTORY, InclusionReference, PROOF_GET,
    ProofParams, ProofSubject,
};
use plasma_rpc::server::{EventLog, MethodTable};
use plasma_rpc::subscription::{EventObject, TopicName};
use plasma_rpc::{RpcError, codes};
use plasma_store::{Store, StoreError};
use std::sync::Arc;

pub(super) fn methods(table: MethodTable<InfoApi>) -> MethodTable<InfoApi> {
    table
        .on(&PROOF_GET, |api, params| async move { api.proof(params).await })
        .on(&FEES_HISTORY, |api, params| async move { Ok(api.reads().fee_history(&params).await?) })
        .on(&ADDRESS_WATCH, |api, params| async move { api.watch(params).await })
}

/// What the store has for a proof.
struct Proven {
    signed: SignedTx,
    proof: Vec<u8>,
    root: BlockHash,
}

impl InfoApi {
    async fn proof(&self, params: ProofParams) -> Result<InclusionReference, RpcError> {
        let (at, oindex) = match params.subject() {
            ProofSubject::Output(position) => {
                let UtxoPos { blknum, txindex, oindex } = position.ok_or(codes::PROOF_NOT_FOUND)?;
                (TxPos { blknum, txindex }, usize::from(oindex.get()))
            }
            ProofSubject::Transaction(txhash) => {
                let found = self.reads().transaction(txhash).await?;
                let tx = found.ok_or(codes::PROOF_NOT_FOUND)?;
                (TxPos { blknum: tx.block.blknum, txindex: tx.txindex }, 0)
            }
        };
        let proven = self.watcher.read(move |api| proven(&api.store, at)).await?;
        let Proven { signed, proof, root } = proven.ok_or(codes::PROOF_NOT_FOUND)?;
        if oindex >= signed.transaction().outputs().len() {
            return Err(codes::PROOF_NOT_FOUND.into());
        }
        // The proof needs no database; where the root was submitted is told when there is one.
        let block = self.reads().block(at.blknum).await.ok().flatten();
        Ok(InclusionReference {
            txhash: signed.hash(),
            txbytes: signed.unsigned_bytes(),
            blknum: at.blknum,
            txindex: at.txindex,
            proof,
            block_hash: root,
            plasma_framework: self.watcher.domain.verifying_contract(),
            eth_height: block.as_ref().map(|block| block.eth_height),
            timestamp: block.map(|block| block.timestamp),
        })
    }

    async fn watch(&self, params: AddressWatchParams) -> Result<AddressWatch, RpcError> {
        let log = self.events.clone();
        let reading = tokio::task::spawn_blocking(move || watch(&log, params));
        reading.await.map_err(|_| codes::SERVICE_UNAVAILABLE)?
    }
}

fn proven(store: &Store, at: TxPos) -> Result<Option<Proven>, StoreError> {
    let Some(bytes) = store.transaction(at)? else {
        return Ok(None);
    };
    let (Ok(signed), Some(proof)) = (SignedTx::decode(&bytes), store.inclusion_proof(at)?) else {
        return Ok(None);
    };
    let root = match store.block_header(at.blknum)? {
        Some(header) => header.hash,
        // A deposit is the only transaction of its block.
        None if at.blknum.is_deposit() && at.txindex == TxIndex::new(0) => {
            proof.root(leaf_hash(&signed.unsigned_bytes()), at.txindex.get())
        }
        None => return Ok(None),
    };
    Ok(Some(Proven { signed, proof: proof.to_bytes(), root }))
}

fn watch(log: &Arc<dyn EventLog>, params: AddressWatchParams) -> Result<AddressWatch, RpcError> {
    let topic = Topic::Transfer(params.address);
    let from = params.from.unwrap_or(1);
    let count = usize::try_from(params.limit).unwrap_or(usize::MAX);
    let unreadable = |error: plasma_rpc::server::EventLogError| {
        tracing::warn!(%error, "events of an account cannot be read");
        RpcError::from(codes::SERVICE_UNAVAILABLE)
    };
    let events = log.read(&topic, from.saturating_sub(1), count).map_err(unreadable)?;
    let head = log.head(&topic).map_err(unreadable)?;
    let next = events.last().map_or(from, |event| event.sequence.saturating_add(1));
    let name = TopicName(topic);
    let events = events.into_iter();
    let events =
        events.map(|event| EventObject::new(name, event.sequence, event.at_ms, event.data));
    Ok(AddressWatch { topic: name, head, next, events: events.collect() })
}

//! What the store knows about outputs that leave: lookups by key, never a scan.

use plasma_core::db_update::{Spender, TxPos, UtxoKey};
use plasma_core::exit_processor::{
    ExitDataFacts, ExitFact, ExitFacts, ExitKey, IN_FLIGHT_SPENDS_MAX, InFlightExit,
    QUARANTINED_SPENDS_MAX, StandardExit,
};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{Address, ExitId, SignedTx, UtxoPos};
use plasma_store::{Store, StoreError};

/// Facts to judge or challenge the exit of an output with.
pub(crate) fn exit_fact(
    store: &Store,
    owner: Address,
    position: UtxoPos,
) -> Result<ExitFact, StoreError> {
    let key = UtxoKey { owner, position };
    let spent_by = match store.spender(position)? {
        Some(Spender::Transaction(at)) => store.transaction(at)?,
        Some(Spender::Exit(_)) | None => None,
    };
    Ok(ExitFact {
        output: store.output_fact(position)?,
        spent_by,
        quarantined: store.quarantined_spends(key, QUARANTINED_SPENDS_MAX)?,
        in_flight: store.in_flight_spends(key, IN_FLIGHT_SPENDS_MAX)?,
    })
}

/// The same for many.
pub(crate) fn exit_facts(store: &Store, keys: &[UtxoKey]) -> Result<ExitFacts, StoreError> {
    let fact = |key: &UtxoKey| Ok((*key, exit_fact(store, key.owner, key.position)?));
    keys.iter().map(fact).collect()
}

/// Stored exits, as far as there are any.
pub(crate) fn stored_exits(
    store: &Store,
    keys: &[ExitKey],
) -> Result<Vec<StandardExit>, StoreError> {
    let mut exits = Vec::with_capacity(keys.len());
    for key in keys {
        exits.extend(match *key {
            ExitKey::Position(position) => store.standard_exit(position)?,
            ExitKey::Id(exit_id) => store.standard_exit_by_id(exit_id)?,
        });
    }
    Ok(exits)
}

/// Stored in-flight exits, as far as there are any.
pub(crate) fn stored_in_flight_exits(
    store: &Store,
    exit_ids: impl IntoIterator<Item = ExitId>,
) -> Result<Vec<InFlightExit>, StoreError> {
    exit_ids.into_iter().filter_map(|exit_id| store.in_flight_exit(exit_id).transpose()).collect()
}

/// Whether an unspent output cannot leave by itself, because of an in-flight exit: a transaction that one told of spends it, or it is
/// piggybacked itself.
pub(crate) fn leaves_in_flight(store: &Store, key: UtxoKey) -> Result<bool, StoreError> {
    if !store.in_flight_spends(key, 1)?.is_empty() {
        return Ok(true);
    }
    let UtxoPos { blknum, txindex, oindex } = key.position;
    if blknum.is_deposit() {
        return Ok(false);
    }
    let created_by = store.transaction(TxPos { blknum, txindex })?;
    let Some(created_by) = created_by.and_then(|bytes| SignedTx::decode(&bytes).ok()) else {
        return Ok(false);
    };
    let exit = store.in_flight_exit(ExitId::in_flight(&created_by.unsigned_bytes()))?;
    let now = exit.and_then(|exit| exit.incarnation());
    Ok(now.is_some_and(|now| now.may_pay(PiggybackSlot::output(oindex.get()))))
}

/// Facts for the exit of an output by its owner.
pub(crate) fn exit_data_facts(
    store: &Store,
    position: UtxoPos,
) -> Result<ExitDataFacts, StoreError> {
    use plasma_core::state::OutputFact;
    let at = TxPos { blknum: position.blknum, txindex: position.txindex };
    let output = store.output_fact(position)?;
    let is_spent_in_quarantine = match &output {
        Some(OutputFact::Unspent(owner, _)) => {
            let key = UtxoKey { owner: *owner, position };
            !store.quarantined_spends(key, 1)?.is_empty()
        }
        Some(OutputFact::Gone(_)) | None => false,
    };
    Ok(ExitDataFacts {
        output,
        is_spent_in_quarantine,
        created_by: store.transaction(at)?,
        proof: store.inclusion_proof(at)?,
    })
}

//! What the store knows about outputs that leave: lookups by key, never a scan.

use plasma_core::db_update::{Spender, TxPos, UtxoKey};
use plasma_core::exit_processor::{
    ExitDataFacts, ExitFact, ExitFacts, ExitKey, IN_FLIGHT_SPENDS_MAX, InFlightExit, Incarnation,
    QUARANTINED_SPENDS_MAX, StandardExit,
};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{Address, ExitId, SignedTx, UtxoPos};
use plasma_store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

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

/// Of some unspent outputs of one owner, those that cannot leave by themselves.
#[derive(Debug, Default)]
pub(crate) struct Unexitable {
    /// In an exit already, alone or in flight.
    pub(crate) exiting: BTreeSet<UtxoPos>,
    /// Spent in the quarantine.
    pub(crate) quarantined: BTreeSet<UtxoPos>,
}

/// Looks up a page of unspent outputs, in ascending order: a few reads for the whole page.
pub(crate) fn unexitable(
    store: &Store,
    owner: Address,
    page: &[UtxoPos],
) -> Result<Unexitable, StoreError> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else {
        return Ok(Unexitable::default());
    };
    let mut exiting = store.with_active_exits(page)?;
    if store.has_in_flight_exits()? {
        exiting.extend(store.spent_in_flight(owner, [*first, *last])?);
        exiting.extend(piggybacked(store, page)?);
    }
    let quarantined = match store.fault()? {
        Some(_) => store.spent_in_quarantine(owner, [*first, *last])?,
        None => BTreeSet::new(),
    };
    Ok(Unexitable { exiting, quarantined })
}

/// Those of these outputs that leave with an in-flight exit of the transaction that made them.
fn piggybacked(store: &Store, page: &[UtxoPos]) -> Result<Vec<UtxoPos>, StoreError> {
    // Deposits are made by no payment.
    let made: Vec<UtxoPos> =
        page.iter().filter(|position| !position.blknum.is_deposit()).copied().collect();
    let places: Vec<TxPos> = made
        .iter()
        .map(|position| TxPos { blknum: position.blknum, txindex: position.txindex })
        .collect();
    let exit_id = |bytes: Option<Box<[u8]>>| {
        let signed = SignedTx::decode(&bytes?).ok()?;
        Some(ExitId::in_flight(&signed.unsigned_bytes()))
    };
    let exit_ids: Vec<Option<ExitId>> =
        store.transactions_at(&places)?.into_iter().map(exit_id).collect();
    let known: Vec<ExitId> = exit_ids.iter().flatten().copied().collect();
    let active = store.active_in_flight_exits_of(&known)?;
    let active: BTreeMap<ExitId, Incarnation> =
        active.iter().filter_map(|exit| Some((exit.exit_id, exit.incarnation()?))).collect();
    let joined = made.into_iter().zip(exit_ids).filter(|(position, exit_id)| {
        let now = exit_id.and_then(|exit_id| active.get(&exit_id));
        now.is_some_and(|now| now.may_pay(PiggybackSlot::output(position.oindex.get())))
    });
    Ok(joined.map(|(position, _)| position).collect())
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

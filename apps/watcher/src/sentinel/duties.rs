//! What there is to do: the findings of the guard, with the proof of each, as the Sentinel's duties.
//!
//! It must never ask for a duty that nothing shows, or take a missing answer of the root chain for a sign that a duty is over: then
//! transactions on their way would be withdrawn.

use super::{SentinelError, Shell};
use crate::exit_facts::{exit_fact, exit_facts};
use crate::guard::{Findings, Shown};
use plasma_core::byzantine::{ByzantineEvent, ExitFault};
use plasma_core::exit_processor::in_flight_data::InFlightCase;
use plasma_core::exit_processor::{ExitFacts, InFlightExit, StandardExitPhase, challenge_data};
use plasma_core::sentinel::{DUTIES_MAX, Duty, DutyId, InFlightTerms, QueueHead, Task};
use plasma_core::wire::{Blknum, Currency, ETH, ExitId, MAX_INPUTS, TypedDataDomain, U256};
use plasma_eth::{ERC20_VAULT_ID, ETH_VAULT_ID, InFlightExitRecord, RootChainError};
use plasma_store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most exits that are processed by one call: what a block has room for, whatever the exits are.
const PROCESSED_EXITS_MAX: u64 = 16;
/// Most queues that are looked at, for each block of the root chain.
const QUEUES_MAX: usize = 64;

/// What is to be done, and which of what was to be done before somebody has done.
pub(super) type Wanted = (Vec<Duty>, BTreeSet<DutyId>);

/// Exits about which something can be shown.
#[derive(Default)]
struct Faulty {
    standard: Vec<ExitFault>,
    standard_ids: BTreeSet<ExitId>,
    in_flight: BTreeSet<ExitId>,
    /// Whether there are more than are looked at.
    is_cut: bool,
}

/// What was shown about exits, and all that it was made of. Proofs cost reads and signature recoveries; looks are many.
pub(super) struct Proven {
    revision: u64,
    shown: Arc<Shown>,
    bonds: BTreeMap<ExitId, U256>,
    terms: BTreeMap<ExitId, InFlightTerms>,
    duties: Arc<Vec<Duty>>,
}

/// What is read to turn findings into duties.
struct Reader {
    store: Store,
    domain: Arc<TypedDataDomain>,
    min_exit_period_s: u64,
    fault: Option<Blknum>,
}

impl Shell {
    /// Everything that is to be done, as of a time of the root chain.
    pub(super) async fn duties(
        &mut self,
        findings: &Findings,
        now_s: u64,
    ) -> Result<Result<Wanted, RootChainError>, SentinelError> {
        let faulty = Faulty::new(&findings.shown, self.parts.min_exit_period_s, now_s);
        let mut duties = self.housekeeping(&faulty, now_s).await?;
        // What could not be looked at is not paid either.
        if self.parts.config.process_exits && !faulty.is_cut {
            match self.queues(&faulty, now_s).await? {
                Ok(mature) => duties.extend(mature),
                Err(error) => return Ok(Err(error)),
            }
        }
        let terms = match self.terms(&faulty).await {
            Ok(terms) => terms,
            Err(error) => return Ok(Err(error)),
        };
        let before: Vec<DutyId> = self.sentinel.unended().into_iter().collect();
        let (store, domain) = (self.parts.store.clone(), self.parts.domain.clone());
        let min_exit_period_s = self.parts.min_exit_period_s;
        let bonds = self.bonds.clone();
        let known = self.proven.take().filter(|known| known.is_of(findings, &bonds, &terms));
        let (shown, revision) = (findings.shown.clone(), findings.revision);
        let read = move || {
            let fault = store.fault()?.map(|fault| fault.blknum);
            let reader = Reader { store, domain, min_exit_period_s, fault };
            let proven = match known {
                Some(known) => known,
                None => {
                    let duties = Arc::new(reader.prove(&faulty, &bonds, &terms)?);
                    Proven { revision, shown, bonds, terms, duties }
                }
            };
            Ok::<_, StoreError>((proven, reader.met(&before)?))
        };
        let (proven, met) = tokio::task::spawn_blocking(read).await??;
        let may_contest = self.knows_the_ledger(findings);
        let (known, period_s) = (self.sentinel.unended(), self.parts.min_exit_period_s);
        let wanted = proven.duties.iter().filter(|duty| {
            may_contest || !duty.needs_the_ledger(period_s, now_s) || known.contains(&duty.id)
        });
        duties.extend(wanted.cloned());
        self.proven = Some(proven);
        Ok(Ok((duties, met)))
    }

    /// In-flight exits that nobody joined.
    async fn housekeeping(&self, faulty: &Faulty, now_s: u64) -> Result<Vec<Duty>, SentinelError> {
        let period_s = self.parts.min_exit_period_s;
        let deletable =
            self.parts.guard.ask(move |guard| guard.exits.deletable(period_s, now_s, DUTIES_MAX));
        let exits = deletable.await?.into_iter();
        // Whatever can still be shown comes first: with the exit its bond would go.
        let exits = exits.filter(|exit| !faulty.in_flight.contains(&exit.exit_id));
        Ok(exits.filter_map(|exit| Duty::delete_in_flight_exit(&exit, period_s, now_s)).collect())
    }

    /// Queues that can be processed without paying anybody who should be challenged.
    async fn queues(
        &self,
        faulty: &Faulty,
        now_s: u64,
    ) -> Result<Result<Vec<Duty>, RootChainError>, SentinelError> {
        let currencies = self.parts.guard.ask(|guard| guard.exits.currencies_leaving()).await?;
        let queues: Vec<(u64, Currency)> = currencies
            .into_iter()
            .take(QUEUES_MAX)
            .map(|currency| (if currency == ETH { ETH_VAULT_ID } else { ERC20_VAULT_ID }, currency))
            .collect();
        let heads = match self.parts.chain.next_exits(&queues).await {
            Ok(heads) => heads,
            Err(error) => return Ok(Err(error)),
        };
        let exits_max = if faulty.is_empty() { PROCESSED_EXITS_MAX } else { 1 };
        let heads = queues.into_iter().zip(heads).filter_map(|((vault_id, token), priority)| {
            let head = QueueHead { vault_id, token, priority: priority? };
            (!faulty.contains(head.priority.exit_id())).then_some(head)
        });
        let period_s = self.parts.min_exit_period_s;
        let duty = |head| Duty::process_exits(&head, exits_max, period_s, now_s);
        Ok(Ok(heads.filter_map(duty).collect()))
    }

    /// Looks up bonds: of standard exits once, of in-flight exits always, for piggybacks come and go.
    async fn terms(
        &mut self,
        faulty: &Faulty,
    ) -> Result<BTreeMap<ExitId, InFlightTerms>, RootChainError> {
        self.bonds.retain(|exit_id, _| faulty.contains(*exit_id));
        let standard = faulty.standard.iter().map(|exit| exit.exit_id);
        let unknown: Vec<ExitId> = standard.filter(|id| !self.bonds.contains_key(id)).collect();
        if !unknown.is_empty() {
            let records = self.parts.chain.standard_exits(&unknown).await?;
            let bonds = unknown.into_iter().zip(records);
            self.bonds.extend(bonds.filter_map(|(id, record)| Some((id, record?.bond_wei))));
        }
        let in_flight: Vec<ExitId> = faulty.in_flight.iter().copied().collect();
        if in_flight.is_empty() {
            return Ok(BTreeMap::new());
        }
        let records = self.parts.chain.in_flight_exits(&in_flight).await?;
        let period_s = self.parts.min_exit_period_s;
        let terms = records.into_iter().map(|record| terms(record.as_ref(), period_s));
        Ok(in_flight.into_iter().zip(terms).collect())
    }
}

impl Faulty {
    /// At most [`DUTIES_MAX`] standard exits and as many in flight, the longest running first. Exits that can still be contested leave
    /// room for those that can be answered or blocked; those that can not be contested any more count no longer.
    fn new(shown: &Shown, min_exit_period_s: u64, now_s: u64) -> Self {
        let mut faulty = Self::default();
        let mut contestable = Vec::new();
        for event in &shown.events {
            match event {
                ByzantineEvent::InvalidExit(fault) => {
                    faulty.is_cut |= faulty.standard.len() >= DUTIES_MAX;
                    if faulty.standard.len() < DUTIES_MAX {
                        faulty.standard_ids.insert(fault.exit_id);
                        faulty.standard.push(fault.clone());
                    }
                }
                ByzantineEvent::NonCanonicalIfe(fault) => {
                    let ends_s = fault.started_at_s.saturating_add(min_exit_period_s / 2);
                    contestable.extend((now_s < ends_s).then_some(fault.exit_id));
                }
                ByzantineEvent::InvalidIfeChallenge(fault) => faulty.add(fault.exit_id),
                ByzantineEvent::InvalidPiggyback(fault) => faulty.add(fault.exit_id),
                _ => {}
            }
        }
        contestable.into_iter().for_each(|exit_id| faulty.add(exit_id));
        faulty
    }

    fn add(&mut self, exit_id: ExitId) {
        if self.in_flight.len() < DUTIES_MAX {
            self.in_flight.insert(exit_id);
        } else {
            self.is_cut |= !self.in_flight.contains(&exit_id);
        }
    }

    fn contains(&self, exit_id: ExitId) -> bool {
        self.in_flight.contains(&exit_id) || self.standard_ids.contains(&exit_id)
    }

    fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.standard.is_empty()
    }
}

fn terms(record: Option<&InFlightExitRecord>, min_exit_period_s: u64) -> InFlightTerms {
    let mut piggyback_bonds_wei = [U256::zero(); 2 * MAX_INPUTS];
    if let Some(record) = record {
        let (of_inputs, of_outputs) = piggyback_bonds_wei.split_at_mut(MAX_INPUTS);
        for (bonds, shares) in [(of_inputs, &record.inputs), (of_outputs, &record.outputs)] {
            for (bond_wei, share) in bonds.iter_mut().zip(shares) {
                *bond_wei = share.piggyback_bond_wei;
            }
        }
    }
    let bond_wei = record.map_or_else(U256::zero, |record| record.bond_wei);
    InFlightTerms { min_exit_period_s, bond_wei, piggyback_bonds_wei }
}

impl Proven {
    fn is_of(
        &self,
        findings: &Findings,
        bonds: &BTreeMap<ExitId, U256>,
        terms: &BTreeMap<ExitId, InFlightTerms>,
    ) -> bool {
        self.revision == findings.revision
            && Arc::ptr_eq(&self.shown, &findings.shown)
            && (&self.bonds, &self.terms) == (bonds, terms)
    }
}

impl Reader {
    /// Everything that can be shown.
    fn prove(
        &self,
        faulty: &Faulty,
        bonds: &BTreeMap<ExitId, U256>,
        terms: &BTreeMap<ExitId, InFlightTerms>,
    ) -> Result<Vec<Duty>, StoreError> {
        let mut duties = Vec::new();
        for exit in &faulty.standard {
            duties.extend(self.standard_exit(exit, bonds)?);
        }
        for (exit_id, terms) in terms {
            duties.extend(self.in_flight_exit(*exit_id, terms)?);
        }
        Ok(duties)
    }

    /// To challenge an invalid standard exit, if it can be.
    fn standard_exit(
        &self,
        fault: &ExitFault,
        bonds: &BTreeMap<ExitId, U256>,
    ) -> Result<Option<Duty>, StoreError> {
        let exit = self.store.standard_exit(fault.position)?;
        let fact = exit_fact(&self.store, fault.owner, fault.position)?;
        match challenge_data(exit.as_ref(), &fact, &self.domain) {
            Ok(proof) if proof.exit_id == fault.exit_id => {
                let bond_wei = bonds.get(&fault.exit_id).copied().unwrap_or_default();
                let period_s = self.min_exit_period_s;
                Ok(Some(Duty::challenge_standard_exit(fault, proof, bond_wei, period_s)))
            }
            // Another exit of the output was started meanwhile: the next findings are about that.
            Ok(_) => Ok(None),
            Err(error) => {
                let position = fault.position;
                tracing::debug!(%position, %error, "an invalid exit cannot be challenged");
                Ok(None)
            }
        }
    }

    /// What can be shown about an in-flight exit.
    fn in_flight_exit(
        &self,
        exit_id: ExitId,
        terms: &InFlightTerms,
    ) -> Result<Vec<Duty>, StoreError> {
        let exit = self.store.in_flight_exit(exit_id)?;
        let mut facts = ExitFacts::new();
        loop {
            let (exit, fault) = (exit.as_ref(), self.fault);
            let case = InFlightCase { exit, facts: &facts, fault, domain: &self.domain };
            let needed = case.keys_needed();
            if needed.is_empty() {
                return Duty::of_in_flight_exit(&case, terms, |at| self.store.inclusion_proof(at));
            }
            facts.extend(exit_facts(&self.store, &needed)?);
        }
    }

    /// Which duties somebody has done.
    fn met(&self, duties: &[DutyId]) -> Result<BTreeSet<DutyId>, StoreError> {
        let mut met = BTreeSet::new();
        for id in duties {
            let standard = self.store.standard_exit_by_id(id.exit_id)?;
            let in_flight = self.store.in_flight_exit(id.exit_id)?;
            let is_met = match id.task {
                Task::ChallengeStandardExit => standard.is_some_and(|exit| {
                    exit.root_chain_txhash == id.cause
                        && exit.phase == StandardExitPhase::Challenged
                }),
                Task::ProcessExits => {
                    standard.is_some_and(|exit| exit.phase != StandardExitPhase::Active)
                        || in_flight.as_ref().is_some_and(|exit| !InFlightExit::is_active(exit))
                }
                _ => in_flight.is_some_and(|exit| id.is_met_by(&exit)),
            };
            met.extend(is_met.then_some(*id));
        }
        Ok(met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_made_again_only_when_something_they_are_made_of_changed() {
        let exit_id = ExitId::from_bytes([1; 20]);
        let findings = Findings { revision: 7, ..Findings::default() };
        let bonds = BTreeMap::from([(exit_id, U256::one())]);
        let joined = BTreeMap::from([(exit_id, terms(None, 60))]);
        let proven = Proven {
            revision: findings.revision,
            shown: findings.shown.clone(),
            bonds: bonds.clone(),
            terms: joined.clone(),
            duties: Arc::default(),
        };
        let later =
            Findings { last_applied: Blknum::new(2_000), is_unsafe: true, ..findings.clone() };
        assert!(proven.is_of(&findings, &bonds, &joined));
        assert!(proven.is_of(&later, &bonds, &joined), "a block that concerns no exit");

        let learned = Findings { revision: 8, ..findings.clone() };
        let listed = Findings { shown: Arc::default(), ..findings.clone() };
        let others = BTreeMap::from([(exit_id, terms(None, 61))]);
        assert!(!proven.is_of(&learned, &bonds, &joined));
        assert!(!proven.is_of(&listed, &bonds, &joined));
        assert!(!proven.is_of(&findings, &BTreeMap::new(), &joined));
        assert!(!proven.is_of(&findings, &bonds, &others));
    }
}

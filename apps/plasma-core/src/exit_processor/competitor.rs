//! Competitors: other transactions that spend an input of an in-flight one, and spends that only exit events told of.
//!
//! Nothing counts as a spend without the signature of the one it takes from: whatever is found here can be shown to a contract.

use super::ExitFacts;
use super::challenge::Spend;
use super::in_flight_exit::InFlightTx;
use super::verdict::{ExitFact, LedgerEdge};
use crate::db_update::{Spender, TxPos, UtxoKey};
use crate::root_chain::{InFlightExitChallenge, InFlightExitStart};
use crate::state::OutputFact;
use crate::wire::{ExitId, Signature, SignedTx, Transaction, TxHash, TypedDataDomain, keccak256};

/// Most spends by in-flight transactions that facts hold about one output. Any two transactions are enough to judge by, and one
/// can be told of by two sources.
pub const IN_FLIGHT_SPENDS_MAX: usize = 4;

/// Who told of a spend that need not be in any block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpendSource {
    /// The start of an in-flight exit of the transaction that spends.
    InFlightExit(ExitId),
    /// A challenge that showed the transaction as a competitor.
    Competitor(TxHash),
}

/// Another transaction that spends an input of an in-flight one, with the owner's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Competitor {
    /// Where it is included, as far as the ledger is to be believed.
    pub(super) included_at: Option<TxPos>,
    /// Whether nothing but exit events told of it.
    pub(super) is_told: bool,
    /// Which input of the in-flight transaction it spends.
    pub(super) input_index: u16,
    pub(super) spend: Spend,
}

/// A spend of an output by its owner, and how it is known.
pub(super) struct KnownSpend {
    pub(super) spend: Spend,
    /// Where it is included, as far as the ledger is to be believed.
    pub(super) included_at: Option<TxPos>,
    /// Whether nothing but exit events told of it.
    pub(super) is_told: bool,
}

/// Where the ledger has this transaction. Whoever is included spends his inputs, so that one lookup by input answers it. (`I5`)
pub(super) fn included_at(tx: &InFlightTx, facts: &ExitFacts, edge: LedgerEdge) -> Option<TxPos> {
    tx.inputs.iter().find_map(|key| {
        let fact = facts.get(key)?;
        let at = fact.spent_at(edge)?;
        let spent_by = SignedTx::decode(fact.spent_by.as_deref()?).ok()?;
        (spent_by.hash() == tx.tx_hash).then_some(at)
    })
}

/// All competitors, the oldest first; those in no block come last. (`I6`)
pub(super) fn competitors(
    tx: &InFlightTx,
    facts: &ExitFacts,
    edge: LedgerEdge,
    domain: &TypedDataDomain,
) -> Vec<Competitor> {
    let mut found = Vec::new();
    for (input_index, key) in (0..).zip(&tx.inputs) {
        let Some(fact) = facts.get(key) else {
            continue;
        };
        for known in fact.spends(*key, edge, domain) {
            if known.spend.tx_hash != tx.tx_hash {
                let KnownSpend { spend, included_at, is_told } = known;
                found.push(Competitor { included_at, is_told, input_index, spend });
            }
        }
    }
    found.sort_by_key(|competitor| {
        (competitor.included_at.is_none(), competitor.included_at, competitor.input_index)
    });
    found
}

impl ExitFact {
    /// Where the ledger says that the output was spent, as far as it is to be believed.
    pub(super) fn spent_at(&self, edge: LedgerEdge) -> Option<TxPos> {
        match self.output {
            Some(OutputFact::Gone(Spender::Transaction(at))) if edge.vouches_for(at) => Some(at),
            _ => None,
        }
    }

    /// Whether the ledger says that a transaction spent it, believed or not.
    pub(super) const fn is_spent(&self) -> bool {
        matches!(self.output, Some(OutputFact::Gone(Spender::Transaction(_))))
    }

    /// Every known spend of the output by its owner.
    pub(super) fn spends(
        &self,
        key: UtxoKey,
        edge: LedgerEdge,
        domain: &TypedDataDomain,
    ) -> impl Iterator<Item = KnownSpend> {
        let in_ledger = self.spent_by.iter().map(move |bytes| (bytes, self.spent_at(edge), false));
        let quarantined = self.quarantined.iter().map(|bytes| (bytes, None, false));
        let told = self.in_flight.iter().map(|bytes| (bytes, None, true));
        let all = in_ledger.chain(quarantined).chain(told);
        all.filter_map(move |(bytes, included_at, is_told)| {
            let spend = Spend::find(bytes, key.position, key.owner, domain)?;
            Some(KnownSpend { spend, included_at, is_told })
        })
    }
}

/// A spend that an exit event told of, to be kept under its signer and output.
pub(super) struct ToldSpend {
    pub(super) key: UtxoKey,
    pub(super) source: SpendSource,
    /// The transaction with the signatures that were told; missing ones are zero.
    pub(super) signed_tx: Box<[u8]>,
}

/// The spends of an in-flight transaction. (`I4`)
pub(super) fn spends_of_start(
    start: &InFlightExitStart,
    domain: &TypedDataDomain,
) -> Vec<ToldSpend> {
    let source = SpendSource::InFlightExit(start.exit_id);
    let signatures = start.witnesses.iter().map(|witness| signature(witness));
    told(&start.tx_bytes, &signatures.collect::<Vec<_>>(), source, domain)
}

/// The spends of a competitor that a challenge showed. Each challenge tells one signature; all of them are kept. (`I4`)
pub(super) fn spends_of_challenge(
    challenge: &InFlightExitChallenge,
    domain: &TypedDataDomain,
) -> Vec<ToldSpend> {
    let source = SpendSource::Competitor(keccak256(&challenge.competing_tx));
    let missing = std::iter::repeat_n(MISSING, challenge.competing_input_index.into());
    let witness = signature(&challenge.competing_witness);
    let signatures: Vec<Signature> = missing.chain([witness]).collect();
    told(&challenge.competing_tx, &signatures, source, domain)
}

const MISSING: Signature = Signature::from_bytes([0; crate::wire::signing::SIGNATURE_LEN]);

fn signature(witness: &[u8]) -> Signature {
    witness.try_into().map_or(MISSING, Signature::from_bytes)
}

fn told(
    unsigned_tx: &[u8],
    signatures: &[Signature],
    source: SpendSource,
    domain: &TypedDataDomain,
) -> Vec<ToldSpend> {
    let Ok(Transaction::Payment(payment)) = Transaction::decode_unsigned(unsigned_tx) else {
        return Vec::new();
    };
    let digest = domain.sign_hash(&payment);
    let inputs: Vec<_> = payment.inputs.iter().map(|input| input.position()).collect();
    let signatures = signatures.get(..inputs.len()).unwrap_or(signatures);
    let signed_tx: Box<[u8]> = Transaction::Payment(payment).encode_signed(signatures).into();
    let spends = inputs.into_iter().zip(signatures).filter_map(|(position, signature)| {
        let owner = signature.to_low_s().recover(digest).ok()?;
        let key = UtxoKey { owner, position: position? };
        Some(ToldSpend { key, source, signed_tx: signed_tx.clone() })
    });
    spends.collect()
}

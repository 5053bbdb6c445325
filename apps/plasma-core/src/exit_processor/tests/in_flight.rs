//! In-flight exits: one transaction of Alice's with two inputs and two outputs, and what is said about its exit.

mod data;
mod lifecycle;
mod rules;

use super::super::in_flight_data::{InFlightCase, InFlightDataError};
use super::*;
use crate::root_chain::{InFlightExitChallenge, InFlightExitStart, PiggybackSlot};
use crate::wire::{Signature, SignedTx};

const P: UtxoPos = UtxoPos::new(Blknum::new(1000), TxIndex::new(0), OutputIndex::new(0));
const Q: UtxoPos = UtxoPos::new(Blknum::new(2000), TxIndex::new(1), OutputIndex::new(1));
const INPUT_0: PiggybackSlot = PiggybackSlot::input(0);
const INPUT_1: PiggybackSlot = PiggybackSlot::input(1);
const OUTPUT_0: PiggybackSlot = PiggybackSlot::output(0);
const OUTPUT_1: PiggybackSlot = PiggybackSlot::output(1);

/// Where things are included.
const EARLY: TxPos = TxPos { blknum: Blknum::new(3000), txindex: TxIndex::new(4) };
const LATE: TxPos = TxPos { blknum: Blknum::new(3000), txindex: TxIndex::new(5) };

/// The processor, and the store behind it.
struct Board {
    processor: ExitProcessor,
    facts: BTreeMap<UtxoPos, ExitFact>,
    exits: BTreeMap<ExitId, InFlightExit>,
    told: BTreeMap<(UtxoKey, SpendSource), Box<[u8]>>,
    fault: Option<Blknum>,
    eth_height: u64,
    asked: Vec<UtxoPos>,
}

impl Board {
    fn new() -> Self {
        Self {
            processor: ExitProcessor::restore(CONFIG, domain(), [], [], Blknum::new(5000), None),
            facts: BTreeMap::new(),
            exits: BTreeMap::new(),
            told: BTreeMap::new(),
            fault: None,
            eth_height: 60,
            asked: Vec::new(),
        }
    }

    fn restart(&mut self) {
        let active = self.exits.values().filter(|exit| exit.is_active()).cloned();
        let next = Blknum::new(5000);
        self.processor = ExitProcessor::restore(CONFIG, domain(), [], active, next, self.fault);
    }

    fn see(&mut self, events: &[EthEvent]) {
        let needed = self.processor.in_flight_exits_needed(events).into_iter();
        let stored: Vec<_> = needed.filter_map(|id| self.exits.get(&id).cloned()).collect();
        let mut updates = Vec::new();
        self.processor.on_in_flight_events(events, &stored, &mut updates);
        self.commit(updates);
    }

    fn commit(&mut self, updates: Vec<DbUpdate>) {
        for update in updates {
            match update {
                DbUpdate::ExitProcessor(ExitProcessorUpdate::PutInFlightExit(exit)) => {
                    self.exits.insert(exit.exit_id, *exit);
                }
                DbUpdate::ExitProcessor(ExitProcessorUpdate::PutInFlightSpend(key, by, bytes)) => {
                    self.told.insert((key, by), bytes);
                }
                DbUpdate::ExitProcessor(ExitProcessorUpdate::DeleteInFlightSpend(key, by)) => {
                    self.told.remove(&(key, by));
                }
                other => panic!("not about in-flight exits: {other:?}"),
            }
        }
    }

    /// Alice's transaction, or another, spends these outputs in the ledger.
    fn include(&mut self, tx: &RecoveredTx, at: TxPos) {
        for input in tx.transaction().inputs() {
            let position = input.position().unwrap();
            let fact = self.facts.entry(position).or_default();
            fact.output = Some(OutputFact::Gone(Spender::Transaction(at)));
            fact.spent_by = Some(tx.signed_bytes().into());
            self.processor.on_ledger(Blknum::new(5000), [position]);
        }
    }

    fn quarantine(&mut self, tx: &RecoveredTx) {
        for (input, owner) in tx.transaction().inputs().iter().zip(tx.spenders()) {
            let position = input.position().unwrap();
            self.facts.entry(position).or_default().quarantined.push(tx.signed_bytes().into());
            self.processor.on_quarantined(&[UtxoKey { owner: *owner, position }]);
        }
    }

    fn break_chain_at(&mut self, blknum: u64) {
        self.fault = Some(Blknum::new(blknum));
        self.processor.on_fault(Blknum::new(blknum));
    }

    fn fact(&self, key: UtxoKey) -> ExitFact {
        let mut fact = self.facts.get(&key.position).cloned().unwrap_or_default();
        let told = self.told.iter().filter(|((told, _), _)| *told == key);
        fact.in_flight = told.map(|(_, bytes)| bytes.clone()).collect();
        fact
    }

    fn check(&mut self) {
        self.asked.clear();
        loop {
            let request = self.processor.facts_needed();
            if request.keys.is_empty() {
                return;
            }
            self.asked.extend(request.keys.iter().map(|key| key.position));
            let facts = request.keys.iter().map(|key| (*key, self.fact(*key)));
            self.processor.decide(&request, &facts.collect());
        }
    }

    /// What is said, apart from what can be piggybacked.
    fn events(&mut self) -> Vec<String> {
        self.check();
        let heights = ExitHeights {
            root_chain: EthHeight::new(self.eth_height),
            challenges: EthHeight::new(self.eth_height),
            in_flight_exits: EthHeight::new(self.eth_height),
        };
        let events = self.processor.byzantine_events(heights);
        let is_unsafe = events.iter().any(ByzantineEvent::makes_chain_unsafe);
        assert_eq!(self.processor.is_chain_unsafe(heights), is_unsafe);
        let shown = events.iter().filter_map(|event| match event {
            ByzantineEvent::PiggybackAvailable(_) => None,
            ByzantineEvent::InvalidPiggyback(fault)
            | ByzantineEvent::UnchallengedPiggyback(fault) => {
                Some(format!("{} {:?} {:?}", event.name(), fault.inputs, fault.outputs))
            }
            other => Some(other.name().to_owned()),
        });
        shown.collect()
    }

    /// What can be piggybacked: indexes of inputs and outputs.
    fn available(&mut self) -> Option<(Vec<u16>, Vec<u16>)> {
        self.check();
        let heights = ExitHeights {
            root_chain: EthHeight::new(60),
            challenges: EthHeight::new(60),
            in_flight_exits: EthHeight::new(60),
        };
        let events = self.processor.byzantine_events(heights);
        events.into_iter().find_map(|event| match event {
            ByzantineEvent::PiggybackAvailable(free) => {
                assert!(free.inputs.iter().all(|input| input.owner == alice()));
                let indexes = |all: Vec<crate::byzantine::AvailablePiggyback>| {
                    all.iter().map(|free| free.index).collect()
                };
                Some((indexes(free.inputs), indexes(free.outputs)))
            }
            _ => None,
        })
    }

    /// Lets the ledger answer for all payments: these outputs are not there any more.
    fn settle(&mut self, missing: &[UtxoPos]) -> Vec<UtxoPos> {
        self.check();
        let due = self.processor.payments_due();
        let exiting: Vec<Exiting> = due.iter().flat_map(|paid| paid.exiting.clone()).collect();
        let (invalid, valid) =
            exiting.iter().copied().partition(|exit| missing.contains(&exit.position));
        let mut updates = Vec::new();
        self.processor.on_paid(&due, &ExitsOutcome { valid, invalid }, &mut updates);
        self.commit(updates);
        assert_eq!(self.processor.payments_due(), []);
        exiting.iter().map(|exit| exit.position).collect()
    }

    fn with_case<R>(&self, look: impl Fn(InFlightCase<'_>) -> R) -> R {
        let domain = domain();
        let mut facts = ExitFacts::new();
        loop {
            let exit = self.exits.get(&id());
            let case = InFlightCase { exit, facts: &facts, fault: self.fault, domain: &domain };
            let needed = case.keys_needed();
            if needed.is_empty() {
                return look(case);
            }
            facts.extend(needed.into_iter().map(|key| (key, self.fact(key))));
        }
    }
}

fn pay(inputs: &[UtxoPos], signers: &[u8], amounts: &[u64]) -> RecoveredTx {
    let payment = PaymentTx {
        inputs: inputs.iter().copied().map(Into::into).collect(),
        outputs: amounts.iter().map(|n| Output::payment(bob(), ETH, U256::from(*n))).collect(),
        metadata: H256::zero(),
    };
    let digest = domain().sign_hash(&payment);
    let signatures: Vec<Signature> = signers.iter().map(|seed| key(*seed).sign(digest)).collect();
    let signed = SignedTx::new(Transaction::Payment(payment), &signatures).unwrap();
    RecoveredTx::recover(signed, &domain()).unwrap()
}

/// The transaction in flight.
fn tx() -> RecoveredTx {
    pay(&[P, Q], &[1, 1], &[12, 8])
}

/// Another one that spends the second input, as its own second.
fn competitor() -> RecoveredTx {
    pay(&[pos(7, 0, 0), Q], &[2, 1], &[3])
}

fn unsigned(tx: &RecoveredTx) -> Vec<u8> {
    tx.transaction().encode_unsigned()
}

fn id() -> ExitId {
    ExitId::in_flight(&unsigned(&tx()))
}

fn start_of(tx: &RecoveredTx) -> InFlightExitStart {
    let signed = SignedTx::decode(tx.signed_bytes()).unwrap();
    let inputs = tx.transaction().inputs();
    InFlightExitStart {
        exit_id: ExitId::in_flight(&unsigned(tx)),
        tx_hash: tx.hash(),
        initiator: bob(),
        started_at_s: 1_234,
        tx_bytes: unsigned(tx).into(),
        input_positions: inputs.iter().map(|input| input.position().unwrap()).collect(),
        witnesses: signed.signatures().map(|it| it.as_bytes().as_slice().into()).collect(),
        input_txs: inputs.iter().map(|_| creating_tx().encode_unsigned().into()).collect(),
    }
}

fn started(eth_height: u64) -> EthEvent {
    at(eth_height, 1, RootChainEvent::InFlightExitStarted(Box::new(start_of(&tx()))))
}

fn piggybacked(eth_height: u64, slot: PiggybackSlot) -> EthEvent {
    let log_index = 2 + u32::from(slot.index) + 4 * slot.side as u32;
    let event = RootChainEvent::InFlightExitPiggybacked {
        exit_id: id(),
        tx_hash: tx().hash(),
        slot,
        exit_target: alice(),
        exitable_at_s: 9_999,
    };
    at(eth_height, log_index, event)
}

fn blocked(eth_height: u64, slot: PiggybackSlot) -> EthEvent {
    let (exit_id, tx_hash, challenger) = (id(), tx().hash(), bob());
    let event = RootChainEvent::InFlightExitPiggybackBlocked { exit_id, tx_hash, slot, challenger };
    at(eth_height, 20, event)
}

fn withdrawn(eth_height: u64, slot: PiggybackSlot) -> EthEvent {
    let log_index = 30 + u32::from(slot.index) + 4 * slot.side as u32;
    let event = RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id: id(), slot };
    at(eth_height, log_index, event)
}

fn deleted(eth_height: u64) -> EthEvent {
    at(eth_height, 40, RootChainEvent::InFlightExitDeleted { exit_id: id() })
}

fn finalized(eth_height: u64) -> EthEvent {
    at(eth_height, 50, RootChainEvent::InFlightExitFinalized { exit_id: id() })
}

fn challenged_with(eth_height: u64, by: &RecoveredTx, tx_pos: Option<TxPos>) -> EthEvent {
    let inputs = by.transaction().inputs().iter().map(|input| input.position());
    let index = inputs.enumerate().find(|(_, input)| *input == Some(Q)).unwrap().0;
    let signed = SignedTx::decode(by.signed_bytes()).unwrap();
    let challenge = InFlightExitChallenge {
        exit_id: id(),
        tx_hash: tx().hash(),
        challenger: bob(),
        competing_tx_pos: tx_pos,
        input_index: 1,
        competing_tx: unsigned(by).into(),
        competing_input_index: u16::try_from(index).unwrap(),
        competing_witness: signed.signatures().nth(index).unwrap().as_bytes().as_slice().into(),
    };
    at(eth_height, 60, RootChainEvent::InFlightExitChallenged(Box::new(challenge)))
}

fn responded(eth_height: u64, tx_pos: TxPos) -> EthEvent {
    let (exit_id, tx_hash, challenger) = (id(), tx().hash(), bob());
    let event =
        RootChainEvent::InFlightExitChallengeResponded { exit_id, tx_hash, challenger, tx_pos };
    at(eth_height, 70, event)
}

//! Standard exits (protocol 10.8): a small ledger, exits of all kinds, and what is said about them.

mod data;
mod in_flight;
mod lifecycle;
mod validity;

use super::*;
use crate::block_getter::testing::{domain, key, payment_to, pos};
use crate::byzantine::ByzantineEvent;
use crate::db_update::{DbUpdate, Spender, TxPos, Utxo};
use crate::root_chain::{EthEvent, RootChainEvent};
use crate::state::{Exiting, ExitsOutcome, OutputFact};
use crate::wire::{
    Address, ETH, H256, Output, OutputType, PaymentTx, RecoveredTx, Transaction, TxHash, U256,
    UtxoPos,
};
use std::collections::BTreeMap;

const CONFIG: ExitProcessorConfig =
    ExitProcessorConfig { sla_margin_eth_blocks: 10, exit_finality_margin_eth_blocks: 2 };

fn alice() -> Address {
    key(1).address()
}

fn bob() -> Address {
    key(2).address()
}

/// Everything the processor is told, and the store behind it.
struct Universe {
    processor: ExitProcessor,
    facts: BTreeMap<UtxoPos, ExitFact>,
    store: BTreeMap<UtxoPos, StandardExit>,
    next: u64,
    fault: Option<u64>,
    eth_height: u64,
    challenges: u64,
    asked: Vec<UtxoPos>,
}

impl Universe {
    /// The ledger has blocks up to 4000; the root chain is at height 100, and challenges are known up to 98.
    fn new() -> Self {
        let processor = ExitProcessor::restore(CONFIG, domain(), [], [], Blknum::new(5000), None);
        Self {
            processor,
            facts: BTreeMap::new(),
            store: BTreeMap::new(),
            next: 5000,
            fault: None,
            eth_height: 100,
            challenges: 98,
            asked: Vec::new(),
        }
    }

    fn restart(&mut self) {
        let active = self.store.values().filter(|exit| exit.phase.is_active()).cloned();
        let (next, fault) = (Blknum::new(self.next), self.fault.map(Blknum::new));
        self.processor = ExitProcessor::restore(CONFIG, domain(), active, [], next, fault);
        self.check();
    }

    fn set_heights(&mut self, eth_height: u64, challenges: u64) {
        self.eth_height = eth_height;
        self.challenges = challenges;
    }

    /// The ledger has this output, unspent: 10 wei of Alice's.
    fn unspent(&mut self, position: UtxoPos) {
        let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount: U256::from(10) };
        let fact = self.facts.entry(position).or_default();
        fact.output = Some(OutputFact::Unspent(alice(), utxo));
        self.touch(position);
    }

    /// The ledger says that this transaction spent the output.
    fn spent(&mut self, position: UtxoPos, by: &RecoveredTx) {
        let at = TxPos { blknum: Blknum::new(4000), txindex: TxIndex::new(0) };
        let fact = self.facts.entry(position).or_default();
        fact.output = Some(OutputFact::Gone(Spender::Transaction(at)));
        fact.spent_by = Some(by.signed_bytes().into());
        self.touch(position);
    }

    /// The ledger says that this exit took the output.
    fn exited(&mut self, position: UtxoPos, by: ExitId) {
        let fact = self.facts.entry(position).or_default();
        fact.output = Some(OutputFact::Gone(Spender::Exit(by)));
        self.touch(position);
    }

    fn touch(&mut self, position: UtxoPos) {
        self.processor.on_ledger(Blknum::new(self.next), [position]);
    }

    fn apply_up_to(&mut self, next: u64) {
        self.next = next;
        self.processor.on_ledger(Blknum::new(next), []);
    }

    fn break_chain_at(&mut self, blknum: u64) {
        self.fault = Some(blknum);
        self.processor.on_fault(Blknum::new(blknum));
    }

    /// The quarantine holds this transaction, as far as it is signed by the spender.
    fn quarantine(&mut self, position: UtxoPos, tx: &RecoveredTx) {
        let owner = tx.spenders()[0];
        if owner == alice() {
            let fact = self.facts.entry(position).or_default();
            fact.quarantined = vec![tx.signed_bytes().into()];
        }
        self.processor.on_quarantined(&[UtxoKey { owner, position }]);
    }

    fn stored(&self, events: &[EthEvent]) -> Vec<StandardExit> {
        let needed = self.processor.records_needed(events).into_iter();
        let found = needed.filter_map(|key| match key {
            ExitKey::Position(position) => self.store.get(&position),
            ExitKey::Id(id) => self.store.values().find(|exit| exit.exit_id == id),
        });
        found.cloned().collect()
    }

    fn see(&mut self, events: &[EthEvent]) {
        let mut updates = Vec::new();
        let stored = self.stored(events);
        self.processor.on_events(events, &stored, &mut updates);
        self.commit(updates);
    }

    /// The root chain paid; the ledger had the outputs in `was_there`.
    fn see_paid(&mut self, events: &[EthEvent], was_there: bool) -> PaidExits {
        self.check();
        let stored = self.stored(events);
        let paid = self.processor.exiting(events, &stored);
        let mut outcome = ExitsOutcome::default();
        let side = if was_there { &mut outcome.valid } else { &mut outcome.invalid };
        side.extend(&paid.exiting);
        let mut updates = Vec::new();
        self.processor.on_finalized(&outcome, &stored, &mut updates);
        self.processor.on_events(events, &stored, &mut updates);
        self.commit(updates);
        if was_there {
            paid.exiting.iter().for_each(|exit| self.exited(exit.position, exit.exit_id));
        }
        paid
    }

    fn commit(&mut self, updates: Vec<DbUpdate>) {
        for update in updates {
            let DbUpdate::ExitProcessor(ExitProcessorUpdate::PutStandardExit(exit)) = update else {
                panic!("not the exit processor's to write: {update:?}");
            };
            self.store.insert(exit.position, *exit);
        }
    }

    /// Answers all questions.
    fn check(&mut self) {
        self.asked.clear();
        loop {
            let request = self.processor.facts_needed();
            if request.keys.is_empty() {
                return;
            }
            self.asked.extend(request.keys.iter().map(|key| key.position));
            self.processor.decide(&request, &answer(&request, &self.facts));
        }
    }

    /// What is wrong, as `event position spending_txhash-or-nothing`.
    fn events(&mut self) -> Vec<(&'static str, UtxoPos, Option<TxHash>)> {
        self.check();
        let heights = self.heights();
        let events = self.processor.byzantine_events(heights);
        let is_unsafe = events.iter().any(ByzantineEvent::makes_chain_unsafe);
        assert_eq!(self.processor.is_chain_unsafe(heights), is_unsafe);
        let shown = events.into_iter().map(|event| {
            let name = event.name();
            match event {
                ByzantineEvent::UnchallengedExit(exit) | ByzantineEvent::InvalidExit(exit) => {
                    (name, exit.position, exit.spending_txhash)
                }
                other => panic!("not about an exit: {other:?}"),
            }
        });
        shown.collect()
    }

    fn heights(&self) -> ExitHeights {
        ExitHeights {
            root_chain: EthHeight::new(self.eth_height),
            challenges: EthHeight::new(self.challenges),
            in_flight_exits: EthHeight::new(self.challenges),
        }
    }

    fn phase(&self, position: UtxoPos) -> StandardExitPhase {
        self.store[&position].phase
    }
}

/// The facts that were asked for.
fn answer(request: &FactsRequest, facts: &BTreeMap<UtxoPos, ExitFact>) -> ExitFacts {
    let found =
        request.keys.iter().filter_map(|key| Some((*key, facts.get(&key.position)?.clone())));
    found.collect()
}

/// The transaction that made Alice 10 wei at any position of these tests, four times.
fn creating_tx() -> Transaction {
    let output = Output::payment(alice(), ETH, U256::from(10));
    Transaction::Payment(PaymentTx {
        inputs: std::iter::empty().collect(),
        outputs: [output; 4].into_iter().collect(),
        metadata: H256::zero(),
    })
}

fn exit_id(position: UtxoPos) -> ExitId {
    ExitId::standard(&creating_tx().encode_unsigned(), position).unwrap()
}

fn at(eth_height: u64, log_index: u32, event: RootChainEvent) -> EthEvent {
    EthEvent {
        eth_height: EthHeight::new(eth_height),
        eth_block_hash: H256::from_low_u64_be(eth_height),
        root_chain_txhash: H256::from_low_u64_be(eth_height * 1000 + u64::from(log_index)),
        log_index,
        event,
    }
}

fn started(position: UtxoPos, eth_height: u64) -> EthEvent {
    let event = RootChainEvent::ExitStarted {
        owner: alice(),
        exit_id: exit_id(position),
        position,
        output_tx: creating_tx().encode_unsigned().into(),
        exitable_at_s: 7_777,
    };
    at(eth_height, 1, event)
}

fn challenged(position: UtxoPos, eth_height: u64) -> EthEvent {
    at(eth_height, 5, RootChainEvent::ExitChallenged { position })
}

fn finalized(position: UtxoPos, eth_height: u64) -> EthEvent {
    let exit_id = exit_id(position);
    at(eth_height, 9, RootChainEvent::ExitFinalized { exit_id })
}

fn omitted(position: UtxoPos, eth_height: u64) -> EthEvent {
    let exit_id = exit_id(position);
    at(eth_height, 7, RootChainEvent::ExitOmitted { exit_id })
}

/// Alice pays the output to Bob.
fn alice_spends(position: UtxoPos) -> RecoveredTx {
    payment_to(&key(1), &[position], bob(), 10)
}

fn mallory_spends(position: UtxoPos) -> RecoveredTx {
    payment_to(&key(9), &[position], bob(), 10)
}

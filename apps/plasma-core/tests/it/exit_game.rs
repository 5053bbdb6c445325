//! Whole exit games, standard and in-flight exits mixed: everybody does anything the contracts allow, an operator goes bad, and a
//! watcher reads it all at its own pace, restarts, and reads it again.
//!
//! After each step, what it says is compared with an oracle that works it all out from the whole history, and each thing it says
//! with what it can prove.

mod concierge;
mod node;
mod oracle;
mod world;

use concierge::Concierge;
use node::{Node, Seen, is_payment};
use oracle::{Oracle, View};
use plasma_core::byzantine::{AvailablePiggyback, ByzantineEvent, PiggybackFault};
use plasma_core::db_update::UtxoKey;
use plasma_core::exit_processor::in_flight_data::{CompetitorData, SpendData};
use plasma_core::exit_processor::{ExitHeights, challenge_data};
use plasma_core::root_chain::{EthEvent, PiggybackSlot};
use plasma_core::wire::{Transaction, UtxoPos};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;
use world::{World, domain, key};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    Deposit(u8),
    Sign {
        from: (Index, Index),
        is_merge: bool,
        to: u8,
        is_split: bool,
    },
    Block(Vec<Index>),
    BadBlock(Vec<Index>),
    /// The root chain replaces the root of a block.
    Replace(Index),
    StartExit(Index),
    ChallengeExit(Index),
    ProcessExit(Index),
    StartInFlight(Index),
    Piggyback(Index, Index),
    ChallengeInFlight(Index, Index, bool),
    Respond(Index),
    BlockPiggyback(Index, Index),
    Delete(Index),
    ProcessInFlight(Index),
    ProcessStaleEntry(Index),
    Mine(u8),
    /// The watcher reads: blocks, exits and payments this far behind, exit events in some disorder.
    Sync(u8, u8, u8, u8),
    /// Events that were read before are read again.
    Replay(Index, Index),
    Restart,
}

fn any_op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let pair = move || (index(), index());
    let blocks = || proptest::collection::vec(any::<Index>(), 0..4);
    prop_oneof![
        2 => (0u8..4).prop_map(Op::Deposit),
        8 => (pair(), any::<bool>(), 0u8..4, any::<bool>())
            .prop_map(|(from, is_merge, to, is_split)| Op::Sign { from, is_merge, to, is_split }),
        5 => blocks().prop_map(Op::Block),
        1 => blocks().prop_map(Op::BadBlock),
        1 => index().prop_map(Op::Replace),
        3 => index().prop_map(Op::StartExit),
        2 => index().prop_map(Op::ChallengeExit),
        2 => index().prop_map(Op::ProcessExit),
        8 => index().prop_map(Op::StartInFlight),
        8 => pair().prop_map(|(exit, slot)| Op::Piggyback(exit, slot)),
        5 => (pair(), any::<bool>()).prop_map(|((a, b), c)| Op::ChallengeInFlight(a, b, c)),
        3 => index().prop_map(Op::Respond),
        3 => pair().prop_map(|(exit, slot)| Op::BlockPiggyback(exit, slot)),
        2 => index().prop_map(Op::Delete),
        2 => index().prop_map(Op::ProcessInFlight),
        1 => index().prop_map(Op::ProcessStaleEntry),
        4 => (1u8..12).prop_map(Op::Mine),
        9 => (0u8..9, 0u8..9, 0u8..9, any::<u8>()).prop_map(|(b, e, p, i)| Op::Sync(b, e, p, i)),
        1 => pair().prop_map(|(from, to)| Op::Replay(from, to)),
        1 => Just(Op::Restart),
    ]
}

struct Scenario {
    concierge: Concierge,
    world: World,
    node: Node,
    oracle: Oracle,
    remembered: Option<Remembered>,
}

/// What the watcher said, and when.
struct Remembered {
    revision: u64,
    heights: ExitHeights,
    said: String,
}

impl Scenario {
    fn new() -> Self {
        let mut world = World::default();
        (0..4).for_each(|who| world.deposit(who));
        let concierge = Concierge::default();
        let (node, oracle) = (Node::new(), Oracle::default());
        Self { concierge, world, node, oracle, remembered: None }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Deposit(who) => self.world.deposit(who),
            Op::Sign { from, is_merge, to, is_split } => {
                self.world.sign(from, is_merge, to, is_split);
            }
            Op::Block(picks) => self.world.block(&picks, false),
            Op::BadBlock(picks) => self.world.block(&picks, true),
            Op::Replace(pick) => {
                if let Some(fault) = self.world.replace(pick) {
                    self.node.on_fault(fault);
                }
            }
            Op::StartExit(pick) => self.world.start_exit(pick),
            Op::ChallengeExit(pick) => self.world.challenge_exit(pick),
            Op::ProcessExit(pick) => self.world.process_exit(pick),
            Op::StartInFlight(pick) => self.world.start_in_flight(pick),
            Op::Piggyback(exit, slot) => self.world.piggyback(exit, slot),
            Op::ChallengeInFlight(exit, by, with_block) => {
                self.world.challenge_in_flight(exit, by, with_block);
            }
            Op::Respond(pick) => self.world.respond(pick),
            Op::BlockPiggyback(exit, slot) => self.world.block_piggyback(exit, slot),
            Op::Delete(pick) => self.world.delete(pick),
            Op::ProcessInFlight(pick) => self.world.process_in_flight(pick),
            Op::ProcessStaleEntry(pick) => self.world.process_stale_entry(pick),
            Op::Mine(blocks) => self.world.height += u64::from(blocks),
            Op::Sync(blocks, exits, payments, disorder) => {
                self.sync((blocks, exits, payments), disorder);
            }
            Op::Replay(from, to) => self.replay(from, to),
            Op::Restart => {
                self.node.restart(&self.world);
                self.remembered = None;
            }
        }
        self.node.judge();
        self.compare();
        self.concierge.check(&mut self.node, &self.world);
        self.check_revision();
    }

    fn sync(&mut self, behind: (u8, u8, u8), disorder: u8) {
        let before = self.node.seen;
        self.world.read = self.world.height;
        let height = |behind: u8| self.world.height.saturating_sub(behind.into());
        let blocks = before.blocks.max(height(behind.0));
        let exits = before.exits.max(height(behind.1));
        let payments = before.payments.max(height(behind.2).min(exits).min(blocks));
        self.node.read_deposits(&self.world, blocks);
        for block in &self.world.blocks {
            if (before.blocks + 1..=blocks).contains(&block.eth_height) {
                self.node.read_block(&self.world, block);
            }
        }
        self.node.judge();
        let events = self.world.log.iter().filter(|event| !is_payment(event));
        let new = before.exits + 1..=exits;
        let events: Vec<EthEvent> =
            events.filter(|event| new.contains(&event.eth_height.get())).cloned().collect();
        // In-flight events come in any order: standard ones have to keep theirs.
        let (mut in_flight, standard): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| format!("{:?}", event.event.kind()).starts_with("InFlight"));
        if !in_flight.is_empty() {
            let at = usize::from(disorder) % in_flight.len();
            in_flight.rotate_left(at);
        }
        self.node.read_exits(&standard);
        in_flight.chunks(2).for_each(|some| self.node.read_exits(some));
        self.node.judge();
        self.node.seen = Seen { blocks, exits, payments };
        let view = View { world: &self.world, seen: self.node.seen };
        self.oracle.pay(&view, before.payments);
        let paid = before.payments + 1..=payments;
        let paid = self.events(|event| is_payment(event) && paid.contains(&event.eth_height.get()));
        self.node.read_payments(&paid);
    }

    fn events(&self, wanted: impl Fn(&EthEvent) -> bool) -> Vec<EthEvent> {
        self.world.log.iter().filter(|event| wanted(event)).cloned().collect()
    }

    fn replay(&mut self, from: Index, to: Index) {
        let heights = usize::try_from(self.world.height).unwrap() + 1;
        let (from, to) = (from.index(heights) as u64, to.index(heights) as u64);
        let (seen, range) = (self.node.seen, from.min(to)..=from.max(to));
        let again = |event: &EthEvent, limit: u64| {
            let height = event.eth_height.get();
            range.contains(&height) && height <= limit
        };
        let exits = self.events(|event| !is_payment(event) && again(event, seen.exits));
        self.node.read_exits(&exits);
        let payments = self.events(|event| is_payment(event) && again(event, seen.payments));
        self.node.judge();
        self.node.read_payments(&payments);
    }

    /// The watcher says what the oracle says, in the documented order, and can prove it.
    fn compare(&self) {
        let heights = self.node.heights(&self.world);
        let found = self.node.exits.byzantine_events(heights);
        let told: BTreeSet<String> = found.iter().map(told).collect();
        assert_eq!(told.len(), found.len());
        let view = View { world: &self.world, seen: self.node.seen };
        let expected = self.oracle.expected(&view);
        assert_eq!(told, expected, "left: the watcher, right: the oracle");
        assert!(found.is_sorted());
        let is_unsafe = found.iter().any(ByzantineEvent::makes_chain_unsafe);
        assert_eq!(self.node.exits.is_chain_unsafe(heights), is_unsafe);
        self.check_proofs(&view, &told);
    }

    /// While the revision stays, the watcher says the same, also at other heights, and proves it in the same way.
    fn check_revision(&mut self) {
        let said_at = |heights| {
            let exits = &self.node.exits;
            let listed: Vec<_> = exits.in_flight_exits().collect();
            let proven = listed.iter().map(|(exit, _)| {
                self.node.with_case(&self.world, exit.exit_id, |case| {
                    let inputs = [0, 1, 2, 3].map(|index| case.input_challenge(index));
                    let outputs = [0, 1, 2, 3].map(|index| case.output_challenge(index));
                    (case.competitor(), case.canonicity_response(), inputs, outputs)
                })
            });
            let proven: Vec<_> = proven.collect();
            let standard = self.node.store.exits.values();
            let standard = standard.filter(|exit| exits.active_exit(exit.position).is_some());
            let challenged: Vec<_> = standard
                .map(|exit| {
                    let key = UtxoKey { owner: exit.owner, position: exit.position };
                    challenge_data(Some(exit), &self.node.store.exit_fact(key), &domain())
                })
                .collect();
            let queues = exits.currencies_leaving();
            format!(
                "{:?} {listed:?} {proven:?} {challenged:?} {queues:?}",
                exits.byzantine_events(heights)
            )
        };
        let revision = self.node.exits.revision();
        if let Some(Remembered { revision: before, heights, said }) = &self.remembered
            && *before == revision
        {
            assert_eq!(said_at(*heights), *said, "something changed, and the revision did not");
        }
        let heights = self.node.heights(&self.world);
        self.remembered = Some(Remembered { revision, heights, said: said_at(heights) });
    }

    fn check_proofs(&self, view: &View<'_>, told: &BTreeSet<String>) {
        for exit_id in view.in_flight_ids() {
            let says =
                |name: &str| told.iter().any(|line| line.starts_with(&format!("{name} {exit_id}")));
            let Some(exit) = self.node.exits.in_flight_exit(exit_id) else {
                continue;
            };
            let now = exit.incarnation().unwrap();
            if self.node.exits.in_flight_exits().all(|(active, _)| active.exit_id != exit_id) {
                continue;
            }
            let active: Vec<PiggybackSlot> =
                now.active_piggybacks().map(|(slot, _)| slot).collect();
            self.node.with_case(&self.world, exit_id, |case| {
                let competitor = case.competitor();
                assert_eq!(competitor.is_ok(), says("non_canonical_ife"), "{competitor:?}");
                assert!(
                    competitor.is_ok_and(|data| self.is_competitor(&data))
                        || !says("non_canonical_ife")
                );
                let response = case.canonicity_response();
                assert_eq!(response.is_ok(), says("invalid_ife_challenge"), "{response:?}");
                if let Ok(response) = response {
                    let papers = &self.world.papers;
                    let mut papers =
                        papers.iter().filter(|paper| *paper.bytes == *response.in_flight_tx);
                    assert_eq!(papers.next().unwrap().included_at, Some(response.tx_pos));
                }
                let mut can_block = BTreeSet::new();
                for slot in active.iter().copied() {
                    let proven = match slot.side {
                        plasma_core::root_chain::PiggybackSide::Input => case
                            .input_challenge(slot.index.into())
                            .map(|data| (data.input_position, data.spend)),
                        plasma_core::root_chain::PiggybackSide::Output => case
                            .output_challenge(slot.index.into())
                            .map(|data| (data.output_position, data.spend)),
                    };
                    if let Ok((position, spend)) = proven {
                        assert!(self.is_spend(position, &spend));
                        can_block.insert(slot);
                    }
                }
                let line = format!("invalid_piggyback {exit_id} {can_block:?}");
                assert_eq!(told.contains(&line), !can_block.is_empty(), "{line}: {told:?}");
            });
        }
    }

    /// Whether the contracts take this as a spend of the output.
    fn is_spend(&self, position: UtxoPos, spend: &SpendData) -> bool {
        let Ok(Transaction::Payment(payment)) = Transaction::decode_unsigned(&spend.tx_bytes)
        else {
            return false;
        };
        let owner = key(self.world.made[&position].owner).address();
        payment.inputs.get(usize::from(spend.input_index)).and_then(|input| input.position())
            == Some(position)
            && spend.signature.recover(domain().sign_hash(&payment)) == Ok(owner)
    }

    fn is_competitor(&self, data: &CompetitorData) -> bool {
        let spend = SpendData {
            tx_bytes: data.competing_tx.clone(),
            input_index: data.competing_input_index,
            signature: data.competing_signature,
        };
        let mut papers = self.world.papers.iter();
        let paper = papers.find(|paper| *paper.bytes == *data.competing_tx).unwrap();
        let is_included =
            data.competing_tx_pos.is_none() || data.competing_tx_pos == paper.included_at;
        let mut in_flight = self.world.papers.iter();
        let in_flight = in_flight.find(|paper| *paper.bytes == *data.in_flight_tx).unwrap();
        is_included
            && self.is_spend(data.input_position, &spend)
            && in_flight.inputs[usize::from(data.in_flight_input_index)] == data.input_position
            && *self.world.made[&data.input_position].by == *data.input_tx
            && data.competing_tx != data.in_flight_tx
    }
}

/// What an event says, in one line.
fn told(event: &ByzantineEvent) -> String {
    let name = event.name();
    match event {
        ByzantineEvent::UnchallengedExit(exit) | ByzantineEvent::InvalidExit(exit) => {
            format!("{name} {}", exit.position)
        }
        ByzantineEvent::UnchallengedPiggyback(fault) | ByzantineEvent::InvalidPiggyback(fault) => {
            let PiggybackFault { exit_id, inputs, outputs, .. } = fault;
            let inputs = inputs.iter().map(|index| PiggybackSlot::input(*index));
            let outputs = outputs.iter().map(|index| PiggybackSlot::output(*index));
            let slots: BTreeSet<_> = inputs.chain(outputs).collect();
            format!("{name} {exit_id} {slots:?}")
        }
        ByzantineEvent::UnchallengedNonCanonicalIfe(fault)
        | ByzantineEvent::NonCanonicalIfe(fault)
        | ByzantineEvent::InvalidIfeChallenge(fault) => format!("{name} {}", fault.exit_id),
        ByzantineEvent::PiggybackAvailable(available) => {
            let slot = |free: &AvailablePiggyback, slot| (slot, free.owner);
            let inputs = available.inputs.iter().map(|it| slot(it, PiggybackSlot::input(it.index)));
            let outputs = available.outputs.iter();
            let outputs = outputs.map(|it| slot(it, PiggybackSlot::output(it.index)));
            let free: Vec<_> = inputs.chain(outputs).collect();
            format!("{name} {} {free:?}", available.exit_id)
        }
        other => panic!("not about an exit: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_thousand_games_are_judged_by_the_rules(ops in proptest::collection::vec(any_op(), 1..80)) {
        let mut scenario = Scenario::new();
        for op in ops {
            scenario.run(op);
        }
        scenario.world.height += 30;
        scenario.run(Op::Sync(0, 0, 0, 0));
        scenario.run(Op::Restart);
    }
}

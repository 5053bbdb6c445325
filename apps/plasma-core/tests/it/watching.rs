//! The watching machines together, without actors: a root chain that reorganises, an operator who may lie, users who exit
//! what is theirs and what is not, a network that fails, and a watcher that restarts from its store at any moment.
//!
//! After each step, what the watcher says about exits is compared with an oracle that looks at everything there is every
//! time; at the end, what it says about the chain is compared with what the operator did.

mod node;
mod oracle;
mod root;
pub(crate) mod store;

use node::Node;
use oracle::Oracle;
use plasma_core::byzantine::ByzantineEvent;
use plasma_core::db_update::FaultKind;
use plasma_core::wire::{Blknum, EthHeight, UtxoPos};
use proptest::prelude::*;
use proptest::sample::Index;
use root::{Lie, World};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    /// Somebody deposits.
    Deposit(u8),
    /// The operator makes a block: each pick spends an output, the flag decides whether two outputs are made of it.
    Block(Vec<(Index, u8, bool)>),
    /// The operator makes a bad one.
    BadBlock(Lie, Vec<(Index, u8, bool)>),
    /// An owner exits an output of any time.
    Exit(Index),
    /// The root chain reports an exit of an output that never was.
    GhostExit(Index),
    /// Somebody challenges, if the output was spent.
    Challenge(Index),
    /// The exit is processed: paid, or omitted.
    Process(Index),
    /// Root chain blocks pass.
    Mine(u8),
    /// The newest root chain blocks are replaced.
    Reorg(u8),
    /// The watcher reads the root chain, this far behind for exits and challenges, downloads with or without luck, and applies.
    Sync { behind: (u8, u8), luck: u8 },
    /// Events that were read before are read again.
    Replay(Index, Index),
    /// The watcher starts again from its store.
    Restart,
}

fn any_lie() -> impl Strategy<Value = Lie> {
    prop_oneof![Just(Lie::WrongRoot), Just(Lie::WrongNumber), Just(Lie::Theft), Just(Lie::Silence),]
}

fn any_payments() -> impl Strategy<Value = Vec<(Index, u8, bool)>> {
    proptest::collection::vec((any::<Index>(), 0u8..4, any::<bool>()), 0..4)
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0u8..4).prop_map(Op::Deposit),
        5 => any_payments().prop_map(Op::Block),
        1 => (any_lie(), any_payments()).prop_map(|(lie, payments)| Op::BadBlock(lie, payments)),
        5 => any::<Index>().prop_map(Op::Exit),
        1 => any::<Index>().prop_map(Op::GhostExit),
        3 => any::<Index>().prop_map(Op::Challenge),
        4 => any::<Index>().prop_map(Op::Process),
        6 => (1u8..20).prop_map(Op::Mine),
        2 => (1u8..9).prop_map(Op::Reorg),
        9 => ((0u8..30, 0u8..30), any::<u8>()).prop_map(|(behind, luck)| Op::Sync { behind, luck }),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Op::Replay(from, to)),
        1 => Just(Op::Restart),
    ]
}

/// The world, the watcher in it, and the one who knows better.
struct Simulation {
    world: World,
    node: Node,
    oracle: Oracle,
}

impl Simulation {
    fn new() -> Self {
        Self { world: World::new(), node: Node::new(), oracle: Oracle::default() }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Deposit(who) => self.world.deposit(who),
            Op::Block(payments) => self.world.block(&payments, None),
            Op::BadBlock(lie, payments) => self.world.block(&payments, Some(lie)),
            Op::Exit(pick) => self.world.start_exit(pick),
            Op::GhostExit(pick) => self.world.start_ghost_exit(pick),
            Op::Challenge(pick) => self.world.challenge(pick),
            Op::Process(pick) => self.world.process(pick),
            Op::Mine(blocks) => self.world.mine(u64::from(blocks)),
            Op::Reorg(depth) => self.world.reorganise(u64::from(depth)),
            Op::Sync { behind, luck } => self.sync(behind, luck),
            Op::Replay(from, to) => self.replay(from, to),
            Op::Restart => self.node.restart(),
        }
        self.node.judge();
        self.compare();
    }

    fn sync(&mut self, behind: (u8, u8), luck: u8) {
        self.node.now_ms += 1_500;
        let deposits = self.world.height.saturating_sub(u64::from(behind.0) / 2);
        self.node.read_deposits(&self.world, deposits);
        self.node.follow(&self.world, luck);
        let newest = self.world.height.saturating_sub(node::EXIT_MARGIN);
        let starts = newest.saturating_sub(behind.0.into()).min(self.node.deposits_seen);
        let starts = self.node.starts_seen.max(starts);
        let challenges = newest.saturating_sub(behind.1.into()).min(starts);
        let challenges = self.node.challenges_seen.max(challenges);
        self.node.read_exits(&self.world, starts, challenges);
        let paid = self.node.getter.synced_height().get().min(starts);
        let paid = self.node.paid_seen.max(paid);
        self.node.judge();
        let before = self.node.paid_seen;
        self.oracle.pay(&self.world, &self.node, before, paid);
        self.node.read_payments(&self.world, paid);
    }

    fn replay(&mut self, from: Index, to: Index) {
        let height = usize::try_from(self.world.height).unwrap() + 1;
        let (from, to) = (from.index(height) as u64, to.index(height) as u64);
        self.node.replay(&self.world, from.min(to)..=from.max(to));
    }

    /// The watcher says what the oracle says, and can prove it.
    fn compare(&self) {
        let heights = self.node.heights(&self.world);
        let found = self.node.exits.byzantine_events(heights);
        let mut told: Vec<(&str, UtxoPos)> = Vec::new();
        for event in &found {
            let (ByzantineEvent::UnchallengedExit(exit) | ByzantineEvent::InvalidExit(exit)) =
                event
            else {
                panic!("not about an exit: {event:?}");
            };
            told.push((event.name(), exit.position));
            let data = self.node.challenge_data(exit.position);
            assert_eq!(data.is_ok(), exit.spending_txhash.is_some(), "{event:?}: {data:?}");
            if let Ok(data) = data {
                assert!(self.world.contract_accepts(&data, exit.position), "{event:?}: {data:?}");
            }
        }
        told.sort();
        let expected = self.oracle.expected(&self.world, &self.node);
        assert_eq!(told, expected, "left: the watcher, right: the oracle");
        let is_unsafe = found.iter().any(ByzantineEvent::makes_chain_unsafe);
        assert_eq!(self.node.exits.is_chain_unsafe(heights), is_unsafe);
        for position in self.world.honest_exits(&self.node) {
            assert!(self.node.challenge_data(position).is_err(), "an honest exit of {position}");
        }
    }

    /// The network is fine again and time passes: in the end the watcher must know everything.
    fn settle(&mut self) {
        self.world.mine(30);
        self.node.read_deposits(&self.world, self.world.height);
        for round in 0..80 {
            self.node.now_ms += if round == 60 { 2 * node::WITHHOLDING_MS } else { 5_000 };
            self.node.follow(&self.world, 255);
        }
        self.sync((0, 0), 255);
        self.node.judge();
        self.compare();
        let top = self.world.top();
        let fault = self.node.getter.fault();
        match self.world.first_lie() {
            None => {
                assert_eq!(fault, None);
                assert_eq!(self.node.getter.last_applied(), top);
            }
            Some((blknum, lie)) => {
                let fault = fault.expect("the operator lied");
                assert_eq!(fault.blknum, blknum);
                assert_eq!(fault.hash, self.world.root_of(blknum).unwrap());
                let expected = match lie {
                    Lie::WrongRoot => FaultKind::InvalidBlock("incorrect_hash".to_owned()),
                    Lie::WrongNumber => FaultKind::InvalidBlock("bad_returned_number".to_owned()),
                    Lie::Theft => FaultKind::InvalidBlock("tx_execution".to_owned()),
                    Lie::Silence => FaultKind::Withheld,
                };
                assert_eq!(fault.kind, expected);
                assert_eq!(self.node.getter.last_applied(), blknum.previous_child_block());
            }
        }
        assert_eq!(self.node.getter.synced_height(), EthHeight::new(self.world.height));
        // Every signed spend of every block that anybody could get is known.
        for (blknum, is_shown) in self.world.blocks_shown() {
            let is_known = blknum <= self.node.getter.last_applied()
                || self.node.quarantined.contains(&blknum);
            assert_eq!(is_known, is_shown, "block {blknum}");
        }
        assert_eq!(self.node.getter.downloading(), 0);
        assert!(self.node.store.heights_never_fell);
        assert_eq!(
            self.node.getter.last_applied(),
            self.node.ledger_top().unwrap_or(Blknum::new(0))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_watcher_says_what_is_true(ops in proptest::collection::vec(any_op(), 1..70)) {
        let mut simulation = Simulation::new();
        for op in ops {
            simulation.run(op);
        }
        simulation.settle();
    }
}

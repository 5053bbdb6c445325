//! What the concierge says about the games: the same as the watcher, in exactly one phase, and never backwards.

use super::node::Node;
use super::world::{EXIT_PERIOD, World};
use plasma_core::byzantine::ByzantineEvent;
use plasma_core::exit_concierge::{
    ExitBoard, ExitCase, ExitClock, ExitKind, ExitParts, ExitPhase, ExitView, SlotPhase, Step,
};
use plasma_core::root_chain::PiggybackSide;
use plasma_core::wire::{EthHeight, ExitId, H256};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Concierge {
    board: Arc<ExitBoard>,
    /// The start of each exit that was ever open, and its phase.
    phases: BTreeMap<ExitId, (H256, ExitPhase)>,
}

impl Concierge {
    pub(super) fn check(&mut self, node: &mut Node, world: &World) {
        let clock = ExitClock {
            eth_height: EthHeight::new(world.height),
            now_s: world.height,
            block_time_ms: 1_000,
            min_exit_period_s: EXIT_PERIOD,
        };
        ExitBoard::update(&mut self.board, &mut node.exits);
        assert!(!ExitBoard::update(&mut self.board, &mut node.exits), "nothing changed");
        self.check_board(node);
        for case in self.cases(node) {
            self.check_case(&case, &clock);
        }
        for event in node.exits.byzantine_events(node.heights(world)) {
            self.check_event(&event, &clock);
        }
    }

    /// Keeping it up to date leads to the same as making it anew.
    fn check_board(&self, node: &Node) {
        let standard = node.store.exits.values().map(|exit| exit.exit_id);
        let ids = standard.chain(node.store.in_flight.keys().copied());
        let standings = ids.filter_map(|exit_id| node.exits.standing(exit_id));
        let cases = standings.filter_map(|standing| ExitCase::watched(&standing));
        assert_eq!(*self.board, ExitBoard::from_cases(cases));
    }

    /// As the methods of the API find them: open ones on the board, closed ones in the store.
    fn cases(&self, node: &Node) -> Vec<ExitCase> {
        let standard = node.store.exits.values().map(|exit| {
            let known = self.board.get(exit.exit_id).map(|case| ExitCase::clone(case));
            known.unwrap_or_else(|| ExitCase::of_standard(exit))
        });
        let in_flight = node.store.in_flight.values().filter_map(|exit| {
            let known = self.board.get(exit.exit_id).map(|case| ExitCase::clone(case));
            known.or_else(|| ExitCase::of_in_flight(exit))
        });
        standard.chain(in_flight).collect()
    }

    fn check_case(&mut self, case: &ExitCase, clock: &ExitClock) {
        let view = case.view(clock, self.board.places(case.exit_id()), None);
        let phase = view.phase;
        assert!(phase.is_of(case.kind()), "{view:?}");
        if case.is_open() {
            assert!(!phase.is_over() && view.next != Step::Nothing, "{view:?}");
        } else {
            assert!(phase.is_over() && view.queue.is_empty() && view.windows.is_empty());
        }
        let (start, before) =
            *self.phases.get(&view.exit_id).unwrap_or(&(view.root_chain_txhash, phase));
        if start == view.root_chain_txhash {
            assert!(before.may_become(phase), "{before} became {phase}: {case:?}");
        }
        self.phases.insert(view.exit_id, (view.root_chain_txhash, phase));
    }

    fn view(&self, exit_id: ExitId, clock: &ExitClock) -> ExitView {
        let case = self.board.get(exit_id).expect("what is wrong is open");
        case.view(clock, self.board.places(exit_id), None)
    }

    /// What the watcher says is wrong is what the concierge shows.
    fn check_event(&self, event: &ByzantineEvent, clock: &ExitClock) {
        match event {
            ByzantineEvent::InvalidExit(fault) => {
                let view = self.view(fault.exit_id, clock);
                assert_eq!(view.phase, ExitPhase::Invalid);
                let can_show = fault.spending_txhash.is_some();
                assert_eq!(view.next, if can_show { Step::Challenge } else { Step::Leave });
            }
            ByzantineEvent::InvalidIfeChallenge(fault) => {
                assert_eq!(self.view(fault.exit_id, clock).next, Step::Respond);
            }
            ByzantineEvent::InvalidPiggyback(fault) => {
                let view = self.view(fault.exit_id, clock);
                let ExitParts::InFlight { slots, .. } = &view.parts else { panic!("{view:?}") };
                let shown = |side: PiggybackSide| -> Vec<u16> {
                    let invalid = slots.iter().filter(|slot| slot.phase == SlotPhase::Invalid);
                    let of_side = invalid.filter(|slot| slot.case.slot.side == side);
                    of_side.map(|slot| slot.case.slot.index).collect()
                };
                assert_eq!(shown(PiggybackSide::Input), fault.inputs, "{view:?}");
                assert_eq!(shown(PiggybackSide::Output), fault.outputs, "{view:?}");
            }
            ByzantineEvent::NonCanonicalIfe(fault) => {
                let view = self.view(fault.exit_id, clock);
                let is_window = view.phase == ExitPhase::PiggybackWindow;
                assert_eq!(view.next == Step::ChallengeCanonicity, is_window, "{view:?}");
            }
            ByzantineEvent::UnchallengedExit(fault) => {
                let phase = self.view(fault.exit_id, clock).phase;
                assert!([ExitPhase::Invalid, ExitPhase::PaidWrongly].contains(&phase));
            }
            _ => {}
        }
    }
}

#[test]
fn kinds_are_told_by_the_exit_id() {
    let standard = ExitId::from_bytes([0; 20]);
    assert_eq!(ExitKind::of(standard), ExitKind::Standard);
    assert_eq!(ExitKind::of(ExitId::in_flight(b"x")), ExitKind::InFlight);
}

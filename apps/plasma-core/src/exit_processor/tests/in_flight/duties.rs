//! What the Sentinel is asked to do about an in-flight exit, and when somebody has done it. (`S15`)

use super::*;
use crate::sentinel::{Call, Duty, DutyId, InFlightTerms, QueueHead, Task};
use crate::wire::InclusionProof;
use crate::wire::ids::ExitPriority;

const PERIOD_S: u64 = 1_000;
const STARTED_S: u64 = 1_234;

fn terms() -> InFlightTerms {
    let piggyback_bonds_wei = std::array::from_fn(|slot| U256::from(100 + slot));
    InFlightTerms { min_exit_period_s: PERIOD_S, bond_wei: U256::from(37), piggyback_bonds_wei }
}

fn proof(at: TxPos) -> InclusionProof {
    let byte = u8::try_from(at.txindex.get()).unwrap();
    InclusionProof::from_bytes(&[byte; 512]).unwrap()
}

impl Board {
    fn duties(&self) -> Vec<Duty> {
        self.with_case(|case| {
            Duty::of_in_flight_exit(&case, &terms(), |at| Ok::<_, ()>(Some(proof(at)))).unwrap()
        })
    }

    /// Task, height of the cause, deadline, reward.
    fn wanted(&self) -> Vec<(Task, u64, u64, u64)> {
        let exit = &self.exits[&id()];
        let told = |duty: &Duty| {
            let causes = exit.moves.iter().find(|it| it.root_chain_txhash == duty.id.cause);
            assert_eq!((duty.opens_s, duty.at_stake_wei), (STARTED_S, None));
            let height = causes.unwrap().eth_height.get();
            (duty.id.task, height, duty.due_s, duty.reward_wei.as_u64())
        };
        self.duties().iter().map(told).collect()
    }

    fn is_met(&self, task: Task, cause_height: u64) -> bool {
        let exit = &self.exits[&id()];
        let causes = exit.moves.iter().find(|it| it.eth_height.get() == cause_height).unwrap();
        let id = DutyId { exit_id: id(), cause: causes.root_chain_txhash, task };
        id.is_met_by(exit)
    }
}

#[test]
fn a_competitor_is_due_in_the_first_phase_and_again_when_an_older_one_turns_up() {
    let task = Task::ChallengeInFlightExit { input_index: 1 };
    let last_s = STARTED_S + PERIOD_S / 2 - 1;
    let mut board = Board::new();
    board.see(&[started(50)]);
    assert_eq!(board.wanted(), []);
    board.quarantine(&competitor());
    assert_eq!(board.wanted(), [(task, 50, last_s, 37)]);
    let duty = board.duties().remove(0);
    assert_eq!(duty.closes_s, Some(last_s));
    let Call::ChallengeInFlightExitNotCanonical(shown) = &duty.call else { panic!() };
    assert_eq!((shown.included.is_none(), shown.input_position), (true, Q));
    assert!(!board.is_met(task, 50));
    board.see(&[challenged_with(52, &competitor(), None)]);
    assert!(board.is_met(task, 50));
    assert_eq!(board.wanted(), []);
    board.include(&competitor(), LATE);
    assert_eq!(board.wanted(), [(task, 52, last_s, 37)], "the last word is the cause");
    let duty = board.duties().remove(0);
    let Call::ChallengeInFlightExitNotCanonical(shown) = &duty.call else { panic!() };
    assert_eq!(shown.included, Some((pos(3000, 5, 0), proof(LATE))));
    assert!(!board.is_met(task, 52));
    board.see(&[finalized(90)]);
    assert_eq!(board.wanted(), [], "the exit is over");
}

#[test]
fn an_answer_is_due_before_the_first_piggyback_can_be_paid() {
    let mut board = Board::new();
    board.see(&[started(50), challenged_with(52, &competitor(), None)]);
    board.include(&tx(), EARLY);
    assert_eq!(board.wanted(), [(Task::RespondToChallenge, 52, STARTED_S + PERIOD_S, 37)]);
    board.see(&[piggybacked(53, OUTPUT_1)]);
    assert_eq!(board.wanted(), [(Task::RespondToChallenge, 52, 9_999, 37)]);
    let Call::RespondToNonCanonicalChallenge(shown) = board.duties().remove(0).call else {
        panic!()
    };
    assert_eq!((shown.position, shown.proof), (pos(3000, 4, 0), proof(EARLY)));
    assert!(!board.is_met(Task::RespondToChallenge, 52));
    board.see(&[responded(54, EARLY)]);
    assert!(board.is_met(Task::RespondToChallenge, 52));
    assert_eq!(board.wanted(), []);
}

#[test]
fn each_piggyback_of_something_spent_is_a_duty_of_its_own_with_its_own_bond() {
    let mut board = Board::new();
    let events = [piggybacked(51, INPUT_1), piggybacked(51, OUTPUT_0), piggybacked(52, OUTPUT_1)];
    board.see(&[started(50)]);
    board.see(&events);
    board.include(&tx(), EARLY);
    board.include(&pay(&[pos(3000, 4, 0)], &[2], &[12]), LATE);
    board.quarantine(&competitor());
    let input = Task::BlockInput { index: 1 };
    let output = Task::BlockOutput { index: 0 };
    assert_eq!(board.wanted(), [(input, 51, 9_999, 101), (output, 51, 9_999, 104)]);
    let calls: Vec<Call> = board.duties().into_iter().map(|duty| duty.call).collect();
    let Call::ChallengeInFlightExitInputSpent(shown) = &calls[0] else { panic!() };
    assert_eq!((shown.in_flight_input_index, shown.input_position), (1, Q));
    let Call::ChallengeInFlightExitOutputSpent(shown) = &calls[1] else { panic!() };
    assert_eq!((shown.output_position, &shown.in_flight_proof), (pos(3000, 4, 0), &proof(EARLY)));
    board.see(&[blocked(55, INPUT_1)]);
    assert!(board.is_met(input, 51) && !board.is_met(output, 51));
    assert_eq!(board.wanted(), [(output, 51, 9_999, 104)]);
}

#[test]
fn a_place_that_cannot_be_proven_makes_no_duty_and_an_error_is_passed_on() {
    let mut board = Board::new();
    board.see(&[started(50), challenged_with(52, &competitor(), None)]);
    board.include(&tx(), EARLY);
    board.with_case(|case| {
        let nothing = Duty::of_in_flight_exit(&case, &terms(), |_| Ok::<_, ()>(None));
        assert_eq!(nothing, Ok(vec![]));
        assert_eq!(Duty::of_in_flight_exit(&case, &terms(), |_| Err("broken")), Err("broken"));
    });
}

#[test]
fn only_what_nobody_joined_in_time_is_deleted() {
    let ends_s = STARTED_S + PERIOD_S / 2;
    let mut board = Board::new();
    board.see(&[started(50)]);
    let deletable = |board: &Board, now_s| {
        let exits = board.processor.deletable(PERIOD_S, now_s, usize::MAX);
        let duties =
            exits.iter().filter_map(|exit| Duty::delete_in_flight_exit(exit, PERIOD_S, now_s));
        duties.collect::<Vec<_>>()
    };
    assert_eq!(deletable(&board, ends_s - 1), []);
    let duties = deletable(&board, ends_s);
    let [duty] = duties.as_slice() else { panic!() };
    assert_eq!((duty.opens_s, duty.due_s, duty.closes_s), (ends_s, ends_s + PERIOD_S, None));
    assert_eq!(duty.call, Call::DeleteNonPiggybackedInFlightExit { exit_id: id() });
    board.see(&[deleted(60)]);
    assert!(board.is_met(Task::DeleteInFlightExit, 50));
    assert_eq!(deletable(&board, ends_s), []);
    let mut board = Board::new();
    board.see(&[started(50), piggybacked(51, INPUT_0), blocked(52, INPUT_0)]);
    assert_eq!(deletable(&board, u64::MAX), [], "an entry waits in a queue");
}

#[test]
fn a_queue_is_processed_once_its_head_is_mature() {
    let priority = ExitPriority::new(500, P, id());
    let head = QueueHead { vault_id: 1, token: ETH, priority };
    assert_eq!(Duty::process_exits(&head, 20, PERIOD_S, 500), None);
    let duty = Duty::process_exits(&head, 20, PERIOD_S, 501).unwrap();
    assert_eq!((duty.opens_s, duty.due_s), (501, 501 + PERIOD_S));
    let Call::ProcessExits { top_exit_id, exits_max, .. } = duty.call else { panic!() };
    assert_eq!((top_exit_id, exits_max), (Some(id()), 20));
    let elsewhere = QueueHead { vault_id: 2, token: alice(), priority };
    let other = Duty::process_exits(&elsewhere, 20, PERIOD_S, 501).unwrap();
    assert!(other.id != duty.id, "an exit of two currencies leads two queues");
}

#[test]
fn queues_are_known_by_the_currencies_of_what_leaves() {
    let mut board = Board::new();
    board.see(&[started(50)]);
    assert!(board.processor.currencies_leaving().is_empty());
    board.see(&[piggybacked(51, INPUT_0)]);
    assert_eq!(Vec::from_iter(board.processor.currencies_leaving()), [ETH]);
    board.see(&[finalized(60)]);
    assert!(board.processor.currencies_leaving().is_empty());
}

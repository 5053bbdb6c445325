//! What is shown to the contracts about an in-flight exit.

use super::*;

#[test]
fn challenges_are_built_from_facts_or_refused_with_their_code() {
    let mut board = Board::new();
    let code = |error: InFlightDataError| error.to_string();
    let errors = |board: &Board| {
        board.with_case(|case| {
            [
                case.competitor().map(drop).map_err(code),
                case.canonicity_response().map(drop).map_err(code),
                case.input_challenge(1).map(drop).map_err(code),
                case.output_challenge(0).map(drop).map_err(code),
            ]
        })
    };
    let unknown = || Err("ife_not_known_for_tx".to_owned());
    assert_eq!(errors(&board), [unknown(), unknown(), unknown(), unknown()]);
    for index in [4, u64::MAX] {
        let out_of_range = Err(InFlightDataError::IndexOutOfRange);
        assert_eq!(board.with_case(|case| case.input_challenge(index)), out_of_range);
        assert!(board.with_case(|case| case.output_challenge(index).is_err()));
    }
    board.see(&[started(50), piggybacked(51, INPUT_1)]);
    let refused = [
        "competitor_not_found",
        "no_viable_canonical_proof_found",
        "no_double_spend_on_particular_piggyback",
        "no_double_spend_on_particular_piggyback",
    ];
    assert_eq!(errors(&board), refused.map(|code| Err(code.to_owned())));
    board.see(&[challenged_with(52, &competitor(), None)]);
    let found = board.with_case(|case| case.competitor());
    assert_eq!(found.map_err(code), Err("no_viable_competitor_found".to_owned()));
    board.include(&competitor(), LATE);
    let data = board.with_case(|case| case.competitor()).unwrap();
    assert_eq!((data.in_flight_input_index, data.competing_input_index), (1, 1));
    assert_eq!((data.input_position, data.competing_tx_pos), (Q, Some(LATE)));
    assert_eq!(*data.competing_tx, *unsigned(&competitor()));
    assert_eq!(*data.input_tx, *creating_tx().encode_unsigned());
    let Transaction::Payment(payment) = competitor().transaction().clone() else { panic!() };
    let signer = data.competing_signature.recover(domain().sign_hash(&payment));
    assert_eq!(signer, Ok(alice()));
    let spend = board.with_case(|case| case.input_challenge(1)).unwrap();
    assert_eq!((spend.spend.input_index, spend.input_position), (1, Q));
    assert_eq!(spend.spend.signature, data.competing_signature, "also one that comes first alone");
    board.see(&[blocked(53, INPUT_1)]);
    let again = board.with_case(|case| case.input_challenge(1));
    assert_eq!(again, Err(InFlightDataError::NoDoubleSpend));
}

#[test]
fn answers_and_spent_outputs_are_shown_with_their_place() {
    let mut board = Board::new();
    let events = [started(50), piggybacked(51, OUTPUT_0), challenged_with(52, &competitor(), None)];
    board.see(&events);
    board.include(&tx(), EARLY);
    let response = board.with_case(|case| case.canonicity_response()).unwrap();
    assert_eq!((response.tx_pos, *response.in_flight_tx == *unsigned(&tx())), (EARLY, true));
    let spend = pay(&[pos(8, 0, 0), pos(3000, 4, 0)], &[1, 2], &[12]);
    board.include(&spend, LATE);
    let data = board.with_case(|case| case.output_challenge(0)).unwrap();
    assert_eq!((data.output_position, data.spend.input_index), (pos(3000, 4, 0), 1));
    let unused = board.with_case(|case| case.output_challenge(1));
    assert_eq!(unused, Err(InFlightDataError::NoDoubleSpend));
}

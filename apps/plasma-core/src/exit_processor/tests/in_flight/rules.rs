//! What is said about canonicity and piggybacks, and when.

use super::*;

/// Started at 50, looked at within the margin and past it.
fn check(
    description: &str,
    moves: &[EthEvent],
    change: fn(&mut Board),
    within: &[&str],
    past: &[&str],
) {
    for is_change_first in [true, false] {
        let mut board = Board::new();
        if is_change_first {
            change(&mut board);
        }
        board.see(&[&[started(50)], moves].concat());
        if !is_change_first {
            board.check();
            change(&mut board);
        }
        for is_restarted in [false, true] {
            if is_restarted {
                board.restart();
            }
            board.eth_height = 59;
            assert_eq!(board.events(), within, "{description}, within the margin");
            board.eth_height = 60;
            assert_eq!(board.events(), past, "{description}, past the margin");
        }
    }
}

#[test]
fn canonicity_is_judged_by_what_is_oldest() {
    let challenged = |at| challenged_with(52, &competitor(), at);
    let said = &["non_canonical_ife"];
    let both = &["unchallenged_non_canonical_ife", "non_canonical_ife"];
    let wrong = &["invalid_ife_challenge"];
    let nothing = |_: &mut Board| {};
    check("nobody competes", &[], nothing, &[], &[]);
    check("included, nobody competes", &[], |b| b.include(&tx(), LATE), &[], &[]);
    check("signed elsewhere", &[], |b| b.quarantine(&competitor()), said, both);
    check("the same elsewhere", &[], |b| b.quarantine(&tx()), &[], &[]);
    let both_quarantined =
        |b: &mut Board| [tx(), competitor()].iter().for_each(|by| b.quarantine(by));
    check("the same and another elsewhere", &[], both_quarantined, said, both);
    check("included instead", &[], |b| b.include(&competitor(), LATE), said, both);
    let by_thief = |b: &mut Board| b.quarantine(&pay(&[Q], &[9], &[3]));
    check("signed by somebody else", &[], by_thief, &[], &[]);
    let late = |b: &mut Board| {
        b.include(&tx(), EARLY);
        b.quarantine(&competitor());
    };
    check("included before one in no block", &[], late, &[], &[]);
    check("challenged enough", &[challenged(None)], nothing, &[], &[]);
    let include = |b: &mut Board| b.include(&competitor(), LATE);
    check("shown without its block", &[challenged(None)], include, said, said);
    check("shown with its block", &[challenged(Some(LATE))], include, &[], &[]);
    check("an older one was shown", &[challenged(Some(EARLY))], include, &[], &[]);
    let own = |b: &mut Board| b.include(&tx(), EARLY);
    check("wrongly challenged", &[challenged(None)], own, wrong, wrong);
    check("wrongly challenged with a younger", &[challenged(Some(LATE))], own, wrong, wrong);
    check("answered", &[challenged(None), responded(53, EARLY)], own, &[], &[]);
    check("challenged with the same place", &[challenged(Some(EARLY))], own, &[], &[]);
    let answered = [challenged(None), responded(53, LATE)];
    check(
        "answered with a younger place",
        &answered,
        |b| b.include(&competitor(), EARLY),
        said,
        both,
    );
    let broken = |b: &mut Board| {
        b.include(&tx(), EARLY);
        b.break_chain_at(3000);
    };
    check("included where the chain is broken", &[challenged(None)], broken, &[], &[]);
}

#[test]
fn piggybacks_are_invalid_when_their_money_is_spent() {
    let joined = |slot| piggybacked(51, slot);
    let (in_1, out_0) = (joined(INPUT_1), joined(OUTPUT_0));
    let spend = |b: &mut Board| b.quarantine(&competitor());
    let canonicity = &["non_canonical_ife"];
    check(
        "a spent input",
        &[joined(INPUT_0), in_1.clone()],
        spend,
        &["invalid_piggyback [1] []", "non_canonical_ife"],
        &["unchallenged_non_canonical_ife", "invalid_piggyback [1] []", "non_canonical_ife"],
    );
    let late = &["unchallenged_non_canonical_ife", "non_canonical_ife"];
    check("nobody joined with it", &[joined(INPUT_0)], spend, canonicity, late);
    check("blocked", &[in_1.clone(), blocked(53, INPUT_1)], spend, canonicity, late);
    let own = |b: &mut Board| b.include(&tx(), EARLY);
    check("spent by itself", &[in_1.clone(), out_0.clone()], own, &[], &[]);
    let spend_output = |b: &mut Board| {
        b.include(&tx(), EARLY);
        b.include(&pay(&[pos(3000, 4, 0)], &[2], &[12]), LATE);
    };
    check(
        "a spent output",
        &[in_1, out_0, joined(OUTPUT_1)],
        spend_output,
        &["invalid_piggyback [] [0]"],
        &["invalid_piggyback [] [0]"],
    );
}

#[test]
fn the_margin_of_a_piggyback_counts_from_the_piggyback() {
    let mut board = Board::new();
    board.include(&tx(), EARLY);
    board.include(&pay(&[pos(3000, 4, 0)], &[2], &[12]), LATE);
    board.see(&[started(50), piggybacked(100, OUTPUT_0)]);
    board.eth_height = 109;
    assert_eq!(board.events(), ["invalid_piggyback [] [0]"]);
    board.eth_height = 110;
    assert_eq!(board.events(), ["unchallenged_piggyback [] [0]", "invalid_piggyback [] [0]"]);
    board.see(&[blocked(110, OUTPUT_0)]);
    assert_eq!(board.events(), [""; 0]);
}

#[test]
fn piggybacks_are_available_until_somebody_did_it_or_the_transaction_is_included() {
    let mut board = Board::new();
    board.see(&[started(50)]);
    assert_eq!(board.available(), Some((vec![0, 1], vec![0, 1])));
    board.see(&[piggybacked(51, INPUT_0), piggybacked(51, OUTPUT_1), piggybacked(51, INPUT_0)]);
    assert_eq!(board.available(), Some((vec![1], vec![0])));
    board.see(&[blocked(52, INPUT_0)]);
    assert_eq!(board.available(), Some((vec![1], vec![0])), "a spend stays a spend");
    board.include(&tx(), EARLY);
    assert_eq!(board.available(), None);
}

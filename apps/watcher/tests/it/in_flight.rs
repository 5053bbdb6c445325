//! The life of in-flight exits: what is said about them, and what can be shown to start one and to win the argument about one.

mod story;

use crate::kit::post;
use crate::operator::hex;
use crate::users::{
    Who, assert_included, assert_spends, at, deposit_tx, output, pay, txhash, unsigned,
};
use Who::{Alice, Bob, Carol};
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{PiggybackSlot, RootChainEvent};
use plasma_core::wire::{Blknum, Block, ETH, ExitId, SignedTx, Transaction, TxIndex};
use plasma_rpc::watcher::{AvailablePiggyback, ByzantineEvent};
use serde_json::{Value, json};
use story::{Story, refused};

#[actix::test]
async fn an_exit_is_listed_with_whoever_joined_until_it_is_over() {
    let mut story = Story::new().await;
    let tx = story.payment();
    let started_at = story.world.chain.newest_block().eth_height.get() + 1;
    let exit_id = story.start(&tx);
    let events = story.watched.events(&["piggyback_available"]).await;
    let [ByzantineEvent::PiggybackAvailable(event)] = &events[..] else { panic!("{events:?}") };
    let may = |index, who: Who| AvailablePiggyback { index, address: who.address() };
    assert_eq!(event.txbytes, unsigned(&tx));
    assert_eq!(event.available_inputs, [may(0, Alice)]);
    assert_eq!(event.available_outputs, [may(0, Bob), may(1, Alice)]);

    story.piggyback(&tx, PiggybackSlot::input(0));
    story.piggyback(&tx, PiggybackSlot::output(1));
    story.block_piggyback(&tx, PiggybackSlot::input(0));
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        let joined = |status: &plasma_rpc::watcher::Status| {
            let exits = &status.in_flight_exits;
            exits
                .iter()
                .any(|exit| exit.piggybacked_inputs.is_empty() && exit.piggybacked_outputs == [1])
        };
        let status = story.watched.until("only active piggybacks are listed", joined).await;
        let [exit] = &status.in_flight_exits[..] else { panic!("{status:?}") };
        assert_eq!((exit.txhash, exit.txbytes.clone()), (txhash(&tx), unsigned(&tx)));
        assert_eq!(exit.eth_height.get(), started_at);
        // What leaves with it cannot leave alone.
        assert_eq!(story.watched.exitable_positions(Alice).await, []);
        assert_eq!(story.watched.exitable_positions(Bob).await, [story.bobs]);
        // Data is served all the same: who asks has to know.
        assert!(story.watched.exit_data(story.alices).await.is_ok());
    }

    story.tell(RootChainEvent::InFlightExitDeleted { exit_id });
    story.watched.until("nothing is listed", |status| status.in_flight_exits.is_empty()).await;
    story.watched.assert_quiet().await;
    assert_eq!(story.watched.exitable_positions(Alice).await, [story.alices]);
    assert_eq!(refused(story.get_competitor(&tx).await), "get_competitor:ife_not_known_for_tx");
    story.watched.stop().await;
}

#[actix::test]
async fn a_piggybacked_output_of_an_included_transaction_is_not_exitable() {
    let mut story = Story::new().await;
    let tx = story.payment();
    let block = story.block(vec![tx.clone()]).await;
    let (bobs, change) = (output(&block, 0, 0), output(&block, 0, 1));
    story.start(&tx);
    story.piggyback(&tx, PiggybackSlot::output(0));
    let joined = |status: &plasma_rpc::watcher::Status| {
        status.in_flight_exits.iter().any(|exit| exit.piggybacked_outputs == [0])
    };
    story.watched.until("Bob joined", joined).await;
    assert_eq!(story.watched.exitable_positions(Bob).await, [story.bobs]);
    assert_eq!(story.watched.exitable_positions(Alice).await, [change]);
    // Paid, it is gone.
    let exit_id = ExitId::in_flight(&unsigned(&tx));
    let slot = PiggybackSlot::output(0);
    story.tell(RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot });
    story.tell(RootChainEvent::InFlightExitFinalized { exit_id });
    story.watched.until("nothing is listed", |status| status.in_flight_exits.is_empty()).await;
    story.watched.assert_quiet().await;
    assert_eq!(story.watched.exitable_positions(Bob).await, [story.bobs]);
    assert_eq!(story.watched.exitable_positions(Alice).await, [change]);
    let spends = pay(&[(bobs, Bob)], &[(Carol, 6)]);
    story.world.block(vec![spends]);
    story.watched.events(&["invalid_block"]).await;
    story.watched.stop().await;
}

#[actix::test]
async fn everything_to_start_an_exit_is_served() {
    let mut story = Story::new().await;
    let block = story.block(vec![pay(&[(story.alices, Alice)], &[(Bob, 6), (Alice, 4)])]).await;
    let change = output(&block, 0, 1);
    let tx = pay(&[(change, Alice), (story.bobs, Bob)], &[(Carol, 9)]);
    let data = story.data(&tx).await.unwrap();
    let signed = SignedTx::decode(&tx).unwrap();
    assert_eq!(data.in_flight_tx, unsigned(&tx));
    assert_eq!(data.input_utxos_pos, [change, story.bobs]);
    assert_eq!(data.input_txs, [unsigned(&block.transactions[0]), deposit_tx(Bob, 5)]);
    let [of_block, of_deposit] = &data.input_txs_inclusion_proofs[..] else { panic!("{data:?}") };
    assert_included(&data.input_txs[0], change, of_block, block.hash);
    let deposit_root =
        plasma_core::wire::MerkleBuilder::from_leaves([plasma_core::wire::merkle::leaf_hash(
            &data.input_txs[1],
        )]);
    assert_included(&data.input_txs[1], story.bobs, of_deposit, deposit_root.unwrap().root());
    let signatures: Vec<_> = signed.signatures().map(|sig| sig.as_bytes().to_vec()).collect();
    assert_eq!(data.in_flight_tx_sigs, signatures);
    for (sig, index, owner) in [(0, 0, Alice), (1, 1, Bob)] {
        let position = data.input_utxos_pos[sig];
        let sig = &data.in_flight_tx_sigs[sig];
        assert_spends((&data.in_flight_tx, index, sig), position, owner);
    }
    // A spend of the ledger does not matter, apart from deposits: who exits in flight may not know of it.
    story.block(vec![tx.clone()]).await;
    let again = pay(&[(change, Alice)], &[(Carol, 4)]);
    assert_eq!(story.data(&again).await.unwrap().input_utxos_pos, [change]);
    assert_eq!(
        refused(story.data(&tx).await),
        "in_flight_exit:deposit_input_spent_ife_unsupported"
    );
    story.watched.stop().await;
}

#[actix::test]
async fn what_cannot_be_started_gets_the_documented_error() {
    let mut story = Story::new().await;
    let block = story.block(vec![story.payment()]).await;
    let good = pay(&[(output(&block, 0, 0), Bob)], &[(Carol, 6)]);
    let signed = SignedTx::decode(&good).unwrap();
    let twice: Vec<_> = signed.signatures().chain(signed.signatures()).collect();
    let claim = Transaction::fee_claim(Blknum::new(1_000), Alice.address(), ETH, 1.into());
    let unknown = |blknum, txindex, oindex| {
        pay(&[(at(Blknum::new(blknum), txindex, oindex), Alice)], &[(Carol, 1)]).to_vec()
    };
    let not_found = "in_flight_exit:tx_for_input_not_found";
    for (bytes, expected) in [
        (vec![], "get_in_flight_exit:malformed_transaction"),
        (vec![0xc0], "get_in_flight_exit:malformed_transaction"),
        (good[..good.len() - 1].to_vec(), "get_in_flight_exit:malformed_transaction_rlp"),
        (unsigned(&good), "get_in_flight_exit:malformed_witnesses"),
        (signed.transaction().encode_signed(&[]), "submit_typed:missing_signature"),
        (signed.transaction().encode_signed(&twice), "submit_typed:superfluous_signature"),
        (claim.encode_signed(&[]), "get_in_flight_exit:transaction_not_supported"),
        (unknown(9_000, 0, 0), not_found), // a block of the future
        (unknown(1_000, 7, 0), not_found),
        (unknown(1_000, 0, 3), not_found),
        (unknown(77, 0, 0), not_found), // a deposit nobody made
    ] {
        assert_eq!(refused(story.data(&bytes).await), expected, "{}", hex(&bytes));
    }
    story.watched.stop().await;
}

#[actix::test]
async fn arguments_about_nothing_get_the_documented_error() {
    let story = Story::new().await;
    let tx = story.payment();
    let ask = async |method: &str, index: &str, txbytes: &[u8], number: &str| {
        let body = json!({"txbytes": hex(txbytes)}).to_string();
        let body = match index {
            "" => body,
            _ => format!("{},\"{index}\":{number}}}", body.trim_end_matches('}')),
        };
        let (status, text) =
            post(story.watched.addr, &format!("in_flight_exit.{method}"), body).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 200, "{text}");
        answer["data"]["code"].as_str().unwrap_or_default().to_owned()
    };
    let methods = [
        ("get_competitor", ""),
        ("prove_canonical", ""),
        ("get_input_challenge_data", "input_index"),
        ("get_output_challenge_data", "output_index"),
    ];
    for (method, index) in methods {
        for (bytes, expected) in [
            (&[][..], "malformed_transaction"),
            (&[0xc0], "malformed_transaction"),
            (&tx, "malformed_transaction"), // signed bytes
            (&unsigned(&tx)[1..], "malformed_transaction_rlp"),
            (&unsigned(&tx), "ife_not_known_for_tx"),
        ] {
            let expected = format!("{method}:{expected}");
            assert_eq!(ask(method, index, bytes, "3").await, expected, "{}", hex(bytes));
        }
    }
    story.start(&tx);
    story.watched.events(&["piggyback_available"]).await;
    let tx = unsigned(&tx);
    let all_ones = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    for (method, index) in &methods[2..] {
        for (number, expected) in [
            ("0", "no_double_spend_on_particular_piggyback"), // nobody piggybacked it
            ("3", "no_double_spend_on_particular_piggyback"), // there is none
            ("4", "piggybacked_index_out_of_range"),
            ("65536", "piggybacked_index_out_of_range"),
            ("18446744073709551616", "piggybacked_index_out_of_range"),
            (all_ones, "piggybacked_index_out_of_range"),
        ] {
            let expected = format!("{method}:{expected}");
            assert_eq!(ask(method, index, &tx, number).await, expected, "{number}");
        }
    }
    assert_eq!(ask("get_competitor", "", &tx, "").await, "get_competitor:competitor_not_found");
    let no_proof = "prove_canonical:no_viable_canonical_proof_found";
    assert_eq!(ask("prove_canonical", "", &tx, "").await, no_proof);
    story.watched.stop().await;
}

#[actix::test]
async fn a_competitor_in_a_block_is_shown_with_its_proof_until_the_contract_knows_it() {
    let mut story = Story::new().await;
    let tx = story.payment();
    let block = story.block(vec![story.competitor()]).await;
    story.start(&tx);
    story.piggyback(&tx, PiggybackSlot::input(0));
    let events = ["invalid_piggyback", "non_canonical_ife", "piggyback_available"];
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        story.watched.events(&events).await;
        story.shows_competitor(Some(&block)).await;
        story.shows_spent_input().await;
    }
    let included = TxPos { blknum: block.number, txindex: TxIndex::new(0) };
    story.challenge(&tx, &story.competitor(), 1, Some(included));
    story.watched.events(&["invalid_piggyback", "piggyback_available"]).await;
    let known = refused(story.get_competitor(&tx).await);
    assert_eq!(known, "get_competitor:no_viable_competitor_found");
    let first = refused(story.prove_canonical(&tx).await);
    assert_eq!(first, "prove_canonical:no_viable_canonical_proof_found");
    story.block_piggyback(&tx, PiggybackSlot::input(0));
    story.watched.events(&["piggyback_available"]).await;
    assert_eq!(
        refused(story.input(&tx, 0).await),
        "get_input_challenge_data:no_double_spend_on_particular_piggyback"
    );
    story.watched.stop().await;
}

#[actix::test]
async fn a_competitor_that_only_another_exit_told_of_is_shown_without_a_place() {
    let story = Story::new().await;
    let tx = story.payment();
    story.start(&tx);
    story.piggyback(&tx, PiggybackSlot::input(0));
    story.start(&story.competitor());
    let events = ["invalid_piggyback", "non_canonical_ife", "non_canonical_ife"];
    let events = [&events[..], &["piggyback_available"; 2]].concat();
    story.watched.events(&events).await;
    story.shows_competitor(None).await;
    story.shows_spent_input().await;
    let mutual = story.get_competitor(&story.competitor()).await.unwrap();
    assert_eq!(mutual.competing_txbytes, unsigned(&tx));
    assert_eq!((mutual.in_flight_input_index, mutual.competing_input_index), (1, 0));
    story.watched.stop().await;
}

#[actix::test]
async fn a_competitor_in_a_block_that_is_invalid_is_shown_without_a_place() {
    let mut story = Story::new().await;
    let tx = story.payment();
    story.start(&tx);
    story.piggyback(&tx, PiggybackSlot::input(0));
    story.invalid_block(vec![story.competitor()]);
    let events = ["invalid_piggyback", "non_canonical_ife", "piggyback_available", "invalid_block"];
    story.watched.events(&events).await;
    story.shows_competitor(None).await;
    story.shows_spent_input().await;
    story.watched.stop().await;
}

#[actix::test]
async fn a_wrong_challenge_is_answered_with_the_place_of_the_transaction() {
    let mut story = Story::new().await;
    let tx = story.payment();
    let block = story.block(vec![tx.clone()]).await;
    story.start(&tx);
    story.watched.assert_quiet().await;
    let unchallenged = "prove_canonical:no_viable_canonical_proof_found";
    assert_eq!(refused(story.prove_canonical(&tx).await), unchallenged);
    story.challenge(&tx, &story.competitor(), 1, None);
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        story.watched.events(&["invalid_ife_challenge"]).await;
        let data = story.prove_canonical(&tx).await.unwrap();
        assert_eq!(data.in_flight_txbytes, unsigned(&tx));
        assert_eq!(data.in_flight_tx_pos, output(&block, 0, 0));
        let (at, proof) = (data.in_flight_tx_pos, &data.in_flight_proof);
        assert_included(&data.in_flight_txbytes, at, proof, block.hash);
    }
    let late = refused(story.get_competitor(&tx).await);
    assert_eq!(late, "get_competitor:no_viable_competitor_found");
    story.tell(RootChainEvent::InFlightExitChallengeResponded {
        exit_id: ExitId::in_flight(&unsigned(&tx)),
        tx_hash: txhash(&tx),
        challenger: Alice.address(),
        tx_pos: TxPos { blknum: block.number, txindex: TxIndex::new(0) },
    });
    story.watched.events(&[]).await;
    assert_eq!(refused(story.prove_canonical(&tx).await), unchallenged);
    story.watched.stop().await;
}

/// Has Bob's output of an included transaction piggybacked, and told to be spent in this way.
async fn check_spent_output(
    events: &[&str],
    spend_it: impl AsyncFnOnce(&mut Story, &Block, Box<[u8]>),
) {
    let mut story = Story::new().await;
    let tx = story.payment();
    let block = story.block(vec![tx.clone()]).await;
    story.start(&tx);
    story.piggyback(&tx, PiggybackSlot::output(0));
    story.watched.assert_quiet().await;
    let nothing = "get_output_challenge_data:no_double_spend_on_particular_piggyback";
    assert_eq!(refused(story.output(&tx, 0).await), nothing);
    let spend = pay(&[(output(&block, 0, 0), Bob)], &[(Carol, 6)]);
    spend_it(&mut story, &block, spend.clone()).await;
    story.watched.events(events).await;
    story.shows_spent_output(&block, &spend).await;
    // Nobody piggybacked the change.
    assert_eq!(refused(story.output(&tx, 1).await), nothing);
    story.block_piggyback(&tx, PiggybackSlot::output(0));
    story.watched.events(&events[1..]).await;
    assert_eq!(refused(story.output(&tx, 0).await), nothing);
    story.watched.stop().await;
}

#[actix::test]
async fn a_piggybacked_output_that_a_block_spends_can_be_challenged() {
    check_spent_output(&["invalid_piggyback"], async |story, _, spend| {
        story.block(vec![spend]).await;
    })
    .await;
}

#[actix::test]
async fn a_piggybacked_output_that_an_invalid_block_spends_can_be_challenged() {
    check_spent_output(&["invalid_piggyback", "invalid_block"], async |story, _, spend| {
        story.invalid_block(vec![spend]);
    })
    .await;
}

#[actix::test]
async fn a_piggybacked_output_that_another_exit_spends_can_be_challenged() {
    let events = ["invalid_piggyback", "piggyback_available"];
    check_spent_output(&events, async |story, block, spend| {
        let tx = SignedTx::decode(&spend).unwrap();
        let made = [unsigned(&block.transactions[0])];
        story.world.chain.in_flight_exit_started(Carol.address(), &tx, &made);
        story.world.chain.mine(1);
    })
    .await;
}

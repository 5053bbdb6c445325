//! Exits of what is one's own and of what is not: who is blamed, how he is challenged, and when the chain counts as unsafe.

use crate::faults::hex;
use crate::kit::{E, SLA, World, alice, bob, pos};
use plasma_core::wire::{Signature, SignedTx, Transaction};
use serde_json::json;

/// Alice pays her deposit to Bob in block 1000, and the watcher has executed it.
async fn paid() -> (World, crate::kit::Watcher, Vec<u8>) {
    let mut world = World::new().await;
    let deposit = world.deposit(&alice(), 10);
    let payment = world.pay(&[(deposit, &alice())], &[(bob().address(), 10)]);
    let watcher = world.watch().await;
    let block = world.block(std::slice::from_ref(&payment));
    watcher.applied(block).await;
    (world, watcher, payment)
}

#[actix::test]
async fn an_exit_of_a_spent_output_is_told_challenged_and_forgotten() {
    let (world, watcher, payment) = paid().await;
    let deposit = pos(1, 0, 0);
    let exit_id = world.exit_deposit(deposit, &alice(), 10);
    let started = world.root_chain.newest_block();
    world.root_chain.mine(E);
    watcher.events(&[("invalid_exit", deposit.encode())]).await;

    let challenge = watcher.challenge_data(deposit).await.unwrap();
    let signed = SignedTx::decode(&payment).unwrap();
    assert_eq!(challenge.exit_id, exit_id);
    assert_eq!(challenge.txbytes, signed.unsigned_bytes());
    let of_deposit = Transaction::deposit(alice().address(), Default::default(), 10.into());
    assert_eq!(challenge.exiting_tx, of_deposit.encode_unsigned());
    assert_eq!(challenge.input_index, 0);
    let Transaction::Payment(spend) = signed.transaction() else { unreachable!() };
    let signature = Signature::from_bytes(challenge.sig.try_into().unwrap());
    assert_eq!(signature.recover(world.domain.sign_hash(spend)), Ok(alice().address()));

    let status = watcher.status().await;
    let event = serde_json::to_value(&status.byzantine_events[0]).unwrap();
    assert_eq!(event["details"]["eth_height"], json!(started.eth_height.get()));
    assert_eq!(
        event["details"]["spending_txhash"],
        json!(format!("0x{}", hex(signed.hash().as_bytes())))
    );

    world.root_chain.exit_challenged(deposit);
    world.root_chain.mine(E);
    watcher.events(&[]).await;
    assert!(watcher.challenge_data(deposit).await.is_ok(), "closed exits are still served");
    watcher.stop().await;
}

#[actix::test]
async fn an_exit_that_nobody_challenges_makes_the_chain_unsafe_until_somebody_does() {
    let (mut world, watcher, payment) = paid().await;
    let deposit = pos(1, 0, 0);
    world.exit_deposit(deposit, &alice(), 10);
    world.root_chain.mine(SLA - 1);
    watcher.events(&[("invalid_exit", deposit.encode())]).await;
    world.root_chain.mine(1);
    let unchallenged = ("unchallenged_exit", deposit.encode());
    let both = [unchallenged, ("invalid_exit", deposit.encode())];
    watcher.events(&both).await;
    let submission = json!({ "transaction": format!("0x{}", hex(&payment)) });
    assert_eq!(watcher.call("transaction.submit", &submission).await.unwrap_err(), "chain:unsafe");

    // The ledger goes on, and so does everything that helps to leave.
    let to_alice = world.pay(&[(pos(1000, 0, 0), &bob())], &[(alice().address(), 10)]);
    let block = world.block(&[to_alice]);
    watcher.applied(block).await;
    assert_eq!(watcher.exitable(&alice()).await, [pos(2000, 0, 0)]);
    watcher.stop().await;
    let watcher = world.watch().await;
    watcher.events(&both).await;

    world.root_chain.exit_challenged(deposit);
    world.root_chain.mine(E);
    watcher.events(&[]).await;
    let refused = watcher.call("transaction.submit", &submission).await.unwrap_err();
    assert_eq!(refused, "submit:client_error", "forwarded again");
    watcher.stop().await;
}

#[actix::test]
async fn an_honest_exit_blames_nobody_and_takes_its_output_away() {
    let (world, watcher, payment) = paid().await;
    let output = pos(1000, 0, 0);
    let exit_id = world.exit(output, &payment);
    world.root_chain.mine(SLA + E);
    watcher.caught_up(&world).await;
    watcher.events(&[]).await;
    assert_eq!(watcher.exitable(&bob()).await, []);
    assert_eq!(watcher.challenge_data(output).await.unwrap_err(), "challenge:utxo_not_spent");
    assert!(watcher.exit_data(output).await.is_ok());

    world.root_chain.exit_finalized(exit_id);
    world.root_chain.mine(E);
    watcher.caught_up(&world).await;
    watcher.events(&[]).await;
    assert_eq!(watcher.exitable(&bob()).await, []);
    watcher.stop().await;
}

#[actix::test]
async fn an_invalid_exit_that_was_paid_is_told_for_ever() {
    let (world, watcher, _) = paid().await;
    let deposit = pos(1, 0, 0);
    let exit_id = world.exit_deposit(deposit, &alice(), 10);
    world.root_chain.mine(1);
    world.root_chain.exit_finalized(exit_id);
    world.root_chain.mine(E);
    let unchallenged = [("unchallenged_exit", deposit.encode())];
    watcher.events(&unchallenged).await;
    watcher.stop().await;
    let watcher = world.watch().await;
    watcher.events(&unchallenged).await;
    world.root_chain.mine(SLA);
    watcher.caught_up(&world).await;
    watcher.events(&unchallenged).await;
    watcher.stop().await;
}

/// The block that spends the output comes after the exit: the exit becomes invalid then.
#[actix::test]
async fn an_exit_is_judged_again_when_its_output_is_spent() {
    let (mut world, watcher, payment) = paid().await;
    let output = pos(1000, 0, 0);
    world.exit(output, &payment);
    world.root_chain.mine(E);
    watcher.caught_up(&world).await;
    watcher.events(&[]).await;
    let spend = world.pay(&[(output, &bob())], &[(alice().address(), 10)]);
    let block = world.block(std::slice::from_ref(&spend));
    watcher.applied(block).await;
    watcher.events(&[("invalid_exit", output.encode())]).await;
    let challenge = watcher.challenge_data(output).await.unwrap();
    assert_eq!(challenge.txbytes, SignedTx::decode(&spend).unwrap().unsigned_bytes());
    watcher.stop().await;
}

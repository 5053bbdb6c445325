//! Standard exits: started, challenged, listed, processed, paid to the wei.

use crate::kit::{Included, MIN_EXIT_PERIOD_S, World, ether};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::ids::{ExitPriority, output_id};
use plasma_core::wire::{ETH, EthHeight, ExitId, SecretKey, U256};
use plasma_eth::{
    ChallengeStandardExit, CreditSource, ReceiptNote, RootChain, RootChainCause,
    StandardExitRecord, TxStatus,
};

fn exit_id(output: &Included) -> ExitId {
    ExitId::standard(&output.tx, output.position).unwrap()
}

#[tokio::test]
async fn deposits_and_payments_exit_in_order_and_are_paid_exactly() {
    let world = World::new().await;
    let bond = world.client.standard_exit_bond_wei().await.unwrap();
    let of_alice = world.deposit(&world.alice, ETH, ether(300)).await;
    let spent = world.deposit(&world.alice, ETH, ether(700)).await;
    let (payment, _) = world.payment(&spent, &world.alice, &world.bob);
    let of_bob = world.include(&payment, ETH, ether(700)).await;

    // Bob starts first, and is paid last: his output is younger.
    let started = world.client.start_standard_exit(&world.bob, &of_bob.start()).await;
    let (bobs_exit, bobs_time_s) = world.mined(started).await.started_exit().unwrap();
    let started = world.client.start_standard_exit(&world.alice, &of_alice.start()).await;
    let (alices_exit, alices_time_s) = world.mined(started).await.started_exit().unwrap();
    let expected = [
        ExitPriority::new(alices_time_s, of_alice.position, alices_exit),
        ExitPriority::new(bobs_time_s, of_bob.position, bobs_exit),
    ];
    assert_eq!(world.client.exit_queue(ETH).await.unwrap().unwrap(), expected);
    assert_eq!(world.client.next_exit(ETH).await.unwrap(), Some(expected[0]));

    let process = async |top_exit| {
        let sent = world.client.process_exits(&world.mallory, ETH, top_exit, 10).await;
        world.mined(sent).await
    };
    let early = process(None).await;
    assert_eq!(early.notes, [ReceiptNote::ExitsProcessed { count: 0 }]);

    let before = (world.wei(&world.alice).await, world.wei(&world.bob).await);
    world.dev.advance_time(2 * MIN_EXIT_PERIOD_S + 2).await.unwrap();
    let paid = process(Some(alices_exit)).await;
    assert_eq!(paid.finalized_exits().collect::<Vec<_>>(), [alices_exit, bobs_exit]);
    assert_eq!(paid.notes, [ReceiptNote::ExitsProcessed { count: 2 }]);
    let after = (world.wei(&world.alice).await, world.wei(&world.bob).await);
    assert_eq!(after, (before.0 + ether(300) + bond, before.1 + ether(700) + bond));
    assert_eq!(world.client.exit_queue(ETH).await.unwrap(), Some(vec![]));
}

#[tokio::test]
async fn the_record_of_an_exit_lives_until_it_is_processed() {
    let world = World::new().await;
    let client = &world.client;
    let output = world.deposit(&world.alice, ETH, ether(2)).await;
    let other = world.deposit(&world.alice, ETH, ether(2)).await;
    let exit_id = exit_id(&output);
    assert_eq!(client.standard_exits(&[exit_id]).await.unwrap(), [None]);
    let started = client.start_standard_exit(&world.alice, &output.start()).await;
    assert_eq!(world.mined(started).await.started_exit().unwrap().0, exit_id);
    let record = StandardExitRecord {
        exitable: true,
        position: output.position,
        output_id: output_id(&output.tx, output.position),
        exitor: world.alice.address(),
        amount: ether(2),
        bond_wei: client.standard_exit_bond_wei().await.unwrap(),
    };
    let ids = [self::exit_id(&other), exit_id];
    assert_eq!(client.standard_exits(&ids).await.unwrap(), [None, Some(record)]);
    assert!(!client.is_output_finalized(record.output_id).await.unwrap());

    world.dev.advance_time(MIN_EXIT_PERIOD_S + 2).await.unwrap();
    world.mined(client.process_exits(&world.bob, ETH, None, 1).await).await;
    assert_eq!(client.standard_exits(&[exit_id]).await.unwrap(), [None]);
    assert!(client.is_output_finalized(record.output_id).await.unwrap());
}

#[tokio::test]
async fn an_exit_of_a_spent_output_is_challenged_for_its_bond() {
    let world = World::new().await;
    let bond = world.client.standard_exit_bond_wei().await.unwrap();
    let spent = world.deposit(&world.alice, ETH, ether(500)).await;
    let (payment, witness) = world.payment(&spent, &world.alice, &world.bob);
    let started = world.client.start_standard_exit(&world.alice, &spent.start()).await;
    world.mined(started).await;

    let challenge = ChallengeStandardExit {
        exit_id: exit_id(&spent),
        exiting_tx: spent.tx.clone(),
        challenge_tx: payment.encode_unsigned(),
        input_index: 0,
        witness,
    };
    let wrong = ChallengeStandardExit { witness: vec![1; 65], ..challenge.clone() };
    let error = world.client.challenge_standard_exit(&world.mallory, &wrong).await.unwrap_err();
    assert_eq!(error.revert().unwrap().to_string(), "SignatureInvalid()");

    let before = world.wei(&world.mallory).await;
    let sent = world.client.challenge_standard_exit(&world.mallory, &challenge).await;
    let receipt = world.mined(sent).await;
    let after = world.wei(&world.mallory).await;
    assert_eq!(after + receipt.fee_wei(), before + bond);
    let challenged = RootChainEvent::ExitChallenged { position: spent.position };
    assert_eq!(receipt.events[0].event, challenged);
    let records = world.client.standard_exits(&[challenge.exit_id]).await.unwrap();
    assert!(!records[0].unwrap().exitable);

    world.dev.advance_time(2 * MIN_EXIT_PERIOD_S + 2).await.unwrap();
    let processed = world.client.process_exits(&world.bob, ETH, None, 1).await;
    let receipt = world.mined(processed).await;
    assert_eq!(receipt.notes, [ReceiptNote::ExitsProcessed { count: 1 }]);
    assert_eq!(receipt.omitted_exits().collect::<Vec<_>>(), [challenge.exit_id]);
    let newest = world.root_chain.eth_height().await.unwrap();
    let kinds = [EventKind::ExitOmitted];
    let events = world.root_chain.events(&kinds, EthHeight::new(0), newest).await.unwrap();
    assert_eq!(events, receipt.events, "nodes read what the receipt tells");
}

#[tokio::test]
async fn exit_events_carry_all_a_watcher_needs() {
    let world = World::new().await;
    let (alice, token) = (&world.alice, world.token());
    let minted = world.client.mint(alice, token, alice.address(), U256::from(9)).await;
    world.mined(minted).await;
    let output = world.deposit(alice, token, U256::from(9)).await;
    let started = world.client.start_standard_exit(alice, &output.start()).await;
    let receipt = world.mined(started).await;
    let time_s = world.client.newest_block().await.unwrap().timestamp_s;
    world.dev.advance_time(2 * MIN_EXIT_PERIOD_S).await.unwrap();
    let processed = world.client.process_exits(alice, token, None, 1).await;
    world.mined(processed).await;

    let kinds = [EventKind::ExitStarted, EventKind::ExitFinalized];
    let newest = world.root_chain.eth_height().await.unwrap();
    let events = world.root_chain.events(&kinds, EthHeight::new(0), newest).await.unwrap();
    assert_eq!(events[0].eth_height, receipt.eth_height);
    assert_eq!(events[0].root_chain_txhash, receipt.txhash);
    let events: Vec<_> = events.into_iter().map(|event| event.event).collect();
    let exit_id = exit_id(&output);
    assert_eq!(
        events,
        [
            RootChainEvent::ExitStarted {
                owner: alice.address(),
                exit_id,
                position: output.position,
                output_tx: output.tx.clone().into(),
                exitable_at_s: time_s + MIN_EXIT_PERIOD_S,
            },
            RootChainEvent::ExitFinalized { exit_id },
        ]
    );
    let balance = world.client.balance(alice.address(), token).await.unwrap();
    assert_eq!(balance, U256::from(9));
}

#[tokio::test]
async fn refusals_have_the_names_of_the_contracts_errors() {
    let world = World::new().await;
    let client = &world.client;
    let output = world.deposit(&world.alice, ETH, ether(1)).await;
    let start = async |key: &SecretKey, output: &Included| {
        let error = client.start_standard_exit(key, &output.start()).await.unwrap_err();
        error.revert().unwrap().to_string()
    };
    let (alice, bob) = (world.alice.address(), world.bob.address());
    assert_eq!(
        start(&world.bob, &output).await,
        format!("NotOutputOwner(caller: {bob:?}, owner: {alice:?})")
    );
    let mut elsewhere = output.clone();
    elsewhere.position.blknum = plasma_core::wire::Blknum::new(7);
    assert_eq!(start(&world.alice, &elsewhere).await, "BlockNotFound(blknum: 7)");
    world.mined(client.start_standard_exit(&world.alice, &output.start()).await).await;
    let again = start(&world.alice, &output).await;
    assert_eq!(again, format!("ExitStartedBefore(exitId: {})", exit_id(&output)));

    let error = client.process_exits(&world.bob, world.token(), None, 1).await.unwrap_err();
    assert_eq!(error.revert().unwrap().name(), "ExitQueueEmpty");
    let error = client.add_exit_queue(&world.bob, ETH).await.unwrap_err();
    assert_eq!(error.revert().unwrap().name(), "ExitQueueExists");
    let unknown = plasma_core::wire::Address::repeat_byte(9);
    assert_eq!(client.exit_queue(unknown).await.unwrap(), None);
    assert_eq!(client.next_exit(unknown).await.unwrap(), None);
    world.mined(client.add_exit_queue(&world.bob, unknown).await).await;
    assert!(client.has_exit_queue(unknown).await.unwrap());
}

#[tokio::test]
async fn what_a_receiver_does_not_take_becomes_a_credit() {
    const REFUSES_EVERYTHING: &[u8] = &[0x60, 0, 0x60, 0, 0xfd];
    let world = World::new().await;
    let (client, owner) = (&world.client, world.alice.address());
    let bond = client.standard_exit_bond_wei().await.unwrap();
    let output = world.deposit(&world.alice, ETH, ether(5)).await;
    world.mined(client.start_standard_exit(&world.alice, &output.start()).await).await;
    world.dev.set_code(owner, REFUSES_EVERYTHING).await.unwrap();
    world.dev.advance_time(2 * MIN_EXIT_PERIOD_S).await.unwrap();
    let receipt = world.mined(client.process_exits(&world.bob, ETH, None, 1).await).await;
    let credit = |source, amount| ReceiptNote::CreditAdded { source, owner, amount };
    assert_eq!(
        receipt.notes,
        [
            credit(CreditSource::ExitGame, bond),
            credit(CreditSource::EthVault, ether(5)),
            ReceiptNote::ExitsProcessed { count: 1 },
        ]
    );
    world.dev.set_code(owner, &[]).await.unwrap();
    for (source, amount) in [(CreditSource::ExitGame, bond), (CreditSource::EthVault, ether(5))] {
        assert_eq!(client.credit(source, owner).await.unwrap(), amount);
        let before = world.wei(&world.alice).await;
        let stolen = client
            .withdraw_credit(&world.mallory, source, owner, world.mallory.address())
            .await
            .unwrap_err();
        assert_eq!(stolen.revert().unwrap().name(), "NotCreditOwner");
        world.mined(client.withdraw_credit(&world.mallory, source, owner, owner).await).await;
        assert_eq!(world.wei(&world.alice).await, before + amount);
        assert_eq!(client.credit(source, owner).await.unwrap(), U256::zero());
    }
    let token = CreditSource::Erc20Vault(world.token());
    assert_eq!(client.credit(token, owner).await.unwrap(), U256::zero());
}

#[tokio::test]
async fn waiting_reports_progress_and_the_refusal_of_a_mined_transaction() {
    let world = World::new().await;
    let (client, token) = (&world.client, world.token());
    let (alice, bob) = (world.alice.address(), world.bob.address());
    world.dev.set_automine(false).await.unwrap();
    // The transfer looks fine while the minting waits in the pool, and is refused once that is gone.
    let minted = client.mint(&world.bob, token, alice, U256::one()).await.unwrap();
    let transfer = client.transfer(&world.alice, bob, token, U256::one()).await.unwrap();
    world.dev.drop_transaction(minted.txhash).await.unwrap();
    let deposit = client.deposit(&world.alice, ETH, ether(1)).await.unwrap();
    assert_eq!(deposit.nonce, transfer.nonce + 1);
    world.dev.mine(3).await.unwrap();

    let mut heard = Vec::new();
    let receipt = client.confirm(&deposit, 3, |progress| heard.push(progress)).await.unwrap();
    assert_eq!(receipt.status, TxStatus::Succeeded);
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].confirmations, heard[0].wanted), (3, 3));
    assert_eq!(heard[0].mined_at, Some(receipt.eth_height));

    let receipt = client.confirm(&transfer, 1, |_| {}).await.unwrap();
    let error = receipt.success().unwrap_err();
    let expected = format!("ERC20InsufficientBalance(sender: {alice:?}, balance: 0, needed: 1)");
    assert_eq!(error.revert().unwrap().to_string(), expected);
}

#[tokio::test]
async fn a_replaced_transaction_is_noticed() {
    let world = World::new().await;
    world.dev.set_automine(false).await.unwrap();
    let transfer = async |amount: u64| {
        let (key, to) = (&world.alice, world.bob.address());
        world.client.transfer(key, to, ETH, amount.into()).await.unwrap()
    };
    let lost = transfer(1).await;
    world.dev.drop_transaction(lost.txhash).await.unwrap();
    let winner = transfer(2).await;
    assert_eq!(winner.nonce, lost.nonce);
    world.dev.mine(1).await.unwrap();
    let error = world.client.confirm(&lost, 1, |_| {}).await.unwrap_err();
    let expected = RootChainCause::Replaced { txhash: lost.txhash, nonce: lost.nonce };
    assert_eq!(error.cause(), &expected);
}

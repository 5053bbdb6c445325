//! In-flight exits: started, piggybacked, argued about, deleted, processed, paid to the wei.

use crate::kit::{Included, MIN_EXIT_PERIOD_S, World, ether};
use plasma_core::db_update::TxPos;
use plasma_core::exit_processor::in_flight_data::{InFlightExitData, InFlightInput};
use plasma_core::root_chain::{PiggybackSlot, RootChainEvent};
use plasma_core::sentinel::Call;
use plasma_core::sentinel::call::{
    CanonicityProof, CompetitorProof, InputSpentProof, OutputSpentProof,
};
use plasma_core::wire::ids::{normal_output_id, output_id};
use plasma_core::wire::{
    Address, Blknum, ETH, ExitId, OutputIndex, SecretKey, Signature, Transaction, U256, UtxoPos,
};
use plasma_eth::{InFlightExitRecord, InFlightShareRecord, OldestCompetitor, ReceiptNote};

/// A payment that is not included, of one output to one receiver.
struct InFlight {
    tx: Transaction,
    bytes: Box<[u8]>,
    signature: Signature,
    input: Included,
}

impl InFlight {
    fn new(world: &World, input: &Included, from: &SecretKey, to: &SecretKey) -> Self {
        let (tx, witness) = world.payment(input, from, to);
        let signature = Signature::from_bytes(witness.try_into().unwrap());
        Self { bytes: tx.encode_unsigned().into(), tx, signature, input: input.clone() }
    }

    fn exit_id(&self) -> ExitId {
        ExitId::in_flight(&self.bytes)
    }

    fn start(&self) -> InFlightExitData {
        InFlightExitData {
            tx_bytes: self.bytes.clone(),
            inputs: vec![InFlightInput {
                position: self.input.position,
                tx_bytes: self.input.tx.clone().into(),
                proof: self.input.proof.clone(),
            }],
            signatures: vec![self.signature],
        }
    }

    fn competitor(&self, other: &Self, included: Option<&Included>) -> Call {
        Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
            input_tx: self.input.tx.clone().into(),
            input_position: self.input.position,
            in_flight_tx: self.bytes.clone(),
            in_flight_input_index: 0,
            competing_tx: other.bytes.clone(),
            competing_input_index: 0,
            included: included.map(|included| (included.position, included.proof.clone())),
            competing_signature: other.signature,
        }))
    }

    fn response(&self, included: &Included) -> Call {
        Call::RespondToNonCanonicalChallenge(Box::new(CanonicityProof {
            in_flight_tx: self.bytes.clone(),
            position: included.position,
            proof: included.proof.clone(),
        }))
    }

    fn input_spent(&self, other: &Self) -> Call {
        Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
            in_flight_tx: self.bytes.clone(),
            in_flight_input_index: 0,
            challenging_tx: other.bytes.clone(),
            challenging_input_index: 0,
            challenging_signature: other.signature,
            input_tx: self.input.tx.clone().into(),
            input_position: self.input.position,
        }))
    }

    fn output_spent(&self, included: &Included, spend: &Self) -> Call {
        Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
            in_flight_tx: self.bytes.clone(),
            in_flight_proof: included.proof.clone(),
            output_position: included.position,
            challenging_tx: spend.bytes.clone(),
            challenging_input_index: 0,
            challenging_signature: spend.signature,
        }))
    }
}

async fn start(world: &World, key: &SecretKey, exit: &InFlight) -> u64 {
    let receipt = world.mined(world.client.start_in_flight_exit(key, &exit.start()).await).await;
    let (exit_id, started_at_s) = receipt.started_in_flight_exit().unwrap();
    assert_eq!(exit_id, exit.exit_id());
    started_at_s
}

async fn record(world: &World, exit: &InFlight) -> InFlightExitRecord {
    let records = world.client.in_flight_exits(&[exit.exit_id()]).await.unwrap();
    records.into_iter().next().unwrap().unwrap()
}

fn at(included: &Included) -> OldestCompetitor {
    let UtxoPos { blknum, txindex, .. } = included.position;
    OldestCompetitor::Included(TxPos { blknum, txindex })
}

/// What an argument brought its sender, without the gas.
async fn earned(world: &World, key: &SecretKey, call: &Call) -> U256 {
    let before = world.wei(key).await;
    let receipt = world.mined(world.client.argue(key, call).await).await;
    world.wei(key).await + receipt.fee_wei() - before
}

async fn refusal(world: &World, call: &Call) -> String {
    let error = world.client.argue(&world.mallory, call).await.unwrap_err();
    error.revert().unwrap().name().to_owned()
}

#[tokio::test]
async fn a_payment_that_never_appears_pays_its_receiver() {
    let world = World::new().await;
    let client = &world.client;
    let bond = client.in_flight_exit_bond_wei().await.unwrap();
    let piggyback_bond = client.piggyback_bond_wei().await.unwrap();
    let input = world.deposit(&world.alice, ETH, ether(300)).await;
    let exit = InFlight::new(&world, &input, &world.alice, &world.bob);
    assert_eq!(client.in_flight_exits(&[exit.exit_id()]).await.unwrap(), [None]);
    let before = (world.wei(&world.mallory).await, world.wei(&world.bob).await);

    let sent = client.start_in_flight_exit(&world.mallory, &exit.start()).await;
    let started = world.mined(sent).await;
    let (_, started_at_s) = started.started_in_flight_exit().unwrap();
    let sent = client.piggyback(&world.bob, &exit.bytes, PiggybackSlot::output(0)).await;
    let piggybacked = world.mined(sent).await;
    assert!(piggybacked.piggyback_exitable_at_s().unwrap() >= started_at_s + MIN_EXIT_PERIOD_S);
    let share = |owner: &SecretKey, output_id, piggyback_bond_wei| InFlightShareRecord {
        output_id,
        exit_target: owner.address(),
        currency: ETH,
        amount: ether(300),
        piggyback_bond_wei,
    };
    let output = normal_output_id(&exit.bytes, OutputIndex::new(0));
    let expected = InFlightExitRecord {
        is_canonical: true,
        started_at_s,
        exit_map: U256::from(0b1_0000),
        position: input.position,
        inputs: vec![share(&world.alice, output_id(&input.tx, input.position), U256::zero())],
        outputs: vec![share(&world.bob, output, piggyback_bond)],
        bond_owner: world.mallory.address(),
        bond_wei: bond,
        oldest_competitor: OldestCompetitor::None,
    };
    let record = record(&world, &exit).await;
    assert_eq!(record, expected);
    assert!(record.is_piggybacked(PiggybackSlot::output(0)));
    assert_eq!(record.first_phase_ends_at_s(MIN_EXIT_PERIOD_S), started_at_s + 50);
    assert_eq!(record.share(PiggybackSlot::output(0)), expected.outputs.first());
    assert_eq!(record.share(PiggybackSlot::input(1)), None);

    world.dev.advance_time(2 * MIN_EXIT_PERIOD_S + 2).await.unwrap();
    let paid = world.mined(client.process_exits(&world.alice, ETH, None, 10).await).await;
    let slots: Vec<_> = paid.withdrawn_piggybacks().collect();
    assert_eq!(slots, [(exit.exit_id(), PiggybackSlot::output(0))]);
    assert_eq!(paid.notes, [ReceiptNote::ExitsProcessed { count: 1 }]);
    let after = (world.wei(&world.mallory).await, world.wei(&world.bob).await);
    assert_eq!(after.0 + started.fee_wei(), before.0);
    assert_eq!(after.1 + piggybacked.fee_wei(), before.1 + ether(300));
    assert_eq!(client.in_flight_exits(&[exit.exit_id()]).await.unwrap(), [None]);
}

#[tokio::test]
async fn canonicity_is_contested_and_answered_for_the_bond() {
    let world = World::new().await;
    let bond = world.client.in_flight_exit_bond_wei().await.unwrap();
    let input = world.deposit(&world.alice, ETH, ether(300)).await;
    let exit = InFlight::new(&world, &input, &world.alice, &world.bob);
    let other = InFlight::new(&world, &input, &world.alice, &world.mallory);
    let included = world.include(&exit.tx, ETH, ether(300)).await;
    let later = world.include(&other.tx, ETH, ether(300)).await;
    assert_eq!(refusal(&world, &exit.competitor(&other, None)).await, "InFlightExitNotFound");
    start(&world, &world.bob, &exit).await;

    world.mined(world.client.argue(&world.mallory, &exit.competitor(&other, None)).await).await;
    let contested = record(&world, &exit).await;
    assert!(!contested.is_canonical);
    assert_eq!(contested.bond_owner, world.mallory.address());
    assert_eq!(contested.oldest_competitor, OldestCompetitor::NotIncluded);
    let call = exit.competitor(&other, Some(&later));
    world.mined(world.client.argue(&world.mallory, &call).await).await;
    assert_eq!(record(&world, &exit).await.oldest_competitor, at(&later));
    assert_eq!(refusal(&world, &call).await, "CompetitorNotOlder");

    world.mined(world.client.argue(&world.bob, &exit.response(&included)).await).await;
    let answered = record(&world, &exit).await;
    assert!(answered.is_canonical);
    assert_eq!(answered.bond_owner, world.bob.address());
    assert_eq!(answered.oldest_competitor, at(&included));
    assert_eq!(refusal(&world, &exit.response(&included)).await, "ResponseNotOlder");

    // Nobody piggybacked: in the second phase anyone ends it, and the bond goes to who answered last.
    let delete = Call::DeleteNonPiggybackedInFlightExit { exit_id: exit.exit_id() };
    assert_eq!(refusal(&world, &delete).await, "FirstPhaseNotOver");
    world.dev.advance_time(MIN_EXIT_PERIOD_S / 2 + 1).await.unwrap();
    assert_eq!(earned(&world, &world.bob, &delete).await, bond);
    let exits = world.client.in_flight_exits(&[exit.exit_id()]).await.unwrap();
    assert_eq!(exits, [None]);
}

#[tokio::test]
async fn piggybacks_of_what_was_spent_are_blocked_for_their_bonds() {
    let world = World::new().await;
    let client = &world.client;
    let bond = client.piggyback_bond_wei().await.unwrap();
    let input = world.deposit(&world.alice, ETH, ether(300)).await;
    let exit = InFlight::new(&world, &input, &world.alice, &world.bob);
    let other = InFlight::new(&world, &input, &world.alice, &world.alice);
    let included = world.include(&exit.tx, ETH, ether(300)).await;
    let spend = InFlight::new(&world, &included, &world.bob, &world.alice);
    start(&world, &world.alice, &exit).await;
    let (of_input, of_output) = (exit.input_spent(&other), exit.output_spent(&included, &spend));
    for call in [&of_input, &of_output] {
        assert_eq!(refusal(&world, call).await, "NotPiggybacked");
    }
    for (key, slot) in
        [(&world.alice, PiggybackSlot::input(0)), (&world.bob, PiggybackSlot::output(0))]
    {
        let error = client.piggyback(&world.mallory, &exit.bytes, slot).await.unwrap_err();
        assert_eq!(error.revert().unwrap().name(), "NotExitTarget");
        world.mined(client.piggyback(key, &exit.bytes, slot).await).await;
        let error = client.piggyback(key, &exit.bytes, slot).await.unwrap_err();
        assert_eq!(error.revert().unwrap().name(), "PiggybackedBefore");
    }
    for call in [&of_input, &of_output] {
        assert_eq!(earned(&world, &world.mallory, call).await, bond);
    }
    assert!(record(&world, &exit).await.exit_map.is_zero());

    world.dev.advance_time(3 * MIN_EXIT_PERIOD_S).await.unwrap();
    let paid = world.mined(client.process_exits(&world.alice, ETH, None, 10).await).await;
    assert_eq!(paid.withdrawn_piggybacks().count(), 0);
    let finalized = RootChainEvent::InFlightExitFinalized { exit_id: exit.exit_id() };
    assert!(paid.events.iter().any(|event| event.event == finalized), "{paid:?}");
}

#[tokio::test]
async fn each_token_needs_its_queue_before_its_first_piggyback() {
    let world = World::new().await;
    let (client, alice, token) = (&world.client, &world.alice, Address::repeat_byte(9));
    // The operator made the money up: nobody deposits a token that does not exist.
    let mut input = world.deposit(alice, ETH, ether(1)).await;
    input.currency = token;
    let (payment, _) = world.payment(&input, alice, alice);
    let input = world.include(&payment, token, ether(1)).await;
    let exit = InFlight::new(&world, &input, alice, &world.bob);
    start(&world, alice, &exit).await;
    let slot = PiggybackSlot::output(0);
    let error = client.piggyback(&world.bob, &exit.bytes, slot).await.unwrap_err();
    assert_eq!(error.revert().unwrap().name(), "ExitQueueNotFound");
    world.mined(client.add_exit_queue(&world.bob, token).await).await;
    world.mined(client.piggyback(&world.bob, &exit.bytes, slot).await).await;
    assert!(record(&world, &exit).await.is_piggybacked(slot));
    let queue = client.exit_queue(token).await.unwrap().unwrap();
    let queued: Vec<_> = queue.iter().map(|priority| priority.exit_id()).collect();
    assert_eq!(queued, [exit.exit_id()]);
}

#[tokio::test]
async fn a_start_with_wrong_parts_is_refused_before_it_is_sent() {
    let world = World::new().await;
    let client = &world.client;
    let input = world.deposit(&world.alice, ETH, ether(3)).await;
    let exit = InFlight::new(&world, &input, &world.alice, &world.bob);
    let change = |change: &dyn Fn(&mut InFlightExitData)| {
        let mut data = exit.start();
        change(&mut data);
        data
    };
    for (data, expected) in [
        (
            change(&|data| data.signatures = vec![Signature::from_bytes([1; 65])]),
            "SignatureInvalid",
        ),
        (change(&|data| data.signatures.clear()), "InputCountMismatch"),
        (change(&|data| data.inputs.clear()), "InputCountMismatch"),
        (change(&|data| data.inputs[0].position.blknum = Blknum::new(7)), "BlockNotFound"),
    ] {
        let error = client.start_in_flight_exit(&world.bob, &data).await.unwrap_err();
        assert_eq!(error.revert().unwrap().name(), expected);
    }
    start(&world, &world.bob, &exit).await;
    let error = client.start_in_flight_exit(&world.bob, &exit.start()).await.unwrap_err();
    assert_eq!(error.revert().unwrap().name(), "ExitStartedBefore");
    world.dev.advance_time(MIN_EXIT_PERIOD_S / 2 + 1).await.unwrap();
    let late = client.piggyback(&world.bob, &exit.bytes, PiggybackSlot::output(0)).await;
    assert_eq!(late.unwrap_err().revert().unwrap().name(), "FirstPhaseOver");
}

//! An operator who lies: the watcher names the lie, never follows it, and goes on helping those who leave.
//!
//! No lie is ever forgiven: an answer that breaks a rule is a fault for ever, also when the operator serves the right block later
//! (docs/protocol/watching.md, W4). What heals is only what never became a fault; see `withholding.rs`.

use crate::kit::{Watched, World, code};
use crate::operator::{Serving, hex, json_of};
use crate::users::{Who, assert_challenges, deposit_tx, output, pay, root_of, unsigned};
use Who::{Alice, Bob, Carol};
use plasma_core::wire::{
    Blknum, Block, H256, InclusionProof, SignedTx, UtxoPos, merkle::leaf_hash,
};
use plasma_rpc::child_chain::BatchSubmitParams;
use plasma_rpc::watcher::{ByzantineEvent, TRANSACTION_BATCH_SUBMIT};
use serde_json::json;

/// A chain of one valid block, and what is in it.
struct Story {
    world: World,
    watched: Watched,
    /// Spent in the valid block.
    spent: UtxoPos,
    /// Alice's, unspent.
    deposit: UtxoPos,
    /// Bob's and Alice's outputs of the valid block.
    bobs: UtxoPos,
    change: UtxoPos,
    valid: Block,
}

impl Story {
    async fn new() -> Self {
        let mut world = World::new().await;
        let (spent, deposit) = (world.deposit(Alice, 10), world.deposit(Alice, 20));
        let watched = world.start().await;
        let valid = world.block(vec![pay(&[(spent, Alice)], &[(Bob, 6), (Alice, 4)])]);
        watched.validated(valid.number).await;
        let (bobs, change) = (output(&valid, 0, 0), output(&valid, 0, 1));
        Self { world, watched, spent, deposit, bobs, change, valid }
    }

    /// A block that everybody would accept as the next one.
    fn honest(&self) -> Block {
        self.world.next_block(vec![pay(&[(self.bobs, Bob)], &[(Carol, 6)])])
    }

    /// Serves a lie as the next block, and mines so many root chain blocks; the event has to be there then.
    async fn lie(&mut self, root: H256, served: Serving, eth_blocks: u64, error_type: &str) {
        self.world.operator.answer(root, served);
        let blknum = self.world.submit(root);
        self.world.chain.mine(eth_blocks);
        self.is_named(blknum, root, error_type).await;
    }

    async fn is_named(&self, blknum: Blknum, root: H256, error_type: &str) {
        let events = self.watched.events(&["invalid_block"]).await;
        let [ByzantineEvent::InvalidBlock(event)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(
            (event.blknum, event.hash, event.error_type.as_str()),
            (blknum, root, error_type)
        );
    }

    /// Nobody is helped to spend, and everybody is helped to leave with what was valid before.
    async fn secures_what_was_valid(&self) {
        let Self { world, watched, .. } = self;
        let payment = pay(&[(self.deposit, Alice)], &[(Bob, 20)]);
        let before = world.operator.taken();
        assert_eq!(code(watched.submit(&payment).await.unwrap_err()), "chain:unsafe");
        let params = BatchSubmitParams { transactions: vec![payment.to_vec()] };
        let refused = watched.call(&TRANSACTION_BATCH_SUBMIT, &params).await;
        assert_eq!(code(refused.unwrap_err()), "chain:unsafe");
        assert_eq!(world.operator.taken(), before, "the operator got a transaction");
        let status = watched.status().await;
        assert_eq!(status.last_validated_child_block_number, self.valid.number);
        for (position, txindex, root) in
            [(self.bobs, 0, self.valid.hash), (self.change, 0, self.valid.hash)]
        {
            let data = watched.exit_data(position).await.unwrap();
            assert_eq!(data.txbytes, unsigned(&self.valid.transactions[0]));
            let proof = InclusionProof::from_bytes(&data.proof).unwrap();
            assert!(proof.verify(leaf_hash(&data.txbytes), txindex, root));
        }
        assert_eq!(watched.exitable_positions(Alice).await, [self.deposit, self.change]);
    }

    /// An exit of what was spent before the fault can be challenged, one that is valid is left alone.
    async fn judges_exits(&self) {
        let Self { world, watched, .. } = self;
        world.chain.exit_started(Alice.address(), self.spent, &deposit_tx(Alice, 10));
        world.chain.exit_started(Alice.address(), self.deposit, &deposit_tx(Alice, 20));
        world.chain.mine(1);
        watched.events(&["invalid_exit", "invalid_block"]).await;
        assert_challenges(&watched.challenge_data(self.spent).await.unwrap(), self.spent, Alice);
        let no = watched.challenge_data(self.deposit).await.unwrap_err();
        assert_eq!(code(no), "challenge:utxo_not_spent");
        world.chain.exit_challenged(self.spent);
        world.chain.mine(1);
        watched.events(&["invalid_block"]).await;
    }
}

/// A lie that is seen at once: no root chain block has to follow.
async fn check(error_type: &str, lie: impl FnOnce(&mut Story) -> (H256, Serving)) {
    check_after(0, error_type, lie).await;
}

/// Tells one lie and checks everything that has to hold after it, also after restarts.
async fn check_after(
    eth_blocks: u64,
    error_type: &str,
    lie: impl FnOnce(&mut Story) -> (H256, Serving),
) {
    let mut story = Story::new().await;
    let blknum = story.honest().number;
    let (root, served) = lie(&mut story);
    story.lie(root, served, eth_blocks, error_type).await;
    story.secures_what_was_valid().await;
    // The lie is taken back: nothing changes.
    let honest = Block { number: blknum, hash: root, ..story.honest() };
    story.world.operator.serve(root, &honest);
    story.judges_exits().await;
    story.watched = story.world.restart(story.watched).await;
    story.is_named(blknum, root, error_type).await;
    assert_eq!(story.watched.exitable_positions(Alice).await, [story.change]);
    assert_eq!(story.watched.status().await.last_validated_child_block_number, story.valid.number);
    story.watched.stop().await;
}

#[actix::test]
async fn a_block_that_claims_another_hash_is_a_fault() {
    check("bad_returned_hash", |story| {
        let honest = story.honest();
        (honest.hash, Serving::Json(json_of(&story.valid)))
    })
    .await;
}

#[actix::test]
async fn a_block_that_claims_another_number_is_a_fault() {
    check("bad_returned_number", |story| {
        let honest = story.honest();
        let renamed = Block { number: Blknum::new(7_000), ..honest.clone() };
        (honest.hash, Serving::Json(json_of(&renamed)))
    })
    .await;
}

#[actix::test]
async fn a_block_with_other_transactions_than_its_root_is_a_fault() {
    check("incorrect_hash", |story| {
        let honest = story.honest();
        let other = pay(&[(story.bobs, Bob)], &[(Alice, 6)]);
        let swapped = Block { transactions: vec![other], ..honest.clone() };
        (honest.hash, Serving::Json(json_of(&swapped)))
    })
    .await;
}

#[actix::test]
async fn a_block_with_bytes_that_are_no_transaction_is_a_fault() {
    check("malformed_transaction_rlp", |story| {
        let honest = story.honest();
        let mut garbled = json_of(&honest);
        garbled["transactions"] = json!(["0xc0ffee"]);
        (honest.hash, Serving::Json(garbled))
    })
    .await;
}

#[actix::test]
async fn a_block_without_a_signature_is_a_fault() {
    check("missing_signature", |story| {
        let honest = story.honest();
        let signed = SignedTx::decode(&honest.transactions[0]).unwrap();
        let mut stripped = json_of(&honest);
        stripped["transactions"] = json!([hex(&signed.transaction().encode_signed(&[]))]);
        (honest.hash, Serving::Json(stripped))
    })
    .await;
}

#[actix::test]
async fn a_block_longer_than_blocks_can_be_is_a_fault() {
    check("transactions_exceed_block_limit", |story| {
        let honest = story.honest();
        let mut long = json_of(&honest);
        let transaction = long["transactions"][0].clone();
        long["transactions"] = json!(vec![transaction; 65_540]);
        (honest.hash, Serving::Json(long))
    })
    .await;
}

/// A block whose root is right and whose execution fails.
fn submitted(story: &Story, transactions: Vec<Box<[u8]>>) -> (H256, Serving) {
    let block = story.world.next_block(transactions);
    assert_eq!(block.hash, root_of(&block.transactions));
    (block.hash, Serving::Json(json_of(&block)))
}

#[actix::test]
async fn a_block_that_spends_what_never_was_is_a_fault() {
    check("tx_execution", |story| {
        let nowhere = output(&story.valid, 7, 0);
        submitted(story, vec![pay(&[(nowhere, Alice)], &[(Bob, 1)])])
    })
    .await;
}

#[actix::test]
async fn a_block_that_spends_a_deposit_nobody_made_is_a_fault() {
    // Known when all deposits up to the block are: one confirmation here.
    check_after(1, "tx_execution", |story| {
        let never = UtxoPos::deposit(Blknum::new(500));
        submitted(story, vec![pay(&[(never, Alice)], &[(Bob, 1)])])
    })
    .await;
}

#[actix::test]
async fn a_block_that_spends_what_was_spent_is_a_fault() {
    check("tx_execution", |story| {
        let spent = story.spent;
        submitted(story, vec![pay(&[(spent, Alice)], &[(Bob, 10)])])
    })
    .await;
}

#[actix::test]
async fn a_block_signed_by_somebody_else_is_a_fault() {
    check("tx_execution", |story| {
        let theft = pay(&[(story.bobs, Carol)], &[(Carol, 6)]);
        submitted(story, vec![theft])
    })
    .await;
}

#[actix::test]
async fn a_block_that_makes_money_is_a_fault() {
    check("tx_execution", |story| {
        let minted = pay(&[(story.bobs, Bob)], &[(Bob, 7)]);
        submitted(story, vec![minted])
    })
    .await;
}

#[actix::test]
async fn nothing_of_a_block_counts_when_its_last_transaction_is_a_double_spend() {
    check("tx_execution", |story| {
        let fine = pay(&[(story.bobs, Bob)], &[(Carol, 6)]);
        let again = pay(&[(story.bobs, Bob)], &[(Bob, 6)]);
        submitted(story, vec![fine, again])
    })
    .await;
}

#[actix::test]
async fn signed_spends_in_and_after_a_bad_block_are_evidence_against_exits() {
    let mut story = Story::new().await;
    let spends = pay(&[(story.deposit, Alice)], &[(Bob, 20)]);
    let bad = vec![spends, pay(&[(story.bobs, Carol)], &[(Carol, 6)])];
    let (root, served) = submitted(&story, bad);
    story.lie(root, served, 0, "tx_execution").await;
    let later = story.world.block(vec![pay(&[(story.bobs, Bob)], &[(Alice, 6)])]);
    // Two more root chain blocks for the quarantine; what is spent there is no longer offered.
    story.world.chain.mine(2);
    crate::kit::eventually("both spends are known", async || {
        let left = (
            story.watched.exitable_positions(Alice).await,
            story.watched.exitable_positions(Bob).await,
        );
        (left == (vec![story.change], vec![])).then_some(())
    })
    .await;
    story.world.chain.exit_started(Alice.address(), story.deposit, &deposit_tx(Alice, 20));
    let made_bobs = unsigned(&story.valid.transactions[0]);
    story.world.chain.exit_started(Bob.address(), story.bobs, &made_bobs);
    // Made by a block that is not in the ledger: nobody is blamed, nothing is challenged.
    let unjudged = output(&later, 0, 0);
    let made_alices = unsigned(&later.transactions[0]);
    story.world.chain.exit_started(Alice.address(), unjudged, &made_alices);
    story.world.chain.mine(1);
    for restarted in [false, true] {
        if restarted {
            story.watched = story.world.restart(story.watched).await;
        }
        story.watched.events(&["invalid_exit", "invalid_exit", "invalid_block"]).await;
        let by_alice = story.watched.challenge_data(story.deposit).await.unwrap();
        assert_challenges(&by_alice, story.deposit, Alice);
        assert_challenges(
            &story.watched.challenge_data(story.bobs).await.unwrap(),
            story.bobs,
            Bob,
        );
        let no = story.watched.challenge_data(unjudged).await.unwrap_err();
        assert_eq!(code(no), "challenge:utxo_not_spent");
        assert_eq!(code(story.watched.exit_data(unjudged).await.unwrap_err()), "exit:invalid");
    }
    story.watched.stop().await;
}

#[actix::test]
async fn a_fault_survives_the_death_of_every_actor() {
    let mut story = Story::new().await;
    let (root, served) = submitted(&story, vec![pay(&[(story.bobs, Bob)], &[(Bob, 7)])]);
    story.lie(root, served, 0, "tx_execution").await;
    // The operator pretends that nothing happened.
    let honest = story.world.next_block(vec![]);
    story.world.operator.hide(root);
    story.world.operator.serve(honest.hash, &honest);
    for actor in story.watched.tree.actors() {
        story.watched.crash(actor).await;
        story.is_named(Blknum::new(2_000), root, "tx_execution").await;
        story.secures_what_was_valid().await;
    }
    story.judges_exits().await;
    story.watched.stop().await;
}

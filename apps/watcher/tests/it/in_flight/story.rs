//! A payment of Alice that leaves in flight, what can happen to it, and what can be asked about it.

use crate::kit::{Watched, World, code};
use crate::users::{
    Who, assert_included, assert_spends, at, deposit_tx, output, pay, txhash, unsigned,
};
use Who::{Alice, Bob, Carol};
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{InFlightExitChallenge, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{Blknum, Block, ExitId, SignedTx, UtxoPos};
use plasma_rpc::client::ClientError;
use plasma_rpc::watcher::{
    CanonicalProof, CompetitorData, IN_FLIGHT_EXIT_GET_COMPETITOR, IN_FLIGHT_EXIT_GET_DATA,
    IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA,
    IN_FLIGHT_EXIT_PROVE_CANONICAL, InFlightExitData, InputChallengeData, InputChallengeParams,
    OutputChallengeData, OutputChallengeParams, TxBytesParams,
};

/// Alice has a deposit of 10 and Bob one of 5.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) watched: Watched,
    pub(super) alices: UtxoPos,
    pub(super) bobs: UtxoPos,
}

impl Story {
    pub(super) async fn new() -> Self {
        let world = World::new().await;
        let (alices, bobs) = (world.deposit(Alice, 10), world.deposit(Bob, 5));
        let watched = world.start().await;
        Self { world, watched, alices, bobs }
    }

    /// Alice pays Bob 6 of her deposit.
    pub(super) fn payment(&self) -> Box<[u8]> {
        pay(&[(self.alices, Alice)], &[(Bob, 6), (Alice, 4)])
    }

    /// Alice spends the same deposit as the second of two inputs.
    pub(super) fn competitor(&self) -> Box<[u8]> {
        pay(&[(self.bobs, Bob), (self.alices, Alice)], &[(Carol, 15)])
    }

    /// A block that is applied.
    pub(super) async fn block(&mut self, transactions: Vec<Box<[u8]>>) -> Block {
        let block = self.world.block(transactions);
        self.watched.validated(block.number).await;
        block
    }

    /// A block that cannot be: what it holds is known, and believed to be in no block.
    pub(super) fn invalid_block(&mut self, mut transactions: Vec<Box<[u8]>>) {
        let nowhere = at(Blknum::new(900_000), 0, 0);
        transactions.push(pay(&[(nowhere, Carol)], &[(Carol, 1)]));
        self.world.block(transactions);
    }

    /// Somebody starts an exit of a transaction that spends deposits of Alice or Bob.
    pub(super) fn start(&self, signed: &[u8]) -> ExitId {
        let tx = SignedTx::decode(signed).unwrap();
        let made = |position: UtxoPos| match position == self.alices {
            true => deposit_tx(Alice, 10),
            false => deposit_tx(Bob, 5),
        };
        let inputs = tx.transaction().inputs().iter().filter_map(|input| input.position());
        let input_txs: Vec<Vec<u8>> = inputs.map(made).collect();
        let exit_id = self.world.chain.in_flight_exit_started(Carol.address(), &tx, &input_txs);
        self.world.chain.mine(1);
        exit_id
    }

    pub(super) fn piggyback(&self, signed: &[u8], slot: PiggybackSlot) {
        let tx = SignedTx::decode(signed).unwrap();
        self.world.chain.in_flight_piggybacked(&tx, slot, Bob.address());
        self.world.chain.mine(1);
    }

    pub(super) fn block_piggyback(&self, signed: &[u8], slot: PiggybackSlot) {
        let exit_id = ExitId::in_flight(&unsigned(signed));
        let (tx_hash, challenger) = (txhash(signed), Carol.address());
        self.tell(RootChainEvent::InFlightExitPiggybackBlocked {
            exit_id,
            tx_hash,
            slot,
            challenger,
        });
    }

    /// Somebody shows the contract the spend of the first input by another transaction.
    pub(super) fn challenge(
        &self,
        signed: &[u8],
        competitor: &[u8],
        index: u16,
        included: Option<TxPos>,
    ) {
        let competitor = SignedTx::decode(competitor).unwrap();
        let witness = competitor.signatures().nth(index.into()).unwrap();
        self.tell(RootChainEvent::InFlightExitChallenged(Box::new(InFlightExitChallenge {
            exit_id: ExitId::in_flight(&unsigned(signed)),
            tx_hash: txhash(signed),
            challenger: Carol.address(),
            competing_tx_pos: included,
            input_index: 0,
            competing_tx: competitor.unsigned_bytes().into(),
            competing_input_index: index,
            competing_witness: witness.as_bytes().as_slice().into(),
        })));
    }

    pub(super) fn tell(&self, event: RootChainEvent) {
        self.world.chain.event(event);
        self.world.chain.mine(1);
    }

    // -- what is asked

    pub(super) async fn data(&self, signed: &[u8]) -> Result<InFlightExitData, ClientError> {
        let params = TxBytesParams { txbytes: signed.to_vec() };
        self.watched.call(&IN_FLIGHT_EXIT_GET_DATA, &params).await
    }

    pub(super) async fn get_competitor(
        &self,
        signed: &[u8],
    ) -> Result<CompetitorData, ClientError> {
        let params = TxBytesParams { txbytes: unsigned(signed) };
        self.watched.call(&IN_FLIGHT_EXIT_GET_COMPETITOR, &params).await
    }

    pub(super) async fn prove_canonical(
        &self,
        signed: &[u8],
    ) -> Result<CanonicalProof, ClientError> {
        let params = TxBytesParams { txbytes: unsigned(signed) };
        self.watched.call(&IN_FLIGHT_EXIT_PROVE_CANONICAL, &params).await
    }

    pub(super) async fn input(
        &self,
        signed: &[u8],
        index: u64,
    ) -> Result<InputChallengeData, ClientError> {
        let params = InputChallengeParams { txbytes: unsigned(signed), input_index: index.into() };
        self.watched.call(&IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, &params).await
    }

    pub(super) async fn output(
        &self,
        signed: &[u8],
        index: u64,
    ) -> Result<OutputChallengeData, ClientError> {
        let params =
            OutputChallengeParams { txbytes: unsigned(signed), output_index: index.into() };
        self.watched.call(&IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA, &params).await
    }

    /// Checks a competitor of [`Self::payment`] that is [`Self::competitor`].
    pub(super) async fn shows_competitor(&self, included: Option<&Block>) {
        let (tx, competitor) = (self.payment(), self.competitor());
        let data = self.get_competitor(&tx).await.unwrap();
        assert_eq!(data.in_flight_txbytes, unsigned(&tx));
        assert_eq!((data.in_flight_input_index, data.competing_input_index), (0, 1));
        assert_eq!(data.competing_txbytes, unsigned(&competitor));
        assert_spends((&data.competing_txbytes, 1, &data.competing_sig), self.alices, Alice);
        assert_eq!((data.input_utxo_pos, data.input_tx), (self.alices, deposit_tx(Alice, 10)));
        match included {
            Some(block) => {
                assert_eq!(data.competing_tx_pos, output(block, 0, 0));
                let (tx, proof) = (&data.competing_txbytes, &data.competing_proof);
                assert_included(tx, data.competing_tx_pos, proof, block.hash);
            }
            None => {
                assert_eq!(data.competing_tx_pos.encode(), 0);
                assert!(data.competing_proof.is_empty());
            }
        }
    }

    /// Checks the challenge of the piggybacked first input of [`Self::payment`].
    pub(super) async fn shows_spent_input(&self) {
        let data = self.input(&self.payment(), 0).await.unwrap();
        assert_eq!(data.in_flight_txbytes, unsigned(&self.payment()));
        assert_eq!((data.in_flight_input_index, data.spending_input_index), (0, 1));
        assert_eq!(data.spending_txbytes, unsigned(&self.competitor()));
        assert_spends((&data.spending_txbytes, 1, &data.spending_sig), self.alices, Alice);
        assert_eq!((data.input_utxo_pos, data.input_tx), (self.alices, deposit_tx(Alice, 10)));
    }

    /// Checks the challenge of Bob's piggybacked output of [`Self::payment`].
    pub(super) async fn shows_spent_output(&self, block: &Block, spend: &[u8]) {
        let data = self.output(&self.payment(), 0).await.unwrap();
        let bobs = output(block, 0, 0);
        assert_eq!(data.in_flight_txbytes, unsigned(&self.payment()));
        assert_eq!(data.in_flight_output_pos, bobs);
        assert_included(&data.in_flight_txbytes, bobs, &data.in_flight_proof, block.hash);
        assert_eq!(
            (data.spending_txbytes.clone(), data.spending_input_index),
            (unsigned(spend), 0)
        );
        assert_spends((&data.spending_txbytes, 0, &data.spending_sig), bobs, Bob);
    }
}

pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
    code(answer.unwrap_err())
}

//! Outputs and what their owners know about them: enough to spend them, and to leave with them without asking anybody.
//!
//! Pure: payments, blocks and proofs are made of bytes and keys. Nothing here keeps a rule: a byzantine operator has none.

use super::books::Person;
use anyhow::{Context, Result};
use plasma_core::exit_processor::in_flight_data::{InFlightExitData, InFlightInput};
use plasma_core::sentinel::Call;
use plasma_core::sentinel::call::CompetitorProof;
use plasma_core::wire::merkle::leaf_hash;
use plasma_core::wire::{
    Blknum, ETH, ExitId, H256, InclusionProof, OutputIndex, Signature, SignedTx, Transaction,
    TxIndex, U256, UtxoPos,
};
use plasma_eth::StartStandardExit;

/// An output in a block, and the proof of it.
#[derive(Clone, Debug)]
pub(super) struct Coin {
    pub(super) position: UtxoPos,
    pub(super) owner: Person,
    pub(super) amount: U256,
    tx_bytes: Vec<u8>,
    proof: InclusionProof,
}

/// A signed payment and what it spends.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) signed: SignedTx,
    pub(super) inputs: Vec<Coin>,
    pub(super) outputs: Vec<(Person, U256)>,
}

/// Thousandths of one ETH.
pub(super) fn milli(amount: u64) -> U256 {
    U256::from(amount).saturating_mul(U256::exp10(15))
}

impl Coin {
    /// The output of a deposit.
    pub(super) fn deposited(
        blknum: Blknum,
        (owner, account): (Person, plasma_core::wire::Address),
        amount: U256,
    ) -> Result<Self> {
        let tx_bytes = Transaction::deposit(account, ETH, amount).encode_unsigned();
        let proof = InclusionProof::from_leaves(0, &[leaf_hash(&tx_bytes)]);
        let proof = proof.context("one leaf has a proof")?;
        Ok(Self { position: UtxoPos::deposit(blknum), owner, amount, tx_bytes, proof })
    }

    /// What it takes to exit it.
    pub(super) fn start_standard_exit(&self) -> StartStandardExit {
        StartStandardExit {
            position: self.position,
            output_tx: self.tx_bytes.clone(),
            inclusion_proof: self.proof.clone(),
        }
    }
}

/// The outputs of a block with these payments, by payment and output.
pub(super) fn coins_of(blknum: Blknum, payments: &[Payment]) -> Result<Vec<Vec<Coin>>> {
    let leaves: Vec<H256> = payments.iter().map(|payment| payment.signed.leaf()).collect();
    let coins = payments.iter().enumerate().map(|(index, payment)| {
        let index = u32::try_from(index)?;
        let proof = InclusionProof::from_leaves(index, &leaves).context("no proof")?;
        let coins = payment.outputs.iter().enumerate().map(|(oindex, (owner, amount))| {
            let oindex = OutputIndex::new(u16::try_from(oindex)?);
            Ok(Coin {
                position: UtxoPos::new(blknum, TxIndex::new(index), oindex),
                owner: *owner,
                amount: *amount,
                tx_bytes: payment.signed.unsigned_bytes(),
                proof: proof.clone(),
            })
        });
        coins.collect::<Result<Vec<_>>>()
    });
    coins.collect()
}

impl Payment {
    /// Unsigned bytes.
    pub(super) fn tx_bytes(&self) -> Vec<u8> {
        self.signed.unsigned_bytes()
    }

    /// The contract's key of its in-flight exit.
    pub(super) fn in_flight_exit_id(&self) -> ExitId {
        ExitId::in_flight(&self.tx_bytes())
    }

    /// What it takes to start its in-flight exit.
    pub(super) fn start_in_flight_exit(&self) -> InFlightExitData {
        let inputs = self.inputs.iter().map(|coin| InFlightInput {
            position: coin.position,
            tx_bytes: coin.tx_bytes.clone().into(),
            proof: coin.proof.clone(),
        });
        InFlightExitData {
            tx_bytes: self.tx_bytes().into(),
            inputs: inputs.collect(),
            signatures: self.signed.signatures().map(Signature::to_low_s).collect(),
        }
    }

    /// Shows another payment of the first input, which no block holds, against the exit of this one.
    pub(super) fn contest_with(&self, competitor: &Self) -> Result<Call> {
        let input = self.inputs.first().context("a payment has inputs")?;
        let signature = competitor.signed.signatures().next().context("it is signed")?;
        Ok(Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
            input_tx: input.tx_bytes.clone().into(),
            input_position: input.position,
            in_flight_tx: self.tx_bytes().into(),
            in_flight_input_index: 0,
            competing_tx: competitor.tx_bytes().into(),
            competing_input_index: 0,
            included: None,
            competing_signature: signature.to_low_s(),
        })))
    }
}

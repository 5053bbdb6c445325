//! What the watcher gives to start an in-flight exit or to argue about one, in the core's words.
//!
//! The watcher is believed about facts, but a mix-up of payments would cost a bond or a signature's worth of trust: an answer about
//! another payment, input or output is refused.

use super::remedies::Remedy;
use super::session::Session;
use crate::failure::Failure;
use anyhow::Result;
use plasma_core::exit_processor::in_flight_data as core;
use plasma_core::root_chain::{PiggybackSide, PiggybackSlot};
use plasma_core::sentinel::Call;
use plasma_core::sentinel::call::{
    CanonicityProof, CompetitorProof, InputSpentProof, OutputSpentProof,
};
use plasma_core::wire::{InclusionProof, Signature, SignedTx};
use plasma_rpc::watcher::{
    CanonicalProof, CompetitorData, IN_FLIGHT_EXIT_GET_COMPETITOR, IN_FLIGHT_EXIT_GET_DATA,
    IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA,
    IN_FLIGHT_EXIT_PROVE_CANONICAL, InFlightExitData, InputChallengeData, InputChallengeParams,
    OutputChallengeData, OutputChallengeParams, TxBytesParams,
};

impl Session {
    /// What it takes to start the exit of a payment.
    pub(super) async fn in_flight_exit_data(
        &self,
        signed: &SignedTx,
    ) -> Result<core::InFlightExitData> {
        let params = TxBytesParams { txbytes: signed.as_bytes().to_vec() };
        let data = self.watcher.call(&IN_FLIGHT_EXIT_GET_DATA, &params).await?;
        Ok(start_data(data, signed).ok_or_else(malformed)?)
    }

    /// What a remedy has to show.
    pub(super) async fn remedy_call(&self, remedy: Remedy, in_flight_tx: &[u8]) -> Result<Call> {
        let txbytes = in_flight_tx.to_vec();
        let watcher = &self.watcher;
        let call = match remedy {
            Remedy::Competitor => {
                let params = TxBytesParams { txbytes };
                competitor(watcher.call(&IN_FLIGHT_EXIT_GET_COMPETITOR, &params).await?)
            }
            Remedy::Inclusion => {
                let params = TxBytesParams { txbytes };
                inclusion(watcher.call(&IN_FLIGHT_EXIT_PROVE_CANONICAL, &params).await?)
            }
            Remedy::Spend(PiggybackSlot { side: PiggybackSide::Input, index }) => {
                let params = InputChallengeParams { txbytes, input_index: index.into() };
                let data = watcher.call(&IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, &params).await?;
                (data.in_flight_input_index == index).then(|| input_spent(data)).flatten()
            }
            Remedy::Spend(PiggybackSlot { side: PiggybackSide::Output, index }) => {
                let params = OutputChallengeParams { txbytes, output_index: index.into() };
                let data = watcher.call(&IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA, &params).await?;
                let is_it = data.in_flight_output_pos.oindex.get() == index;
                is_it.then(|| output_spent(data)).flatten()
            }
        };
        let call = call.filter(|call| subject(call) == Some(in_flight_tx));
        Ok(call.ok_or_else(malformed)?)
    }
}

fn malformed() -> Failure {
    Failure::new(
        "watcher:malformed_answer",
        "the watcher answers about another payment, or with broken proofs",
    )
}

/// The payment that a call is about.
fn subject(call: &Call) -> Option<&[u8]> {
    match call {
        Call::ChallengeInFlightExitNotCanonical(proof) => Some(&proof.in_flight_tx),
        Call::RespondToNonCanonicalChallenge(proof) => Some(&proof.in_flight_tx),
        Call::ChallengeInFlightExitInputSpent(proof) => Some(&proof.in_flight_tx),
        Call::ChallengeInFlightExitOutputSpent(proof) => Some(&proof.in_flight_tx),
        Call::ChallengeStandardExit(_)
        | Call::DeleteNonPiggybackedInFlightExit { .. }
        | Call::ProcessExits { .. } => None,
    }
}

fn start_data(data: InFlightExitData, signed: &SignedTx) -> Option<core::InFlightExitData> {
    let count = signed.transaction().inputs().len();
    let lengths = [
        data.input_txs.len(),
        data.input_utxos_pos.len(),
        data.input_txs_inclusion_proofs.len(),
        data.in_flight_tx_sigs.len(),
    ];
    if data.in_flight_tx != signed.unsigned_bytes() || lengths.iter().any(|len| *len != count) {
        return None;
    }
    let parts = data.input_utxos_pos.iter().zip(data.input_txs);
    let inputs = parts.zip(&data.input_txs_inclusion_proofs).map(|((position, tx), proof)| {
        let proof = InclusionProof::from_bytes(proof)?;
        Some(core::InFlightInput { position: *position, tx_bytes: tx.into(), proof })
    });
    Some(core::InFlightExitData {
        tx_bytes: data.in_flight_tx.into(),
        inputs: inputs.collect::<Option<_>>()?,
        signatures: data
            .in_flight_tx_sigs
            .iter()
            .map(|bytes| signature(bytes))
            .collect::<Option<_>>()?,
    })
}

fn competitor(data: CompetitorData) -> Option<Call> {
    let included = match data.competing_proof.is_empty() {
        true => None,
        false => Some((data.competing_tx_pos, InclusionProof::from_bytes(&data.competing_proof)?)),
    };
    Some(Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
        input_tx: data.input_tx.into(),
        input_position: data.input_utxo_pos,
        in_flight_tx: data.in_flight_txbytes.into(),
        in_flight_input_index: data.in_flight_input_index,
        competing_tx: data.competing_txbytes.into(),
        competing_input_index: data.competing_input_index,
        included,
        competing_signature: signature(&data.competing_sig)?,
    })))
}

fn inclusion(data: CanonicalProof) -> Option<Call> {
    Some(Call::RespondToNonCanonicalChallenge(Box::new(CanonicityProof {
        in_flight_tx: data.in_flight_txbytes.into(),
        position: data.in_flight_tx_pos,
        proof: InclusionProof::from_bytes(&data.in_flight_proof)?,
    })))
}

fn input_spent(data: InputChallengeData) -> Option<Call> {
    Some(Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
        in_flight_tx: data.in_flight_txbytes.into(),
        in_flight_input_index: data.in_flight_input_index,
        challenging_tx: data.spending_txbytes.into(),
        challenging_input_index: data.spending_input_index,
        challenging_signature: signature(&data.spending_sig)?,
        input_tx: data.input_tx.into(),
        input_position: data.input_utxo_pos,
    })))
}

fn output_spent(data: OutputChallengeData) -> Option<Call> {
    Some(Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
        in_flight_tx: data.in_flight_txbytes.into(),
        in_flight_proof: InclusionProof::from_bytes(&data.in_flight_proof)?,
        output_position: data.in_flight_output_pos,
        challenging_tx: data.spending_txbytes.into(),
        challenging_input_index: data.spending_input_index,
        challenging_signature: signature(&data.spending_sig)?,
    })))
}

fn signature(bytes: &[u8]) -> Option<Signature> {
    bytes.try_into().ok().map(Signature::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::sent_payments::tests::signed;
    use super::*;
    use plasma_core::wire::{Address, Blknum, UtxoPos};

    fn data(signed: &SignedTx) -> InFlightExitData {
        InFlightExitData {
            in_flight_tx: signed.unsigned_bytes(),
            input_txs: vec![b"input".to_vec()],
            input_utxos_pos: vec![UtxoPos::deposit(Blknum::new(1))],
            input_txs_inclusion_proofs: vec![vec![7; 512]],
            in_flight_tx_sigs: vec![vec![1; 65]],
        }
    }

    #[test]
    fn data_about_another_payment_or_with_a_part_missing_starts_nothing() {
        let signed = signed(1, Address::zero());
        let start = start_data(data(&signed), &signed).unwrap();
        assert_eq!(&*start.tx_bytes, signed.unsigned_bytes());
        assert_eq!(start.inputs[0].position, UtxoPos::deposit(Blknum::new(1)));
        assert_eq!(start.signatures, [Signature::from_bytes([1; 65])]);
        let damages: [fn(&mut InFlightExitData); 7] = [
            |data| data.in_flight_tx.push(0),
            |data| data.input_txs.clear(),
            |data| data.input_utxos_pos.clear(),
            |data| data.input_txs_inclusion_proofs.clear(),
            |data| data.in_flight_tx_sigs.clear(),
            |data| data.input_txs_inclusion_proofs[0].truncate(511),
            |data| data.in_flight_tx_sigs[0].truncate(64),
        ];
        for (index, damage) in damages.into_iter().enumerate() {
            let mut data = data(&signed);
            damage(&mut data);
            assert_eq!(start_data(data, &signed), None, "{index}");
        }
    }

    #[test]
    fn a_competitor_without_a_proof_is_in_no_block() {
        let data = |competing_proof: Vec<u8>| CompetitorData {
            in_flight_txbytes: b"in flight".to_vec(),
            in_flight_input_index: 1,
            competing_txbytes: b"competing".to_vec(),
            competing_input_index: 2,
            competing_sig: vec![1; 65],
            competing_tx_pos: UtxoPos::deposit(Blknum::new(3)),
            competing_proof,
            input_tx: b"input".to_vec(),
            input_utxo_pos: UtxoPos::deposit(Blknum::new(1)),
        };
        for (proof, is_included) in
            [(vec![], Some(false)), (vec![7; 512], Some(true)), (vec![7], None)]
        {
            let call = competitor(data(proof));
            if let Some(call) = &call {
                assert_eq!(subject(call), Some(b"in flight".as_slice()));
            }
            let found = call.map(|call| match call {
                Call::ChallengeInFlightExitNotCanonical(proof) => proof.included.is_some(),
                other => panic!("{other:?}"),
            });
            assert_eq!(found, is_included);
        }
    }
}

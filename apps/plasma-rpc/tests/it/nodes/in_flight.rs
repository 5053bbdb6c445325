//! The methods about in-flight exits, of a watcher that knows one in-flight exit.

use super::{Context, decode, known_position};
use plasma_core::wire::{Blknum, OutputIndex, TxIndex, U256, UtxoPos};
use plasma_rpc::RpcError;
use plasma_rpc::server::MethodTable;
use plasma_rpc::watcher::{
    self, CanonicalProof, CompetitorData, InFlightExitData, InputChallengeData, OutputChallengeData,
};

pub(super) fn methods(table: MethodTable<Context>) -> MethodTable<Context> {
    table
        .on(&watcher::IN_FLIGHT_EXIT_GET_DATA, |_, params| async move {
            let signed = decode(&params.txbytes)?;
            let inputs = signed.transaction().inputs();
            let positions: Vec<_> = inputs.iter().filter_map(|input| input.position()).collect();
            if positions.iter().any(|position| position.blknum != Blknum::new(1_000)) {
                return Err(RpcError::reason("tx_for_input_not_found"));
            }
            Ok(InFlightExitData {
                in_flight_tx: signed.unsigned_bytes(),
                input_txs: vec![vec![0xf8, 0x01]],
                input_utxos_pos: positions,
                input_txs_inclusion_proofs: vec![vec![0xab; 4]],
                in_flight_tx_sigs: vec![vec![0x1b; 65]],
            })
        })
        .on(&watcher::IN_FLIGHT_EXIT_GET_COMPETITOR, |_, params| async move {
            known(&params.txbytes)?;
            Ok(CompetitorData {
                in_flight_txbytes: params.txbytes,
                in_flight_input_index: 0,
                competing_txbytes: vec![0xf8, 0x02],
                competing_input_index: 1,
                competing_sig: vec![0x1b; 65],
                competing_tx_pos: UtxoPos::default(),
                competing_proof: Vec::new(),
                input_tx: vec![0xf8, 0x01],
                input_utxo_pos: known_position(),
            })
        })
        .on(&watcher::IN_FLIGHT_EXIT_PROVE_CANONICAL, |_, params| async move {
            known(&params.txbytes)?;
            Ok(CanonicalProof {
                in_flight_txbytes: params.txbytes,
                in_flight_tx_pos: UtxoPos { oindex: OutputIndex::default(), ..known_position() },
                in_flight_proof: vec![0xab; 4],
            })
        })
        .on(&watcher::IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, |_, params| async move {
            Ok(InputChallengeData {
                in_flight_input_index: index(params.input_index)?,
                in_flight_txbytes: params.txbytes,
                spending_txbytes: vec![0xf8, 0x02],
                spending_input_index: 0,
                spending_sig: vec![0x1b; 65],
                input_tx: vec![0xf8, 0x01],
                input_utxo_pos: known_position(),
            })
        })
        .on(&watcher::IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA, |_, params| async move {
            let oindex = OutputIndex::new(index(params.output_index)?);
            Ok(OutputChallengeData {
                in_flight_txbytes: params.txbytes,
                in_flight_output_pos: UtxoPos::new(Blknum::new(1_000), TxIndex::new(2), oindex),
                in_flight_proof: vec![0xab; 4],
                spending_txbytes: vec![0xf8, 0x02],
                spending_input_index: 0,
                spending_sig: vec![0x1b; 65],
            })
        })
}

fn known(txbytes: &[u8]) -> Result<(), RpcError> {
    match txbytes {
        [0xf8, 0x01] => Ok(()),
        _ => Err(RpcError::reason("ife_not_known_for_tx")),
    }
}

/// Input and output 2 are not spent.
fn index(index: U256) -> Result<u16, RpcError> {
    match u16::try_from(index) {
        Ok(2) => Err(RpcError::reason("no_double_spend_on_particular_piggyback")),
        Ok(index @ 0..4) => Ok(index),
        _ => Err(RpcError::reason("piggybacked_index_out_of_range")),
    }
}

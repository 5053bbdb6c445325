//! The methods about in-flight exits (protocol 5.8, 6.5): each reads facts by key, asks the core, and adds proofs from the store.
//!
//! It contains no rule, and never scans: an exit is found by its transaction, and what its inputs and outputs became by position. What
//! a method costs depends on the inputs of one transaction, not on how many there are.

use super::Api;
use crate::exit_facts::{exit_data_facts, exit_fact};
use plasma_core::db_update::TxPos;
use plasma_core::exit_processor::in_flight_data::{
    InFlightCase, InFlightDataError, InFlightExitDataError, in_flight_exit_data, inputs_to_prove,
};
use plasma_core::exit_processor::{ExitDataFacts, ExitFacts};
use plasma_core::wire::{DecodeTxError, ExitId, OutputIndex, SignedTx, Transaction, U256, UtxoPos};
use plasma_rpc::server::MethodTable;
use plasma_rpc::watcher::{
    CanonicalProof, CompetitorData, IN_FLIGHT_EXIT_GET_COMPETITOR, IN_FLIGHT_EXIT_GET_DATA,
    IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA,
    IN_FLIGHT_EXIT_PROVE_CANONICAL, InFlightExitData, InputChallengeData, OutputChallengeData,
};
use plasma_rpc::{RpcError, codes};
use plasma_store::StoreError;

/// Why a method about in-flight exits has no answer.
enum Refused {
    Rpc(RpcError),
    Store(StoreError),
}

/// Adds the methods to the table.
pub(super) fn methods(table: MethodTable<Api>) -> MethodTable<Api> {
    table
        .on(&IN_FLIGHT_EXIT_GET_DATA, |api, params| async move {
            api.read(move |api| settled(api.in_flight_exit_data(&params.txbytes))).await?
        })
        .on(&IN_FLIGHT_EXIT_GET_COMPETITOR, |api, params| async move {
            api.read(move |api| settled(api.competitor(&params.txbytes))).await?
        })
        .on(&IN_FLIGHT_EXIT_PROVE_CANONICAL, |api, params| async move {
            api.read(move |api| settled(api.canonical_proof(&params.txbytes))).await?
        })
        .on(&IN_FLIGHT_EXIT_GET_INPUT_CHALLENGE_DATA, |api, params| async move {
            let (tx_bytes, index) = (params.txbytes, params.input_index);
            api.read(move |api| settled(api.input_challenge_data(&tx_bytes, index))).await?
        })
        .on(&IN_FLIGHT_EXIT_GET_OUTPUT_CHALLENGE_DATA, |api, params| async move {
            let (tx_bytes, index) = (params.txbytes, params.output_index);
            api.read(move |api| settled(api.output_challenge_data(&tx_bytes, index))).await?
        })
}

impl Api {
    fn in_flight_exit_data(&self, signed_bytes: &[u8]) -> Result<InFlightExitData, Refused> {
        let signed = SignedTx::decode(signed_bytes)?;
        let Transaction::Payment(payment) = signed.transaction() else {
            return Err(RpcError::reason("transaction_not_supported").into());
        };
        // The contract wants one signature for each input, whoever made it; an absent one is no use to it either.
        let signatures = signed.signatures().filter(|signature| !signature.is_missing()).count();
        if signatures != payment.inputs.len() {
            let is_missing = signatures < payment.inputs.len();
            let reason = if is_missing { "missing_signature" } else { "superfluous_signature" };
            return Err(RpcError::reason(reason).into());
        }
        let facts = inputs_to_prove(&signed).into_iter().map(|position| match position {
            Some(position) => exit_data_facts(&self.store, position),
            None => Ok(ExitDataFacts::default()),
        });
        let data = in_flight_exit_data(&signed, facts.collect::<Result<_, _>>()?)?;
        Ok(InFlightExitData {
            in_flight_tx: data.tx_bytes.into(),
            input_txs: data.inputs.iter().map(|input| input.tx_bytes.to_vec()).collect(),
            input_utxos_pos: data.inputs.iter().map(|input| input.position).collect(),
            input_txs_inclusion_proofs: data
                .inputs
                .iter()
                .map(|input| input.proof.to_bytes())
                .collect(),
            in_flight_tx_sigs: data
                .signatures
                .iter()
                .map(|signature| signature.as_bytes().to_vec())
                .collect(),
        })
    }

    fn competitor(&self, tx_bytes: &[u8]) -> Result<CompetitorData, Refused> {
        let data = self.argue(tx_bytes, |case| case.competitor())?;
        Ok(CompetitorData {
            in_flight_txbytes: data.in_flight_tx.into(),
            in_flight_input_index: data.in_flight_input_index,
            competing_txbytes: data.competing_tx.into(),
            competing_input_index: data.competing_input_index,
            competing_sig: data.competing_signature.as_bytes().to_vec(),
            competing_tx_pos: data.competing_tx_pos.map(first_output).unwrap_or_default(),
            competing_proof: match data.competing_tx_pos {
                Some(at) => self.proof(at)?,
                None => Vec::new(),
            },
            input_tx: data.input_tx.into(),
            input_utxo_pos: data.input_position,
        })
    }

    fn canonical_proof(&self, tx_bytes: &[u8]) -> Result<CanonicalProof, Refused> {
        let data = self.argue(tx_bytes, |case| case.canonicity_response())?;
        Ok(CanonicalProof {
            in_flight_txbytes: data.in_flight_tx.into(),
            in_flight_tx_pos: first_output(data.tx_pos),
            in_flight_proof: self.proof(data.tx_pos)?,
        })
    }

    fn input_challenge_data(
        &self,
        tx_bytes: &[u8],
        index: U256,
    ) -> Result<InputChallengeData, Refused> {
        let data = self.argue(tx_bytes, |case| case.input_challenge(saturated(index)))?;
        Ok(InputChallengeData {
            in_flight_txbytes: data.in_flight_tx.into(),
            in_flight_input_index: data.in_flight_input_index,
            spending_txbytes: data.spend.tx_bytes.into(),
            spending_input_index: data.spend.input_index,
            spending_sig: data.spend.signature.as_bytes().to_vec(),
            input_tx: data.input_tx.into(),
            input_utxo_pos: data.input_position,
        })
    }

    fn output_challenge_data(
        &self,
        tx_bytes: &[u8],
        index: U256,
    ) -> Result<OutputChallengeData, Refused> {
        let data = self.argue(tx_bytes, |case| case.output_challenge(saturated(index)))?;
        let UtxoPos { blknum, txindex, .. } = data.output_position;
        Ok(OutputChallengeData {
            in_flight_txbytes: data.in_flight_tx.into(),
            in_flight_output_pos: data.output_position,
            in_flight_proof: self.proof(TxPos { blknum, txindex })?,
            spending_txbytes: data.spend.tx_bytes.into(),
            spending_input_index: data.spend.input_index,
            spending_sig: data.spend.signature.as_bytes().to_vec(),
        })
    }

    /// Collects what is known about the exit of a transaction, and asks something about it.
    fn argue<R>(
        &self,
        tx_bytes: &[u8],
        ask: impl FnOnce(&InFlightCase<'_>) -> Result<R, InFlightDataError>,
    ) -> Result<R, Refused> {
        Transaction::decode_unsigned(tx_bytes)?;
        let exit = self.store.in_flight_exit(ExitId::in_flight(tx_bytes))?;
        let fault = self.store.fault()?.map(|fault| fault.blknum);
        let mut facts = ExitFacts::new();
        loop {
            let (exit, domain) = (exit.as_ref(), &self.domain);
            let case = InFlightCase { exit, facts: &facts, fault, domain };
            let needed = case.keys_needed();
            if needed.is_empty() {
                return Ok(ask(&case)?);
            }
            for key in needed {
                facts.insert(key, exit_fact(&self.store, key.owner, key.position)?);
            }
        }
    }

    /// The proof of a transaction that the ledger has.
    fn proof(&self, at: TxPos) -> Result<Vec<u8>, Refused> {
        let proof = self.store.inclusion_proof(at)?;
        let proof = proof.ok_or_else(|| {
            tracing::error!(?at, "a transaction of the ledger cannot be proven");
            RpcError::internal()
        })?;
        Ok(proof.to_bytes())
    }
}

/// A store that cannot be read is the server's trouble, everything else the caller's.
fn settled<A>(answer: Result<A, Refused>) -> Result<Result<A, RpcError>, StoreError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Refused::Rpc(error)) => Ok(Err(error)),
        Err(Refused::Store(error)) => Err(error),
    }
}

/// How the protocol writes the place of a transaction.
const fn first_output(at: TxPos) -> UtxoPos {
    UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(0))
}

/// Whatever is too big for the core's parameter is out of range there.
fn saturated(index: U256) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RpcError> for Refused {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<DecodeTxError> for Refused {
    fn from(error: DecodeTxError) -> Self {
        Self::Rpc(error.into())
    }
}

impl From<InFlightDataError> for Refused {
    fn from(error: InFlightDataError) -> Self {
        Self::Rpc(RpcError::reason(error.to_string()))
    }
}

impl From<InFlightExitDataError> for Refused {
    fn from(error: InFlightExitDataError) -> Self {
        let code = match error {
            InFlightExitDataError::TxForInputNotFound => codes::IN_FLIGHT_TX_FOR_INPUT_NOT_FOUND,
            InFlightExitDataError::DepositInputSpent => codes::IN_FLIGHT_DEPOSIT_INPUT_SPENT,
        };
        Self::Rpc(code.into())
    }
}

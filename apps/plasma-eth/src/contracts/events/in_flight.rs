//! Logs of in-flight exits.

use super::KnownEvent;
use crate::RootChainCause;
use crate::contracts::abi::Fields;
use ethers::types::Log;
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{
    EventKind, InFlightExitChallenge, InFlightExitStart, PiggybackSlot, RootChainEvent,
};
use plasma_core::wire::U256;

impl KnownEvent {
    /// Reads an event of an in-flight exit; `None` when it is of another kind.
    pub(super) fn read_in_flight(
        &self,
        kind: EventKind,
        log: &Log,
    ) -> Result<Option<RootChainEvent>, RootChainCause> {
        use EventKind as K;
        Ok(Some(match kind {
            K::InFlightExitStarted => self.in_flight_start(log)?,
            K::InFlightExitInputPiggybacked => self.piggyback(log, PiggybackSlot::input)?,
            K::InFlightExitOutputPiggybacked => self.piggyback(log, PiggybackSlot::output)?,
            K::InFlightExitInputBlocked => self.block(log, PiggybackSlot::input)?,
            K::InFlightExitOutputBlocked => self.block(log, PiggybackSlot::output)?,
            K::InFlightExitChallenged => self.in_flight_challenge(log)?,
            K::InFlightExitChallengeResponded => self.response(log)?,
            K::InFlightExitInputWithdrawn => self.withdrawal(log, PiggybackSlot::input)?,
            K::InFlightExitOutputWithdrawn => self.withdrawal(log, PiggybackSlot::output)?,
            K::InFlightExitDeleted => {
                let exit_id = self.exit_id(self.fields(log, &["exitId"])?.u256()?)?;
                RootChainEvent::InFlightExitDeleted { exit_id }
            }
            K::InFlightExitFinalized => {
                let exit_id = self.exit_id(self.fields(log, &["exitId"])?.u256()?)?;
                RootChainEvent::InFlightExitFinalized { exit_id }
            }
            K::InFlightExitOmitted => {
                let mut fields = self.fields(log, &["exitId", "token"])?;
                RootChainEvent::InFlightExitOmitted {
                    exit_id: self.exit_id(fields.u256()?)?,
                    currency: fields.address()?,
                }
            }
            K::DepositCreated
            | K::BlockSubmitted
            | K::ExitStarted
            | K::ExitChallenged
            | K::ExitFinalized
            | K::ExitOmitted => return Ok(None),
        }))
    }

    fn in_flight_start(&self, log: &Log) -> Result<RootChainEvent, RootChainCause> {
        let names = [
            "exitId",
            "txHash",
            "initiator",
            "exitStartTimestamp",
            "inFlightTx",
            "inputUtxosPos",
            "inFlightTxWitnesses",
            "inputTxs",
        ];
        let mut fields = self.fields(log, &names)?;
        let exit_id = self.exit_id(fields.u256()?)?;
        let (tx_hash, initiator) = (fields.h256()?, fields.address()?);
        let (started_at_s, tx_bytes) = (fields.u64()?, fields.bytes()?.into());
        let positions = fields.array()?;
        let count = positions.len();
        let mut positions = Fields::new(positions);
        let input_positions =
            (0..count).map(|_| self.position(positions.u256()?)).collect::<Result<_, _>>()?;
        Ok(RootChainEvent::InFlightExitStarted(Box::new(InFlightExitStart {
            exit_id,
            tx_hash,
            initiator,
            started_at_s,
            tx_bytes,
            input_positions,
            witnesses: byte_strings(&mut fields)?,
            input_txs: byte_strings(&mut fields)?,
        })))
    }

    fn piggyback(
        &self,
        log: &Log,
        slot: fn(u16) -> PiggybackSlot,
    ) -> Result<RootChainEvent, RootChainCause> {
        let names = ["exitId", "txHash", "index", "exitTarget", "exitableAt"];
        let mut fields = self.fields(log, &names)?;
        Ok(RootChainEvent::InFlightExitPiggybacked {
            exit_id: self.exit_id(fields.u256()?)?,
            tx_hash: fields.h256()?,
            slot: slot(self.index(&mut fields)?),
            exit_target: fields.address()?,
            exitable_at_s: fields.u64()?,
        })
    }

    fn block(
        &self,
        log: &Log,
        slot: fn(u16) -> PiggybackSlot,
    ) -> Result<RootChainEvent, RootChainCause> {
        let mut fields = self.fields(log, &["exitId", "txHash", "index", "challenger"])?;
        Ok(RootChainEvent::InFlightExitPiggybackBlocked {
            exit_id: self.exit_id(fields.u256()?)?,
            tx_hash: fields.h256()?,
            slot: slot(self.index(&mut fields)?),
            challenger: fields.address()?,
        })
    }

    fn in_flight_challenge(&self, log: &Log) -> Result<RootChainEvent, RootChainCause> {
        let names = [
            "exitId",
            "txHash",
            "challenger",
            "challengeTxPosition",
            "inFlightTxInputIndex",
            "challengeTx",
            "challengeTxInputIndex",
            "challengeTxWitness",
        ];
        let mut fields = self.fields(log, &names)?;
        let exit_id = self.exit_id(fields.u256()?)?;
        let (tx_hash, challenger) = (fields.h256()?, fields.address()?);
        let competing_tx_pos = match fields.u256()? {
            // The contract's word for a competitor that is shown without a block.
            U256::MAX => None,
            position => Some(self.tx_pos(position)?),
        };
        Ok(RootChainEvent::InFlightExitChallenged(Box::new(InFlightExitChallenge {
            exit_id,
            tx_hash,
            challenger,
            competing_tx_pos,
            input_index: self.index(&mut fields)?,
            competing_tx: fields.bytes()?.into(),
            competing_input_index: self.index(&mut fields)?,
            competing_witness: fields.bytes()?.into(),
        })))
    }

    fn response(&self, log: &Log) -> Result<RootChainEvent, RootChainCause> {
        let names = ["exitId", "txHash", "challenger", "challengeTxPosition"];
        let mut fields = self.fields(log, &names)?;
        Ok(RootChainEvent::InFlightExitChallengeResponded {
            exit_id: self.exit_id(fields.u256()?)?,
            tx_hash: fields.h256()?,
            challenger: fields.address()?,
            tx_pos: self.tx_pos(fields.u256()?)?,
        })
    }

    fn withdrawal(
        &self,
        log: &Log,
        slot: fn(u16) -> PiggybackSlot,
    ) -> Result<RootChainEvent, RootChainCause> {
        let mut fields = self.fields(log, &["exitId", "index"])?;
        Ok(RootChainEvent::InFlightExitPiggybackWithdrawn {
            exit_id: self.exit_id(fields.u256()?)?,
            slot: slot(self.index(&mut fields)?),
        })
    }

    fn index(&self, fields: &mut Fields) -> Result<u16, RootChainCause> {
        u16::try_from(fields.u64()?).map_err(|_| self.malformed("has an index beyond 16 bits"))
    }

    fn tx_pos(&self, number: U256) -> Result<TxPos, RootChainCause> {
        let position = self.position(number)?;
        if position.oindex.get() != 0 {
            return Err(
                self.malformed("has the position of an output where a transaction's belongs")
            );
        }
        Ok(TxPos { blknum: position.blknum, txindex: position.txindex })
    }
}

fn byte_strings(fields: &mut Fields) -> Result<Vec<Box<[u8]>>, RootChainCause> {
    let tokens = fields.array()?;
    let count = tokens.len();
    let mut strings = Fields::new(tokens);
    (0..count).map(|_| Ok(strings.bytes()?.into())).collect()
}

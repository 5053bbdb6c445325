//! Values of in-flight exits: what an operator remembers of one, and everything the root chain said about one.
//!
//! Whatever the core has is written as it is, fitting or not: a record that came back changed would be judged differently.

use super::VERSION;
use crate::codec::{Malformed, Reader, WriteFields};
use crate::keys::{self, POSITION_LEN, TX_POS_LEN};
use plasma_core::db_update::{InFlightRecord, TxPos};
use plasma_core::exit_processor::{InFlightEvent, InFlightExit, InFlightMove, Payment};
use plasma_core::root_chain::{
    InFlightExitChallenge, InFlightExitStart, PiggybackSide, PiggybackSlot,
};
use plasma_core::wire::{EthHeight, ExitId, UtxoPos};

pub(crate) fn encode_in_flight_record(record: &InFlightRecord, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(record.tx_hash.as_bytes());
    for position in &record.inputs {
        value.extend(keys::position(*position));
    }
}

pub(crate) fn decode_in_flight_record(
    exit_id: ExitId,
    value: &[u8],
) -> Result<InFlightRecord, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let tx_hash = reader.hash()?;
    let mut inputs = Vec::new();
    while !reader.is_at_end() {
        inputs.push(position(&mut reader)?);
    }
    Ok(InFlightRecord { exit_id, tx_hash, inputs })
}

pub(crate) fn encode_in_flight_exit(exit: &InFlightExit, value: &mut Vec<u8>) {
    value.push(VERSION);
    for told in &exit.moves {
        value.extend(told.eth_height.get().to_be_bytes());
        value.extend(told.log_index.to_be_bytes());
        value.extend(told.eth_block_hash.as_bytes());
        value.extend(told.root_chain_txhash.as_bytes());
        encode_event(&told.event, value);
    }
}

pub(crate) fn decode_in_flight_exit(
    exit_id: ExitId,
    value: &[u8],
) -> Result<InFlightExit, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let mut moves: Vec<InFlightMove> = Vec::new();
    while !reader.is_at_end() {
        let told = InFlightMove {
            eth_height: EthHeight::new(reader.u64()?),
            log_index: reader.u32()?,
            eth_block_hash: reader.hash()?,
            root_chain_txhash: reader.hash()?,
            event: decode_event(&mut reader)?,
        };
        // Written in root chain order, each place once: whatever else stands there is damage.
        let place = |told: &InFlightMove| (told.eth_height, told.log_index);
        if moves.last().is_some_and(|last| place(&told) <= place(last)) {
            return Err("moves of an exit out of order");
        }
        moves.push(told);
    }
    Ok(InFlightExit { exit_id, moves })
}

fn encode_event(event: &InFlightEvent, value: &mut Vec<u8>) {
    match event {
        InFlightEvent::Started(start) => {
            value.push(0);
            encode_start(start, value);
        }
        InFlightEvent::Piggybacked { slot, exit_target, exitable_at_s } => {
            value.push(1);
            encode_slot(*slot, value);
            value.extend(exit_target.as_bytes());
            value.extend(exitable_at_s.to_be_bytes());
        }
        InFlightEvent::Blocked(slot) => {
            value.push(2);
            encode_slot(*slot, value);
        }
        InFlightEvent::Challenged(challenge) => {
            value.push(3);
            encode_challenge(challenge, value);
        }
        InFlightEvent::Responded(at) => {
            value.push(4);
            value.extend(keys::tx_pos(*at));
        }
        InFlightEvent::Withdrawn(slot, payment) => {
            value.push(5);
            encode_slot(*slot, value);
            value.push(match payment {
                Payment::Due => 0,
                Payment::Rightful => 1,
                Payment::Wrongful => 2,
            });
        }
        InFlightEvent::Deleted => value.push(6),
        InFlightEvent::Finalized => value.push(7),
    }
}

fn decode_event(reader: &mut Reader<'_>) -> Result<InFlightEvent, Malformed> {
    Ok(match reader.u8()? {
        0 => InFlightEvent::Started(Box::new(decode_start(reader)?)),
        1 => InFlightEvent::Piggybacked {
            slot: slot(reader)?,
            exit_target: reader.address()?,
            exitable_at_s: reader.u64()?,
        },
        2 => InFlightEvent::Blocked(slot(reader)?),
        3 => InFlightEvent::Challenged(Box::new(decode_challenge(reader)?)),
        4 => InFlightEvent::Responded(tx_pos(reader)?),
        5 => InFlightEvent::Withdrawn(slot(reader)?, payment(reader)?),
        6 => InFlightEvent::Deleted,
        7 => InFlightEvent::Finalized,
        _ => return Err("unknown event of an in-flight exit"),
    })
}

fn encode_start(start: &InFlightExitStart, value: &mut Vec<u8>) {
    value.extend(start.exit_id.as_bytes());
    value.extend(start.tx_hash.as_bytes());
    value.extend(start.initiator.as_bytes());
    value.extend(start.started_at_s.to_be_bytes());
    value.put_bytes(&start.tx_bytes);
    value.put_len(start.input_positions.len());
    for position in &start.input_positions {
        value.extend(keys::position(*position));
    }
    for list in [&start.witnesses, &start.input_txs] {
        value.put_len(list.len());
        for bytes in list {
            value.put_bytes(bytes);
        }
    }
}

fn decode_start(reader: &mut Reader<'_>) -> Result<InFlightExitStart, Malformed> {
    Ok(InFlightExitStart {
        exit_id: ExitId::from_bytes(reader.array()?),
        tx_hash: reader.hash()?,
        initiator: reader.address()?,
        started_at_s: reader.u64()?,
        tx_bytes: reader.bytes()?.into(),
        input_positions: list(reader, position)?,
        witnesses: list(reader, |reader| reader.bytes().map(Box::from))?,
        input_txs: list(reader, |reader| reader.bytes().map(Box::from))?,
    })
}

fn encode_challenge(challenge: &InFlightExitChallenge, value: &mut Vec<u8>) {
    value.extend(challenge.exit_id.as_bytes());
    value.extend(challenge.tx_hash.as_bytes());
    value.extend(challenge.challenger.as_bytes());
    value.push(challenge.competing_tx_pos.is_some().into());
    value.extend(challenge.competing_tx_pos.into_iter().flat_map(keys::tx_pos));
    value.extend(challenge.input_index.to_be_bytes());
    value.put_bytes(&challenge.competing_tx);
    value.extend(challenge.competing_input_index.to_be_bytes());
    value.put_bytes(&challenge.competing_witness);
}

fn decode_challenge(reader: &mut Reader<'_>) -> Result<InFlightExitChallenge, Malformed> {
    Ok(InFlightExitChallenge {
        exit_id: ExitId::from_bytes(reader.array()?),
        tx_hash: reader.hash()?,
        challenger: reader.address()?,
        competing_tx_pos: if reader.flag()? { Some(tx_pos(reader)?) } else { None },
        input_index: reader.u16()?,
        competing_tx: reader.bytes()?.into(),
        competing_input_index: reader.u16()?,
        competing_witness: reader.bytes()?.into(),
    })
}

fn encode_slot(slot: PiggybackSlot, value: &mut Vec<u8>) {
    value.push(match slot.side {
        PiggybackSide::Input => 0,
        PiggybackSide::Output => 1,
    });
    value.extend(slot.index.to_be_bytes());
}

fn slot(reader: &mut Reader<'_>) -> Result<PiggybackSlot, Malformed> {
    let side = match reader.u8()? {
        0 => PiggybackSide::Input,
        1 => PiggybackSide::Output,
        _ => return Err("unknown side of a piggyback"),
    };
    Ok(PiggybackSlot { side, index: reader.u16()? })
}

fn payment(reader: &mut Reader<'_>) -> Result<Payment, Malformed> {
    match reader.u8()? {
        0 => Ok(Payment::Due),
        1 => Ok(Payment::Rightful),
        2 => Ok(Payment::Wrongful),
        _ => Err("unknown kind of payment"),
    }
}

fn position(reader: &mut Reader<'_>) -> Result<UtxoPos, Malformed> {
    keys::read_position(&reader.array::<POSITION_LEN>()?)
}

fn tx_pos(reader: &mut Reader<'_>) -> Result<TxPos, Malformed> {
    Ok(keys::read_tx_pos(reader.array::<TX_POS_LEN>()?))
}

/// Items behind their number. Memory is taken only for what is there, whatever the number says.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut items = Vec::new();
    for _ in 0..reader.u32()? {
        items.push(item(reader)?);
    }
    Ok(items)
}

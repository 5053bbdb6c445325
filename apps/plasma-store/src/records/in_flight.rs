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

pub(super) fn encode_start(start: &InFlightExitStart, value: &mut Vec<u8>) {
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

pub(super) fn decode_start(reader: &mut Reader<'_>) -> Result<InFlightExitStart, Malformed> {
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

pub(super) fn encode_challenge(challenge: &InFlightExitChallenge, value: &mut Vec<u8>) {
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

pub(super) fn decode_challenge(
    reader: &mut Reader<'_>,
) -> Result<InFlightExitChallenge, Malformed> {
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

pub(super) fn encode_slot(slot: PiggybackSlot, value: &mut Vec<u8>) {
    value.push(match slot.side {
        PiggybackSide::Input => 0,
        PiggybackSide::Output => 1,
    });
    value.extend(slot.index.to_be_bytes());
}

pub(super) fn slot(reader: &mut Reader<'_>) -> Result<PiggybackSlot, Malformed> {
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

pub(super) fn position(reader: &mut Reader<'_>) -> Result<UtxoPos, Malformed> {
    keys::read_position(&reader.array::<POSITION_LEN>()?)
}

pub(super) fn tx_pos(reader: &mut Reader<'_>) -> Result<TxPos, Malformed> {
    Ok(keys::read_tx_pos(reader.array::<TX_POS_LEN>()?))
}

/// Items behind their number. Memory is taken only for what is there, whatever the number says.
pub(super) fn list<'a, T>(
    reader: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut items = Vec::new();
    for _ in 0..reader.u32()? {
        items.push(item(reader)?);
    }
    Ok(items)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::records::tests::{Kind, written};
    use plasma_core::wire::{Address, Blknum, H256, TxIndex};

    const ID: ExitId = ExitId::from_bytes([5; 20]);

    fn told(log_index: u32, event: InFlightEvent) -> InFlightMove {
        InFlightMove {
            eth_height: EthHeight::new(9),
            log_index,
            eth_block_hash: H256([6; 32]),
            root_chain_txhash: H256([7; 32]),
            event,
        }
    }

    fn exit(events: impl IntoIterator<Item = InFlightEvent>) -> InFlightExit {
        let moves = (1..).zip(events).map(|(log_index, event)| told(log_index, event));
        InFlightExit { exit_id: ID, moves: moves.collect() }
    }

    fn events() -> [InFlightEvent; 8] {
        let slot = PiggybackSlot::output(2);
        let at = TxPos { blknum: Blknum::new(2000), txindex: TxIndex::new(3) };
        let start = InFlightExitStart {
            exit_id: ID,
            tx_hash: H256([1; 32]),
            initiator: Address([2; 20]),
            started_at_s: 3,
            tx_bytes: [4, 5].into(),
            input_positions: vec![UtxoPos::deposit(Blknum::new(1))],
            witnesses: vec![[6; 3].into()],
            input_txs: vec![[7; 2].into(), [].into()],
        };
        let challenge = InFlightExitChallenge {
            exit_id: ID,
            tx_hash: H256([1; 32]),
            challenger: Address([2; 20]),
            competing_tx_pos: Some(at),
            input_index: 1,
            competing_tx: [8, 9].into(),
            competing_input_index: 2,
            competing_witness: [10; 3].into(),
        };
        [
            InFlightEvent::Started(Box::new(start)),
            InFlightEvent::Piggybacked { slot, exit_target: Address([3; 20]), exitable_at_s: 4 },
            InFlightEvent::Blocked(slot),
            InFlightEvent::Challenged(Box::new(challenge)),
            InFlightEvent::Responded(at),
            InFlightEvent::Withdrawn(slot, Payment::Wrongful),
            InFlightEvent::Deleted,
            InFlightEvent::Finalized,
        ]
    }

    /// Every kind of value of this file.
    pub(in crate::records) fn kinds() -> Vec<Kind> {
        let tx_hash = H256([8; 32]);
        let inputs = vec![UtxoPos::deposit(Blknum::new(1)), UtxoPos::deposit(Blknum::new(2))];
        let record = InFlightRecord { exit_id: ID, tx_hash, inputs };
        let mut kinds: Vec<Kind> = vec![(
            |value| {
                let record = decode_in_flight_record(ID, value)?;
                Ok(written(|v| encode_in_flight_record(&record, v)))
            },
            written(|v| encode_in_flight_record(&record, v)),
        )];
        for event in events() {
            kinds.push((
                |value| {
                    let exit = decode_in_flight_exit(ID, value)?;
                    Ok(written(|v| encode_in_flight_exit(&exit, v)))
                },
                written(|v| encode_in_flight_exit(&exit([event]), v)),
            ));
        }
        kinds
    }

    #[test]
    fn what_an_exit_processor_cannot_have_written_is_damage() {
        let check = |exit: &InFlightExit, cut: usize, tail: &[u8], expected| {
            let mut value = written(|v| encode_in_flight_exit(exit, v));
            value.truncate(value.len() - cut);
            value.extend(tail);
            assert_eq!(decode_in_flight_exit(ID, &value), Err(expected));
        };
        let [started, _, blocked, .., withdrawn, _, over] = events();
        check(&exit([over.clone()]), 1, &[8], "unknown event of an in-flight exit");
        check(&exit([over.clone()]), 0, &[0], "truncated value");
        check(&exit([blocked]), 3, &[2, 0, 0], "unknown side of a piggyback");
        check(&exit([withdrawn]), 1, &[3], "unknown kind of payment");
        // Neither a list nor bytes are taken for as long as they say.
        check(&exit([started.clone()]), 4, &[0xff; 4], "truncated value");
        check(&exit([started]), 14, &[0xff; 4], "truncated value");
        let twice = InFlightExit { exit_id: ID, moves: vec![told(1, over.clone()), told(1, over)] };
        check(&twice, 0, &[], "moves of an exit out of order");
    }
}

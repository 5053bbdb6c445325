//! Conditions in the journal: a byte for the kind, and their fields.

use crate::codec::{Malformed, Reader, WriteFields};
use crate::keys;
use crate::records::in_flight::{list, position};
use plasma_core::byzantine::{
    AvailablePiggyback, AvailablePiggybacks, ByzantineEvent, ExitFault, InFlightFault,
    PiggybackFault,
};
use plasma_core::wire::{Blknum, EthHeight, ExitId, H256};

pub(super) fn encode_event(event: &ByzantineEvent, value: &mut Vec<u8>) {
    match event {
        ByzantineEvent::UnchallengedNonCanonicalIfe(fault) => encode_in_flight(0, fault, value),
        ByzantineEvent::UnchallengedExit(fault) => encode_exit(1, fault, value),
        ByzantineEvent::UnchallengedPiggyback(fault) => encode_piggybacks(2, fault, value),
        ByzantineEvent::InvalidExit(fault) => encode_exit(3, fault, value),
        ByzantineEvent::InvalidPiggyback(fault) => encode_piggybacks(4, fault, value),
        ByzantineEvent::NonCanonicalIfe(fault) => encode_in_flight(5, fault, value),
        ByzantineEvent::InvalidIfeChallenge(fault) => encode_in_flight(6, fault, value),
        ByzantineEvent::PiggybackAvailable(available) => encode_available(available, value),
        ByzantineEvent::InvalidBlock { blknum, hash, error_type } => {
            value.push(8);
            value.extend(blknum.get().to_be_bytes());
            value.extend(hash.as_bytes());
            value.put_bytes(error_type.as_bytes());
        }
        ByzantineEvent::BlockWithholding { blknum, hash } => {
            value.push(9);
            value.extend(blknum.get().to_be_bytes());
            value.extend(hash.as_bytes());
        }
    }
}

pub(super) fn decode_event(reader: &mut Reader<'_>) -> Result<ByzantineEvent, Malformed> {
    Ok(match reader.u8()? {
        0 => ByzantineEvent::UnchallengedNonCanonicalIfe(in_flight(reader)?),
        1 => ByzantineEvent::UnchallengedExit(exit(reader)?),
        2 => ByzantineEvent::UnchallengedPiggyback(piggybacks(reader)?),
        3 => ByzantineEvent::InvalidExit(exit(reader)?),
        4 => ByzantineEvent::InvalidPiggyback(piggybacks(reader)?),
        5 => ByzantineEvent::NonCanonicalIfe(in_flight(reader)?),
        6 => ByzantineEvent::InvalidIfeChallenge(in_flight(reader)?),
        7 => ByzantineEvent::PiggybackAvailable(available(reader)?),
        8 => ByzantineEvent::InvalidBlock {
            blknum: Blknum::new(reader.u64()?),
            hash: reader.hash()?,
            error_type: std::str::from_utf8(reader.bytes()?)
                .map_err(|_| "error type that is not text")?
                .to_owned(),
        },
        9 => ByzantineEvent::BlockWithholding {
            blknum: Blknum::new(reader.u64()?),
            hash: reader.hash()?,
        },
        _ => return Err("unknown kind of condition"),
    })
}

fn encode_exit(kind: u8, fault: &ExitFault, value: &mut Vec<u8>) {
    value.push(kind);
    value.extend(fault.eth_height.get().to_be_bytes());
    value.extend(keys::position(fault.position));
    value.extend(fault.exit_id.as_bytes());
    value.extend(fault.owner.as_bytes());
    value.extend(fault.currency.as_bytes());
    value.put_uint(fault.amount);
    value.extend(fault.root_chain_txhash.as_bytes());
    value.extend(fault.scheduled_finalization_time_s.to_be_bytes());
    put_hash(fault.spending_txhash, value);
}

fn exit(reader: &mut Reader<'_>) -> Result<ExitFault, Malformed> {
    Ok(ExitFault {
        eth_height: EthHeight::new(reader.u64()?),
        position: position(reader)?,
        exit_id: ExitId::from_bytes(reader.array()?),
        owner: reader.address()?,
        currency: reader.address()?,
        amount: reader.uint()?,
        root_chain_txhash: reader.hash()?,
        scheduled_finalization_time_s: reader.u64()?,
        spending_txhash: hash(reader)?,
    })
}

fn encode_in_flight(kind: u8, fault: &InFlightFault, value: &mut Vec<u8>) {
    value.push(kind);
    put_name(fault.eth_height, fault.exit_id, fault.tx_hash, &fault.tx_bytes, value);
    value.extend(fault.started_at_s.to_be_bytes());
    put_hash(fault.competing_txhash, value);
}

fn in_flight(reader: &mut Reader<'_>) -> Result<InFlightFault, Malformed> {
    let (eth_height, exit_id, tx_hash, tx_bytes) = name(reader)?;
    let (started_at_s, competing_txhash) = (reader.u64()?, hash(reader)?);
    Ok(InFlightFault { eth_height, exit_id, tx_hash, tx_bytes, started_at_s, competing_txhash })
}

fn encode_piggybacks(kind: u8, fault: &PiggybackFault, value: &mut Vec<u8>) {
    value.push(kind);
    put_name(fault.eth_height, fault.exit_id, fault.tx_hash, &fault.tx_bytes, value);
    for side in [&fault.inputs, &fault.outputs] {
        value.put_len(side.len());
        value.extend(side.iter().flat_map(|index| index.to_be_bytes()));
    }
}

fn piggybacks(reader: &mut Reader<'_>) -> Result<PiggybackFault, Malformed> {
    let (eth_height, exit_id, tx_hash, tx_bytes) = name(reader)?;
    let (inputs, outputs) = (list(reader, Reader::u16)?, list(reader, Reader::u16)?);
    Ok(PiggybackFault { eth_height, exit_id, tx_hash, tx_bytes, inputs, outputs })
}

fn encode_available(available: &AvailablePiggybacks, value: &mut Vec<u8>) {
    let AvailablePiggybacks { eth_height, exit_id, tx_hash, tx_bytes, .. } = available;
    value.push(7);
    put_name(*eth_height, *exit_id, *tx_hash, tx_bytes, value);
    value.extend(available.started_at_s.to_be_bytes());
    for side in [&available.inputs, &available.outputs] {
        value.put_len(side.len());
        for AvailablePiggyback { index, owner } in side {
            value.extend(index.to_be_bytes());
            value.extend(owner.as_bytes());
        }
    }
}

fn available(reader: &mut Reader<'_>) -> Result<AvailablePiggybacks, Malformed> {
    let (eth_height, exit_id, tx_hash, tx_bytes) = name(reader)?;
    let one = |reader: &mut Reader<'_>| {
        Ok(AvailablePiggyback { index: reader.u16()?, owner: reader.address()? })
    };
    let (started_at_s, inputs, outputs) = (reader.u64()?, list(reader, one)?, list(reader, one)?);
    Ok(AvailablePiggybacks {
        eth_height,
        exit_id,
        tx_hash,
        tx_bytes,
        started_at_s,
        inputs,
        outputs,
    })
}

/// What all conditions of in-flight exits begin with.
fn put_name(
    eth_height: EthHeight,
    exit_id: ExitId,
    tx_hash: H256,
    tx_bytes: &[u8],
    value: &mut Vec<u8>,
) {
    value.extend(eth_height.get().to_be_bytes());
    value.extend(exit_id.as_bytes());
    value.extend(tx_hash.as_bytes());
    value.put_bytes(tx_bytes);
}

/// Height, id, transaction hash and transaction of an in-flight exit.
type Name = (EthHeight, ExitId, H256, Box<[u8]>);

fn name(reader: &mut Reader<'_>) -> Result<Name, Malformed> {
    let eth_height = EthHeight::new(reader.u64()?);
    let exit_id = ExitId::from_bytes(reader.array()?);
    Ok((eth_height, exit_id, reader.hash()?, reader.bytes()?.into()))
}

fn put_hash(hash: Option<H256>, value: &mut Vec<u8>) {
    value.push(hash.is_some().into());
    value.extend(hash.iter().flat_map(|hash| hash.as_bytes()));
}

fn hash(reader: &mut Reader<'_>) -> Result<Option<H256>, Malformed> {
    Ok(if reader.flag()? { Some(reader.hash()?) } else { None })
}

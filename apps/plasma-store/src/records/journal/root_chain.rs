//! Events of the root chain in the journal: where they stand, a byte for the kind, and their fields.

use crate::codec::{Malformed, Reader, WriteFields};
use crate::keys;
use crate::records::in_flight::{
    decode_challenge, decode_start, encode_challenge, encode_slot, encode_start, position, slot,
    tx_pos,
};
use plasma_core::root_chain::{EthEvent, RootChainEvent};
use plasma_core::wire::{Blknum, EthHeight, ExitId, TxHash};

pub(super) fn encode_eth_event(event: &EthEvent, value: &mut Vec<u8>) {
    value.extend(event.eth_height.get().to_be_bytes());
    value.extend(event.eth_block_hash.as_bytes());
    value.extend(event.root_chain_txhash.as_bytes());
    value.extend(event.log_index.to_be_bytes());
    encode_event(&event.event, value);
}

pub(super) fn decode_eth_event(reader: &mut Reader<'_>) -> Result<EthEvent, Malformed> {
    Ok(EthEvent {
        eth_height: EthHeight::new(reader.u64()?),
        eth_block_hash: reader.hash()?,
        root_chain_txhash: reader.hash()?,
        log_index: reader.u32()?,
        event: decode_event(reader)?,
    })
}

fn encode_event(event: &RootChainEvent, value: &mut Vec<u8>) {
    use RootChainEvent as Event;
    match event {
        Event::DepositCreated { depositor, blknum, currency, amount } => {
            value.push(0);
            value.extend(depositor.as_bytes());
            value.extend(blknum.get().to_be_bytes());
            value.extend(currency.as_bytes());
            value.put_uint(*amount);
        }
        Event::BlockSubmitted { blknum } => {
            value.push(1);
            value.extend(blknum.get().to_be_bytes());
        }
        Event::ExitStarted { owner, exit_id, position, output_tx, exitable_at_s } => {
            value.push(2);
            value.extend(owner.as_bytes());
            value.extend(exit_id.as_bytes());
            value.extend(keys::position(*position));
            value.put_bytes(output_tx);
            value.extend(exitable_at_s.to_be_bytes());
        }
        Event::ExitChallenged { position } => {
            value.push(3);
            value.extend(keys::position(*position));
        }
        Event::ExitFinalized { exit_id } => put_exit(4, *exit_id, value),
        Event::ExitOmitted { exit_id } => put_exit(5, *exit_id, value),
        Event::InFlightExitStarted(start) => {
            value.push(6);
            encode_start(start, value);
        }
        Event::InFlightExitPiggybacked { exit_id, tx_hash, slot, exit_target, exitable_at_s } => {
            put_in_flight(7, *exit_id, *tx_hash, value);
            encode_slot(*slot, value);
            value.extend(exit_target.as_bytes());
            value.extend(exitable_at_s.to_be_bytes());
        }
        Event::InFlightExitPiggybackBlocked { exit_id, tx_hash, slot, challenger } => {
            put_in_flight(8, *exit_id, *tx_hash, value);
            encode_slot(*slot, value);
            value.extend(challenger.as_bytes());
        }
        Event::InFlightExitChallenged(challenge) => {
            value.push(9);
            encode_challenge(challenge, value);
        }
        Event::InFlightExitChallengeResponded { exit_id, tx_hash, challenger, tx_pos } => {
            put_in_flight(10, *exit_id, *tx_hash, value);
            value.extend(challenger.as_bytes());
            value.extend(keys::tx_pos(*tx_pos));
        }
        Event::InFlightExitPiggybackWithdrawn { exit_id, slot } => {
            put_exit(11, *exit_id, value);
            encode_slot(*slot, value);
        }
        Event::InFlightExitDeleted { exit_id } => put_exit(12, *exit_id, value),
        Event::InFlightExitFinalized { exit_id } => put_exit(13, *exit_id, value),
        Event::InFlightExitOmitted { exit_id, currency } => {
            put_exit(14, *exit_id, value);
            value.extend(currency.as_bytes());
        }
    }
}

fn put_exit(kind: u8, exit_id: ExitId, value: &mut Vec<u8>) {
    value.push(kind);
    value.extend(exit_id.as_bytes());
}

fn put_in_flight(kind: u8, exit_id: ExitId, tx_hash: TxHash, value: &mut Vec<u8>) {
    put_exit(kind, exit_id, value);
    value.extend(tx_hash.as_bytes());
}

fn decode_event(reader: &mut Reader<'_>) -> Result<RootChainEvent, Malformed> {
    use RootChainEvent as Event;
    Ok(match reader.u8()? {
        0 => Event::DepositCreated {
            depositor: reader.address()?,
            blknum: Blknum::new(reader.u64()?),
            currency: reader.address()?,
            amount: reader.uint()?,
        },
        1 => Event::BlockSubmitted { blknum: Blknum::new(reader.u64()?) },
        2 => Event::ExitStarted {
            owner: reader.address()?,
            exit_id: exit_id(reader)?,
            position: position(reader)?,
            output_tx: reader.bytes()?.into(),
            exitable_at_s: reader.u64()?,
        },
        3 => Event::ExitChallenged { position: position(reader)? },
        4 => Event::ExitFinalized { exit_id: exit_id(reader)? },
        5 => Event::ExitOmitted { exit_id: exit_id(reader)? },
        6 => Event::InFlightExitStarted(Box::new(decode_start(reader)?)),
        7 => Event::InFlightExitPiggybacked {
            exit_id: exit_id(reader)?,
            tx_hash: reader.hash()?,
            slot: slot(reader)?,
            exit_target: reader.address()?,
            exitable_at_s: reader.u64()?,
        },
        8 => Event::InFlightExitPiggybackBlocked {
            exit_id: exit_id(reader)?,
            tx_hash: reader.hash()?,
            slot: slot(reader)?,
            challenger: reader.address()?,
        },
        9 => Event::InFlightExitChallenged(Box::new(decode_challenge(reader)?)),
        10 => Event::InFlightExitChallengeResponded {
            exit_id: exit_id(reader)?,
            tx_hash: reader.hash()?,
            challenger: reader.address()?,
            tx_pos: tx_pos(reader)?,
        },
        11 => {
            Event::InFlightExitPiggybackWithdrawn { exit_id: exit_id(reader)?, slot: slot(reader)? }
        }
        12 => Event::InFlightExitDeleted { exit_id: exit_id(reader)? },
        13 => Event::InFlightExitFinalized { exit_id: exit_id(reader)? },
        14 => Event::InFlightExitOmitted { exit_id: exit_id(reader)?, currency: reader.address()? },
        _ => return Err("unknown event of the root chain"),
    })
}

fn exit_id(reader: &mut Reader<'_>) -> Result<ExitId, Malformed> {
    reader.array().map(ExitId::from_bytes)
}

//! Values of the journal: its entries, and what finds them.
//!
//! An entry comes back as it was written, whatever is in it: it is told again years later.

mod byzantine;
mod root_chain;

use super::VERSION;
use crate::codec::{Malformed, Reader};
use crate::keys;
use plasma_core::eventer::Change;
use plasma_core::journal::{JournalBlock, JournalEntry, JournalFact, JournalSeq};
use plasma_core::root_chain::SubmittedAt;
use plasma_core::transfers::{Transfer, TransfersCursor};
use plasma_core::wire::{Blknum, EthHeight};

pub(crate) fn encode_journal_entry(entry: &JournalEntry, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(entry.at_ms.to_be_bytes());
    match &entry.fact {
        JournalFact::Block(block) => {
            value.push(0);
            value.extend(block.blknum.get().to_be_bytes());
            value.extend(block.hash.as_bytes());
            value.extend(block.tx_count.to_be_bytes());
            value.extend(block.eth_height.get().to_be_bytes());
            value.extend(block.timestamp_s.to_be_bytes());
        }
        JournalFact::BlockMoved { blknum, eth_height, timestamp_s } => {
            value.push(1);
            value.extend(blknum.get().to_be_bytes());
            value.extend(eth_height.get().to_be_bytes());
            value.extend(timestamp_s.to_be_bytes());
        }
        JournalFact::RootChain(event) => {
            value.push(2);
            root_chain::encode_eth_event(event, value);
        }
        JournalFact::Byzantine { change, event } => {
            value.extend([3, u8::from(*change == Change::Resolved)]);
            byzantine::encode_event(event, value);
        }
        JournalFact::Status { is_unsafe, byzantine_events, last_validated } => {
            value.extend([4, u8::from(*is_unsafe)]);
            value.extend(byzantine_events.to_be_bytes());
            value.extend(last_validated.get().to_be_bytes());
        }
    }
}

pub(crate) fn decode_journal_entry(value: &[u8]) -> Result<JournalEntry, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let at_ms = reader.u64()?;
    let fact = match reader.u8()? {
        0 => JournalFact::Block(JournalBlock {
            blknum: Blknum::new(reader.u64()?),
            hash: reader.hash()?,
            tx_count: reader.u32()?,
            eth_height: EthHeight::new(reader.u64()?),
            timestamp_s: reader.u64()?,
        }),
        1 => JournalFact::BlockMoved {
            blknum: Blknum::new(reader.u64()?),
            eth_height: EthHeight::new(reader.u64()?),
            timestamp_s: reader.u64()?,
        },
        2 => JournalFact::RootChain(Box::new(root_chain::decode_eth_event(&mut reader)?)),
        3 => {
            let change = if reader.flag()? { Change::Resolved } else { Change::Appeared };
            JournalFact::Byzantine {
                change,
                event: Box::new(byzantine::decode_event(&mut reader)?),
            }
        }
        4 => JournalFact::Status {
            is_unsafe: reader.flag()?,
            byzantine_events: reader.u32()?,
            last_validated: Blknum::new(reader.u64()?),
        },
        _ => return Err("unknown kind of journal entry"),
    };
    reader.end()?;
    Ok(JournalEntry { at_ms, fact })
}

/// The number of a block or deposit in its topic, and in the journal.
pub(crate) fn encode_numbers(in_topic: u64, seq: JournalSeq, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(in_topic.to_be_bytes());
    value.extend(seq.0.to_be_bytes());
}

pub(crate) fn decode_numbers(value: &[u8]) -> Result<(u64, JournalSeq), Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let numbers = (reader.u64()?, JournalSeq(reader.u64()?));
    reader.end()?;
    Ok(numbers)
}

pub(crate) fn encode_submitted_at(submitted: SubmittedAt, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(submitted.eth_height.get().to_be_bytes());
    value.extend(submitted.timestamp_s.to_be_bytes());
}

pub(crate) fn decode_submitted_at(value: &[u8]) -> Result<SubmittedAt, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let (eth_height, timestamp_s) = (EthHeight::new(reader.u64()?), reader.u64()?);
    reader.end()?;
    Ok(SubmittedAt { eth_height, timestamp_s })
}

pub(crate) fn encode_transfer(transfer: Transfer, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(transfer.journal.0.to_be_bytes());
    value.extend(keys::tx_pos(transfer.at));
}

pub(crate) fn decode_transfer(value: &[u8]) -> Result<Transfer, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let journal = JournalSeq(reader.u64()?);
    let at = keys::read_tx_pos(reader.array()?);
    reader.end()?;
    Ok(Transfer { journal, at })
}

pub(crate) fn encode_transfers_cursor(cursor: TransfersCursor, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(cursor.done.0.to_be_bytes());
    value.extend(cursor.txs.to_be_bytes());
}

pub(crate) fn decode_transfers_cursor(value: &[u8]) -> Result<TransfersCursor, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let (done, txs) = (JournalSeq(reader.u64()?), reader.u32()?);
    reader.end()?;
    Ok(TransfersCursor { done, txs })
}

#[cfg(test)]
pub(super) mod tests;

//! Values: each begins with its version; docs/store.md describes them byte by byte.

mod in_flight;
mod journal;
mod sentinel;

pub(crate) use in_flight::{
    decode_in_flight_exit, decode_in_flight_record, encode_in_flight_exit, encode_in_flight_record,
};
pub(crate) use journal::{
    decode_journal_entry, decode_numbers, decode_submitted_at, decode_transfer,
    decode_transfers_cursor, encode_journal_entry, encode_numbers, encode_submitted_at,
    encode_transfer, encode_transfers_cursor,
};
pub(crate) use sentinel::{
    decode_duty, decode_nonce, decode_spent, encode_duty, encode_nonce, encode_spent,
};

use crate::codec::{Malformed, Reader, WriteFields};
use plasma_core::db_update::{
    BlockHeader, ChainFault, FaultKind, PendingRecord, Spender, TxPos, Utxo,
};
use plasma_core::exit_processor::{StandardExit, StandardExitPhase};
use plasma_core::wire::{Blknum, EthHeight, ExitId, H256, OutputType, TxIndex, U256, UtxoPos};
use std::collections::BTreeMap;

const VERSION: u8 = 1;

pub(crate) fn encode_utxo(utxo: &Utxo, value: &mut Vec<u8>) {
    value.extend([VERSION, utxo.output_type.number()]);
    value.extend(utxo.currency.as_bytes());
    value.put_last_uint(utxo.amount);
}

pub(crate) fn decode_utxo(value: &[u8]) -> Result<Utxo, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let output_type =
        OutputType::from_number(U256::from(reader.u8()?)).ok_or("unknown output type")?;
    let currency = reader.address()?;
    Ok(Utxo { output_type, currency, amount: reader.last_uint()? })
}

pub(crate) fn encode_spender(spender: Spender, value: &mut Vec<u8>) {
    match spender {
        Spender::Transaction(at) => {
            value.extend([VERSION, 0]);
            value.extend(at.blknum.get().to_be_bytes());
            value.extend(at.txindex.get().to_be_bytes());
        }
        Spender::Exit(exit_id) => {
            value.extend([VERSION, 1]);
            value.extend(exit_id.as_bytes());
        }
    }
}

pub(crate) fn decode_spender(value: &[u8]) -> Result<Spender, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let spender = match reader.u8()? {
        0 => {
            let blknum = Blknum::new(reader.u64()?);
            Spender::Transaction(TxPos { blknum, txindex: TxIndex::new(reader.u32()?) })
        }
        1 => Spender::Exit(ExitId::from_bytes(reader.array()?)),
        _ => return Err("unknown kind of spender"),
    };
    reader.end()?;
    Ok(spender)
}

pub(crate) fn encode_block(header: &BlockHeader, subtree_roots: &[H256], value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(header.hash.as_bytes());
    value.extend(header.tx_count.to_be_bytes());
    for root in subtree_roots {
        value.extend(root.as_bytes());
    }
}

pub(crate) fn decode_block(
    number: Blknum,
    value: &[u8],
) -> Result<(BlockHeader, Vec<H256>), Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let header = BlockHeader { number, hash: reader.hash()?, tx_count: reader.u32()? };
    let (roots, []) = reader.last_bytes().as_chunks::<32>() else {
        return Err("truncated subtree roots");
    };
    Ok((header, roots.iter().map(|root| H256(*root)).collect()))
}

pub(crate) fn encode_pending(pending: &PendingRecord, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(pending.blknum.get().to_be_bytes());
    value.extend(pending.tx_count.to_be_bytes());
    for (currency, amount) in &pending.fees {
        value.extend(currency.as_bytes());
        value.put_uint(*amount);
    }
}

pub(crate) fn decode_pending(value: &[u8]) -> Result<PendingRecord, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let (blknum, tx_count) = (Blknum::new(reader.u64()?), reader.u32()?);
    let mut fees = BTreeMap::new();
    while !reader.is_at_end() {
        let (currency, amount) = (reader.address()?, reader.uint()?);
        // Written in order, each currency once: whatever else stands there is damage.
        if fees.last_key_value().is_some_and(|(last, _)| currency <= *last) {
            return Err("currencies out of order");
        }
        fees.insert(currency, amount);
    }
    Ok(PendingRecord { blknum, tx_count, fees })
}

pub(crate) fn encode_u64(number: u64, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(number.to_be_bytes());
}

pub(crate) fn decode_u64(value: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let number = reader.u64()?;
    reader.end()?;
    Ok(number)
}

pub(crate) fn encode_fault(fault: &ChainFault, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(fault.blknum.get().to_be_bytes());
    value.extend(fault.hash.as_bytes());
    match &fault.kind {
        FaultKind::Withheld => value.push(0),
        FaultKind::InvalidBlock(code) => {
            value.push(1);
            value.extend(code.as_bytes());
        }
    }
}

pub(crate) fn decode_fault(value: &[u8]) -> Result<ChainFault, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let (blknum, hash) = (Blknum::new(reader.u64()?), reader.hash()?);
    let kind = match reader.u8()? {
        0 => {
            reader.end()?;
            FaultKind::Withheld
        }
        1 => {
            let code = std::str::from_utf8(reader.last_bytes())
                .map_err(|_| "error type that is not text")?;
            FaultKind::InvalidBlock(code.to_owned())
        }
        _ => return Err("unknown kind of fault"),
    };
    Ok(ChainFault { blknum, hash, kind })
}

/// By the byte that stands for each, for ever. A program from before one of them refuses the record.
const PHASES: [StandardExitPhase; 5] = [
    StandardExitPhase::Active,
    StandardExitPhase::Challenged,
    StandardExitPhase::Finalized,
    StandardExitPhase::FinalizedInvalid,
    StandardExitPhase::Omitted,
];

pub(crate) fn encode_standard_exit(exit: &StandardExit, value: &mut Vec<u8>) {
    let phase: u8 = match exit.phase {
        StandardExitPhase::Active => 0,
        StandardExitPhase::Challenged => 1,
        StandardExitPhase::Finalized => 2,
        StandardExitPhase::FinalizedInvalid => 3,
        StandardExitPhase::Omitted => 4,
    };
    value.extend([VERSION, phase]);
    value.extend(exit.exit_id.as_bytes());
    value.extend(exit.owner.as_bytes());
    value.extend(exit.currency.as_bytes());
    value.put_uint(exit.amount);
    value.extend(exit.eth_height.get().to_be_bytes());
    value.extend(exit.log_index.to_be_bytes());
    value.extend(exit.root_chain_txhash.as_bytes());
    value.extend(exit.exitable_at_s.to_be_bytes());
    value.extend(&exit.exiting_tx);
}

pub(crate) fn decode_standard_exit(
    position: UtxoPos,
    value: &[u8],
) -> Result<StandardExit, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let phase = PHASES.get(usize::from(reader.u8()?)).copied().ok_or("unknown phase of an exit")?;
    Ok(StandardExit {
        phase,
        position,
        exit_id: ExitId::from_bytes(reader.array()?),
        owner: reader.address()?,
        currency: reader.address()?,
        amount: reader.uint()?,
        eth_height: EthHeight::new(reader.u64()?),
        log_index: reader.u32()?,
        root_chain_txhash: reader.hash()?,
        exitable_at_s: reader.u64()?,
        exiting_tx: reader.last_bytes().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::Address;
    use proptest::prelude::*;
    use proptest::sample::Index;

    /// Decodes a value and encodes what it says.
    type Again = fn(&[u8]) -> Result<Vec<u8>, Malformed>;

    /// How a kind of value is read and written, and one to start from.
    pub(super) type Kind = (Again, Vec<u8>);

    pub(super) fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut value = Vec::new();
        write(&mut value);
        value
    }

    /// Every kind of value of this file.
    fn kinds() -> Vec<Kind> {
        let (address, hash) = (Address([3; 20]), H256([4; 32]));
        let (blknum, position) = (Blknum::new(5000), UtxoPos::deposit(Blknum::new(1)));
        let utxo = Utxo { output_type: OutputType::Payment, currency: address, amount: U256::MAX };
        let by_tx = Spender::Transaction(TxPos { blknum, txindex: TxIndex::new(7) });
        let header = BlockHeader { number: blknum, hash, tx_count: 300 };
        let fees = [(address, U256::from(256)), (Address([9; 20]), U256::MAX)].into();
        let pending = PendingRecord { blknum, tx_count: 3, fees };
        let kind = FaultKind::InvalidBlock("incorrect_hash".to_owned());
        let exit = StandardExit {
            exit_id: ExitId::from_bytes([6; 20]),
            position,
            owner: address,
            currency: address,
            amount: U256::from(1000),
            exiting_tx: [1, 2, 3].into(),
            eth_height: EthHeight::new(77),
            log_index: 5,
            root_chain_txhash: hash,
            exitable_at_s: u64::MAX,
            phase: StandardExitPhase::Challenged,
        };
        vec![
            (
                |value| decode_utxo(value).map(|utxo| written(|v| encode_utxo(&utxo, v))),
                written(|v| encode_utxo(&utxo, v)),
            ),
            (
                |value| decode_spender(value).map(|found| written(|v| encode_spender(found, v))),
                written(|v| encode_spender(by_tx, v)),
            ),
            (
                |value| {
                    let (header, roots) = decode_block(Blknum::new(5000), value)?;
                    Ok(written(|v| encode_block(&header, &roots, v)))
                },
                written(|v| encode_block(&header, &[hash, H256::zero()], v)),
            ),
            (
                |value| decode_pending(value).map(|found| written(|v| encode_pending(&found, v))),
                written(|v| encode_pending(&pending, v)),
            ),
            (
                |value| decode_u64(value).map(|number| written(|v| encode_u64(number, v))),
                written(|v| encode_u64(u64::MAX, v)),
            ),
            (
                |value| decode_fault(value).map(|fault| written(|v| encode_fault(&fault, v))),
                written(|v| encode_fault(&ChainFault { blknum, hash, kind }, v)),
            ),
            (
                |value| {
                    let exit = decode_standard_exit(UtxoPos::deposit(Blknum::new(1)), value)?;
                    Ok(written(|v| encode_standard_exit(&exit, v)))
                },
                written(|v| encode_standard_exit(&exit, v)),
            ),
        ]
    }

    fn all_kinds() -> Vec<Kind> {
        [kinds(), in_flight::tests::kinds(), journal::tests::kinds(), sentinel::tests::kinds()]
            .concat()
    }

    #[test]
    fn a_single_changed_byte_is_refused_or_another_value() {
        for (again, value) in all_kinds() {
            for at in 0..value.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = value.clone();
                    changed[at] = byte;
                    if let Ok(written) = again(&changed) {
                        assert_eq!(written, changed, "byte {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_phase_of_an_exit_keeps_its_byte_and_an_unknown_one_is_refused() {
        use StandardExitPhase::{Active, Challenged, Finalized, FinalizedInvalid, Omitted};
        let (again, value) = kinds().pop().unwrap();
        let position = UtxoPos::deposit(Blknum::new(1));
        let stored = [Active, Challenged, Finalized, FinalizedInvalid, Omitted];
        for (byte, phase) in (0..).zip(stored) {
            let value = [&value[..1], &[byte], &value[2..]].concat();
            assert_eq!(decode_standard_exit(position, &value).unwrap().phase, phase);
            assert_eq!(again(&value), Ok(value));
        }
        let newer = [&value[..1], &[5], &value[2..]].concat();
        assert_eq!(again(&newer), Err("unknown phase of an exit"));
    }

    #[test]
    fn a_currency_twice_in_the_pending_block_is_damage() {
        let (again, value) = kinds().swap_remove(3);
        // The first entry is 20 bytes of currency, one of length and two of amount, behind 13 bytes of header.
        let twice = [&value[..36], &value[13..]].concat();
        assert_eq!(again(&twice), Err("currencies out of order"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_decodes_has_one_encoding(
            changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<Index>()),
            tail in prop::collection::vec(any::<u8>(), 0..30),
            raw in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            for (again, value) in all_kinds() {
                prop_assert_eq!(again(&value), Ok(value.clone()));
                let mut mutated = value;
                for (at, byte) in &changes {
                    *at.get_mut(&mut mutated) = *byte;
                }
                if let Some(cut) = cut {
                    mutated.truncate(cut.index(mutated.len()));
                }
                mutated.extend(&tail);
                let raw = [&[VERSION], raw.as_slice()].concat();
                for value in [mutated, raw] {
                    if let Ok(written) = again(&value) {
                        prop_assert_eq!(written, value);
                    }
                }
            }
        }
    }
}

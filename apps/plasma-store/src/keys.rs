//! Keys: big-endian, so that RocksDB's byte order is the order of the numbers.

use crate::codec::Malformed;
use plasma_core::db_update::{TxPos, UtxoKey};
use plasma_core::exit_processor::SpendSource;
use plasma_core::journal::{JournalSeq, Topic};
use plasma_core::sentinel::{DutyId, Task};
use plasma_core::wire::{
    Address, Blknum, BlockHash, ExitId, H256, OutputIndex, TxHash, TxIndex, UtxoPos,
};

/// Bytes of a place in a block: block 8, transaction 4.
pub(crate) const TX_POS_LEN: usize = 12;
/// Bytes of a position: block 8, transaction 4, output 2.
pub(crate) const POSITION_LEN: usize = 14;
/// Bytes of an owner and a position.
pub(crate) const UTXO_KEY_LEN: usize = 20 + POSITION_LEN;
/// Bytes of an account and its nonce.
pub(crate) const NONCE_KEY_LEN: usize = 20 + 8;
/// Bytes of an account and an exit id.
pub(crate) const ACCOUNT_EXIT_LEN: usize = 20 + 20;
/// Bytes of a topic and a number in it.
pub(crate) const TOPIC_KEY_LEN: usize = 1 + 8;
/// Bytes of an account and a number of its transfers.
pub(crate) const TRANSFER_KEY_LEN: usize = 20 + 8;
/// Bytes of an exit id, a cause and the two parts of a task.
pub(crate) const DUTY_KEY_LEN: usize = 20 + 32 + 1 + 2;

pub(crate) fn blknum(blknum: Blknum) -> [u8; 8] {
    blknum.get().to_be_bytes()
}

pub(crate) fn tx_pos(at: TxPos) -> [u8; TX_POS_LEN] {
    let mut key = [0; TX_POS_LEN];
    key[..8].copy_from_slice(&at.blknum.get().to_be_bytes());
    key[8..].copy_from_slice(&at.txindex.get().to_be_bytes());
    key
}

pub(crate) fn position(at: UtxoPos) -> [u8; POSITION_LEN] {
    let mut key = [0; POSITION_LEN];
    key[..12].copy_from_slice(&tx_pos(TxPos { blknum: at.blknum, txindex: at.txindex }));
    key[12..].copy_from_slice(&at.oindex.get().to_be_bytes());
    key
}

pub(crate) fn utxo(key: UtxoKey) -> [u8; UTXO_KEY_LEN] {
    let mut bytes = [0; UTXO_KEY_LEN];
    bytes[..20].copy_from_slice(key.owner.as_bytes());
    bytes[20..].copy_from_slice(&position(key.position));
    bytes
}

/// All that spend an output lie together, under [`utxo`].
pub(crate) fn quarantined_spend(key: UtxoKey, tx_hash: TxHash) -> [u8; UTXO_KEY_LEN + 32] {
    let mut bytes = [0; UTXO_KEY_LEN + 32];
    bytes[..UTXO_KEY_LEN].copy_from_slice(&utxo(key));
    bytes[UTXO_KEY_LEN..].copy_from_slice(tx_hash.as_bytes());
    bytes
}

/// All that spend an output lie together, under [`utxo`].
pub(crate) fn in_flight_spend(key: UtxoKey, source: SpendSource) -> Vec<u8> {
    let (kind, name) = match &source {
        SpendSource::InFlightExit(exit_id) => (0, exit_id.as_bytes().as_slice()),
        SpendSource::Competitor(tx_hash) => (1, tx_hash.as_bytes()),
    };
    [&utxo(key), [kind].as_slice(), name].concat()
}

/// The account first, so that what another key of the operator offered is never read (docs/store.md).
pub(crate) fn nonce(account: Address, nonce: u64) -> [u8; NONCE_KEY_LEN] {
    let mut key = [0; NONCE_KEY_LEN];
    key[..20].copy_from_slice(account.as_bytes());
    key[20..].copy_from_slice(&nonce.to_be_bytes());
    key
}

pub(crate) fn duty(id: DutyId) -> [u8; DUTY_KEY_LEN] {
    let (kind, index) = id.task.to_parts();
    let mut key = [0; DUTY_KEY_LEN];
    key[..20].copy_from_slice(id.exit_id.as_bytes());
    key[20..52].copy_from_slice(id.cause.as_bytes());
    key[52] = kind;
    key[53..].copy_from_slice(&index.to_be_bytes());
    key
}

pub(crate) fn journal(seq: JournalSeq) -> [u8; 8] {
    seq.0.to_be_bytes()
}

/// The byte that stands for a topic of the journal, for ever. `None` for transfers: these are not numbered by it.
pub(crate) const fn topic_byte(topic: Topic) -> Option<u8> {
    match topic {
        Topic::Byzantine => Some(0),
        Topic::Blocks => Some(1),
        Topic::Deposits => Some(2),
        Topic::Exits => Some(3),
        Topic::Status => Some(4),
        Topic::Transfer(_) => None,
    }
}

/// All transfers of an account lie together, in the order of their numbers.
pub(crate) fn transfer(account: Address, number: u64) -> [u8; TRANSFER_KEY_LEN] {
    let mut key = [0; TRANSFER_KEY_LEN];
    key[..20].copy_from_slice(account.as_bytes());
    key[20..].copy_from_slice(&number.to_be_bytes());
    key
}

/// All of a topic lie together, in the order of their numbers.
pub(crate) fn topic(topic: u8, number: u64) -> [u8; TOPIC_KEY_LEN] {
    let mut key = [0; TOPIC_KEY_LEN];
    key[0] = topic;
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// All exits of an account lie together, in the order of their ids.
pub(crate) fn account_exit(account: Address, exit_id: ExitId) -> [u8; ACCOUNT_EXIT_LEN] {
    let mut key = [0; ACCOUNT_EXIT_LEN];
    key[..20].copy_from_slice(account.as_bytes());
    key[20..].copy_from_slice(exit_id.as_bytes());
    key
}

/// First key behind all that begin with this owner, account or output; `None` behind the last possible one.
pub(crate) fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if let Some(next) = last.checked_add(1) {
            key.push(next);
            return Some(key);
        }
    }
    None
}

pub(crate) fn block_hash(hash: BlockHash, number: Blknum) -> [u8; 40] {
    let mut key = [0; 40];
    key[..32].copy_from_slice(hash.as_bytes());
    key[32..].copy_from_slice(&blknum(number));
    key
}

pub(crate) fn read_position(key: &[u8]) -> Result<UtxoPos, Malformed> {
    let key: &[u8; POSITION_LEN] = key.try_into().map_err(|_| "malformed position")?;
    let (blknum, rest) = key.split_first_chunk::<8>().ok_or("malformed position")?;
    let (txindex, oindex) = rest.split_first_chunk::<4>().ok_or("malformed position")?;
    let oindex: [u8; 2] = oindex.try_into().map_err(|_| "malformed position")?;
    Ok(UtxoPos::new(
        Blknum::new(u64::from_be_bytes(*blknum)),
        TxIndex::new(u32::from_be_bytes(*txindex)),
        OutputIndex::new(u16::from_be_bytes(oindex)),
    ))
}

pub(crate) fn read_tx_pos(key: [u8; TX_POS_LEN]) -> TxPos {
    let [a, b, c, d, e, f, g, h, txindex @ ..] = key;
    TxPos {
        blknum: Blknum::new(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        txindex: TxIndex::new(u32::from_be_bytes(txindex)),
    }
}

pub(crate) fn read_hash(key: &[u8]) -> Result<H256, Malformed> {
    key.try_into().map(H256).map_err(|_| "malformed hash")
}

pub(crate) fn read_exit_id(key: &[u8]) -> Result<ExitId, Malformed> {
    key.try_into().map(ExitId::from_bytes).map_err(|_| "malformed exit id")
}

pub(crate) fn read_account_exit(key: &[u8]) -> Result<ExitId, Malformed> {
    read_exit_id(key.get(20..).ok_or("malformed key of an exit")?)
}

pub(crate) fn read_utxo_position(key: &[u8]) -> Result<UtxoPos, Malformed> {
    read_position(key.get(20..).ok_or("malformed key of an output")?)
}

pub(crate) fn read_blknum(key: &[u8]) -> Result<Blknum, Malformed> {
    let key: [u8; 8] = key.try_into().map_err(|_| "malformed block number")?;
    Ok(Blknum::new(u64::from_be_bytes(key)))
}

pub(crate) fn read_number(key: &[u8]) -> Result<u64, Malformed> {
    key.try_into().map(u64::from_be_bytes).map_err(|_| "malformed number")
}

/// The number of a transfer of an account.
pub(crate) fn read_transfer_number(key: &[u8]) -> Result<u64, Malformed> {
    read_number(key.get(20..).ok_or("malformed key of a transfer")?)
}

/// The number in a topic.
pub(crate) fn read_topic_number(key: &[u8]) -> Result<u64, Malformed> {
    let number: &[u8; TOPIC_KEY_LEN] = key.try_into().map_err(|_| "malformed key of a topic")?;
    let [_, number @ ..] = number;
    Ok(u64::from_be_bytes(*number))
}

pub(crate) fn read_nonce(key: &[u8]) -> Result<(Address, u64), Malformed> {
    let (account, nonce) = key.split_first_chunk::<20>().ok_or("malformed key of a nonce")?;
    let nonce = nonce.try_into().map_err(|_| "malformed key of a nonce")?;
    Ok((Address(*account), u64::from_be_bytes(nonce)))
}

pub(crate) fn read_duty(key: &[u8]) -> Result<DutyId, Malformed> {
    let (exit_id, rest) = key.split_first_chunk::<20>().ok_or("malformed name of a duty")?;
    let (cause, task) = rest.split_first_chunk::<32>().ok_or("malformed name of a duty")?;
    let [kind, high, low] = task else {
        return Err("malformed name of a duty");
    };
    let task = Task::from_parts(*kind, u16::from_be_bytes([*high, *low])).ok_or("unknown task")?;
    Ok(DutyId { exit_id: ExitId::from_bytes(*exit_id), cause: H256(*cause), task })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_position() -> impl Strategy<Value = UtxoPos> {
        (any::<u64>(), any::<u32>(), any::<u16>()).prop_map(|(blknum, txindex, oindex)| {
            UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex))
        })
    }

    proptest! {
        #[test]
        fn positions_sort_as_they_are_old(a in any_position(), b in any_position()) {
            prop_assert_eq!(position(a).cmp(&position(b)), a.cmp(&b));
            prop_assert_eq!(read_position(&position(a)), Ok(a));
        }

        #[test]
        fn all_outputs_of_an_owner_lie_before_the_end_and_nobody_elses(owner: [u8; 20], other: [u8; 20], at in any_position()) {
            let key = |owner: [u8; 20]| utxo(UtxoKey { owner: Address(owner), position: at });
            let end = behind(&owner);
            prop_assert!(end.as_deref().is_none_or(|end| key(owner).as_slice() < end));
            let within = |key: &[u8]| key >= owner.as_slice() && end.as_deref().is_none_or(|end| key < end);
            prop_assert_eq!(within(&key(other)), other == owner);
        }
    }

    proptest! {
        #[test]
        fn nonces_of_an_account_sort_as_they_are_used(account: [u8; 20], a: u64, b: u64) {
            let account = Address(account);
            prop_assert_eq!(nonce(account, a).cmp(&nonce(account, b)), a.cmp(&b));
            prop_assert_eq!(read_nonce(&nonce(account, a)), Ok((account, a)));
        }

        #[test]
        fn a_key_names_one_nonce_and_one_duty_or_is_refused(
            raw in prop::collection::vec(any::<u8>(), 0..60), name: [u8; 52], kind in 0_u8..9, index in 0_u16..3,
        ) {
            let named = [&name[..], &[kind], &index.to_be_bytes()].concat();
            for key in [raw, named] {
                if let Ok((account, number)) = read_nonce(&key) {
                    prop_assert_eq!(nonce(account, number).to_vec(), key.clone());
                }
                if let Ok(id) = read_duty(&key) {
                    prop_assert_eq!(duty(id).to_vec(), key.clone());
                }
            }
        }
    }

    #[test]
    fn there_is_nothing_behind_the_last_owner() {
        assert_eq!(behind(&[0xff; 20]), None);
    }
}

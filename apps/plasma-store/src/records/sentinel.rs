//! Values of the Sentinel: nonces with everything offered under them, duties, and what a day cost.
//!
//! It must never lose an offer: a transaction that is forgotten could still be mined, and its duty done twice (`S3`).

use super::VERSION;
use crate::codec::{Malformed, Reader, WriteFields};
use crate::keys::{self, DUTY_KEY_LEN};
use plasma_core::root_chain::GasFees;
use plasma_core::sentinel::{
    Call, DutyId, DutyOutcome, DutyRecord, Fate, Mined, NonceRecord, Offer, Receipt,
};
use plasma_core::wire::{Address, EthHeight, H256, U256};

/// In front of each offer: what it does. Zero stands behind the last one.
const DOES_DUTY: u8 = 1;
const FILLS_FOR_DUTY: u8 = 2;
const FILLS: u8 = 3;

/// The newest offer has this call, which fills the rest of the value; nothing follows when it has none.
pub(crate) fn encode_nonce(record: &NonceRecord, value: &mut Vec<u8>) {
    value.push(VERSION);
    match &record.fate {
        Fate::Open => value.push(0),
        Fate::Mined(mined) => {
            value.push(1);
            value.extend(mined.txhash.as_bytes());
            value.extend(mined.receipt.eth_height.get().to_be_bytes());
            value.extend(mined.receipt.gas_used.to_be_bytes());
            value.extend(mined.receipt.gas_price_wei.to_be_bytes());
            value.push(mined.receipt.succeeded.into());
            value.extend(mined.seen_s.to_be_bytes());
        }
        Fate::Foreign { at } => {
            value.push(2);
            value.extend(at.get().to_be_bytes());
        }
    }
    for offer in &record.offers {
        encode_offer(offer, value);
    }
    value.push(0);
    if let Some(call) = &record.call {
        value.extend(call.to_bytes());
    }
}

pub(crate) fn decode_nonce(
    (account, nonce): (Address, u64),
    value: &[u8],
) -> Result<NonceRecord, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let fate = match reader.u8()? {
        0 => Fate::Open,
        1 => {
            let txhash = reader.hash()?;
            let receipt = Receipt {
                eth_height: EthHeight::new(reader.u64()?),
                gas_used: reader.u64()?,
                gas_price_wei: reader.array().map(u128::from_be_bytes)?,
                succeeded: reader.flag()?,
            };
            Fate::Mined(Mined { txhash, receipt, seen_s: reader.u64()? })
        }
        2 => Fate::Foreign { at: EthHeight::new(reader.u64()?) },
        _ => return Err("unknown fate of a nonce"),
    };
    let mut offers = Vec::new();
    while let Some(offer) = decode_offer(&mut reader)? {
        offers.push(offer);
    }
    if offers.is_empty() {
        return Err("nonce without an offer");
    }
    let call = match reader.last_bytes() {
        [] => None,
        bytes => Some(Call::from_bytes(bytes).map_err(|_| "malformed call")?),
    };
    Ok(NonceRecord { account, nonce, offers, call, fate })
}

fn encode_offer(offer: &Offer, value: &mut Vec<u8>) {
    let kind = match offer.duty {
        Some(_) if !offer.is_fill => DOES_DUTY,
        Some(_) => FILLS_FOR_DUTY,
        None => FILLS,
    };
    value.push(kind);
    if let Some(id) = &offer.duty {
        value.extend(keys::duty(*id));
    }
    value.extend(offer.gas_limit.to_be_bytes());
    value.extend(offer.fees.max_fee_per_gas_wei.to_be_bytes());
    value.extend(offer.fees.max_priority_fee_per_gas_wei.to_be_bytes());
    encode_txhash(offer.txhash, value);
}

/// `None` at the end of the offers.
fn decode_offer(reader: &mut Reader<'_>) -> Result<Option<Offer>, Malformed> {
    let kind = reader.u8()?;
    let duty = match kind {
        0 => return Ok(None),
        DOES_DUTY | FILLS_FOR_DUTY => Some(keys::read_duty(&reader.array::<DUTY_KEY_LEN>()?)?),
        FILLS => None,
        _ => return Err("unknown kind of offer"),
    };
    Ok(Some(Offer {
        duty,
        is_fill: kind != DOES_DUTY,
        gas_limit: reader.u64()?,
        fees: GasFees {
            max_fee_per_gas_wei: reader.array().map(u128::from_be_bytes)?,
            max_priority_fee_per_gas_wei: reader.array().map(u128::from_be_bytes)?,
        },
        txhash: decode_txhash(reader)?,
    }))
}

fn encode_txhash(txhash: Option<H256>, value: &mut Vec<u8>) {
    value.push(txhash.is_some().into());
    value.extend(txhash.iter().flat_map(H256::as_bytes));
}

fn decode_txhash(reader: &mut Reader<'_>) -> Result<Option<H256>, Malformed> {
    Ok(if reader.flag()? { Some(reader.hash()?) } else { None })
}

pub(crate) fn encode_duty(record: &DutyRecord, value: &mut Vec<u8>) {
    let outcome: u8 = match record.outcome {
        None => 0,
        Some(DutyOutcome::Done) => 1,
        Some(DutyOutcome::LostRace) => 2,
        Some(DutyOutcome::Reverted) => 3,
        Some(DutyOutcome::Expired) => 4,
        Some(DutyOutcome::Withdrawn) => 5,
        Some(DutyOutcome::TooExpensive) => 6,
        Some(DutyOutcome::DryRun) => 7,
    };
    value.extend([VERSION, outcome]);
    value.extend(record.account.as_bytes());
    value.extend(record.found_s.to_be_bytes());
    value.extend(record.due_s.to_be_bytes());
    value.put_uint(record.reward_wei);
    value.extend(record.gas_used.to_be_bytes());
    value.put_uint(record.cost_wei);
    value.extend(u64::try_from(record.reverts).unwrap_or(u64::MAX).to_be_bytes());
    encode_txhash(record.txhash, value);
    value.extend(record.ended_s.to_be_bytes());
    value.extend(record.ended_seq.to_be_bytes());
}

pub(crate) fn decode_duty(id: DutyId, value: &[u8]) -> Result<DutyRecord, Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    let outcome = match reader.u8()? {
        0 => None,
        1 => Some(DutyOutcome::Done),
        2 => Some(DutyOutcome::LostRace),
        3 => Some(DutyOutcome::Reverted),
        4 => Some(DutyOutcome::Expired),
        5 => Some(DutyOutcome::Withdrawn),
        6 => Some(DutyOutcome::TooExpensive),
        7 => Some(DutyOutcome::DryRun),
        _ => return Err("unknown outcome of a duty"),
    };
    let record = DutyRecord {
        id,
        account: reader.address()?,
        found_s: reader.u64()?,
        due_s: reader.u64()?,
        reward_wei: reader.uint()?,
        gas_used: reader.u64()?,
        cost_wei: reader.uint()?,
        reverts: usize::try_from(reader.u64()?).map_err(|_| "number beyond a count")?,
        txhash: decode_txhash(&mut reader)?,
        outcome,
        ended_s: reader.u64()?,
        ended_seq: reader.u64()?,
    };
    reader.end()?;
    Ok(record)
}

pub(crate) fn encode_spent(day: u64, wei: U256, value: &mut Vec<u8>) {
    value.push(VERSION);
    value.extend(day.to_be_bytes());
    value.put_last_uint(wei);
}

pub(crate) fn decode_spent(value: &[u8]) -> Result<(u64, U256), Malformed> {
    let mut reader = Reader::new(value, VERSION)?;
    Ok((reader.u64()?, reader.last_uint()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::records::tests::{Kind, written};
    use plasma_core::sentinel::Task;
    use plasma_core::wire::ExitId;

    const ID: DutyId = DutyId {
        exit_id: ExitId::from_bytes([5; 20]),
        cause: H256([6; 32]),
        task: Task::BlockInput { index: 3 },
    };

    fn nonce(fate: Fate, call: Option<Call>, offers: &[(Option<DutyId>, bool)]) -> NonceRecord {
        let offer = |(duty, is_fill): &(Option<DutyId>, bool)| Offer {
            duty: *duty,
            is_fill: *is_fill,
            gas_limit: 21_000,
            fees: GasFees { max_fee_per_gas_wei: u128::MAX, max_priority_fee_per_gas_wei: 1 },
            txhash: is_fill.then_some(H256([7; 32])),
        };
        let offers = offers.iter().map(offer).collect();
        NonceRecord { account: Address([8; 20]), nonce: 9, offers, call, fate }
    }

    fn nonces() -> Vec<NonceRecord> {
        let receipt = Receipt {
            eth_height: EthHeight::new(100),
            gas_used: 90_000,
            gas_price_wei: 7,
            succeeded: true,
        };
        let mined = Mined { txhash: H256([7; 32]), receipt, seen_s: 1_700_000_000 };
        let call = Call::DeleteNonPiggybackedInFlightExit { exit_id: ID.exit_id };
        vec![
            nonce(Fate::Open, Some(call), &[(Some(ID), false)]),
            nonce(Fate::Mined(mined), None, &[(Some(ID), false), (Some(ID), true)]),
            nonce(Fate::Foreign { at: EthHeight::new(1) }, None, &[(None, true)]),
        ]
    }

    /// Every kind of value of this file.
    pub(in crate::records) fn kinds() -> Vec<Kind> {
        let duty = DutyRecord {
            id: ID,
            account: Address([8; 20]),
            found_s: 1,
            due_s: 2,
            reward_wei: U256::MAX,
            gas_used: 3,
            cost_wei: U256::from(300),
            reverts: 4,
            txhash: Some(H256([7; 32])),
            outcome: Some(DutyOutcome::Reverted),
            ended_s: 5,
            ended_seq: 6,
        };
        let untouched = DutyRecord { txhash: None, outcome: None, ..duty.clone() };
        let mut kinds: Vec<Kind> = Vec::new();
        for record in nonces() {
            kinds.push((
                |value| {
                    let record = decode_nonce((Address([8; 20]), 9), value)?;
                    Ok(written(|v| encode_nonce(&record, v)))
                },
                written(|v| encode_nonce(&record, v)),
            ));
        }
        for record in [duty, untouched] {
            kinds.push((
                |value| decode_duty(ID, value).map(|found| written(|v| encode_duty(&found, v))),
                written(|v| encode_duty(&record, v)),
            ));
        }
        kinds.push((
            |value| decode_spent(value).map(|(day, wei)| written(|v| encode_spent(day, wei, v))),
            written(|v| encode_spent(u64::MAX, U256::from(300), v)),
        ));
        kinds
    }

    #[test]
    fn what_a_sentinel_cannot_have_written_is_damage() {
        let check = |record: &NonceRecord, tail: &[u8], expected| {
            let mut value = written(|v| encode_nonce(record, v));
            value.extend(tail);
            assert_eq!(decode_nonce((record.account, record.nonce), &value), Err(expected));
        };
        let none = nonce(Fate::Open, None, &[]);
        check(&none, &[], "nonce without an offer");
        check(&nonces()[1], &[0xc0], "malformed call");
        check(&nonces()[0], &[0], "malformed call");
    }
}

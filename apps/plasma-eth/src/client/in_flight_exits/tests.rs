//! Records of in-flight exits, from the tokens that the ABI makes of them.

use super::*;
use crate::contracts::abi::arg;
use plasma_core::wire::{Blknum, H256, OutputIndex, TxIndex};

fn share(number: u8) -> Token {
    let fields = match number {
        0 => [
            arg::h256(H256::zero()),
            arg::address(Address::zero()),
            arg::address(Address::zero()),
            arg::uint(0_u8),
            arg::uint(0_u8),
        ],
        _ => [
            arg::h256(H256::repeat_byte(number)),
            arg::address(Address::repeat_byte(number)),
            arg::address(Address::repeat_byte(0xcc)),
            arg::uint(100 + u64::from(number)),
            arg::uint(number),
        ],
    };
    Token::Tuple(fields.to_vec())
}

fn record(started_at_s: u64, position: U256, oldest: U256) -> Token {
    let shares = |numbers: [u8; 4]| Token::FixedArray(numbers.map(share).to_vec());
    Token::Tuple(vec![
        Token::Bool(true),
        arg::uint(started_at_s),
        arg::uint(0b0100_0001),
        Token::Uint(position),
        shares([1, 2, 0, 0]),
        shares([3, 4, 5, 0]),
        arg::address(Address::repeat_byte(0xb0)),
        arg::uint(37),
        Token::Uint(oldest),
    ])
}

fn read(tokens: Vec<Token>, exits: usize) -> Result<Vec<Option<InFlightExitRecord>>, &'static str> {
    read_in_flight_records(&mut Fields::new(vec![Token::Array(tokens)]), exits)
        .map_err(|cause| cause.code())
}

fn pos(blknum: u64, oindex: u16) -> UtxoPos {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(7), OutputIndex::new(oindex))
}

#[test]
fn records_are_read_field_by_field() {
    let position = pos(2000, 1);
    let shown = |number: u8| InFlightShareRecord {
        output_id: H256::repeat_byte(number),
        exit_target: Address::repeat_byte(number),
        currency: Address::repeat_byte(0xcc),
        amount: (100 + u64::from(number)).into(),
        piggyback_bond_wei: number.into(),
    };
    let competitor = pos(3000, 0);
    let included = OldestCompetitor::Included(TxPos {
        blknum: competitor.blknum,
        txindex: competitor.txindex,
    });
    for (oldest, oldest_competitor) in [
        (U256::zero(), OldestCompetitor::None),
        (U256::MAX, OldestCompetitor::NotIncluded),
        (competitor.encode().into(), included),
    ] {
        let token = record(9, position.encode().into(), oldest);
        let expected = InFlightExitRecord {
            is_canonical: true,
            started_at_s: 9,
            exit_map: 0b0100_0001.into(),
            position,
            inputs: vec![shown(1), shown(2)],
            outputs: vec![shown(3), shown(4), shown(5)],
            bond_owner: Address::repeat_byte(0xb0),
            bond_wei: 37.into(),
            oldest_competitor,
        };
        let nothing = record(0, U256::zero(), U256::zero());
        assert_eq!(read(vec![nothing, token], 2), Ok(vec![None, Some(expected)]));
    }
}

#[test]
fn the_exit_map_tells_what_is_piggybacked() {
    let token = record(9, pos(2000, 1).encode().into(), U256::zero());
    let record = read(vec![token], 1).unwrap().remove(0).unwrap();
    let sides: [fn(u16) -> PiggybackSlot; 2] = [PiggybackSlot::input, PiggybackSlot::output];
    let slots = (0..=8).chain([u16::MAX]).flat_map(|index| sides.map(|slot| slot(index)));
    let found: Vec<_> = slots.filter(|slot| record.is_piggybacked(*slot)).collect();
    assert_eq!(found, [PiggybackSlot::input(0), PiggybackSlot::output(2)]);
}

#[test]
fn wrong_answers_are_malformed() {
    let good = || record(9, pos(2000, 1).encode().into(), U256::zero());
    for (tokens, exits) in [
        (vec![], 1),
        (vec![good(), good()], 1),
        (vec![Token::Bool(true)], 1),
        (vec![record(9, U256::MAX, U256::zero())], 1),
        (vec![record(9, U256::one(), U256::MAX - 1)], 1),
    ] {
        assert_eq!(read(tokens, exits), Err("malformed_answer"));
    }
}

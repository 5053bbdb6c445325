//! Logs of in-flight exits: one of each kind, and what is refused.

use super::*;
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{InFlightExitChallenge, InFlightExitStart, PiggybackSlot};
use plasma_core::wire::TxIndex;

const POSITION: u64 = 2_000_000_030_000;

fn game(name: &str, values: &[Token]) -> Log {
    log(Contract::PaymentExitGame, addresses().payment_exit_game, name, values)
}

fn bytes(byte: u8) -> Token {
    Token::Bytes(vec![byte; 70])
}

fn hash() -> Token {
    Token::FixedBytes(vec![3; 32])
}

fn somebody() -> Token {
    Token::Address(Address::repeat_byte(9))
}

fn challenged(position: U256) -> Log {
    let position = Token::Uint(position);
    let values = [somebody(), hash(), position, uint(7), uint(1), bytes(4), uint(2), bytes(5)];
    game("InFlightExitChallenged", &values)
}

fn responded(position: u64) -> Log {
    game("InFlightExitChallengeResponded", &[somebody(), hash(), uint(position), uint(7)])
}

/// One log of each kind, and what it says.
pub(super) fn examples() -> Vec<(Log, RootChainEvent)> {
    let all = [started(), competing(None, U256::MAX)].into_iter();
    all.chain(piggybacks()).chain(payments()).chain(ends()).collect()
}

fn started() -> (Log, RootChainEvent) {
    let log = game(
        "InFlightExitStarted",
        &[
            somebody(),
            hash(),
            uint(7),
            uint(99),
            bytes(1),
            Token::Array(vec![uint(1_000_000_010_001), uint(POSITION)]),
            Token::Array(vec![bytes(27), bytes(28)]),
            Token::Array(vec![bytes(5), bytes(6)]),
        ],
    );
    let two = |one: u8, other: u8| vec![vec![one; 70].into(), vec![other; 70].into()];
    let event = InFlightExitStart {
        exit_id: ExitId::from_u256(7.into()),
        tx_hash: H256::repeat_byte(3),
        initiator: Address::repeat_byte(9),
        started_at_s: 99,
        tx_bytes: vec![1; 70].into(),
        input_positions: [1_000_000_010_001, u128::from(POSITION)]
            .map(|position| UtxoPos::decode(position).unwrap())
            .to_vec(),
        witnesses: two(27, 28),
        input_txs: two(5, 6),
    };
    (log, RootChainEvent::InFlightExitStarted(Box::new(event)))
}

fn competing(competing_tx_pos: Option<TxPos>, position: U256) -> (Log, RootChainEvent) {
    let event = InFlightExitChallenge {
        exit_id: ExitId::from_u256(7.into()),
        tx_hash: H256::repeat_byte(3),
        challenger: Address::repeat_byte(9),
        competing_tx_pos,
        input_index: 1,
        competing_tx: vec![4; 70].into(),
        competing_input_index: 2,
        competing_witness: vec![5; 70].into(),
    };
    (challenged(position), RootChainEvent::InFlightExitChallenged(Box::new(event)))
}

fn piggybacks() -> impl Iterator<Item = (Log, RootChainEvent)> {
    let exit_id = ExitId::from_u256(7.into());
    let (tx_hash, address) = (H256::repeat_byte(3), Address::repeat_byte(9));
    let sides =
        [("Input", PiggybackSlot::input(2)), ("Output", PiggybackSlot::output(2))].into_iter();
    sides.flat_map(move |(side, slot)| {
        let joined = [somebody(), hash(), uint(2), uint(7), uint(99)];
        let blocked = [somebody(), hash(), uint(2), uint(7)];
        [
            (
                game(&format!("InFlightExit{side}Piggybacked"), &joined),
                RootChainEvent::InFlightExitPiggybacked {
                    exit_id,
                    tx_hash,
                    slot,
                    exit_target: address,
                    exitable_at_s: 99,
                },
            ),
            (
                game(&format!("InFlightExit{side}Blocked"), &blocked),
                RootChainEvent::InFlightExitPiggybackBlocked {
                    exit_id,
                    tx_hash,
                    slot,
                    challenger: address,
                },
            ),
        ]
    })
}

fn payments() -> impl Iterator<Item = (Log, RootChainEvent)> {
    let exit_id = ExitId::from_u256(7.into());
    let sides =
        [("Input", PiggybackSlot::input(2)), ("Output", PiggybackSlot::output(2))].into_iter();
    sides.map(move |(side, slot)| {
        (
            game(&format!("InFlightExit{side}Withdrawn"), &[uint(7), uint(2)]),
            RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot },
        )
    })
}

fn ends() -> [(Log, RootChainEvent); 4] {
    let exit_id = ExitId::from_u256(7.into());
    let currency = Address::repeat_byte(8);
    let tx_pos = TxPos { blknum: Blknum::new(2_000), txindex: TxIndex::new(3) };
    [
        (
            responded(POSITION),
            RootChainEvent::InFlightExitChallengeResponded {
                exit_id,
                tx_hash: H256::repeat_byte(3),
                challenger: Address::repeat_byte(9),
                tx_pos,
            },
        ),
        (game("InFlightExitDeleted", &[uint(7)]), RootChainEvent::InFlightExitDeleted { exit_id }),
        (
            game("InFlightExitFinalized", &[uint(7)]),
            RootChainEvent::InFlightExitFinalized { exit_id },
        ),
        (
            game("InFlightExitOmitted", &[uint(7), Token::Address(currency)]),
            RootChainEvent::InFlightExitOmitted { exit_id, currency },
        ),
    ]
}

#[test]
fn a_competitor_is_in_a_block_or_in_none() {
    let at = TxPos { blknum: Blknum::new(2_000), txindex: TxIndex::new(3) };
    for (log, event) in [competing(Some(at), POSITION.into()), competing(None, U256::MAX)] {
        assert_eq!(reader().event(&log, &EVERY_KIND).unwrap().unwrap().event, event);
    }
}

#[test]
fn positions_that_no_transaction_has_are_refused() {
    for log in [
        challenged(U256::MAX - 1),
        challenged((POSITION + 1).into()),
        challenged(U256::from(180_143_985_095_u64) * 1_000_000_000),
        responded(POSITION + 1),
    ] {
        let error = reader().event(&log, &EVERY_KIND).unwrap_err();
        assert_eq!(error.code(), "malformed_answer", "{log:?}");
    }
}

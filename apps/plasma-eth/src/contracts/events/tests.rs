//! Logs as our contracts emit them, and everything that can be wrong with one.

use super::*;
use ethers::abi::Token;
use ethers::types::U64;
use proptest::prelude::*;

mod in_flight;

const EVERY_KIND: [EventKind; 18] = [
    EventKind::DepositCreated,
    EventKind::BlockSubmitted,
    EventKind::ExitStarted,
    EventKind::ExitChallenged,
    EventKind::ExitFinalized,
    EventKind::ExitOmitted,
    EventKind::InFlightExitStarted,
    EventKind::InFlightExitInputPiggybacked,
    EventKind::InFlightExitOutputPiggybacked,
    EventKind::InFlightExitInputBlocked,
    EventKind::InFlightExitOutputBlocked,
    EventKind::InFlightExitChallenged,
    EventKind::InFlightExitChallengeResponded,
    EventKind::InFlightExitInputWithdrawn,
    EventKind::InFlightExitOutputWithdrawn,
    EventKind::InFlightExitDeleted,
    EventKind::InFlightExitFinalized,
    EventKind::InFlightExitOmitted,
];

fn addresses() -> ContractAddresses {
    ContractAddresses {
        plasma_framework: Address::repeat_byte(1),
        eth_vault: Address::repeat_byte(2),
        erc20_vault: Address::repeat_byte(3),
        payment_exit_game: Address::repeat_byte(4),
    }
}

fn reader() -> LogReader {
    LogReader::new(&addresses()).unwrap()
}

/// A log of the event with these values, in the order of its parameters.
fn log(contract: Contract, emitter: Address, name: &str, values: &[Token]) -> Log {
    let abi = contract.artifact().unwrap().abi.event(name).unwrap();
    let (indexed, in_data): (Vec<_>, Vec<_>) =
        abi.inputs.iter().zip(values).partition(|(input, _)| input.indexed);
    let word = |token: &Token| H256::from_slice(&encode(std::slice::from_ref(token)));
    let topics = indexed.iter().map(|(_, token)| word(token));
    let data: Vec<_> = in_data.into_iter().map(|(_, token)| token.clone()).collect();
    Log {
        address: emitter,
        topics: std::iter::once(abi.signature()).chain(topics).collect(),
        data: encode(&data).into(),
        block_hash: Some(H256::repeat_byte(5)),
        block_number: Some(U64::from(50)),
        transaction_hash: Some(H256::repeat_byte(6)),
        log_index: Some(U256::from(7)),
        ..Log::default()
    }
}

fn uint(number: u64) -> Token {
    Token::Uint(number.into())
}

fn exit_started(output_tx: Vec<u8>) -> Log {
    let exit_id = (U256::one() << 160) - 1;
    log(
        Contract::PaymentExitGame,
        addresses().payment_exit_game,
        "ExitStarted",
        &[
            Token::Address(Address::repeat_byte(9)),
            Token::Uint(exit_id),
            uint(1_000_000_010_001),
            Token::Bytes(output_tx),
            uint(99),
        ],
    )
}

/// One log of each kind, and what it says.
fn examples() -> Vec<(Log, RootChainEvent)> {
    let address = Address::repeat_byte(9);
    let parts = addresses();
    let deposit = |contract, emitter, token: Address| {
        let values =
            [Token::Address(address), uint(2001), Token::Address(token), Token::Uint(U256::MAX)];
        (
            log(contract, emitter, "DepositCreated", &values),
            RootChainEvent::DepositCreated {
                depositor: address,
                blknum: Blknum::new(2001),
                currency: token,
                amount: U256::MAX,
            },
        )
    };
    let position = UtxoPos::decode(1_000_000_010_001).unwrap();
    let game = |name, values: &[Token]| {
        log(Contract::PaymentExitGame, parts.payment_exit_game, name, values)
    };
    let of_standard_exits = vec![
        deposit(Contract::EthVault, parts.eth_vault, Address::zero()),
        deposit(Contract::Erc20Vault, parts.erc20_vault, Address::repeat_byte(8)),
        (
            log(Contract::PlasmaFramework, parts.plasma_framework, "BlockSubmitted", &[uint(1000)]),
            RootChainEvent::BlockSubmitted { blknum: Blknum::new(1000) },
        ),
        (
            exit_started(vec![1; 70]),
            RootChainEvent::ExitStarted {
                owner: address,
                exit_id: ExitId::from_bytes([0xff; 20]),
                position,
                output_tx: vec![1; 70].into(),
                exitable_at_s: 99,
            },
        ),
        (
            game("ExitChallenged", &[uint(1_000_000_010_001)]),
            RootChainEvent::ExitChallenged { position },
        ),
        (
            game("ExitFinalized", &[uint(7)]),
            RootChainEvent::ExitFinalized { exit_id: ExitId::from_u256(7.into()) },
        ),
        (
            game("ExitOmitted", &[uint(8)]),
            RootChainEvent::ExitOmitted { exit_id: ExitId::from_u256(8.into()) },
        ),
    ];
    of_standard_exits.into_iter().chain(in_flight::examples()).collect()
}

#[test]
fn topics_are_those_of_contracts_v1_where_the_event_is() {
    for (kind, topic) in [
        (
            EventKind::DepositCreated,
            "18569122d84f30025bb8dffb33563f1bdbfb9637f21552b11b8305686e9cb307",
        ),
        (
            EventKind::BlockSubmitted,
            "5a978f4723b249ccf79cd7a658a8601ce1ff8b89fc770251a6be35216351ce32",
        ),
        (
            EventKind::ExitChallenged,
            "5dfba526c59b25f899f935c5b0d5b8739e97e4d89c38c158eca3192ea34b87d8",
        ),
        (
            EventKind::ExitFinalized,
            "0adb29b0831e081044cefe31155c1f2b2b85ad3613a480a5f901ee287addef55",
        ),
    ] {
        let (_, topics) = reader().filter(&[kind]);
        assert_eq!(topics.len(), 1);
        assert_eq!(const_hex::encode(topics[0]), topic, "{kind:?}");
    }
}

#[test]
fn one_filter_asks_for_all_kinds_and_contracts() {
    let parts = addresses();
    let (emitters, topics) = reader().filter(&EVERY_KIND);
    assert_eq!(
        emitters,
        [parts.plasma_framework, parts.eth_vault, parts.erc20_vault, parts.payment_exit_game]
    );
    assert_eq!(topics.len(), EVERY_KIND.len());
    let (emitters, topics) = reader().filter(&[EventKind::DepositCreated]);
    assert_eq!(emitters, [parts.eth_vault, parts.erc20_vault]);
    assert_eq!(topics.len(), 1);
}

#[test]
fn every_event_is_read() {
    for (log, event) in examples() {
        let found = reader().event(&log, &EVERY_KIND).unwrap().unwrap();
        let expected = EthEvent {
            eth_height: EthHeight::new(50),
            eth_block_hash: H256::repeat_byte(5),
            root_chain_txhash: H256::repeat_byte(6),
            log_index: 7,
            event,
        };
        assert_eq!(found, expected);
        let others: Vec<_> =
            EVERY_KIND.into_iter().filter(|kind| *kind != expected.event.kind()).collect();
        assert_eq!(reader().event(&log, &others), Ok(None));
    }
}

#[test]
fn the_same_event_of_another_contract_means_nothing() {
    for (log, event) in examples() {
        let parts = addresses();
        for emitter in [
            parts.plasma_framework,
            parts.eth_vault,
            parts.payment_exit_game,
            Address::repeat_byte(0xee),
        ] {
            let forged = Log { address: emitter, ..log.clone() };
            let deposits = event.kind() == EventKind::DepositCreated && emitter == parts.eth_vault;
            if emitter != log.address && !deposits {
                assert_eq!(reader().event(&forged, &EVERY_KIND), Ok(None), "{event:?}");
            }
        }
    }
}

#[test]
fn numbers_beyond_their_type_are_refused() {
    let parts = addresses();
    let game = |name, number: U256| {
        let values = [Token::Uint(number)];
        log(Contract::PaymentExitGame, parts.payment_exit_game, name, &values)
    };
    let block = |number: U256| {
        let values = [Token::Uint(number)];
        log(Contract::PlasmaFramework, parts.plasma_framework, "BlockSubmitted", &values)
    };
    for log in [
        game("ExitFinalized", U256::one() << 160),
        game("ExitChallenged", U256::MAX),
        game("ExitChallenged", U256::from(180_143_985_095_u64) * 1_000_000_000),
        block(U256::one() << 64),
        exit_started(vec![0; LOG_DATA_BYTES_MAX]),
    ] {
        let error = reader().event(&log, &EVERY_KIND).unwrap_err();
        assert_eq!(error.code(), "malformed_answer", "{log:?}");
    }
}

#[test]
fn receipts_tell_more_than_events() {
    let parts = addresses();
    let owner = Address::repeat_byte(9);
    let token = Address::repeat_byte(8);
    let credit = |source| ReceiptNote::CreditAdded { source, owner, amount: 5.into() };
    let (of_owner, amount) = (Token::Address(owner), uint(5));
    for (contract, emitter, name, values, expected) in [
        (
            Contract::PlasmaFramework,
            parts.plasma_framework,
            "ProcessedExitsNum",
            vec![uint(3), uint(1), Token::Address(Address::zero())],
            ReceiptNote::ExitsProcessed { count: 3 },
        ),
        (
            Contract::EthVault,
            parts.eth_vault,
            "CreditAdded",
            vec![of_owner.clone(), amount.clone()],
            credit(CreditSource::EthVault),
        ),
        (
            Contract::Erc20Vault,
            parts.erc20_vault,
            "CreditAdded",
            vec![of_owner.clone(), Token::Address(token), amount.clone()],
            credit(CreditSource::Erc20Vault(token)),
        ),
        (
            Contract::PaymentExitGame,
            parts.payment_exit_game,
            "CreditAdded",
            vec![of_owner.clone(), amount.clone()],
            credit(CreditSource::ExitGame),
        ),
    ] {
        let log = log(contract, emitter, name, &values);
        assert_eq!(reader().note(&log), Ok(Some(expected)));
        assert_eq!(reader().event(&log, &EVERY_KIND), Ok(None));
    }
    for (log, _) in examples() {
        assert_eq!(reader().note(&log), Ok(None));
    }
}

fn event_at(height: u64, hash: u8, log_index: u32) -> EthEvent {
    EthEvent {
        eth_height: EthHeight::new(height),
        eth_block_hash: H256::repeat_byte(hash),
        root_chain_txhash: H256::zero(),
        log_index,
        event: RootChainEvent::BlockSubmitted { blknum: Blknum::new(1000) },
    }
}

#[test]
fn events_are_put_in_chain_order_once_each() {
    let mut events =
        vec![event_at(2, 2, 0), event_at(1, 1, 5), event_at(1, 1, 3), event_at(1, 1, 5)];
    in_chain_order(&mut events).unwrap();
    assert_eq!(events, [event_at(1, 1, 3), event_at(1, 1, 5), event_at(2, 2, 0)]);
    let mut two_histories = vec![event_at(1, 1, 0), event_at(1, 2, 1)];
    assert_eq!(in_chain_order(&mut two_histories), Err(RootChainCause::HistoryChanged));
    let mut other = event_at(1, 1, 0);
    other.root_chain_txhash = H256::repeat_byte(9);
    let contradiction = in_chain_order(&mut vec![event_at(1, 1, 0), other]);
    assert_eq!(contradiction.unwrap_err().code(), "malformed_answer");
}

proptest! {
    /// Whatever is done to the bytes of a log, it is read back as exactly those bytes, or refused, or not ours any more.
    #[test]
    fn a_mutated_log_is_read_exactly_or_refused(
        example in 0_usize..18, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()), extra in proptest::collection::vec(any::<u8>(), 0..40),
        drop_topic: bool,
    ) {
        let (mut mutated, event) = examples().swap_remove(example);
        let name = mutated.topics[0];
        let mut data = mutated.data.to_vec();
        for (at, byte) in flips {
            // Topics and data as one run of bytes.
            let at = at.index(32 * mutated.topics.len() + data.len());
            match mutated.topics.get_mut(at / 32) {
                Some(topic) => topic.0[at % 32] = byte,
                None => data[at - 32 * mutated.topics.len()] = byte,
            }
        }
        if let Some(cut) = cut {
            data.truncate(cut.index(data.len() + 1));
        }
        data.extend(extra);
        mutated.data = data.into();
        if drop_topic {
            mutated.topics.pop();
        }
        match reader().event(&mutated, &EVERY_KIND) {
            Ok(Some(read)) => {
                prop_assert_eq!(read.event.kind(), event.kind());
                let (original, _) = examples().swap_remove(example);
                let again = reader().event(&original, &EVERY_KIND).unwrap().unwrap();
                let same_bytes = mutated.topics == original.topics && mutated.data == original.data;
                prop_assert_eq!(read == again, same_bytes);
            }
            Ok(None) => prop_assert!(mutated.topics.first() != Some(&name)),
            Err(cause) => prop_assert_eq!(cause.code(), "malformed_answer"),
        }
        prop_assert!(reader().note(&mutated).is_ok());
    }
}

//! An informational watcher that knows one output, one transaction, one block and one deposit.

use super::{Context, Node, context, known_position, start};
use plasma_core::journal::Topic;
use plasma_core::wire::{
    Address, Blknum, Currency, ETH, EthHeight, H256, Output, PaymentTx, Transaction, TxIndex,
    TypedDataDomain, TypedTx, U256, UtxoPos,
};
use plasma_rpc::child_chain::SubmitAnswer;
use plasma_rpc::client::ClientError;
use plasma_rpc::info::{
    self, AddressWatch, Balance, Block, Count, CreateResult, Created, CreatedFee, CreatedOutput,
    Creation, DbLag, Deposit, DepositEvent, FeeChange, InclusionReference, Interval, MergeParams,
    Merges, MissingFunds, ProofSubject, Stats, Tx, TypedData, UtcTime, Utxo,
};
use plasma_rpc::params::{ParamError, Validator};
use plasma_rpc::server::{Limits, MethodTable};
use plasma_rpc::subscription::{EventObject, TopicName};
use plasma_rpc::{RpcError, Service, codes};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Somebody for whom the database cannot be asked.
const UNLUCKY: Address = plasma_core::wire::ETH;
const LEARNED_AT: UtcTime = UtcTime(1_581_336_452);

pub(crate) async fn info() -> Node {
    let context = context();
    let table = MethodTable::new(Service::WatcherInfo, Arc::clone(&context));
    start(Limits::default(), extras(spending(lists(table))), context).await
}

fn lists(table: MethodTable<Context>) -> MethodTable<Context> {
    table
        .on(&info::ACCOUNT_GET_BALANCE, |_, params| async move {
            if params.address == UNLUCKY {
                return Err(RpcError::from(codes::WATCHER_DB_UNAVAILABLE).with_messages(&DbLag {
                    lag_blocks: Some(12),
                    last_indexed_child_block_number: Blknum::new(1_000),
                    reason: "it does not answer".to_owned(),
                }));
            }
            Ok(vec![Balance { currency: ETH, amount: U256::MAX }])
        })
        .on(&info::ACCOUNT_GET_UTXOS, |_, params| async move {
            let rows = vec![utxo(params.address)];
            Ok(params.paging.answer(rows, |_| vec![1_000, 2, 1]))
        })
        .on(&info::ACCOUNT_GET_TRANSACTIONS, |_, params| async move {
            Ok(params.paging.answer(vec![], |_: &Tx| vec![]))
        })
        .on(&info::TRANSACTION_ALL, |_, params| async move {
            let rows = params.txtypes.is_empty().then(tx).into_iter().collect();
            Ok(params.paging.answer(rows, |_| vec![1_000, 2]))
        })
        .on(&info::TRANSACTION_GET, |_, params| async move {
            match params.id == tx().txhash {
                true => Ok(tx()),
                false => Err(codes::TRANSACTION_NOT_FOUND.into()),
            }
        })
        .on(&info::BLOCK_ALL, |_, params| async move {
            Ok(params.paging.answer(vec![block()], |_| vec![1_000]))
        })
        .on(&info::BLOCK_GET, |_, params| async move {
            match params == info::BlockParams::number(block().blknum) {
                true => Ok(block()),
                false => Err(RpcError::reason("block_not_found")),
            }
        })
        .on(&info::DEPOSIT_ALL, |_, params| async move {
            Ok(params.paging.answer(vec![deposit(params.address)], |_| vec![100, 3]))
        })
        .on(&info::STATS_GET, |_, _| async {
            Ok(Stats {
                transaction_count: Count { all_time: 5, last_24_hours: 1 },
                block_count: Count { all_time: 2, last_24_hours: 1 },
                average_block_interval_seconds: Interval {
                    all_time: Some(60.5),
                    last_24_hours: None,
                },
            })
        })
        .on(&info::UTXO_GET, |_, params| async move {
            match params.position() == Some(known_position()) {
                true => Ok(utxo(Address::repeat_byte(0xaa))),
                false => Err(codes::UTXO_NOT_FOUND.into()),
            }
        })
}

fn deposit(owner: Address) -> Deposit {
    let position = UtxoPos::deposit(Blknum::new(1));
    let output = Utxo {
        blknum: position.blknum,
        txindex: position.txindex,
        oindex: position.oindex,
        utxo_pos: position,
        creating_txhash: None,
        ..utxo(owner)
    };
    Deposit {
        event_type: DepositEvent::Deposit,
        root_chain_txhash: H256::repeat_byte(0x7c),
        log_index: 3,
        eth_height: EthHeight::new(100),
        txoutputs: vec![output],
        inserted_at: LEARNED_AT,
        updated_at: LEARNED_AT,
    }
}

fn spending(table: MethodTable<Context>) -> MethodTable<Context> {
    table
        .on(&info::TRANSACTION_CREATE, |_, params| async move {
            let Some(payment) = params.payments.first() else {
                return Err(RpcError::reason("empty_transaction"));
            };
            if payment.currency != ETH {
                let missing = MissingFunds { token: payment.currency, missing: payment.amount };
                return Err(RpcError::from(codes::INSUFFICIENT_FUNDS).with_messages(&[missing]));
            }
            if params.fee.currency != ETH {
                return Err(RpcError::reason("unexpected_fee_currency"));
            }
            let output = Output::payment(payment.owner, payment.currency, payment.amount);
            let created = created(params.owner, output, params.metadata);
            Ok(Creation { result: CreateResult::Complete, transactions: vec![created] })
        })
        .on(&info::TRANSACTION_MERGE, |_, params| async move {
            let owner = match params {
                MergeParams::Account { address, .. } => address,
                MergeParams::Positions { utxo_positions } => {
                    let unknown = utxo_positions.contains(&None);
                    let reason = if unknown { "position_not_found" } else { "single_input" };
                    return Err(RpcError::reason(reason));
                }
            };
            let output = Output::payment(owner, ETH, 10.into());
            Ok(Merges { transactions: vec![created(owner, output, Some(H256::zero()))] })
        })
        .on(&info::TRANSACTION_SUBMIT_TYPED, |_, params| async move {
            if params.domain != info::TypedDataDomain::of(framework()) {
                let validator = Validator::DomainSeparatorMismatch;
                return Err(ParamError { parameter: "domain".to_owned(), validator }.into());
            }
            let signed = TypedTx::from(params.message).sign(&params.signatures)?;
            if signed.signatures().len() != signed.transaction().inputs().len() {
                return Err(RpcError::reason("missing_signature"));
            }
            let (blknum, txindex) = (Blknum::new(2_000), TxIndex::new(7));
            Ok(SubmitAnswer { blknum, txindex, txhash: signed.hash() })
        })
        .on(&info::FEES_ALL, |_, _| async move {
            let unreachable =
                ClientError::Unreachable { url: String::new(), reason: String::new() };
            Err::<plasma_rpc::child_chain::FeesAnswer, _>(unreachable.into())
        })
}

fn extras(table: MethodTable<Context>) -> MethodTable<Context> {
    table
        .on(&info::PROOF_GET, |_, params| async move {
            match params.subject() {
                ProofSubject::Output(Some(position)) if position == known_position() => {
                    Ok(InclusionReference {
                        txhash: tx().txhash,
                        txbytes: vec![0xf8, 0x01],
                        blknum: Blknum::new(1_000),
                        txindex: TxIndex::new(2),
                        proof: vec![0xab; 4],
                        block_hash: H256::repeat_byte(0x11),
                        plasma_framework: framework(),
                        eth_height: Some(EthHeight::new(100)),
                        timestamp: None,
                    })
                }
                _ => Err(codes::PROOF_NOT_FOUND.into()),
            }
        })
        .on(&info::FEES_HISTORY, |_, params| async move {
            let change = |sequence, amount| FeeChange {
                sequence,
                txtype: 1,
                currency: ETH,
                amount,
                inserted_at: LEARNED_AT,
            };
            let changes = vec![change(2, None), change(1, Some(U256::MAX))];
            Ok(params.paging.answer(changes, |change| vec![change.sequence]))
        })
        .on(&info::ADDRESS_WATCH, |_, params| async move {
            let topic = TopicName(Topic::Transfer(params.address));
            let data = RawValue::from_string(r#"{"type":"deposit"}"#.to_owned()).unwrap();
            let event = EventObject::new(topic, 7, 1_581_336_452_000, data);
            Ok(AddressWatch { topic, head: 9, next: 8, events: vec![event] })
        })
}

fn framework() -> Address {
    Address::repeat_byte(1)
}

fn utxo(owner: Address) -> Utxo {
    let position = known_position();
    Utxo {
        blknum: position.blknum,
        txindex: position.txindex,
        oindex: position.oindex,
        otype: 1,
        utxo_pos: position,
        owner,
        currency: ETH,
        amount: U256::MAX,
        creating_txhash: Some(H256::repeat_byte(0x33)),
        spending_txhash: None,
        inserted_at: LEARNED_AT,
        updated_at: UtcTime(LEARNED_AT.0 + 1),
    }
}

fn tx() -> Tx {
    Tx {
        txindex: TxIndex::new(2),
        txhash: H256::repeat_byte(0x33),
        txtype: 3,
        txbytes: vec![0xf8, 0x01],
        metadata: None,
        block: block(),
        inputs: vec![],
        outputs: vec![utxo(Address::repeat_byte(0xaa))],
        inserted_at: LEARNED_AT,
        updated_at: LEARNED_AT,
    }
}

fn block() -> Block {
    Block {
        blknum: Blknum::new(1_000),
        hash: H256::repeat_byte(0x11),
        eth_height: EthHeight::new(100),
        timestamp: 1_581_336_440,
        tx_count: 3,
        inserted_at: LEARNED_AT,
        updated_at: LEARNED_AT,
    }
}

fn created(owner: Address, output: Output, metadata: Option<H256>) -> Created {
    let tx = PaymentTx {
        inputs: [known_position().into()].into_iter().collect(),
        outputs: [output].into_iter().collect(),
        metadata: metadata.unwrap_or_default(),
    };
    let Output { amount, currency, owner: receiver, .. } = output;
    Created {
        inputs: vec![utxo(owner)],
        outputs: vec![CreatedOutput { amount, currency, owner: receiver }],
        fee: CreatedFee { amount: U256::zero(), currency: Currency::zero() },
        metadata,
        sign_hash: TypedDataDomain::new(framework()).sign_hash(&tx),
        typed_data: TypedData::of(&tx, framework()),
        txbytes: Transaction::Payment(tx).encode_unsigned(),
    }
}

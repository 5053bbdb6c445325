//! A child chain and a watcher that answer without a ledger, to test everything around it.

mod in_flight;
mod info;

pub(crate) use info::info;

use plasma_core::db_update::TxPos;
use plasma_core::fees::parse_fee_specs;
use plasma_core::state::{Accepted, ExecError};
use plasma_core::wire::{
    Address, Blknum, ETH, EthHeight, ExitId, H256, Output, OutputIndex, PaymentTx, Signature,
    SignedTx, Transaction, TxIndex, U256, UtxoPos,
};
use plasma_rpc::alarm::{Alarm, AlarmName, RaisedBy};
use plasma_rpc::child_chain::{
    self, BatchItem, BlockAnswer, Configuration, FeesAnswer, SubmitAnswer,
};
use plasma_rpc::client::ClientError;
use plasma_rpc::params::{NoParams, ParamError, RawParams, RequestParams};
use plasma_rpc::server::{Limits, MethodTable, Probes, Server, ServerConfig};
use plasma_rpc::watcher::{
    self, BlockValidity, BlockWithholding, ByzantineEvent, ChallengeData, ContractAddresses,
    ExitData, ExitEvent, ExitableUtxo, InFlightExitStatus, InvalidBlock, SentinelAnswer,
    SentinelDuty, SentinelDutyId, SentinelRecord, ServiceHeight, Status, WatcherConfiguration,
};
use plasma_rpc::{Endpoint, ErrorBody, Rendered, RpcError, Service};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// A running server and what a test can do to it.
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    pub(crate) context: Arc<Context>,
    pub(crate) alarms: Arc<Mutex<Vec<Alarm>>>,
}

/// What handlers share.
pub(crate) struct Context {
    /// The block that there is.
    pub(crate) block: Rendered<BlockAnswer>,
    /// `test.wait` takes one of these to return.
    pub(crate) released: Semaphore,
    /// Counts the `test.wait` calls that have begun.
    pub(crate) waiting: Semaphore,
    /// Set by `test.mark`.
    pub(crate) marked: AtomicBool,
}

/// Methods that no server has.
pub(crate) const PANIC: Endpoint<NoParams, u8> = Endpoint::post("test.panic", "panic");
pub(crate) const WAIT: Endpoint<NoParams, u8> =
    Endpoint::post("test.wait", "wait").in_flight_max(8);
pub(crate) const MARK: Endpoint<NoParams, u8> = Endpoint::post("test.mark", "mark");
pub(crate) const LONG: Endpoint<LenParams, String> = Endpoint::post("test.long", "long");

/// Asks for an answer of so many bytes.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(crate) struct LenParams {
    pub(crate) len: u64,
}

impl RequestParams for LenParams {
    const NAMES: &'static [&'static str] = &["len"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        Ok(Self { len: raw.field("len").pos_integer()?.low_u64() })
    }
}

pub(crate) const VERSION: &str = "0.1.0+1a2b3c4";

pub(crate) fn config(limits: Limits) -> ServerConfig {
    ServerConfig { limits, ..ServerConfig::new(([127, 0, 0, 1], 0).into(), VERSION) }
}

pub(crate) async fn child_chain() -> Node {
    child_chain_with(Limits::default()).await
}

pub(crate) async fn child_chain_with(limits: Limits) -> Node {
    let context = context();
    let table = MethodTable::new(Service::ChildChain, Arc::clone(&context))
        .on(&child_chain::BLOCK_GET, |context, params| async move {
            if params.hash == known_hash() {
                return Ok(context.block.clone());
            }
            Err(RpcError::reason("not_found"))
        })
        .on(&child_chain::TRANSACTION_SUBMIT, |_, params| async move {
            let tx = decode(&params.transaction)?;
            execute(&tx).map(SubmitAnswer::from).map_err(RpcError::from)
        })
        .on(&child_chain::TRANSACTION_BATCH_SUBMIT, |_, params| async move {
            let decoded: Result<Vec<_>, _> =
                params.transactions.iter().map(|bytes| decode(bytes)).collect();
            Ok(decoded?.iter().map(|tx| BatchItem::from(execute(tx))).collect::<Vec<_>>())
        })
        .on(&child_chain::FEES_ALL, |_, params| async move {
            FeesAnswer::filtered(&parse_fee_specs(FEE_SPECS).unwrap(), &params)
        })
        .on(&child_chain::CONFIGURATION_GET, |_, _| async {
            Ok(Configuration {
                deposit_finality_margin: 10,
                contract_semver: "1.0.4+a69c763".into(),
                network: "LOCALCHAIN".into(),
            })
        });
    start(limits, with_test_methods(table), context).await
}

pub(crate) async fn watcher() -> Node {
    let context = context();
    let table = in_flight::methods(MethodTable::new(Service::Watcher, Arc::clone(&context)))
        .on(&watcher::STATUS_GET, |_, _| async { Ok(status()) })
        .on(&watcher::CONFIGURATION_GET, |_, _| async {
            Ok(WatcherConfiguration {
                deposit_finality_margin: 10,
                contract_semver: "1.0.4+a69c763".into(),
                network: "LOCALCHAIN".into(),
                exit_processor_sla_margin: 5_520,
            })
        })
        .on(&watcher::ACCOUNT_GET_EXITABLE_UTXOS, |_, params| async move {
            Ok(vec![exitable(params.address)])
        })
        .on(&watcher::BLOCK_VALIDATE, |_, params| async move {
            let valid =
                (1..=child_chain::BLOCK_TRANSACTIONS_MAX).contains(&params.transactions.len());
            Ok(BlockValidity { valid })
        })
        .on(&watcher::UTXO_GET_EXIT_DATA, |_, params| async move {
            match params.position() {
                Some(position) if position == known_position() => Ok(ExitData {
                    utxo_pos: position,
                    txbytes: vec![0xf8, 0x01],
                    proof: vec![0xab; 4],
                }),
                _ => Err(RpcError::reason("utxo_not_found")),
            }
        })
        .on(&watcher::UTXO_GET_CHALLENGE_DATA, |_, params| async move {
            match params.position() {
                Some(position) if position == known_position() => Ok(ChallengeData {
                    exit_id: ExitId::from_bytes([0xff; 20]),
                    exiting_tx: vec![0xf8, 0x01],
                    txbytes: vec![0xf8, 0x02],
                    input_index: 0,
                    sig: vec![0x1b; 65],
                }),
                Some(_) => Err(RpcError::reason("utxo_not_spent")),
                None => Err(RpcError::reason("exit_not_found")),
            }
        })
        .on(&watcher::SENTINEL_GET, |_, _| async { Ok(sentinel()) })
        .on(&watcher::TRANSACTION_SUBMIT, |_, params| async move {
            let tx = decode(&params.transaction)?;
            execute(&tx).map(SubmitAnswer::from).map_err(|error| {
                RpcError::client_error(&ErrorBody {
                    code: format!("submit:{error}"),
                    description: None,
                    messages: None,
                })
            })
        })
        .on(&watcher::TRANSACTION_BATCH_SUBMIT, |_, _| async move {
            let unreachable =
                ClientError::Unreachable { url: String::new(), reason: String::new() };
            Err::<Vec<_>, _>(unreachable.into())
        });
    start(Limits::default(), with_test_methods(table), context).await
}

async fn start(limits: Limits, table: MethodTable<Context>, context: Arc<Context>) -> Node {
    let alarms = Arc::new(Mutex::new(Vec::new()));
    let raised = Arc::clone(&alarms);
    let probes = Probes {
        alarms: Arc::new(move || raised.lock().unwrap().clone()),
        metrics: Arc::new(|| "# EOF\n".into()),
    };
    let server = Server::start(config(limits), table, probes).await.unwrap();
    Node { addr: server.local_addr(), server, context, alarms }
}

impl Node {
    pub(crate) fn raise(&self, name: AlarmName) {
        let raised_by = RaisedBy { node: "node@test".into(), reporter: "test".into() };
        self.alarms.lock().unwrap().push(Alarm::new(name, raised_by));
    }
}

fn context() -> Arc<Context> {
    let transactions = [vec![0xf8, 0x01], vec![0xab, 0xcd, 0xef]];
    let block = BlockAnswer::render(Blknum::new(1_000), known_hash(), &transactions);
    Arc::new(Context {
        block: block.unwrap(),
        released: Semaphore::new(0),
        waiting: Semaphore::new(0),
        marked: AtomicBool::new(false),
    })
}

fn with_test_methods(table: MethodTable<Context>) -> MethodTable<Context> {
    table
        .on(&PANIC, |_, _| async {
            if VERSION.is_empty() {
                return Ok(0_u8);
            }
            panic!("this handler always panics")
        })
        .on(&WAIT, |context, _| async move {
            context.waiting.add_permits(1);
            context.released.acquire().await.unwrap().forget();
            Ok(1_u8)
        })
        .on(&MARK, |context, _| async move {
            context.marked.store(true, Ordering::Relaxed);
            Ok(1_u8)
        })
        .on(&LONG, |_, params| async move { Ok("x".repeat(usize::try_from(params.len).unwrap())) })
}

/// Decodes like both servers do.
fn decode(bytes: &[u8]) -> Result<SignedTx, RpcError> {
    let tx = SignedTx::decode(bytes)?;
    match tx.transaction() {
        Transaction::Payment(_) => Ok(tx),
        Transaction::FeeClaim(_) => Err(RpcError::reason("transaction_not_supported")),
    }
}

/// A ledger in which only inputs of block 1000 exist.
fn execute(tx: &SignedTx) -> Result<Accepted, ExecError> {
    let input = tx.transaction().inputs().first().and_then(|input| input.position());
    let position = input.unwrap_or_default();
    if position.blknum != Blknum::new(1_000) {
        return Err(ExecError::UtxoNotFound { position });
    }
    let at = TxPos { blknum: Blknum::new(2_000), txindex: TxIndex::new(7) };
    Ok(Accepted { tx_hash: tx.hash(), blknum: at.blknum, txindex: at.txindex })
}

/// Signed bytes of a payment of an output of this block.
pub(crate) fn payment(blknum: u64) -> Vec<u8> {
    let input = UtxoPos::deposit(Blknum::new(blknum));
    let output = Output::payment(Address::repeat_byte(0xaa), ETH, U256::from(10));
    Transaction::Payment(PaymentTx {
        inputs: [input.into()].into_iter().collect(),
        outputs: [output].into_iter().collect(),
        metadata: H256::zero(),
    })
    .encode_signed(&[Signature::from_bytes([1; 65])])
}

/// Signed bytes of a fee claim.
pub(crate) fn fee_claim() -> Vec<u8> {
    let claimer = Address::repeat_byte(0xfe);
    Transaction::fee_claim(Blknum::new(1_000), claimer, ETH, U256::one()).encode_signed(&[])
}

pub(crate) fn known_hash() -> H256 {
    H256::repeat_byte(0x11)
}

pub(crate) fn known_position() -> UtxoPos {
    UtxoPos::new(Blknum::new(1_000), TxIndex::new(2), OutputIndex::new(1))
}

const FEE_SPECS: &str = r#"{
  "1": {
    "0x0000000000000000000000000000000000000000": {
      "amount": 115792089237316195423570985008687907853269984665640564039457584007913129639935,
      "subunit_to_unit": 1000000000000000000, "pegged_amount": 0.33, "pegged_currency": "USD",
      "pegged_subunit_to_unit": 100, "updated_at": "2020-02-10T13:07:32.123+01:00", "type": "pegged", "symbol": "ETH"
    },
    "11B7592274B344A6be0Ace7E5D5dF4348473e2fa": {
      "amount": 2, "subunit_to_unit": 1, "pegged_amount": null, "pegged_currency": null,
      "pegged_subunit_to_unit": null, "updated_at": "2020-02-10T12:07:32Z", "type": "fixed"
    }
  },
  "2": {}
}"#;

fn exitable(owner: Address) -> ExitableUtxo {
    ExitableUtxo {
        blknum: Blknum::new(1_000),
        txindex: TxIndex::new(2),
        oindex: OutputIndex::new(1),
        otype: 1,
        owner,
        currency: ETH,
        amount: U256::MAX,
        utxo_pos: known_position(),
    }
}

pub(crate) fn status() -> Status {
    let hash = H256::repeat_byte(0x22);
    let exit = ExitEvent {
        amount: U256::MAX,
        currency: ETH,
        owner: Address::repeat_byte(0xaa),
        eth_height: EthHeight::new(100),
        utxo_pos: known_position(),
        root_chain_txhash: hash,
        scheduled_finalization_time: 1_581_336_452,
        spending_txhash: None,
    };
    Status {
        last_validated_child_block_number: Blknum::new(10_000),
        last_validated_child_block_timestamp: 1_535_031_020,
        last_mined_child_block_number: Blknum::new(11_000),
        last_mined_child_block_timestamp: 1_535_031_080,
        last_seen_eth_block_number: EthHeight::new(4_427_041),
        last_seen_eth_block_timestamp: 1_535_031_090,
        eth_syncing: true,
        byzantine_events: vec![
            ByzantineEvent::InvalidExit(exit),
            ByzantineEvent::UnchallengedExit(ExitEvent { spending_txhash: Some(hash), ..exit }),
            ByzantineEvent::InvalidBlock(InvalidBlock {
                hash,
                blknum: Blknum::new(10_000),
                error_type: "tx_execution".into(),
            }),
            ByzantineEvent::BlockWithholding(BlockWithholding {
                blknum: Blknum::new(11_000),
                hash,
            }),
        ],
        in_flight_exits: vec![InFlightExitStatus {
            txhash: hash,
            txbytes: vec![0xf8],
            eth_height: EthHeight::new(100),
            piggybacked_inputs: vec![1],
            piggybacked_outputs: vec![0, 1],
        }],
        contract_addr: ContractAddresses {
            plasma_framework: Address::repeat_byte(1),
            eth_vault: Address::repeat_byte(2),
            erc20_vault: Address::repeat_byte(3),
            payment_exit_game: Address::repeat_byte(4),
        },
        services_synced_heights: vec![ServiceHeight {
            service: "root_chain_height".into(),
            height: EthHeight::new(4_427_041),
        }],
    }
}

/// A Sentinel with one duty that goes on and one that ended.
pub(crate) fn sentinel() -> SentinelAnswer {
    let duty = |task: &str, index| SentinelDutyId {
        task: task.to_owned(),
        index,
        exit_id: ExitId::from_bytes([0xff; 20]),
        cause: H256::repeat_byte(0xca),
    };
    let account = Address::repeat_byte(0x5e);
    SentinelAnswer {
        account,
        dry_run: false,
        halt: None,
        balance_wei: Some(U256::MAX),
        spent_today_wei: 2_000_000_000_000_000_u64.into(),
        promised_wei: 1_000_000_000_000_000_u64.into(),
        in_flight: 1,
        duties: vec![SentinelDuty {
            duty: duty("block_input", Some(1)),
            call: "challengeInFlightExitInputSpent".to_owned(),
            due: 1_535_031_200,
            urgency: "pressing".to_owned(),
            cost_wei_max: 50_000_000_000_000_000_u64.into(),
            cost_wei: U256::zero(),
            phase: "in_flight".to_owned(),
            detail: Some("nonce 7, offer 2: up to 60000000000 wei per gas".to_owned()),
            txhash: None,
        }],
        history: vec![SentinelRecord {
            duty: duty("challenge_standard_exit", None),
            account,
            found: 1_535_031_020,
            due: 1_535_031_140,
            ended: 1_535_031_032,
            reward_wei: 14_000_000_000_000_000_u64.into(),
            gas_used: 102_000,
            cost_wei: 2_000_000_000_000_000_u64.into(),
            reverts: 0,
            txhash: Some(H256::repeat_byte(0x7c)),
            outcome: "done".to_owned(),
        }],
    }
}

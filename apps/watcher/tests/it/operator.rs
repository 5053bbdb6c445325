//! An operator who serves what the test says: nothing, the truth, or a lie, at any pace.

use plasma_core::fees::parse_fee_specs;
use plasma_core::wire::{Block, BlockHash};
use plasma_rpc::child_chain::{
    BatchItem, BatchSubmitParams, BlockGetParams, FEES_ALL, FeesAllParams, FeesAnswer,
    SubmitAnswer, SubmitParams, TRANSACTION_BATCH_SUBMIT, TRANSACTION_SUBMIT,
};
use plasma_rpc::endpoint::Endpoint;
use plasma_rpc::server::{MethodTable, Probes, Server, ServerConfig};
use plasma_rpc::{RpcError, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// What is answered to a question for a block.
#[derive(Clone, Debug)]
pub(crate) enum Serving {
    /// Any JSON, at once.
    Json(Value),
    /// Nothing, ever: the call hangs.
    Hangs,
}

/// What is answered to a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Taking {
    /// It is accepted, there.
    Accepts(SubmitAnswer),
    /// It is refused for this reason.
    Refuses(&'static str),
}

/// What the operator does, shared with the handlers.
#[derive(Debug)]
pub(crate) struct Behaviour {
    blocks: Mutex<BTreeMap<BlockHash, Serving>>,
    taking: Mutex<Taking>,
    /// Every transaction that arrived.
    pub(crate) taken: Mutex<Vec<Vec<u8>>>,
}

/// The operator's server, which can go away and come back.
pub(crate) struct Operator {
    pub(crate) behaviour: Arc<Behaviour>,
    pub(crate) addr: SocketAddr,
    server: Option<Server>,
}

/// The method as it is, with room for answers that are no block.
const ANY_BLOCK: Endpoint<BlockGetParams, Value> = Endpoint::post("block.get", "get_block");

impl Operator {
    pub(crate) async fn start() -> Self {
        let behaviour = Arc::new(Behaviour {
            blocks: Mutex::default(),
            taking: Mutex::new(Taking::Refuses("utxo_not_found")),
            taken: Mutex::default(),
        });
        let server = serve(([127, 0, 0, 1], 0).into(), &behaviour).await;
        Self { behaviour, addr: server.local_addr(), server: Some(server) }
    }

    /// Serves this as the block with this root.
    pub(crate) fn serve(&self, root: BlockHash, block: &Block) {
        self.answer(root, Serving::Json(json_of(block)));
    }

    pub(crate) fn answer(&self, root: BlockHash, serving: Serving) {
        self.behaviour.blocks.lock().unwrap().insert(root, serving);
    }

    /// Serves nothing under this root.
    pub(crate) fn hide(&self, root: BlockHash) {
        self.behaviour.blocks.lock().unwrap().remove(&root);
    }

    pub(crate) fn take(&self, taking: Taking) {
        *self.behaviour.taking.lock().unwrap() = taking;
    }

    /// How many transactions arrived.
    pub(crate) fn taken(&self) -> usize {
        self.behaviour.taken.lock().unwrap().len()
    }

    pub(crate) async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    pub(crate) async fn come_back(&mut self) {
        self.server = Some(serve(self.addr, &self.behaviour).await);
    }
}

/// A block as the operator's node shows it.
pub(crate) fn json_of(block: &Block) -> Value {
    let transactions = block.transactions.iter().map(|bytes| hex(bytes));
    json!({
        "blknum": block.number.get(),
        "hash": format!("{:?}", block.hash),
        "transactions": transactions.collect::<Vec<_>>(),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("0x{}", digits.collect::<String>())
}

/// A payment costs one wei.
const FEE_SPECS: &str = r#"{"1": {"0x0000000000000000000000000000000000000000": {
    "amount": 1, "subunit_to_unit": 1000000000000000000, "pegged_amount": null, "pegged_currency": null,
    "pegged_subunit_to_unit": null, "updated_at": "2020-02-10T12:07:32Z", "type": "fixed"
}}}"#;

async fn serve(listen: SocketAddr, behaviour: &Arc<Behaviour>) -> Server {
    let table = MethodTable::new(Service::ChildChain, behaviour.clone())
        .on(&ANY_BLOCK, |operator, params: BlockGetParams| async move {
            let serving = operator.blocks.lock().unwrap().get(&params.hash).cloned();
            match serving {
                Some(Serving::Json(json)) => Ok(json),
                Some(Serving::Hangs) => std::future::pending().await,
                None => Err(RpcError::reason("not_found")),
            }
        })
        .on(&TRANSACTION_SUBMIT, |operator, params: SubmitParams| async move {
            operator.taken.lock().unwrap().push(params.transaction);
            match operator.taking.lock().unwrap().clone() {
                Taking::Accepts(answer) => Ok(answer),
                Taking::Refuses(reason) => Err(RpcError::reason(reason)),
            }
        })
        .on(&TRANSACTION_BATCH_SUBMIT, |operator, params: BatchSubmitParams| async move {
            let count = params.transactions.len();
            operator.taken.lock().unwrap().extend(params.transactions);
            let item = match operator.taking.lock().unwrap().clone() {
                Taking::Accepts(answer) => BatchItem::Accepted(answer),
                Taking::Refuses(reason) => BatchItem::Refused { error: reason.to_owned() },
            };
            Ok(vec![item; count])
        })
        .on(&FEES_ALL, |_, params: FeesAllParams| async move {
            FeesAnswer::filtered(&parse_fee_specs(FEE_SPECS).unwrap(), &params)
        });
    let probes = Probes { alarms: Arc::new(Vec::new), metrics: Arc::new(String::new) };
    let mut config = ServerConfig::new(listen, "0.1.0+0000000");
    config.limits.stop_grace = std::time::Duration::from_millis(100);
    Server::start(config, table, probes).await.unwrap()
}

//! An operator without a ledger: he serves the blocks he was given, true or not, and answers submissions as he was told.

use plasma_core::wire::{Block, BlockHash};
use plasma_rpc::child_chain::{
    BLOCK_GET, BatchItem, BlockAnswer, SubmitAnswer, TRANSACTION_BATCH_SUBMIT, TRANSACTION_SUBMIT,
};
use plasma_rpc::server::{MethodTable, Probes, Server, ServerConfig};
use plasma_rpc::{RpcError, Service};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// What he says to a submitted transaction: where it stands, or why not.
pub(crate) type Verdict = Result<SubmitAnswer, &'static str>;

#[derive(Default)]
struct Context {
    blocks: Mutex<BTreeMap<BlockHash, Block>>,
    submitted: Mutex<Vec<Vec<u8>>>,
    verdict: Mutex<Option<Verdict>>,
}

/// See the module.
pub(crate) struct Operator {
    context: Arc<Context>,
    addr: SocketAddr,
    server: Option<Server>,
}

impl Operator {
    pub(crate) async fn start() -> Self {
        let mut operator =
            Self { context: Arc::default(), addr: ([127, 0, 0, 1], 0).into(), server: None };
        operator.come_back().await;
        operator
    }

    pub(crate) fn url(&self) -> String {
        // With a slash at the end, as OMG's deployments had it.
        format!("http://{}/", self.addr)
    }

    /// Answers for this hash with this block, whatever is in it.
    pub(crate) fn serve(&self, hash: BlockHash, block: Block) {
        self.context.blocks.lock().unwrap().insert(hash, block);
    }

    /// What submissions are answered from now on.
    pub(crate) fn answer(&self, verdict: Verdict) {
        *self.context.verdict.lock().unwrap() = Some(verdict);
    }

    /// What was submitted.
    pub(crate) fn submitted(&self) -> Vec<Vec<u8>> {
        self.context.submitted.lock().unwrap().clone()
    }

    /// Nobody listens on his port any more.
    pub(crate) async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// He listens on the same port again.
    pub(crate) async fn come_back(&mut self) {
        let table = MethodTable::new(Service::ChildChain, self.context.clone())
            .on(&BLOCK_GET, |context, params| async move {
                let block = context.blocks.lock().unwrap().get(&params.hash).cloned();
                let block = block.ok_or_else(|| RpcError::reason("not_found"))?;
                BlockAnswer::render(block.number, block.hash, &block.transactions)
                    .map_err(|_| RpcError::internal())
            })
            .on(&TRANSACTION_SUBMIT, |context, params| async move {
                context.submitted.lock().unwrap().push(params.transaction);
                let verdict = *context.verdict.lock().unwrap();
                verdict.unwrap_or(Err("utxo_not_found")).map_err(RpcError::reason)
            })
            .on(&TRANSACTION_BATCH_SUBMIT, |context, params| async move {
                let verdict = context.verdict.lock().unwrap().unwrap_or(Err("utxo_not_found"));
                let item = |_: &Vec<u8>| match verdict {
                    Ok(accepted) => BatchItem::Accepted(accepted),
                    Err(reason) => BatchItem::Refused { error: reason.to_owned() },
                };
                let answer: Vec<_> = params.transactions.iter().map(item).collect();
                context.submitted.lock().unwrap().extend(params.transactions);
                Ok(answer)
            });
        let probes =
            Probes { alarms: Arc::new(Vec::new), metrics: Arc::new(|| "# EOF\n".to_owned()) };
        let config = ServerConfig::new(self.addr, "0.1.0+0000000");
        let server = Server::start(config, table, probes).await.unwrap();
        self.addr = server.local_addr();
        self.server = Some(server);
    }
}

//! The byzantine operator's server: answers `block.get` with whatever it was told to, or not at all.

use anyhow::Result;
use plasma_core::wire::{Block, BlockHash};
use plasma_rpc::child_chain::{BLOCK_GET, BlockAnswer, BlockGetParams};
use plasma_rpc::server::{MethodTable, Probes, Server, ServerConfig};
use plasma_rpc::{RpcError, Service};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Blocks = Mutex<BTreeMap<BlockHash, Block>>;

/// The server. It ends when this is dropped.
pub(super) struct Operator {
    blocks: Arc<Blocks>,
    server: Server,
}

impl Operator {
    pub(super) async fn start() -> Result<Self> {
        let blocks = Arc::new(Blocks::default());
        let table = MethodTable::new(Service::ChildChain, Arc::clone(&blocks)).on(
            &BLOCK_GET,
            |blocks: Arc<Blocks>, params: BlockGetParams| async move {
                let blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
                let block =
                    blocks.get(&params.hash).ok_or_else(|| RpcError::reason("not_found"))?;
                let answer = BlockAnswer::render(block.number, block.hash, &block.transactions);
                answer.map_err(|_| RpcError::reason("not_found"))
            },
        );
        let probes = Probes { alarms: Arc::new(Vec::new), metrics: Arc::new(String::new) };
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let mut config = ServerConfig::new(listen, crate::nodes::version());
        config.limits.stop_grace = Duration::from_millis(100);
        Ok(Self { blocks, server: Server::start(config, table, probes).await? })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.server.local_addr())
    }

    /// Serves this block from now on.
    pub(super) fn serve(&self, block: Block) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.insert(block.hash, block);
    }
}

//! The informational methods (protocol 5.10 and 6.5): each a few lines between the wire, a database and a core.
//!
//! It contains no rule, and nothing that secures funds waits for it: it may ask the watcher, the watcher never asks it. It runs on a port of
//! its own, beside all methods of the watcher. Nothing that helps to spend is answered once the chain is unsafe.

mod extras;
mod fee_watch;
mod lists;
mod reads;
mod spend;

pub use reads::{DbUnavailable, InfoReads, Spendable};

pub(crate) use fee_watch::{FeeWatch, watch_fees};

use crate::api::{Api, methods};
use plasma_rpc::server::{EventLog, MethodTable};
use plasma_rpc::{RpcError, Service, codes};
use std::sync::Arc;

/// What the methods need.
pub(crate) struct InfoApi {
    pub(crate) watcher: Arc<Api>,
    /// The database.
    pub(crate) reads: Arc<dyn InfoReads>,
    /// What happened, in order.
    pub(crate) events: Arc<dyn EventLog>,
}

/// The methods of the watcher, and the informational ones.
pub(crate) fn info_methods(api: Arc<InfoApi>) -> MethodTable<InfoApi> {
    let table = methods(Service::WatcherInfo, api.watcher.clone()).with_context(api);
    extras::methods(spend::methods(lists::methods(table)))
}

impl InfoApi {
    fn reads(&self) -> &dyn InfoReads {
        &*self.reads
    }
}

impl From<DbUnavailable> for RpcError {
    fn from(error: DbUnavailable) -> Self {
        Self::from(codes::WATCHER_DB_UNAVAILABLE).with_messages(&error.0)
    }
}

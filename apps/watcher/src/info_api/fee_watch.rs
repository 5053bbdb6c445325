//! Notes what the operator asks for, as this watcher sees it, so that people can look back.
//!
//! It must never hold up anything: it asks once in a while, and a database or an operator that does not answer costs an entry, no more.

use super::{InfoReads, lists::now_s};
use plasma_rpc::child_chain::{FEES_ALL, FeesAllParams, FeesAnswer};
use plasma_rpc::client::HttpRpcClient;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The task. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct FeeWatch(JoinHandle<()>);

impl Drop for FeeWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts to watch, on the runtime it is called in.
pub(crate) fn watch_fees(
    child_chain: HttpRpcClient,
    reads: Arc<dyn InfoReads>,
    poll_ms: u64,
) -> FeeWatch {
    FeeWatch(tokio::spawn(async move {
        let mut noted = None;
        loop {
            noted = look(&child_chain, &*reads, noted).await;
            tokio::time::sleep(Duration::from_millis(poll_ms.max(1))).await;
        }
    }))
}

/// Asks once; returns what is noted.
async fn look(
    child_chain: &HttpRpcClient,
    reads: &dyn InfoReads,
    noted: Option<FeesAnswer>,
) -> Option<FeesAnswer> {
    let fees = match child_chain.call(&FEES_ALL, &FeesAllParams::default()).await {
        Ok(fees) => fees,
        Err(error) => {
            tracing::debug!(%error, "the fees are not known");
            return noted;
        }
    };
    if noted.as_ref() == Some(&fees) {
        return noted;
    }
    match reads.note_fees(&fees, now_s()).await {
        Ok(()) => Some(fees),
        Err(error) => {
            tracing::debug!(%error, "a change of fees is not noted yet");
            noted
        }
    }
}

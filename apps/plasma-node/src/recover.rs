//! Signature recovery on all cores: the expensive step of the chain, in batches (architecture section 6).
//!
//! It never runs on the threads that serve requests, and keeps the order of what it is given.

use plasma_core::wire::{RecoverTxError, RecoveredTx, TypedDataDomain};
use rayon::prelude::*;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Recovers transactions from the bytes that travel.
pub async fn recover_all<B>(
    transactions: Vec<B>,
    domain: Arc<TypedDataDomain>,
) -> Vec<Result<RecoveredTx, RecoverTxError>>
where
    B: AsRef<[u8]> + Send + Sync + 'static,
{
    let recover = move |bytes: &B| RecoveredTx::from_bytes(bytes.as_ref(), &domain);
    let (reply, answer) = oneshot::channel();
    rayon::spawn(move || {
        let recovered = match transactions.as_slice() {
            [single] => vec![recover(single)],
            many => many.par_iter().map(recover).collect(),
        };
        // The request may have been given up meanwhile.
        let _ = reply.send(recovered);
    });
    // The sender is only dropped unused if recovery panicked, which it cannot: then nothing was recovered.
    answer.await.unwrap_or_default()
}

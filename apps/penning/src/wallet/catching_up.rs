//! Whether the watcher knows all blocks.
//!
//! It must never take an output for unspent because the watcher has not come to the block that spends it.

use super::payments::danger;
use super::session::{Session, wait_for};
use crate::failure::Failure;
use anyhow::Result;
use plasma_rpc::watcher::Status;
use std::time::Duration;

/// Longest wait for a watcher that is catching up.
const CATCH_UP_WAIT_MAX: Duration = Duration::from_secs(120);

/// Whether blocks are on the root chain that the watcher has yet to execute. On a faulty chain it executes none: what it lists then is
/// older than the fault, and waiting would only keep people in.
fn is_behind(status: &Status) -> bool {
    danger(status).is_none()
        && status.last_validated_child_block_number < status.last_mined_child_block_number
}

impl Session {
    /// Waits until the watcher has executed all blocks. One that does not tell is for the caller to judge.
    ///
    /// # Errors
    /// `watcher:catching_up` when the time is over.
    pub(super) async fn wait_for_watcher(&self) -> Result<()> {
        let mut is_told = false;
        let mut last = Status::default();
        let waited = wait_for("the watcher to catch up", CATCH_UP_WAIT_MAX, async || {
            let Ok(status) = self.status().await else { return Ok(Some(())) };
            if !is_behind(&status) {
                return Ok(Some(()));
            }
            last = status;
            if !std::mem::replace(&mut is_told, true) {
                self.out.progress(behind(&last));
            }
            Ok(None)
        });
        if waited.await.is_ok() {
            return Ok(());
        }
        Err(Failure::new("watcher:catching_up", behind(&last))
            .next("it may not know yet what was spent: try again when its status.get shows both numbers equal, or use another watcher (--watcher-url)")
            .into())
    }
}

fn behind(status: &Status) -> String {
    format!(
        "the watcher has executed blocks up to {}, and {} is on the root chain",
        status.last_validated_child_block_number, status.last_mined_child_block_number
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Blknum, H256};
    use plasma_rpc::watcher::{BlockWithholding, ByzantineEvent};

    #[test]
    fn a_watcher_is_behind_while_nothing_is_wrong_and_blocks_are_missing() {
        let withheld = BlockWithholding { blknum: Blknum::new(5_000), hash: H256::zero() };
        let fault = vec![ByzantineEvent::BlockWithholding(withheld)];
        for (validated, mined, byzantine_events, expected) in [
            (4_000, 4_000, vec![], false),
            (3_000, 4_000, vec![], true),
            (0, 4_000, vec![], true),
            (4_000, 6_000, fault, false),
        ] {
            let status = Status {
                last_validated_child_block_number: Blknum::new(validated),
                last_mined_child_block_number: Blknum::new(mined),
                byzantine_events,
                ..Status::default()
            };
            assert_eq!(is_behind(&status), expected, "{validated} of {mined}");
        }
    }
}

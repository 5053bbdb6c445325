//! How the database is, for whoever asks it and for whoever watches it.

use super::connection::Position;
use plasma_core::wire::{Blknum, CHILD_BLOCK_INTERVAL};
use tokio::sync::watch;

/// Why it cannot be used while it was not tried yet: who hears that asks again in a moment.
pub const NOT_OPENED_YET: &str = "the database was not opened yet";
/// Why it is not used although it can be, which passes by itself.
pub const IS_BEHIND: &str = "it is behind";

/// How the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherDbStatus {
    /// How far it is; `None` before it was ever opened.
    pub position: Option<Position>,
    /// The newest child chain block that the watcher executed.
    pub newest_blknum: Blknum,
    /// Why it cannot be used, for people; `None` when it can.
    pub reason: Option<String>,
}

impl WatcherDbStatus {
    /// The newest child chain block in the database, zero when there is none or the database was not opened yet.
    pub fn last_indexed_blknum(&self) -> Blknum {
        self.position.unwrap_or_default().last_blknum
    }

    /// How many child chain blocks it is behind the watcher.
    pub fn lag_blocks(&self) -> u64 {
        let behind = self.newest_blknum.get().saturating_sub(self.last_indexed_blknum().get());
        behind.div_ceil(CHILD_BLOCK_INTERVAL)
    }
}

/// Publishes it.
#[derive(Debug)]
pub(super) struct StatusSender(watch::Sender<WatcherDbStatus>);

impl StatusSender {
    pub(super) fn new() -> (Self, watch::Receiver<WatcherDbStatus>) {
        let (sender, receiver) = watch::channel(WatcherDbStatus {
            position: None,
            newest_blknum: Blknum::default(),
            reason: Some(NOT_OPENED_YET.to_owned()),
        });
        (Self(sender), receiver)
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.0.borrow().position
    }

    pub(super) fn applied(&self, position: Position) {
        self.change(|known| {
            known.position = Some(position);
            known.reason = None;
        });
    }

    /// What was known of the position stays: the lag grows from there.
    pub(super) fn failed(&self, reason: String) {
        self.change(|known| known.reason = Some(reason));
    }

    /// The journal went on, whatever the database does meanwhile. It never gets shorter, also when it cannot be read.
    pub(super) fn newest(&self, newest_blknum: Blknum) {
        self.change(|known| known.newest_blknum = known.newest_blknum.max(newest_blknum));
    }

    /// Nobody is woken when nothing is different.
    fn change(&self, change: impl FnOnce(&mut WatcherDbStatus)) {
        self.0.send_if_modified(|known| {
            let before = known.clone();
            change(known);
            *known != before
        });
    }
}

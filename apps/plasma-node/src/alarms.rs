//! Alarms: what is wrong with this node right now (protocol 4.7).
//!
//! An alarm is a state, not an event: raised once however often it is reported, and cleared when it no longer holds. Nothing
//! here decides; whoever observes a condition raises and clears its own alarm. All of them are forgotten when the process ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The actors are being started. Nobody raises it: it holds while no tree is published.
    BootInProgress,
    /// The root chain's node does not answer.
    EthereumConnectionError,
    /// The root chain's newest block is old.
    EthereumStalledSync,
    /// The fee specification cannot be used; the one before it stays in force.
    InvalidFeeSource,
    /// A submitted block was not mined for too long.
    BlockSubmitStalled,
    /// The machine's memory is nearly used up.
    SystemMemoryTooHigh,
    /// Actors died more often than the restart budget allows.
    MainSupervisorHalted,
}

impl Alarm {
    /// Its name in `alarm.get`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BootInProgress => "boot_in_progress",
            Self::EthereumConnectionError => "ethereum_connection_error",
            Self::EthereumStalledSync => "ethereum_stalled_sync",
            Self::InvalidFeeSource => "invalid_fee_source",
            Self::BlockSubmitStalled => "block_submit_stalled",
            Self::SystemMemoryTooHigh => "system_memory_too_high",
            Self::MainSupervisorHalted => "main_supervisor_halted",
        }
    }
}

/// The raised alarms of a node. Cheap to clone; all clones are the same set.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Mutex<BTreeSet<Alarm>>>);

impl Alarms {
    /// Says that something is wrong.
    pub fn raise(&self, alarm: Alarm) {
        if self.with(|raised| raised.insert(alarm)) {
            tracing::warn!(alarm = alarm.name(), "alarm raised");
        }
    }

    /// Says that it no longer is.
    pub fn clear(&self, alarm: Alarm) {
        if self.with(|raised| raised.remove(&alarm)) {
            tracing::info!(alarm = alarm.name(), "alarm cleared");
        }
    }

    /// Raises or clears.
    pub fn set(&self, alarm: Alarm, holds: bool) {
        if holds { self.raise(alarm) } else { self.clear(alarm) }
    }

    /// What is wrong now, in the order of the enum.
    pub fn raised(&self) -> Vec<Alarm> {
        self.with(|raised| raised.iter().copied().collect())
    }

    /// The names of what is wrong now.
    pub fn names(&self) -> Vec<&'static str> {
        self.raised().into_iter().map(Alarm::name).collect()
    }

    fn with<R>(&self, act: impl FnOnce(&mut BTreeSet<Alarm>) -> R) -> R {
        // A set of flags is whole after every operation, so a panic elsewhere cannot have broken it.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_raised_once_and_cleared_at_once() {
        let alarms = Alarms::default();
        alarms.raise(Alarm::InvalidFeeSource);
        alarms.clone().raise(Alarm::InvalidFeeSource);
        alarms.set(Alarm::BootInProgress, true);
        assert_eq!(alarms.raised(), [Alarm::BootInProgress, Alarm::InvalidFeeSource]);
        alarms.clear(Alarm::InvalidFeeSource);
        alarms.set(Alarm::BootInProgress, false);
        assert_eq!(alarms.raised(), []);
    }
}

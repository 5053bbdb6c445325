//! What goes wrong between a node and us, at the test's choice.

use crate::{ErrorKind, RootChainCause, RootChainError, SubmitOutcome};
use std::collections::VecDeque;

/// How long a lost answer was waited for, as the error says.
const LOST_AFTER_MS: u64 = 20_000;

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) away: bool,
    pub(super) events_twice: bool,
    pub(super) submissions: SendFaults,
    failures: VecDeque<(u64, ErrorKind)>,
    cluster: Vec<u64>,
    /// Calls answered so far: they go round the cluster.
    calls: usize,
}

/// What becomes of the next transactions of one account.
#[derive(Debug, Default)]
pub(super) struct SendFaults {
    pub(super) answers_to_lose: u64,
    pub(super) outcomes: VecDeque<SubmitOutcome>,
}

impl Faults {
    pub(super) fn fail_next(&mut self, calls: u64, kind: ErrorKind) {
        self.failures.push_back((calls, kind));
    }

    pub(super) fn set_cluster(&mut self, eth_blocks_behind: &[u64]) {
        self.cluster = eth_blocks_behind.to_vec();
        self.calls = 0;
    }

    /// What the next call meets: a failure, or a node that is so many blocks behind.
    pub(super) fn on_call(&mut self) -> Result<u64, RootChainCause> {
        if self.away {
            return Err(RootChainCause::Unreachable("the fake node is away".to_owned()));
        }
        while let Some((calls, kind)) = self.failures.front_mut() {
            let Some(left) = calls.checked_sub(1) else {
                self.failures.pop_front();
                continue;
            };
            *calls = left;
            let message = "the test wants this to fail".to_owned();
            return Err(match kind {
                ErrorKind::Transient => RootChainCause::NodeTrouble { code: -32000, message },
                ErrorKind::Permanent => RootChainCause::Refused { code: -32601, message },
            });
        }
        let node = self.calls.checked_rem(self.cluster.len()).unwrap_or_default();
        self.calls = self.calls.wrapping_add(1);
        Ok(self.cluster.get(node).copied().unwrap_or_default())
    }
}

impl SendFaults {
    /// Fails when the answer gets lost.
    pub(super) fn loses_answer(
        &mut self,
        method: &'static str,
        context: impl FnOnce() -> String,
    ) -> Result<(), RootChainError> {
        let Some(left) = self.answers_to_lose.checked_sub(1) else {
            return Ok(());
        };
        self.answers_to_lose = left;
        Err(RootChainCause::Timeout { after_ms: LOST_AFTER_MS }.during(method, context()))
    }
}

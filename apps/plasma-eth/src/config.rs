//! How to reach a node, and every limit on talking to it.

use crate::{RootChainCause, RootChainError};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How to reach a node, and how patiently.
#[derive(Clone, Debug)]
pub struct EthConfig {
    /// Where its JSON-RPC over HTTP is.
    pub rpc_url: RpcUrl,
    /// Longest wait for one answer, to its last byte.
    pub request_timeout_ms: u64,
    /// When and how often a failed request is made again.
    pub retry: RetryPolicy,
    /// Largest answer that is read. The logs of a full root chain block are some 10 MB of hex.
    pub response_bytes_max: usize,
    /// Most requests under way at once; further ones queue.
    pub requests_in_flight_max: usize,
    /// Largest range of root chain blocks in one request for events. Ranges a node refuses are halved.
    pub event_range_eth_blocks_max: u64,
    /// Pause between two looks for a transaction's receipt.
    pub receipt_poll_ms: u64,
}

impl EthConfig {
    /// The defaults, which suit own nodes and hosted ones.
    pub fn new(rpc_url: RpcUrl) -> Self {
        Self {
            rpc_url,
            request_timeout_ms: 20_000,
            retry: RetryPolicy::default(),
            response_bytes_max: 32 << 20,
            requests_in_flight_max: 16,
            event_range_eth_blocks_max: 2_000,
            receipt_poll_ms: 250,
        }
    }
}

/// When and how often a request that failed in passing is made again: doubling pauses, without any chance in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most requests for one answer, the first included.
    pub attempts_max: u32,
    /// Pause before the second request; each further pause is twice as long.
    pub first_pause_ms: u64,
    /// Longest pause, also when a node asks for more.
    pub pause_ms_max: u64,
    /// No further request starts after this long.
    pub total_ms_max: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts_max: 5, first_pause_ms: 200, pause_ms_max: 3_000, total_ms_max: 30_000 }
    }
}

impl RetryPolicy {
    /// One request and no other.
    pub const NEVER: Self =
        Self { attempts_max: 1, first_pause_ms: 0, pause_ms_max: 0, total_ms_max: 0 };

    /// The pause after this many failed attempts; `None` when that was the last. A node that names a pause gets it, up to the limit.
    pub(crate) fn pause_ms(
        &self,
        failed_attempts: u32,
        asked_for_ms: Option<u64>,
        elapsed_ms: u64,
    ) -> Option<u64> {
        if failed_attempts >= self.attempts_max {
            return None;
        }
        let doublings = failed_attempts.saturating_sub(1);
        let own = 1_u64
            .checked_shl(doublings)
            .map_or(self.pause_ms_max, |factor| self.first_pause_ms.saturating_mul(factor));
        let pause_ms = own.max(asked_for_ms.unwrap_or(0)).min(self.pause_ms_max);
        (elapsed_ms.saturating_add(pause_ms) <= self.total_ms_max).then_some(pause_ms)
    }
}

/// The URL of a node. Shown as scheme, host and port only: the rest, and a user name, may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcUrl(reqwest::Url);

impl RpcUrl {
    /// The whole URL with its secrets, for saving it where it came from.
    pub fn reveal(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) const fn url(&self) -> &reqwest::Url {
        &self.0
    }

    /// Whether the node is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.0.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.starts_with("127."),
            None => false,
        }
    }
}

impl FromStr for RpcUrl {
    type Err = RootChainError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |why: &str| {
            RootChainCause::Invalid(format!("{why}; an RPC URL looks like http://127.0.0.1:8545"))
                .during("rpc_url", "")
        };
        let url =
            reqwest::Url::parse(text).map_err(|error| invalid(&format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(
                "the scheme of the URL must be http or https (events are polled: no WebSocket is needed)",
            ));
        }
        if url.host_str().is_none() {
            return Err(invalid("the URL names no host"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for RpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}", self.0.scheme())?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_then_end() {
        let policy = RetryPolicy {
            attempts_max: 5,
            first_pause_ms: 100,
            pause_ms_max: 300,
            total_ms_max: 10_000,
        };
        for (failed, asked_for, elapsed, expected) in [
            (1, None, 0, Some(100)),
            (2, None, 0, Some(200)),
            (3, None, 0, Some(300)),
            (4, None, 0, Some(300)),
            (5, None, 0, None),
            (1, Some(250), 0, Some(250)),
            (1, Some(60_000), 0, Some(300)),
            (1, None, 9_950, None),
        ] {
            assert_eq!(
                policy.pause_ms(failed, asked_for, elapsed),
                expected,
                "{failed} {asked_for:?} {elapsed}"
            );
        }
        assert_eq!(RetryPolicy::NEVER.pause_ms(1, Some(5), 0), None);
    }

    #[test]
    fn the_secrets_of_a_url_are_not_shown() {
        for (text, shown) in [
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
            ("https://user:hunter2@mainnet.infura.io/v3/0123abcd?k=v", "https://mainnet.infura.io"),
        ] {
            let url: RpcUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
            assert!(url.reveal().starts_with(text));
        }
    }

    #[test]
    fn what_is_no_http_url_is_refused_without_repeating_it() {
        for text in ["", "127.0.0.1:8545", "ws://host/key-7", "http://"] {
            let error = text.parse::<RpcUrl>().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Permanent);
            assert!(!error.to_string().contains("key-7"), "{error}");
        }
    }

    #[test]
    fn nodes_on_this_machine_are_recognised() {
        for (text, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:8545", true),
            ("http://10.0.0.1", false),
            ("https://localhost.example.org", false),
        ] {
            assert_eq!(text.parse::<RpcUrl>().unwrap().is_loopback(), expected, "{text}");
        }
    }
}

//! Logs and metrics. Neither ever holds a secret: keys print as the address they control.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::io::IsTerminal;
use std::str::FromStr;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

/// How log lines are written, to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("unknown log format {other:?}: use text or json")),
        }
    }
}

/// Starts logging. `filter` is in the language of `RUST_LOG`, such as `info,child_chain=debug`.
///
/// # Errors
/// When logging was started before.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = EnvFilter::builder().parse_lossy(filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.compact().finish().try_init(),
        LogFormat::Json => builder.json().finish().try_init(),
    }
}

/// A URL as logs and people may see it: `***` for the password in it. Takes any text; what may be one is taken for a password.
pub fn without_password(text: &str) -> String {
    const PARAMETER: &str = "password=";
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // A password may have any sign in it, so it ends where the last host may begin.
    let mut shown = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    };
    // PostgreSQL takes it as a parameter as well.
    if let Some(start) = shown.find(PARAMETER).map(|at| at.saturating_add(PARAMETER.len())) {
        let end = shown[start..].find('&').map_or(shown.len(), |len| start.saturating_add(len));
        shown.replace_range(start..end, "***");
    }
    shown
}

/// Which service a measurement is about.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ServiceLabel {
    /// Its stable name.
    pub service: &'static str,
}

/// How a transaction was answered.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
pub enum Answer {
    /// It is in the pending block.
    Accepted,
    /// A rule refuses it.
    Refused,
}

/// The label of [`Answer`].
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct AnswerLabel {
    /// How it was answered.
    pub answer: Answer,
}

/// What a node counts. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Transactions by how they were answered.
    pub transactions: Family<AnswerLabel, Counter>,
    /// Blocks formed by the operator, or applied by a watcher.
    pub blocks: Counter,
    /// Newest child chain block formed or applied.
    pub newest_blknum: Gauge,
    /// Newest root chain height seen.
    pub eth_height: Gauge,
    /// Root chain height each service has dealt with.
    pub synced_height: Family<ServiceLabel, Gauge>,
    /// Times the tree was built.
    pub tree_starts: Counter,
    /// Byzantine events that hold now.
    pub byzantine_events: Gauge,
}

impl Metrics {
    /// A fresh set, named after the node: `penning_child_chain_…` or `penning_watcher_…`.
    pub fn new(node: &'static str) -> Self {
        let mut registry = Registry::with_prefix(format!("penning_{node}"));
        let metrics = Self {
            registry: Arc::default(),
            transactions: Family::default(),
            blocks: Counter::default(),
            newest_blknum: Gauge::default(),
            eth_height: Gauge::default(),
            synced_height: Family::default(),
            tree_starts: Counter::default(),
            byzantine_events: Gauge::default(),
        };
        registry.register("transactions", "Transactions answered", metrics.transactions.clone());
        registry.register("blocks", "Blocks formed or applied", metrics.blocks.clone());
        registry.register(
            "newest_blknum",
            "Newest block formed or applied",
            metrics.newest_blknum.clone(),
        );
        registry.register(
            "eth_height",
            "Newest root chain height seen",
            metrics.eth_height.clone(),
        );
        registry.register(
            "synced_height",
            "Root chain height dealt with",
            metrics.synced_height.clone(),
        );
        registry.register(
            "tree_starts",
            "Times the actors were started",
            metrics.tree_starts.clone(),
        );
        registry.register(
            "byzantine_events",
            "Byzantine events that hold",
            metrics.byzantine_events.clone(),
        );
        Self { registry: Arc::new(registry), ..metrics }
    }

    /// The OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_their_password() {
        for (url, shown) in [
            ("", ""),
            ("127.0.0.1:7434", "127.0.0.1:7434"),
            ("postgres://db.example:5432/penning", "postgres://db.example:5432/penning"),
            ("postgres://me@db.example/penning", "postgres://me@db.example/penning"),
            ("postgres://me:a@db.example/penning", "postgres://me:***@db.example/penning"),
            ("postgres://me:a@b:c/d@e@db.example/penning", "postgres://me:***@db.example/penning"),
            ("postgres://:a@db.example", "postgres://:***@db.example"),
            ("https://me:a@l1.example", "https://me:***@l1.example"),
            (
                "postgres://db/p?user=me&password=a@b&sslmode=require",
                "postgres://db/p?user=me&password=***&sslmode=require",
            ),
            ("postgres:///p?password=a", "postgres:///p?password=***"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}

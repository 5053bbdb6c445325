//! `penning watch`: follows topics of a watcher and prints what happens, as it happens.
//!
//! It must never leave an event out or print one twice, however often the connection is lost.

use crate::failure::Failure;
use anyhow::Result;
use clap::Args;
use plasma_rpc::event_client::{EventClient, EventClientConfig, EventClientError, Heard};
use plasma_rpc::subscription::{EventObject, Start, TopicName};
use std::io::Write;

/// Print what happens on the chain, as it happens
///
/// Topics: blocks, deposits, exits, byzantine, status, and transfer:0x... for the payments and deposits of one account.
///
/// Every event has a number in its topic, without gaps. When the connection is lost, it is made again and goes on where it was, so
/// nothing is missing and nothing comes twice. After a restart of this command, go on with --from <number of the last event + 1>.
///
/// Examples: `penning watch blocks status`, `penning watch blocks --from 1 --json`, `penning watch exits --from blknum:21000`
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// What to follow
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<TopicName>,
    /// Begin with the event of this number, or at child chain block N with blknum:N [default: with what happens from now on]
    #[arg(long, value_name = "NUMBER", value_parser = start)]
    from: Option<Start>,
    /// End after so many events
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// The watcher to follow
    #[arg(
        long,
        value_name = "URL",
        env = "PENNING_WATCHER_URL",
        default_value = "http://127.0.0.1:7434"
    )]
    watcher_url: String,
    /// Print each event as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A number alone is that of an event.
fn start(text: &str) -> Result<Start, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_number { format!("sequence:{text}") } else { text.to_owned() };
    let start = text.parse().ok().filter(|start| *start != Start::News);
    start.ok_or_else(|| "give the number of an event, from 1 on, or blknum:<number>".to_owned())
}

impl WatchArgs {
    pub(crate) async fn run(self) -> Result<()> {
        let from = self.from.unwrap_or_default();
        let config =
            EventClientConfig { from, ..EventClientConfig::new(self.watcher_url, self.topics) };
        let mut client = EventClient::new(config).map_err(failure)?;
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            match client.next().await.map_err(failure)? {
                Heard::Event(event) => {
                    let line =
                        if self.json { serde_json::to_string(&event)? } else { text(&event) };
                    if !print(&line)? {
                        return Ok(());
                    }
                    left -= 1;
                }
                Heard::Interrupted(interruption) => tracing::warn!(
                    reason = interruption.reason,
                    again_in_ms = interruption.pause.as_millis(),
                    "the connection is lost; no event is"
                ),
            }
        }
        Ok(())
    }
}

fn text(event: &EventObject) -> String {
    format!("{}  {}  {}", event.at, event.id, event.data)
}

/// Prints a line at once. Whether anybody reads on.
fn print(line: &str) -> Result<bool> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn failure(error: EventClientError) -> Failure {
    let message = error.to_string();
    match error {
        EventClientError::Refused(refusal) => {
            Failure::new(refusal.code, message).next("check the topics and --from")
        }
        EventClientError::Unusable { .. } => {
            Failure::new("watch:unusable_url", message).next("check --watcher-url")
        }
        EventClientError::Malformed { .. } => Failure::new("watch:malformed_events", message)
            .next("check that --watcher-url is a watcher"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::Blknum;

    #[test]
    fn a_start_is_a_number_or_a_block() {
        for (text, expected) in [
            ("1", Some(Start::Sequence(1))),
            ("blknum:1000", Some(Start::Blknum(Blknum::new(1_000)))),
            ("sequence:7", Some(Start::Sequence(7))),
            ("0", None),
            ("", None),
            ("-1", None),
            ("blocks:1", None),
        ] {
            assert_eq!(start(text).ok(), expected, "{text}");
        }
    }
}

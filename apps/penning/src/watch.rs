//! `penning watch`: follows topics of a watcher and prints what happens, as it happens.
//!
//! It must never leave an event out or print one twice, however often the connection is lost.

use crate::failure::Failure;
use crate::nodes::stop_signal;
use crate::output::Out;
use anyhow::Result;
use clap::Args;
use plasma_rpc::event_client::{EventClient, EventClientConfig, EventClientError, Heard};
use plasma_rpc::subscription::{EventCursor, EventObject, Start, TopicName};
use std::collections::BTreeSet;
use std::io::Write;

/// Print what happens on the chain, as it happens
///
/// Topics: blocks, deposits, exits, byzantine, status, and transfer:0x... for the payments and deposits of one account.
///
/// Every event has a number in its topic, without gaps. When the connection is lost, it is made again and goes on where it was, so
/// nothing is missing and nothing comes twice. When this command ends, it says how to go on: --place with the last event of each
/// topic, such as --place blocks:500,exits:300. These are the ids of the events, so scripts can remember them as they come.
///
/// Examples: `penning watch blocks status`, `penning watch blocks --from 1 --json`, `penning watch exits --from blknum:21000`,
/// `penning watch blocks exits --place blocks:500,exits:300`
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// What to follow
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<TopicName>,
    /// Begin with the event of this number (of several topics only with 1), or at child chain block N with blknum:N [default: with
    /// what happens from now on]
    #[arg(long, value_name = "NUMBER", value_parser = start)]
    from: Option<Start>,
    /// Go on after these events, the last of each topic that was dealt with; topics that are not named begin at --from
    #[arg(long, value_name = "TOPIC:NUMBER,...")]
    place: Option<EventCursor>,
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
        let place = self.place.unwrap_or_default();
        check(&self.topics, from, &place)?;
        let config = EventClientConfig {
            from,
            place,
            ..EventClientConfig::new(self.watcher_url, self.topics)
        };
        let mut client = EventClient::new(config).map_err(failure)?;
        let mut unprinted = None;
        let ended = tokio::select! {
            ended = follow(&mut client, self.count, self.json, &mut unprinted) => ended,
            () = stop_signal()? => Ok(()),
        };
        let mut place = client.place();
        if let Some((topic, sequence)) = unprinted {
            place.0.insert(topic, sequence.saturating_sub(1));
        }
        if !place.0.is_empty() {
            Out::new(self.json).progress(format_args!("to go on: --place {place}"));
        }
        ended
    }
}

/// Prints events until there are enough, nobody reads them, or the server says no. `unprinted` is the one that nobody read.
async fn follow(
    client: &mut EventClient,
    count: Option<u64>,
    is_json: bool,
    unprinted: &mut Option<(TopicName, u64)>,
) -> Result<()> {
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        match client.next().await.map_err(failure)? {
            Heard::Event(event) => {
                *unprinted = Some((event.topic, event.sequence));
                let line = if is_json { serde_json::to_string(&event)? } else { text(&event) };
                if !print(&line)? {
                    return Ok(());
                }
                *unprinted = None;
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

/// Whether it is clear where each topic begins. Every topic counts its own events, so one number is a place in one topic only.
fn check(topics: &[TopicName], from: Start, place: &EventCursor) -> Result<(), Failure> {
    let topics: BTreeSet<_> = topics.iter().collect();
    if let Some(other) = place.0.keys().find(|topic| !topics.contains(topic)) {
        let message = format!("--place says where to go on in {other}, which is not followed");
        let next = format!("follow {other} as well, or leave it out of --place");
        return Err(Failure::new("watch:topic_not_followed", message).next(next));
    }
    let without_place = topics.iter().filter(|topic| !place.0.contains_key(topic)).count();
    match from {
        Start::Sequence(number) if number != 1 && without_place > 1 => {
            let message = format!(
                "--from {number} would be another event in each of {without_place} topics: every topic has its own numbers"
            );
            let each: Vec<_> = topics.iter().map(|topic| format!("{topic}:NUMBER")).collect();
            let next = format!(
                "give the last event of each with --place {}, or begin everywhere with --from 1 or --from blknum:NUMBER",
                each.join(",")
            );
            Err(Failure::new("watch:ambiguous_from", message).next(next))
        }
        _ => Ok(()),
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
            Failure::new(refusal.code, message).next("check the topics, --from and --place")
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
    use crate::failure::ErrorReport;
    use plasma_core::wire::Blknum;

    #[test]
    fn one_number_is_a_place_in_one_topic_only() {
        for (topics, from, place, expected) in [
            ("blocks", Start::Sequence(7), "", Ok(())),
            ("blocks blocks", Start::Sequence(7), "", Ok(())),
            ("blocks exits", Start::Sequence(1), "", Ok(())),
            ("blocks exits", Start::News, "", Ok(())),
            ("blocks exits", Start::Blknum(Blknum::new(7)), "", Ok(())),
            ("blocks exits", Start::Sequence(7), "", Err("watch:ambiguous_from")),
            ("blocks exits", Start::Sequence(7), "blocks:6", Ok(())),
            ("blocks exits", Start::News, "blocks:6,exits:0", Ok(())),
            ("blocks exits status", Start::Sequence(7), "blocks:6", Err("watch:ambiguous_from")),
            ("blocks", Start::News, "exits:6", Err("watch:topic_not_followed")),
        ] {
            let names: Vec<_> = topics.split(' ').map(|topic| topic.parse().unwrap()).collect();
            let outcome = check(&names, from, &place.parse().unwrap());
            let outcome = outcome.map_err(|failure| ErrorReport::of(&failure.into()).code);
            assert_eq!(outcome, expected.map_err(str::to_owned), "{topics} {from} {place}");
        }
    }

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

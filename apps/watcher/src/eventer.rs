//! Watches what is wrong come and go: has exits judged whenever something was learned, logs every change, and publishes the result.
//!
//! It contains no rule: the [`Journal`](plasma_core::journal::Journal) says what appeared and what was resolved, and has it written before
//! anybody hears of it.

use crate::guard::{Findings, GuardHandle};
use plasma_core::byzantine::{ByzantineEvent, Remedy};
use plasma_core::db_update::Service;
use plasma_core::eventer::{Change, Notification};
use plasma_core::exit_processor::ExitHeights;
use plasma_node::core_actor::Unanswered;
use plasma_node::root_chain_coordinator::CoordinatorHandle;
use plasma_node::supervisor::Nursery;
use plasma_node::telemetry::Metrics;
use plasma_node::worker::Worker;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Pause before a guard that is busy is asked again.
const BUSY_PAUSE_MS: u64 = 50;

/// What is known to be wrong, `None` before it was ever looked at.
pub(crate) type FindingsWatch = watch::Receiver<Option<Arc<Findings>>>;

/// Starts watching.
pub(crate) fn start_eventer(
    guard: GuardHandle,
    coordinator: CoordinatorHandle,
    metrics: Metrics,
    nursery: &mut Nursery,
) -> FindingsWatch {
    let (sender, findings) = watch::channel(None);
    Worker::start("eventer", nursery, run(guard, coordinator, metrics, sender));
    findings
}

async fn run(
    guard: GuardHandle,
    mut coordinator: CoordinatorHandle,
    metrics: Metrics,
    sender: watch::Sender<Option<Arc<Findings>>>,
) -> Result<Infallible, Unanswered> {
    let mut told = None;
    let mut is_open_logged = false;
    loop {
        let progress = coordinator.progress();
        let challenges = progress.synced.get(&Service::ExitChallenger).copied();
        let in_flight_exits = progress.synced.get(&Service::InFlightExitProcessor).copied();
        let heights = ExitHeights {
            root_chain: progress.root_chain_height.unwrap_or_default(),
            challenges: challenges.unwrap_or_default(),
            in_flight_exits: in_flight_exits.unwrap_or_default(),
        };
        let are_known = progress.root_chain_height.is_some()
            && challenges.is_some()
            && in_flight_exits.is_some();
        let (findings, notifications) = match guard.settle(heights, are_known).await {
            Ok(told) => told,
            Err(Unanswered::Overloaded) => {
                tokio::time::sleep(Duration::from_millis(BUSY_PAUSE_MS)).await;
                continue;
            }
            Err(gone) => return Err(gone),
        };
        let shown = &findings.shown;
        if !told.as_ref().is_some_and(|told| Arc::ptr_eq(told, shown)) {
            let count = i64::try_from(shown.events.len()).unwrap_or(i64::MAX);
            metrics.byzantine_events.set(count);
            told = Some(shown.clone());
        }
        if are_known && !is_open_logged {
            is_open_logged = true;
            let is_news =
                |event: &ByzantineEvent| notifications.iter().any(|news| news.event == *event);
            let open = shown.events.iter().filter(|event| !is_news(event));
            open.for_each(|event| log_open(event, None, "byzantine event, still true"));
        }
        notifications.iter().for_each(log);
        sender.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&findings);
            if is_new {
                *known = Some(Arc::new(findings));
            }
            is_new
        });
        tokio::select! {
            () = guard.news() => {}
            changed = coordinator.changed() => changed?,
        }
    }
}

fn log(notification: &Notification) {
    let Notification { sequence, change, event, .. } = notification;
    match change {
        Change::Appeared => log_open(event, Some(*sequence), "byzantine event"),
        Change::Resolved => {
            tracing::info!(sequence, name = event.name(), ?event, "byzantine event resolved");
        }
    }
}

/// Whoever is woken by errors need not hear what owners may do if they like.
fn log_open(event: &ByzantineEvent, sequence: Option<u64>, text: &str) {
    let (name, what_to_do) = (event.name(), what_to_do(event));
    if event.is_optional() {
        tracing::info!(sequence, name, ?event, what_to_do, "{text}");
    } else {
        tracing::error!(sequence, name, ?event, what_to_do, "{text}");
    }
}

const fn what_to_do(event: &ByzantineEvent) -> &'static str {
    match event.remedy() {
        Remedy::ChallengeExit => "challenge the exit: `penning wallet challenge POSITION`",
        Remedy::ChallengePiggyback => {
            "challenge the piggybacks: in_flight_exit.get_input_challenge_data, get_output_challenge_data"
        }
        Remedy::ChallengeCanonicity => "show the competitor: in_flight_exit.get_competitor",
        Remedy::ProveCanonical => "show where it is included: in_flight_exit.prove_canonical",
        Remedy::Piggyback => "owners of its inputs and outputs may join the exit",
        Remedy::MassExit => "leave the chain: `penning wallet exit start POSITION` for each output",
    }
}

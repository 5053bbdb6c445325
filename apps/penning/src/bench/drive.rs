//! Many calls, some at a time: what clients do.

use anyhow::Result;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What came of the calls.
pub(super) struct Driven<A> {
    /// The answers, in the order of the calls.
    pub(super) answers: Vec<A>,
    /// How long each call took, shortest first.
    pub(super) latencies: Vec<Duration>,
}

/// Makes all calls, `in_flight` at a time, each as soon as another one is answered.
///
/// # Errors
/// That of the first call that fails.
pub(super) async fn drive<Q, A, F>(
    calls: Vec<Q>,
    in_flight: usize,
    call: impl Fn(Q) -> F + Clone + Send + 'static,
) -> Result<Driven<A>>
where
    Q: Send + 'static,
    A: Send + 'static,
    F: Future<Output = Result<A>> + Send,
{
    let queue = Arc::new(Mutex::new(calls.into_iter().enumerate()));
    let mut clients = JoinSet::new();
    for _ in 0..in_flight {
        let (queue, call) = (Arc::clone(&queue), call.clone());
        clients.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((index, question)) = next else {
                    return Ok::<_, anyhow::Error>(answers);
                };
                let asked = Instant::now();
                let answer = call(question).await?;
                answers.push((index, answer, asked.elapsed()));
            }
        });
    }
    let mut answers = Vec::new();
    while let Some(client) = clients.join_next().await {
        answers.extend(client??);
    }
    answers.sort_unstable_by_key(|(index, _, _)| *index);
    let mut latencies: Vec<_> = answers.iter().map(|(_, _, latency)| *latency).collect();
    latencies.sort_unstable();
    let answers = answers.into_iter().map(|(_, answer, _)| answer).collect();
    Ok(Driven { answers, latencies })
}

impl<A> Driven<A> {
    /// The latency that this share of all calls stays within.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

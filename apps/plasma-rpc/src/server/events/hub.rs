//! The topics that somebody follows, and the one task that reads them on.
//!
//! It must never read an event twice because two subscribers want it, and never keep anybody waiting who is up to date: whoever is
//! behind reads for itself ([`Reader`]).

use super::feed::{CHUNK_EVENTS_MAX, CHUNK_LEN_MAX, Feed, Head};
use super::reader::Reader;
use super::text::EventText;
use super::{EventLog, EventLogError};
use crate::server::config::Limits;
use crate::server::shared::{Phase, reached};
use crate::subscription::{Start, TopicName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Pause after events could not be read. Everything else goes on meanwhile.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// One of these exists per server that has events.
pub(in crate::server) struct Hub {
    log: Arc<dyn EventLog>,
    /// Topics of no account: always there, so that their newest events are in memory when everybody comes back at once.
    general: Vec<Arc<Feed>>,
    /// Topics of accounts that somebody follows, and some that nobody does any more.
    accounts: Mutex<BTreeMap<TopicName, Weak<Feed>>>,
    /// There is a topic that was never looked at.
    has_new: Notify,
    subscriptions: Arc<Semaphore>,
    log_reads: Arc<Semaphore>,
}

/// Why a reader cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum NoReader {
    /// There are as many as there may be.
    TooMany,
    /// No event has that number yet.
    BeyondHead {
        topic: TopicName,
        head: u64,
    },
    Log(EventLogError),
}

impl Hub {
    /// A hub and its task, which ends when the server has stopped.
    pub(in crate::server) fn start(
        log: Arc<dyn EventLog>,
        limits: &Limits,
        phase: watch::Receiver<Phase>,
    ) -> Arc<Self> {
        let permits = |count: usize| Semaphore::new(count.min(Semaphore::MAX_PERMITS));
        let changed = log.changed();
        let hub = Arc::new(Self {
            log,
            general: TopicName::GENERAL.into_iter().map(Feed::new).map(Arc::new).collect(),
            accounts: Mutex::default(),
            has_new: Notify::new(),
            subscriptions: Arc::new(permits(limits.subscriptions_max)),
            log_reads: Arc::new(permits(limits.event_log_reads_max)),
        });
        tokio::spawn(follow(Arc::clone(&hub), changed, phase));
        hub
    }

    /// A reader of a topic.
    ///
    /// # Errors
    /// [`NoReader`].
    pub(in crate::server) async fn reader(
        self: &Arc<Self>,
        topic: TopicName,
        from: Start,
    ) -> Result<Reader, NoReader> {
        let permit = self.permit()?;
        let after = self
            .on_log(move |log| {
                let head = log.head(&topic.0)?;
                Ok(match from {
                    Start::News => Ok(head),
                    Start::Sequence(first) if first > head.saturating_add(1) => {
                        Err(NoReader::BeyondHead { topic, head })
                    }
                    Start::Sequence(first) => Ok(first.saturating_sub(1)),
                    Start::Blknum(blknum) => Ok(log.before_block(&topic.0, blknum)?),
                })
            })
            .await
            .map_err(NoReader::Log)??;
        Ok(Reader::new(Arc::clone(self), self.feed(topic), after, permit))
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, NoReader> {
        Arc::clone(&self.subscriptions).try_acquire_owned().map_err(|_| NoReader::TooMany)
    }

    /// Events after a number, from the log.
    pub(super) async fn read(
        &self,
        topic: TopicName,
        after: u64,
    ) -> Result<Vec<Arc<EventText>>, EventLogError> {
        self.on_log(move |log| {
            let mut events = read(log, topic, after)?;
            let mut len = 0_usize;
            let fits = events.iter().take_while(|event| {
                len = len.saturating_add(event.json.len());
                len <= CHUNK_LEN_MAX
            });
            // One is always taken, however long it is.
            let count = fits.count().max(1);
            events.truncate(count);
            Ok(events)
        })
        .await
    }

    /// Runs something that reads the log, off the async threads, when it is its turn.
    ///
    /// Whoever waits here may not be polled for long: it is one stream of many, and its socket takes nothing. So a task of its own
    /// waits for the turn, takes it at once, and gives it back; otherwise a turn would be given to somebody who is asleep.
    async fn on_log<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn EventLog) -> Result<T, EventLogError> + Send + 'static,
    ) -> Result<T, EventLogError> {
        let (turns, log) = (Arc::clone(&self.log_reads), Arc::clone(&self.log));
        // Dropped with whoever waits, it aborts the task.
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let turn = turns.acquire_owned().await;
            let turn = turn.map_err(|error| EventLogError::Transient(error.to_string()))?;
            off_thread(move || {
                // A job that nobody waits for any more runs to its end all the same.
                let _turn = turn;
                job(&*log)
            })
            .await
        });
        match reading.join_next().await {
            Some(Ok(read)) => read,
            Some(Err(error)) => Err(EventLogError::Permanent(error.to_string())),
            None => Err(EventLogError::Permanent("nothing was read".into())),
        }
    }

    /// The feed of a topic, which the hub reads from now on, also when it was retired before.
    fn feed(&self, topic: TopicName) -> Arc<Feed> {
        let general = self.general.iter().find(|feed| feed.topic() == topic);
        let (feed, is_new) = match general {
            Some(feed) => (Arc::clone(feed), false),
            None => self.account_feed(topic),
        };
        if feed.revive() || is_new {
            self.has_new.notify_one();
        }
        feed
    }

    fn account_feed(&self, topic: TopicName) -> (Arc<Feed>, bool) {
        let mut accounts = self.accounts();
        if let Some(feed) = accounts.get(&topic).and_then(Weak::upgrade) {
            return (feed, false);
        }
        let feed = Arc::new(Feed::new(topic));
        accounts.insert(topic, Arc::downgrade(&feed));
        (feed, true)
    }

    /// The feeds that somebody reads, those of no account first. The others are forgotten.
    fn feeds(&self) -> Vec<Arc<Feed>> {
        let mut feeds = self.general.clone();
        self.accounts().retain(|_, feed| {
            let read = feed.upgrade();
            let is_read = read.is_some();
            feeds.extend(read);
            is_read
        });
        feeds
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<TopicName, Weak<Feed>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads on whenever there may be news, until the server has stopped.
async fn follow(
    hub: Arc<Hub>,
    mut changed: watch::Receiver<u64>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut only_new = false;
    let mut failing = BTreeSet::new();
    let mut retry_at = None;
    loop {
        if !only_new {
            changed.mark_unchanged();
        }
        let (feeds, log) = (hub.feeds(), Arc::clone(&hub.log));
        let read = off_thread(move || Ok(advance_all(&*log, &feeds, only_new, &failing))).await;
        let is_failing = read.as_ref().map_or(true, |failing| !failing.is_empty());
        failing = read.unwrap_or_else(|error| {
            tracing::error!(%error, "reading events failed");
            BTreeSet::new()
        });
        retry_at = match retry_at.filter(|_| only_new) {
            _ if !is_failing => None,
            // What failed before was not looked at.
            Some(at) => Some(at),
            None => Some(Instant::now() + RETRY_PAUSE),
        };
        only_new = tokio::select! {
            () = reached(&mut phase, Phase::Stopped) => return,
            () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => false,
            outcome = changed.changed() => match outcome {
                Ok(()) => false,
                // The node is going down, and its server with it.
                Err(_) => return,
            },
            () = hub.has_new.notified() => true,
        };
    }
}

/// Brings feeds up to date. One that fails does not hold up the others: it is tried again later, and if that is of no use, it is
/// retired. Those to be tried again; what is among them already was complained of.
fn advance_all(
    log: &dyn EventLog,
    feeds: &[Arc<Feed>],
    only_new: bool,
    failing: &BTreeSet<TopicName>,
) -> BTreeSet<TopicName> {
    let mut later = if only_new { failing.clone() } else { BTreeSet::new() };
    for feed in feeds {
        let topic = feed.topic();
        let outcome = match feed.head() {
            Head::Unknown => begin(log, feed).and_then(|after| advance(log, feed, after)),
            Head::At(head) if !only_new => advance(log, feed, head),
            Head::At(_) | Head::Retired => continue,
        };
        let is_news = !failing.contains(&topic);
        match outcome {
            Ok(()) if is_news => {}
            Ok(()) => {
                tracing::info!(%topic, "events can be read again");
                later.remove(&topic);
            }
            Err(error @ EventLogError::Transient(_)) => {
                if is_news {
                    tracing::warn!(%topic, %error, "events cannot be read, and are tried again");
                }
                later.insert(topic);
            }
            Err(error @ EventLogError::Permanent(_)) => {
                tracing::error!(%topic, %error, "subscriptions end because their events cannot be read");
                feed.retire();
            }
        }
    }
    later
}

fn advance(log: &dyn EventLog, feed: &Feed, mut after: u64) -> Result<(), EventLogError> {
    loop {
        let events = read(log, feed.topic(), after)?;
        let Some(newest) = events.last() else {
            return Ok(());
        };
        after = newest.sequence;
        feed.push(&events);
    }
}

/// Where a feed begins that was never looked at: so far back that its ring is full, or now for the transfers of an account.
fn begin(log: &dyn EventLog, feed: &Feed) -> Result<u64, EventLogError> {
    let head = log.head(&feed.topic().0)?;
    let is_general = TopicName::GENERAL.contains(&feed.topic());
    let kept = if is_general { u64::try_from(feed.events_max()).unwrap_or(u64::MAX) } else { 0 };
    let after = head.saturating_sub(kept);
    feed.restart(after);
    Ok(after)
}

fn read(
    log: &dyn EventLog,
    topic: TopicName,
    after: u64,
) -> Result<Vec<Arc<EventText>>, EventLogError> {
    let events = log.read(&topic.0, after, CHUNK_EVENTS_MAX)?;
    EventText::render(topic, after, events).ok_or_else(|| {
        EventLogError::Permanent(format!("there is a gap after event {after} of {topic}"))
    })
}

async fn off_thread<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, EventLogError> + Send + 'static,
) -> Result<T, EventLogError> {
    let outcome = tokio::task::spawn_blocking(job).await;
    outcome.unwrap_or_else(|error| Err(EventLogError::Permanent(error.to_string())))
}

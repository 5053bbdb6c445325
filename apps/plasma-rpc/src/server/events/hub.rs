//! The topics that somebody follows, and the one task that reads them on.
//!
//! It must never read an event twice because two subscribers want it, and never keep anybody waiting who is up to date: whoever is
//! behind reads for itself ([`Reader`]).

use super::feed::{CHUNK_EVENTS_MAX, CHUNK_LEN_MAX, Feed};
use super::reader::Reader;
use super::text::EventText;
use super::{EventLog, EventLogError};
use crate::server::config::Limits;
use crate::server::shared::{Phase, reached};
use crate::subscription::{Start, TopicName};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

/// Pause after the log could not be read.
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
                    Start::Sequence(first) if first > head.saturating_add(1) => Err(head),
                    Start::Sequence(first) => Ok(first.saturating_sub(1)),
                    Start::Blknum(blknum) => Ok(log.before_block(&topic.0, blknum)?),
                })
            })
            .await
            .map_err(NoReader::Log)?;
        let after = after.map_err(|head| NoReader::BeyondHead { head })?;
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
    async fn on_log<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn EventLog) -> Result<T, EventLogError> + Send + 'static,
    ) -> Result<T, EventLogError> {
        let turn = Arc::clone(&self.log_reads).acquire_owned().await;
        let turn = turn.map_err(|error| EventLogError::Transient(error.to_string()))?;
        let log = Arc::clone(&self.log);
        off_thread(move || {
            // A job that nobody waits for any more runs to its end all the same.
            let _turn = turn;
            job(&*log)
        })
        .await
    }

    fn feed(&self, topic: TopicName) -> Arc<Feed> {
        if let Some(feed) = self.general.iter().find(|feed| feed.topic() == topic) {
            return Arc::clone(feed);
        }
        let mut accounts = self.accounts();
        if let Some(feed) = accounts.get(&topic).and_then(Weak::upgrade) {
            return feed;
        }
        let feed = Arc::new(Feed::new(topic));
        accounts.insert(topic, Arc::downgrade(&feed));
        self.has_new.notify_one();
        feed
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
    loop {
        changed.mark_unchanged();
        let (feeds, log) = (hub.feeds(), Arc::clone(&hub.log));
        let read = off_thread(move || advance_all(&*log, &feeds, only_new)).await;
        only_new = tokio::select! {
            () = reached(&mut phase, Phase::Stopped) => return,
            // After a failure everything is looked at again.
            () = sleep(RETRY_PAUSE), if read.is_err() => false,
            outcome = changed.changed(), if read.is_ok() => match outcome {
                Ok(()) => false,
                // The node is going down, and its server with it.
                Err(_) => return,
            },
            () = hub.has_new.notified(), if read.is_ok() => !changed.has_changed().unwrap_or(false),
        };
    }
}

/// Brings feeds up to date. One that fails does not hold up the others.
fn advance_all(
    log: &dyn EventLog,
    feeds: &[Arc<Feed>],
    only_new: bool,
) -> Result<(), EventLogError> {
    let mut outcome = Ok(());
    for feed in feeds.iter().filter(|feed| !only_new || feed.head().is_none()) {
        if let Err(error) = advance(log, feed) {
            tracing::warn!(topic = %feed.topic(), %error, "events cannot be read");
            outcome = Err(error);
        }
    }
    outcome
}

fn advance(log: &dyn EventLog, feed: &Feed) -> Result<(), EventLogError> {
    let topic = feed.topic();
    let mut after = match feed.head() {
        Some(head) => head,
        None => begin(log, feed)?,
    };
    loop {
        let events = read(log, topic, after)?;
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

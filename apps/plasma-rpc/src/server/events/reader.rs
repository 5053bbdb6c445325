//! One subscriber's place in a topic.

use super::EventLogError;
use super::feed::{Feed, Head, Taken};
use super::hub::Hub;
use super::text::EventText;
use crate::codes::{self, StableError};
use crate::subscription::TopicName;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Reads a topic forward. Nothing is read ahead of who asks for it, so a reader costs the same however far it is behind.
pub(in crate::server) struct Reader {
    hub: Arc<Hub>,
    feed: Arc<Feed>,
    news: watch::Receiver<Head>,
    after: u64,
    _permit: OwnedSemaphorePermit,
}

/// A subscription is over, for a reason that its subscriber is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Stop(pub(in crate::server) StableError);

impl Reader {
    pub(super) fn new(
        hub: Arc<Hub>,
        feed: Arc<Feed>,
        after: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { hub, news: feed.news(), feed, after, _permit: permit }
    }

    pub(in crate::server) fn topic(&self) -> TopicName {
        self.feed.topic()
    }

    /// The number of the last event that was taken.
    pub(in crate::server) const fn after(&self) -> u64 {
        self.after
    }

    /// What comes next, at least one event: at once, or as soon as it happens.
    ///
    /// # Errors
    /// [`Stop`] when the node cannot read its events. Dropping the future skips nothing.
    pub(in crate::server) async fn next(&mut self) -> Result<Vec<Arc<EventText>>, Stop> {
        loop {
            // Seen before looking, so that nothing can happen unseen in between.
            self.news.mark_unchanged();
            let events = match self.feed.take(self.after) {
                Taken::Events(events) => events,
                Taken::Behind => {
                    let read = self.hub.read(self.feed.topic(), self.after).await;
                    read.map_err(|error| stop(self.feed.topic(), &error))?
                }
                Taken::UpToDate => {
                    // The feed outlives its readers, so there is always a sender.
                    drop(self.news.changed().await);
                    continue;
                }
                // The hub has said why.
                Taken::Retired => return Err(Stop(codes::EVENTS_UNAVAILABLE)),
            };
            if let Some(newest) = events.last() {
                self.after = newest.sequence;
                return Ok(events);
            }
            // What the ring has had is not in the log.
            return Err(stop(self.topic(), &EventLogError::Permanent("events are gone".into())));
        }
    }
}

fn stop(topic: TopicName, error: &EventLogError) -> Stop {
    tracing::warn!(%topic, %error, "a subscription ends because its events cannot be read");
    Stop(codes::EVENTS_UNAVAILABLE)
}

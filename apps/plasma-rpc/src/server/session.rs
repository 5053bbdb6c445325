//! The subscriptions of one WebSocket.
//!
//! A subscription is a stream that yields what comes next. The socket's writer polls it only when it has written what came before,
//! so a socket holds at most one chunk of events of each of its subscriptions, and for a client that does not read nothing is read.

use super::envelope::json;
use super::events::{EventText, Hub, NoReader, Reader, Stop};
use super::shared::Shared;
use crate::codes::{self, StableError};
use crate::endpoint::Service;
use crate::error::{ErrorBody, RpcError};
use crate::params::{RawParams, RequestParams};
use crate::subscription::{SUBSCRIBE, SubscribeParams, TopicName, UNSUBSCRIBE, UnsubscribeParams};
use futures::StreamExt;
use futures::future::{AbortHandle, AbortRegistration, Abortable};
use futures::stream::{BoxStream, unfold};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names subscriptions, so that no id means two of them while the process lives.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What a WebSocket is subscribed to.
#[derive(Default)]
pub(super) struct Session {
    live: Mutex<BTreeMap<u64, Live>>,
}

struct Live {
    end: AbortHandle,
    /// The last event that was written.
    told: u64,
}

/// Who calls, and what that lets it do.
#[derive(Default)]
pub(super) struct Caller<'a> {
    /// Missing where nothing can be told later.
    pub(super) session: Option<&'a Session>,
    /// What was subscribed to. Its events may only be told after the answer.
    pub(super) begun: Mutex<Vec<Subscription>>,
}

/// A subscription whose answer is not written yet.
pub(super) struct Subscription {
    id: u64,
    reader: Reader,
    ended: AbortRegistration,
}

/// Chunks of events until the subscription is ended.
pub(super) type Chunks = Abortable<BoxStream<'static, Chunk>>;

/// What comes next in a subscription.
pub(super) struct Chunk {
    pub(super) id: u64,
    pub(super) events: Result<Vec<Arc<EventText>>, Stop>,
}

impl Subscription {
    /// Its events.
    pub(super) fn chunks(self) -> Chunks {
        let id = self.id;
        let chunks = unfold(Some(self.reader), move |reader| async move {
            let mut reader = reader?;
            let events = reader.next().await;
            let rest = events.is_ok().then_some(reader);
            Some((Chunk { id, events }, rest))
        });
        Abortable::new(chunks.boxed(), self.ended)
    }
}

impl Session {
    /// Whether a subscription was not ended.
    pub(super) fn is_live(&self, id: u64) -> bool {
        self.live().contains_key(&id)
    }

    /// Notes what was written.
    pub(super) fn told(&self, id: u64, sequence: u64) {
        if let Some(live) = self.live().get_mut(&id) {
            live.told = sequence;
        }
    }

    /// Ends a subscription. What to tell of that, if there was one.
    pub(super) fn stop(&self, id: u64, stop: Stop) -> Option<String> {
        let live = self.live().remove(&id)?;
        Some(goodbye(id, &live, stop))
    }

    /// Ends all. What to tell of that.
    pub(super) fn stop_all(&self, stop: Stop) -> Vec<String> {
        let live = std::mem::take(&mut *self.live());
        live.iter().map(|(id, live)| goodbye(*id, live, stop)).collect()
    }

    fn add(&self, reader: Reader, live_max: usize) -> Result<Subscription, RpcError> {
        let mut live = self.live();
        if live.len() >= live_max {
            return Err(codes::SUBSCRIPTION_TOO_MANY.into());
        }
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (end, ended) = AbortHandle::new_pair();
        live.insert(id, Live { end, told: reader.after() });
        Ok(Subscription { id, reader, ended })
    }

    fn remove(&self, id: &str) -> bool {
        let removed = id.parse().ok().and_then(|id: u64| self.live().remove(&id));
        removed.inspect(|live| live.end.abort()).is_some()
    }

    /// Never held while anything is waited for.
    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller<'_> {
    /// What was subscribed to.
    pub(super) fn into_begun(self) -> Vec<Subscription> {
        self.begun.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers `subscribe` and `unsubscribe`; `None` for every other method.
    pub(super) async fn answer(
        &self,
        shared: &Shared,
        method: &str,
        params: Option<&str>,
    ) -> Option<Result<String, RpcError>> {
        let hub = shared.hub.as_ref()?;
        if method == SUBSCRIBE.spec.name {
            return Some(self.subscribe(shared, hub, params).await);
        }
        (method == UNSUBSCRIBE.spec.name).then(|| self.unsubscribe(params))
    }

    async fn subscribe(
        &self,
        shared: &Shared,
        hub: &Arc<Hub>,
        params: Option<&str>,
    ) -> Result<String, RpcError> {
        let session = self.session.ok_or(codes::SUBSCRIPTION_NEEDS_WEBSOCKET)?;
        let raw = RawParams::from_json_rpc(SubscribeParams::NAMES, params)?;
        let params = SubscribeParams::parse(&raw)?;
        // Looked at first, so that nobody reads the log for nothing; counted when it is added.
        let live_max = shared.limits.websocket_subscriptions_max;
        if session.live().len() >= live_max {
            return Err(codes::SUBSCRIPTION_TOO_MANY.into());
        }
        let reader = hub.reader(params.topic, params.from).await?;
        let subscription = session.add(reader, live_max)?;
        let id = json(&subscription.id.to_string());
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(subscription);
        Ok(id)
    }

    fn unsubscribe(&self, params: Option<&str>) -> Result<String, RpcError> {
        let session = self.session.ok_or(codes::SUBSCRIPTION_NEEDS_WEBSOCKET)?;
        let raw = RawParams::from_json_rpc(UnsubscribeParams::NAMES, params)?;
        let params = UnsubscribeParams::parse(&raw)?;
        Ok(json(&session.remove(&params.subscription)))
    }
}

impl From<NoReader> for RpcError {
    fn from(error: NoReader) -> Self {
        #[derive(Serialize)]
        struct Messages {
            topic: TopicName,
            head: u64,
        }
        match error {
            NoReader::TooMany => codes::OVERLOADED.into(),
            NoReader::BeyondHead { topic, head } => {
                Self::from(codes::SUBSCRIPTION_BEYOND_HEAD).with_messages(&Messages { topic, head })
            }
            NoReader::Log(error) => {
                tracing::warn!(%error, "nobody can subscribe");
                codes::EVENTS_UNAVAILABLE.into()
            }
        }
    }
}

/// The notification of an event.
pub(super) fn event_text(id: u64, event: &EventText) -> String {
    let event = &event.json;
    format!(
        r#"{{"jsonrpc":"2.0","method":"event","params":{{"subscription":"{id}","result":{event}}}}}"#
    )
}

fn goodbye(id: u64, live: &Live, stop: Stop) -> String {
    live.end.abort();
    let error = json(&stop_body(stop.0, live.told));
    format!(
        r#"{{"jsonrpc":"2.0","method":"event","params":{{"subscription":"{id}","error":{error}}}}}"#
    )
}

/// Why a subscription is over, and where to go on.
pub(super) fn stop_body(error: StableError, told: u64) -> ErrorBody {
    #[derive(Serialize)]
    struct Messages {
        next: u64,
    }
    let messages = Messages { next: told.saturating_add(1) };
    // Stable errors look the same at every service.
    RpcError::from(error).with_messages(&messages).render(Service::Watcher, "subscribe").body
}

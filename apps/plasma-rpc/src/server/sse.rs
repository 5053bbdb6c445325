//! Server-sent events: `GET /events?topics=blocks,status&from=sequence:1`.
//!
//! It must never leave an event out that a browser would not ask for again: every event carries the place of all topics of its
//! stream, the stream begins with one, and `Last-Event-ID` goes on from there; a page that cannot set headers says `place=` instead.
//! Nothing is read for a client that does not read.

use super::body::AnswerBody;
use super::envelope::json;
use super::events::{EventText, Reader, Stop};
use super::http::refusal_page;
use super::session::stop_body;
use super::shared::{Phase, Shared, reached};
use crate::codes;
use crate::error::RpcError;
use crate::subscription::{EventCursor, STREAM_TOPICS_MAX, Start, TopicName};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, unfold};
use hyper::Request;
use hyper::Response;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
/// How soon a browser comes back that lost its stream, in milliseconds.
const RETRY_MS: u32 = 1_000;

type Answer = Response<AnswerBody>;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    topics: BTreeSet<TopicName>,
    from: Start,
    /// Where the client has been. Topics that are not in it begin at `from`.
    place: EventCursor,
}

/// Answers with a stream, or says why there is none.
pub(super) async fn answer<B>(shared: &Arc<Shared>, request: &Request<B>) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let wanted = Wanted::read(query, request.headers());
    let stream = match wanted {
        Ok(wanted) => open(shared, wanted).await,
        Err(error) => Err(error),
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            let refusal = error.render(shared.registry.service(), "");
            return refusal_page(shared, &refusal);
        }
    };
    let mut answer = Response::new(AnswerBody::from(stream));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, EVENT_STREAM);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies must not hold events back.
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    answer
}

impl Wanted {
    fn read(query: &str, headers: &HeaderMap) -> Result<Self, RpcError> {
        let bad = |part: &str| RpcError::from(codes::SUBSCRIPTION_BAD_REQUEST).with_messages(&part);
        let mut topics = BTreeSet::new();
        let (mut from, mut place) = (Start::News, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "topics" => {
                    for topic in value.split(',') {
                        topics.insert(topic.parse().map_err(|_| bad("topics"))?);
                    }
                }
                "from" => from = value.parse().map_err(|_| bad("from"))?,
                "place" => place = Some(value),
                _ => {}
            }
        }
        if topics.is_empty() {
            return Err(bad("topics"));
        }
        if topics.len() > STREAM_TOPICS_MAX {
            return Err(codes::SUBSCRIPTION_TOO_MANY.into());
        }
        // An `EventSource` that comes back by itself repeats its URL, so the header is newer.
        let place = match headers.get(LAST_EVENT_ID).filter(|header| !header.is_empty()) {
            Some(header) => {
                let text = header.to_str().ok();
                text.and_then(|text| text.parse().ok()).ok_or_else(|| bad("Last-Event-ID"))?
            }
            None => place.unwrap_or_default().parse().map_err(|_| bad("place"))?,
        };
        Ok(Self { topics, from, place })
    }
}

/// A stream and its state between two chunks.
struct EventStream {
    chunks: SelectAll<BoxStream<'static, Chunk>>,
    place: EventCursor,
    phase: watch::Receiver<Phase>,
    heartbeat: Duration,
    stall_timeout: Duration,
    /// When the chunk before was given to the connection.
    given: Instant,
    _permit: OwnedSemaphorePermit,
}

struct Chunk {
    topic: TopicName,
    events: Result<Vec<Arc<EventText>>, Stop>,
}

async fn open(shared: &Shared, wanted: Wanted) -> Result<BoxStream<'static, Bytes>, RpcError> {
    let hub = shared.hub.as_ref().ok_or(codes::NOT_FOUND)?;
    let permit = Arc::clone(&shared.event_streams).try_acquire_owned();
    let permit = permit.map_err(|_| codes::OVERLOADED)?;
    let mut place = EventCursor::default();
    let mut chunks = SelectAll::new();
    for topic in wanted.topics {
        let from = match wanted.place.0.get(&topic) {
            Some(received) => Start::Sequence(received.saturating_add(1)),
            None => wanted.from,
        };
        let reader = hub.reader(topic, from).await?;
        place.0.insert(topic, reader.after());
        chunks.push(chunks_of(reader));
    }
    let opening = format!("retry: {RETRY_MS}\nid: {place}\n\n");
    let stream = EventStream {
        chunks,
        place,
        phase: shared.phase.clone(),
        heartbeat: shared.limits.event_stream_heartbeat,
        stall_timeout: shared.limits.subscription_stall_timeout,
        given: Instant::now(),
        _permit: permit,
    };
    let opening = futures::stream::once(async { Bytes::from(opening) });
    let rest = unfold(Some(stream), |stream| async {
        let (bytes, rest) = stream?.next().await?;
        Some((bytes, rest))
    });
    Ok(opening.chain(rest).boxed())
}

fn chunks_of(reader: Reader) -> BoxStream<'static, Chunk> {
    let chunks = unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        let events = reader.next().await;
        let topic = reader.topic();
        let rest = events.is_ok().then_some(reader);
        Some((Chunk { topic, events }, rest))
    });
    chunks.boxed()
}

impl EventStream {
    /// What comes next, and whether anything can come after it.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        // The connection asks for more when it has room. It had none for too long.
        if self.given.elapsed() > self.stall_timeout {
            return Some((self.goodbye(None, Stop(codes::SUBSCRIPTION_TOO_SLOW)), None));
        }
        let chunk = tokio::select! {
            chunk = timeout(self.heartbeat, self.chunks.next()) => chunk,
            () = reached(&mut self.phase, Phase::Stopping) => {
                return Some((self.goodbye(None, Stop(codes::SUBSCRIPTION_SERVER_STOPS)), None));
            }
        };
        let bytes = match chunk {
            Err(_) => Bytes::from_static(b":\n\n"),
            Ok(None) => return None,
            Ok(Some(Chunk { topic, events: Err(stop) })) => {
                return Some((self.goodbye(Some(topic), stop), None));
            }
            Ok(Some(Chunk { topic, events: Ok(events) })) => self.tell(topic, &events),
        };
        self.given = Instant::now();
        Some((bytes, Some(self)))
    }

    fn tell(&mut self, topic: TopicName, events: &[Arc<EventText>]) -> Bytes {
        let mut text = String::new();
        for event in events {
            self.place.0.insert(topic, event.sequence);
            // Writing to a text does not fail.
            let _ = write!(text, "id: {}\nevent: {topic}\ndata: {}\n\n", self.place, event.json);
        }
        text.into()
    }

    /// The last thing a client hears. It may come back with the id it has; where one number is not enough to say where to go on,
    /// that of the first topic is said.
    fn goodbye(&self, topic: Option<TopicName>, stop: Stop) -> Bytes {
        let topic = topic.as_ref().or_else(|| self.place.0.keys().next());
        let told = topic.and_then(|topic| self.place.0.get(topic)).copied().unwrap_or_default();
        format!("event: end\ndata: {}\n\n", json(&stop_body(stop.0, told))).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, last_event_id: &str, expected: Result<(usize, Start, &str), &str>) {
        let mut headers = HeaderMap::new();
        headers.insert(LAST_EVENT_ID, HeaderValue::from_str(last_event_id).unwrap());
        let wanted = Wanted::read(query, &headers);
        let wanted = wanted
            .as_ref()
            .map(|wanted| (wanted.topics.len(), wanted.from, wanted.place.to_string()));
        let expected = expected.map(|(topics, from, place)| (topics, from, place.to_owned()));
        assert_eq!(wanted.map_err(RpcError::name), expected, "{query} {last_event_id}");
    }

    #[test]
    fn a_query_names_topics_and_where_to_begin() {
        let account = format!("transfer:0x{}", "11".repeat(20));
        let many = (0..17).map(|n| format!("transfer:0x{n:040x}")).collect::<Vec<_>>().join(",");
        let bad = "subscription:bad_request";
        check("topics=blocks", "", Ok((1, Start::News, "")));
        check("topics=blocks,exits,blocks", "", Ok((2, Start::News, "")));
        check(&format!("topics=blocks%2C{account}&x=1"), "", Ok((2, Start::News, "")));
        check("topics=blocks&topics=exits&from=sequence%3A1", "", Ok((2, Start::Sequence(1), "")));
        check("topics=blocks&from=", "blocks:17", Ok((1, Start::News, "blocks:17")));
        check("", "", Err(bad));
        check("topics=", "", Err(bad));
        check("topics=blocks,", "", Err(bad));
        check("topics=nonsense", "", Err(bad));
        check("topics=blocks&from=1", "", Err(bad));
        check("topics=blocks", "17", Err(bad));
        check("topics=blocks&place=blocks:3,exits:4", "", Ok((1, Start::News, "blocks:3,exits:4")));
        check("place=blocks%3A3&topics=blocks", "blocks:17", Ok((1, Start::News, "blocks:17")));
        check("topics=blocks&place=", "", Ok((1, Start::News, "")));
        check("topics=blocks&place=17", "", Err(bad));
        check("topics=blocks&place=blocks:3", "17", Err(bad));
        check(&format!("topics={many}"), "", Err("subscription:too_many"));
    }
}

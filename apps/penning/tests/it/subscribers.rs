//! Subscribers who go on where they were, however often their watcher dies, and look at every number.

use crate::process::POLL;
use futures::io::{BufReader, BufWriter};
use plasma_rpc::event_client::{EventClient, EventClientConfig, Heard};
use plasma_rpc::subscription::{EVENT, EventObject, Start, TopicName};
use serde::Deserialize;
use serde_json::{Value, json};
use soketto::connection::Error as Lost;
use soketto::handshake::{Client, ServerResponse};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// What was heard, by topic: the event with number n is at n - 1, as JSON.
pub(crate) type Events = BTreeMap<TopicName, Vec<String>>;

/// Follows some topics from their first event, until dropped.
pub(crate) struct Subscriber {
    notes: Arc<Notes>,
    task: JoinHandle<()>,
}

struct Notes {
    events: Mutex<Events>,
    /// How often the connection was lost.
    losses: AtomicU32,
}

impl Subscriber {
    /// Over a WebSocket, with a subscription for each topic.
    pub(crate) fn over_websocket(url: &str, topics: &[TopicName]) -> Self {
        let notes = Notes::of(topics);
        let addr = url.strip_prefix("http://").unwrap().to_owned();
        let task = tokio::spawn(Arc::clone(&notes).follow_websocket(addr));
        Self { notes, task }
    }

    /// By server-sent events, as `penning watch` does.
    pub(crate) fn over_http(url: &str, topics: &[TopicName]) -> Self {
        let notes = Notes::of(topics);
        let mut config = EventClientConfig::new(url, topics.to_vec());
        config.from = Start::Sequence(1);
        (config.pause_min, config.pause_max) = (POLL, 10 * POLL);
        let client = EventClient::new(config).unwrap();
        let task = tokio::spawn(Arc::clone(&notes).follow_http(client));
        Self { notes, task }
    }

    /// How many events of this topic were heard.
    pub(crate) fn count(&self, topic: TopicName) -> usize {
        assert!(!self.task.is_finished(), "a subscriber gave up");
        self.notes.events.lock().unwrap()[&topic].len()
    }

    pub(crate) fn losses(&self) -> u32 {
        self.notes.losses.load(Ordering::Relaxed)
    }

    /// Everything that was heard.
    pub(crate) fn events(&self) -> Events {
        self.notes.events.lock().unwrap().clone()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Notes {
    fn of(topics: &[TopicName]) -> Arc<Self> {
        let events = topics.iter().map(|topic| (*topic, Vec::new())).collect();
        Arc::new(Self { events: Mutex::new(events), losses: AtomicU32::new(0) })
    }

    fn take(&self, event: &EventObject) {
        note(&mut self.events.lock().unwrap(), event);
    }

    async fn follow_http(self: Arc<Self>, mut client: EventClient) {
        loop {
            match client.next().await.unwrap() {
                Heard::Event(event) => self.take(&event),
                Heard::Interrupted(_) => {
                    self.losses.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    async fn follow_websocket(self: Arc<Self>, addr: String) {
        loop {
            // It ends with the connection, which comes back.
            if self.listen(&addr).await.is_err() {
                self.losses.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Subscribes to what comes next in each topic, and listens until the connection is lost.
    async fn listen(&self, addr: &str) -> Result<(), Lost> {
        let stream = TcpStream::connect(addr).await?.compat();
        let mut client = Client::new(BufReader::new(BufWriter::new(stream)), addr, "/");
        if !matches!(client.handshake().await, Ok(ServerResponse::Accepted { .. })) {
            return Ok(());
        }
        let (mut sender, mut receiver) = client.into_builder().finish();
        let next: Vec<_> = {
            let events = self.events.lock().unwrap();
            events.iter().map(|(topic, heard)| (topic.to_string(), heard.len() + 1)).collect()
        };
        for (topic, sequence) in next {
            let params = json!({"topic": topic, "from": {"sequence": sequence}});
            let call =
                json!({"jsonrpc": "2.0", "id": topic, "method": "subscribe", "params": params});
            sender.send_text(call.to_string()).await?;
        }
        sender.flush().await?;
        loop {
            let mut text = Vec::new();
            receiver.receive_data(&mut text).await?;
            let message: Message = serde_json::from_slice(&text).unwrap();
            match message.params {
                Some(Params { result: Some(event), .. }) => {
                    assert_eq!(message.method.as_deref(), Some(EVENT));
                    self.take(&event);
                }
                Some(Params { error, .. }) => panic!("a subscription ended: {error:?}"),
                None => assert!(message.error.is_none(), "refused: {:?}", message.error),
            }
        }
    }
}

/// An answer or a notification.
#[derive(Deserialize)]
struct Message {
    method: Option<String>,
    params: Option<Params>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Params {
    result: Option<EventObject>,
    error: Option<Value>,
}

/// Notes an event, which has to be the next one of its topic.
pub(crate) fn note(events: &mut Events, event: &EventObject) {
    let heard = events.get_mut(&event.topic).unwrap();
    assert_eq!(event.sequence, heard.len() as u64 + 1, "missed or doubled in {}", event.topic);
    heard.push(serde_json::to_string(event).unwrap());
}

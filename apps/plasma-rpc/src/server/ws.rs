//! JSON-RPC over a WebSocket.
//!
//! A socket is read only while it has room for another call, and a call gives its room back when its answer is written. So a
//! client that does not read its answers is not read from either, and costs no more than a bounded number of calls. What it is
//! subscribed to is read for it only when it has taken what was written before; when that takes too long, its subscriptions end. They
//! are told so, and when the server stops, too.

use super::body::AnswerBody;
use super::events::Stop;
use super::files::websockets_of_process;
use super::http::refuse;
use super::json_rpc::{self, Answer};
use super::session::{Caller, Chunk, Session, Subscription, event_text};
use super::shared::{Phase, Shared, reached};
use crate::codes;
use futures::io::{BufReader, BufWriter};
use futures::stream::{FuturesUnordered, SelectAll, StreamExt};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jsonrpsee::types::Id;
use soketto::connection::Error;
use soketto::data::ByteSlice125;
use soketto::handshake::http::{Server, is_upgrade_request};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Io = BufReader<BufWriter<Compat<TokioIo<Upgraded>>>>;
type Sender = soketto::Sender<Io>;
type Receiver = soketto::Receiver<Io>;

/// How many pings in a row may go without any sign of life.
const MISSED_PINGS_MAX: u32 = 3;

/// Longest message of a WebSocket that was opened when many were open already.
const SHORT_MESSAGE_LEN_MAX: usize = 64 * 1_024;
/// What every idle socket holds. Longer messages pass by these buffers.
const WRITE_BUFFER_LEN: usize = 4 * 1_024;
const READ_BUFFER_LEN: usize = 512;

/// Time for the peer to take the news that a socket is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether a request wants to become a WebSocket.
pub(super) fn is_upgrade(request: &Request<Incoming>) -> bool {
    is_upgrade_request(request)
}

/// Turns a request into a WebSocket and serves it until either side closes it.
pub(super) fn accept(
    shared: &Arc<Shared>,
    connection: Arc<OwnedSemaphorePermit>,
    request: &mut Request<Incoming>,
) -> Response<AnswerBody> {
    let permit = Arc::clone(&shared.websockets).try_acquire_owned();
    let (Ok(permit), Ok(file)) = (permit, websockets_of_process().try_acquire_owned()) else {
        return refuse(shared, codes::OVERLOADED);
    };
    let long_messages = Arc::clone(&shared.long_messages).try_acquire_owned().ok();
    let limits = &shared.limits;
    let message_len_max = match long_messages {
        Some(_) => limits.websocket_message_len_max,
        None => limits.websocket_message_len_max.min(SHORT_MESSAGE_LEN_MAX),
    };
    let mut handshake = Server::new();
    let Ok(response) = handshake.receive_request(request) else {
        return refuse(shared, codes::MALFORMED_BODY);
    };
    let upgrade = hyper::upgrade::on(request);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let _permits = (permit, file, long_messages);
        let upgraded = upgrade.await;
        // From here on it counts as a WebSocket only.
        drop(connection);
        match upgraded {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded).compat();
                let io = BufWriter::with_capacity(WRITE_BUFFER_LEN, io);
                let io = BufReader::with_capacity(READ_BUFFER_LEN, io);
                let mut builder = handshake.into_builder(io);
                builder.set_max_message_size(message_len_max);
                builder.set_max_frame_size(message_len_max);
                let (sender, receiver) = builder.finish();
                serve(&shared, sender, receiver).await;
            }
            Err(error) => tracing::debug!(%error, "a WebSocket was not established"),
        }
    });
    response.map(|()| AnswerBody::default())
}

/// A message, and the room it takes until its answer is written.
type Call = (Vec<u8>, OwnedSemaphorePermit);

/// What came of a call.
struct Answered {
    /// Missing when it was a notification.
    answer: Option<Answer>,
    /// What was subscribed to.
    begun: Vec<Subscription>,
    _room: OwnedSemaphorePermit,
}

/// Reads, runs and writes side by side: a peer that does not read must not hold up calls that have begun, and the codec may
/// hold the write half while it answers a ping.
async fn serve(shared: &Shared, mut sender: Sender, receiver: Receiver) {
    let (calls, incoming) = mpsc::channel(1);
    // Every answer comes with a permit, so this never fills up.
    let (answers, outgoing) = mpsc::channel(shared.limits.websocket_in_flight_max.max(1));
    let is_alive = AtomicBool::new(true);
    let whole = Whole(AtomicBool::new(true));
    let session = Session::default();
    let mut phase = shared.phase.clone();
    let all = async {
        tokio::try_join!(
            read(shared, receiver, calls, &is_alive),
            run(shared, &session, incoming, answers),
            write(shared, &session, &mut sender, outgoing, (&is_alive, &whole)),
        )
    };
    let outcome = tokio::select! {
        outcome = all => outcome.map(|_| ()),
        () = reached(&mut phase, Phase::Stopped) => Ok(()),
    };
    if let Err(error) = &outcome {
        tracing::debug!(%error, "a WebSocket ended");
    }
    if !whole.0.into_inner() {
        // What comes next would be taken for the rest of what was broken off. Such a peer has not read for long.
        return;
    }
    let last_word = async {
        match outcome {
            // The server stops.
            Ok(()) => {
                let stop = Stop(codes::SUBSCRIPTION_SERVER_STOPS);
                say(&mut sender, session.stop_all(stop)).await?;
            }
            Err(error) if is_too_long(&error) => {
                let refusal = json_rpc::refuse(shared, Id::Null, codes::BODY_TOO_LARGE);
                sender.send_text(&refusal.text).await?;
            }
            Err(_) => {}
        }
        sender.close().await
    };
    // The peer may be gone, or not be reading: then there is nobody to tell.
    drop(timeout(CLOSE_TIMEOUT, last_word).await);
}

/// Whether everything that was begun to be written is written.
struct Whole(AtomicBool);

impl Whole {
    async fn during(&self, writing: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        self.0.store(false, Ordering::Relaxed);
        writing.await?;
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether a message was over the limit. What follows it cannot be told apart any more, so the socket ends with it.
fn is_too_long(error: &Error) -> bool {
    use soketto::base::Error as Frame;
    matches!(error, Error::MessageTooLarge { .. } | Error::Codec(Frame::PayloadTooLarge { .. }))
}

/// Takes messages in while there is room for their calls. When the server stops it takes no more, and what has begun is
/// finished; when the peer closes there is nobody to finish anything for.
async fn read(
    shared: &Shared,
    mut receiver: Receiver,
    calls: mpsc::Sender<Call>,
    is_alive: &AtomicBool,
) -> Result<(), Error> {
    let room = Arc::new(Semaphore::new(shared.limits.websocket_in_flight_max));
    let mut phase = shared.phase.clone();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Closed)?;
        let message = tokio::select! {
            biased;
            () = reached(&mut phase, Phase::Stopping) => return Ok(()),
            message = next_message(&mut receiver, is_alive) => message?,
        };
        calls.send((message, permit)).await.map_err(|_| Error::Closed)?;
    }
}

async fn next_message(receiver: &mut Receiver, is_alive: &AtomicBool) -> Result<Vec<u8>, Error> {
    let mut message = Vec::new();
    loop {
        let incoming = receiver.receive(&mut message).await?;
        is_alive.store(true, Ordering::Relaxed);
        match incoming {
            soketto::Incoming::Data(_) => return Ok(message),
            soketto::Incoming::Pong(_) => {}
            soketto::Incoming::Closed(_) => return Err(Error::Closed),
        }
    }
}

/// Runs the calls, until no more come and all are done.
async fn run(
    shared: &Shared,
    session: &Session,
    mut incoming: mpsc::Receiver<Call>,
    answers: mpsc::Sender<Answered>,
) -> Result<(), Error> {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some((message, room)) = incoming.recv() => {
                running.push(call(shared, session, message, room));
            }
            Some(answered) = running.next() => {
                answers.send(answered).await.map_err(|_| Error::Closed)?;
            }
            else => return Ok(()),
        }
    }
}

/// Writes the answers in the order in which they are ready, what the socket is subscribed to, and pings.
async fn write(
    shared: &Shared,
    session: &Session,
    sender: &mut Sender,
    mut answers: mpsc::Receiver<Answered>,
    (is_alive, whole): (&AtomicBool, &Whole),
) -> Result<(), Error> {
    let every = shared.limits.websocket_ping_interval;
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    let mut chunks = SelectAll::new();
    loop {
        tokio::select! {
            answered = answers.recv() => {
                let Some(answered) = answered else {
                    return Ok(());
                };
                if let Some(answer) = answered.answer {
                    whole.during(async {
                        sender.send_text(&answer.text).await?;
                        sender.flush().await
                    }).await?;
                }
                chunks.extend(answered.begun.into_iter().map(Subscription::chunks));
            }
            Some(chunk) = chunks.next(), if !chunks.is_empty() => {
                whole.during(tell(shared, session, sender, chunk)).await?;
            }
            _ = pings.tick() => {
                missed = if is_alive.swap(false, Ordering::Relaxed) { 0 } else { missed + 1 };
                if missed >= MISSED_PINGS_MAX {
                    return Err(Error::Closed);
                }
                let nothing = ByteSlice125::try_from(&[][..]).map_err(|_| Error::Closed)?;
                whole.during(async {
                    sender.send_ping(nothing).await?;
                    sender.flush().await
                }).await?;
            }
        }
    }
}

/// Writes the next events of a subscription. A peer that does not take them in time loses its subscriptions, and is told as soon as
/// it reads again; one that never does loses its socket as everybody does who lets an answer lie.
async fn tell(
    shared: &Shared,
    session: &Session,
    sender: &mut Sender,
    chunk: Chunk,
) -> Result<(), Error> {
    if !session.is_live(chunk.id) {
        return Ok(());
    }
    let events = match chunk.events {
        Ok(events) => events,
        Err(stop) => return say(sender, session.stop(chunk.id, stop)).await,
    };
    let mut is_in_time = true;
    {
        let mut writing = pin!(async {
            for event in &events {
                sender.send_text_owned(event_text(chunk.id, event)).await?;
            }
            sender.flush().await
        });
        match timeout(shared.limits.subscription_stall_timeout, writing.as_mut()).await {
            Ok(outcome) => outcome?,
            Err(_) => {
                is_in_time = false;
                writing.await?;
            }
        }
    }
    if let Some(newest) = events.last() {
        session.told(chunk.id, newest.sequence);
    }
    if is_in_time {
        return Ok(());
    }
    tracing::debug!("a subscriber is too slow");
    say(sender, session.stop_all(Stop(codes::SUBSCRIPTION_TOO_SLOW))).await
}

async fn say(sender: &mut Sender, texts: impl IntoIterator<Item = String>) -> Result<(), Error> {
    for text in texts {
        sender.send_text_owned(text).await?;
    }
    sender.flush().await
}

/// One message to its answer. Its bytes count while it is worked on.
async fn call(
    shared: &Shared,
    session: &Session,
    message: Vec<u8>,
    room: OwnedSemaphorePermit,
) -> Answered {
    let caller = Caller { session: Some(session), ..Caller::default() };
    let mut charge = shared.memory.charge(0);
    let answer = if charge.grow(message.len()).is_ok() {
        json_rpc::answer(shared, &caller, &message).await
    } else {
        Some(json_rpc::refuse(shared, Id::Null, codes::OVERLOADED))
    };
    Answered { answer, begun: caller.into_begun(), _room: room }
}

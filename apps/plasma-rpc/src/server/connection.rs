//! Sockets: accepting them, keeping their number down, and ending them when the server stops.

use super::config::Limits;
use super::http;
use super::shared::{Phase, Shared, reached};
use super::timed_io::TimedIo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pause after a failed accept, which mostly means that the process is out of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection too many gets to read, before anything of it was read.
const TOO_MANY_CONNECTIONS: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\n",
    "content-type: application/json; charset=utf-8\r\n",
    "retry-after: 1\r\n",
    "connection: close\r\n",
    "content-length: "
);

/// Accepts connections until the server stops.
pub(super) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    connections: Arc<Semaphore>,
    refusal: Arc<str>,
) {
    let mut phase = shared.phase.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = reached(&mut phase, Phase::Stopping) => return,
        };
        match accepted {
            Ok((stream, _)) => match Arc::clone(&connections).try_acquire_owned() {
                Ok(permit) => {
                    tokio::spawn(serve(Arc::clone(&shared), stream, permit));
                }
                Err(_) => turn_away(stream, &refusal),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The complete answer to a connection too many.
pub(super) fn refusal(body: &str) -> Arc<str> {
    format!("{TOO_MANY_CONNECTIONS}{}\r\n\r\n{body}", body.len()).into()
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, permit: OwnedSemaphorePermit) {
    // Answers are written in one piece; waiting for more would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let io = TokioIo::new(TimedIo::new(stream, Arc::clone(&shared.limits)));
    let mut phase = shared.phase.clone();
    let permit = Arc::new(permit);
    let service = service_fn(|request| {
        let answer = http::answer(Arc::clone(&shared), Arc::clone(&permit), request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = builder(&shared.limits).serve_connection(io, service).with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = reached(&mut phase, Phase::Stopping) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = connection => outcome,
                () = reached(&mut phase, Phase::Stopped) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended");
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_header_size(limits.header_len_max)
        // The codec cannot do with less.
        .max_buf_size(limits.header_len_max.max(8_192));
    builder
}

/// Says that there are too many connections and closes, without waiting for anything.
fn turn_away(stream: TcpStream, refusal: &str) {
    tracing::debug!("a connection too many");
    let Ok(mut stream) = stream.into_std() else {
        return;
    };
    // A fresh socket takes this much at once. If it does not, the client sees a closed connection instead of the reason.
    let _ = stream.write(refusal.as_bytes());
    // Closing with unread bytes would make the peer's system throw our answer away.
    let _ = stream.read(&mut [0; 1_024]);
    let _ = stream.shutdown(Shutdown::Write);
}

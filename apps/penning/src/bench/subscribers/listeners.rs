//! Thousands of WebSockets that subscribe to blocks and note when they hear of one.
//!
//! The codec is written by hand, because the time of the listeners is part of what is measured: as little as it takes.

use super::log::{APPENDED_NS, now_ns};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;

/// Connections that are being made at once.
const CONNECTING_MAX: usize = 64;
/// Bytes of the longest message that is expected.
const MESSAGE_LEN_MAX: usize = 4 * 1_024;

const UPGRADE: &str = "GET / HTTP/1.1\r\nhost: bench\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SUBSCRIBE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topic":"blocks"}}"#;
const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What the listeners found out.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Heard {
    /// From the append to the receipt, in microseconds: half, 99 of 100, all.
    pub(super) latency_us: [u32; 3],
}

/// The whole of the process of the listeners: a line when all are there, and what they found out.
pub(in crate::bench) fn listen_as_child(
    addr: SocketAddr,
    subscribers: usize,
    blocks: usize,
) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    let heard = runtime.block_on(listen(addr, subscribers, blocks, || say("ready")))?;
    say(&serde_json::to_string(&heard)?);
    Ok(())
}

/// Whoever started this process reads it. If nobody does, nobody misses it.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Connects so many, and waits until each has heard of so many blocks. `ready` is called when all have subscribed.
pub(super) async fn listen(
    addr: SocketAddr,
    subscribers: usize,
    blocks: usize,
    ready: impl FnOnce(),
) -> Result<Heard> {
    let connecting = Arc::new(Semaphore::new(CONNECTING_MAX));
    let all_ready = Arc::new(Barrier::new(subscribers + 1));
    let mut listeners = JoinSet::new();
    for _ in 0..subscribers {
        let (connecting, all_ready) = (Arc::clone(&connecting), Arc::clone(&all_ready));
        listeners.spawn(async move {
            let turn = connecting.acquire_owned().await?;
            let mut listener = Listener::connect(addr).await?;
            drop(turn);
            all_ready.wait().await;
            listener.hear(blocks).await
        });
    }
    tokio::select! {
        _ = all_ready.wait() => ready(),
        // Until all are there, one that ends has failed.
        Some(ended) = listeners.join_next() => {
            ended??;
            bail!("a subscriber has gone");
        }
    }
    let mut times = Vec::with_capacity(subscribers * blocks);
    while let Some(heard) = listeners.join_next().await {
        times.extend(heard??);
    }
    times.sort_unstable();
    let at = |share: usize| {
        let index = (times.len() * share).div_ceil(100).saturating_sub(1);
        times.get(index).copied().unwrap_or_default()
    };
    Ok(Heard { latency_us: [at(50), at(99), at(100)] })
}

struct Listener {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Listener {
    async fn connect(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.context("no connection")?;
        let mut listener = Self { stream, bytes: Vec::new() };
        listener.stream.write_all(UPGRADE.as_bytes()).await?;
        let end = loop {
            if let Some(end) = listener.bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            listener.fill().await?;
        };
        ensure!(listener.bytes.starts_with(b"HTTP/1.1 101 "), "no upgrade to a WebSocket");
        listener.bytes.drain(..end);
        listener.send(TEXT, SUBSCRIBE.as_bytes()).await?;
        let answer = listener.message().await?;
        ensure!(answer.contains("\"result\""), "no subscription: {answer}");
        Ok(listener)
    }

    /// How long the news of each of so many blocks took, in microseconds.
    async fn hear(&mut self, blocks: usize) -> Result<Vec<u32>> {
        let mut times = Vec::with_capacity(blocks);
        while times.len() < blocks {
            let message = self.message().await?;
            let heard_ns = now_ns();
            let appended = message.split(APPENDED_NS).nth(1).context("no block")?;
            let digits = appended.split(|next: char| !next.is_ascii_digit()).next();
            let appended_ns: u64 = digits.unwrap_or_default().parse().context("no time")?;
            let taken_us = heard_ns.saturating_sub(appended_ns) / 1_000;
            times.push(u32::try_from(taken_us).unwrap_or(u32::MAX));
        }
        Ok(times)
    }

    /// The next message of text. Pings in between are answered.
    async fn message(&mut self) -> Result<String> {
        loop {
            let Some((kind, payload)) = self.frame()? else {
                self.fill().await?;
                continue;
            };
            match kind {
                TEXT => return Ok(String::from_utf8(payload)?),
                PING => self.send(PONG, &[]).await?,
                _ => bail!("the server ended a subscription"),
            }
        }
    }

    /// The next frame, if all of it is there.
    fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let [first, short, rest @ ..] = self.bytes.as_slice() else {
            return Ok(None);
        };
        let (head_len, len) = match (short, rest) {
            (..=125, _) => (2, usize::from(*short)),
            (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            (126, _) => return Ok(None),
            _ => bail!("a message is too long"),
        };
        let kind = first & 0x0f;
        let Some(payload) = self.bytes.get(head_len..head_len + len).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.bytes.drain(..head_len + len);
        Ok(Some((kind, payload)))
    }

    async fn fill(&mut self) -> Result<()> {
        ensure!(self.bytes.len() <= MESSAGE_LEN_MAX, "a message is too long");
        let len = self.stream.read_buf(&mut self.bytes).await.context("a connection broke off")?;
        ensure!(len > 0, "the server closed a connection");
        Ok(())
    }

    /// Sends a frame of at most 125 bytes, with a mask of zeros, which changes nothing.
    async fn send(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let len = u8::try_from(payload.len()).ok().filter(|len| *len <= 125);
        let head = [0x80 | kind, 0x80 | len.context("a request is too long")?, 0, 0, 0, 0];
        self.stream.write_all(&[&head, payload].concat()).await?;
        Ok(())
    }
}

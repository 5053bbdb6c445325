//! Bodies: reading one within its limits, and an answer of a few buffers.

use super::config::Limits;
use super::memory::{Charge, Memory, MemoryFull};
use super::table::Json;
use crate::codes::{self, StableError};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, timeout_at};

/// What a request or an answer may hold without being counted: every connection can have that much.
const UNCOUNTED_LEN_MAX: usize = 64 * 1024;
/// Longest answer that is never refused for want of memory, so that no accepted transaction goes without its answer.
const OWED_ANSWER_LEN_MAX: usize = 2 * 1024 * 1024;

/// Bytes that count for as long as anybody holds them.
struct Counted {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most `len_max` bytes.
///
/// # Errors
/// [`codes::BODY_TOO_LARGE`], [`codes::BODY_TOO_SLOW`], [`codes::OVERLOADED`], or [`codes::MALFORMED_BODY`] when it breaks off.
pub(super) async fn read<B>(
    mut body: B,
    len_max: usize,
    limits: &Limits,
    memory: &Memory,
) -> Result<Bytes, StableError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > len_max {
        return Err(codes::BODY_TOO_LARGE);
    }
    let started = Instant::now();
    let mut charge = memory.charge(0);
    let mut bytes = Vec::new();
    loop {
        let allowed = limits.transfer_time(bytes.len());
        let deadline = started.checked_add(allowed).unwrap_or(started);
        let next = timeout_at(deadline, body.frame()).await;
        let Some(frame) = next.map_err(|_| codes::BODY_TOO_SLOW)? else {
            return Ok(Bytes::from_owner(Counted { bytes, _charge: charge }));
        };
        // Trailers are of no use to anybody here.
        let Ok(data) = frame.map_err(|_| codes::MALFORMED_BODY)?.into_data() else {
            continue;
        };
        let len = bytes.len().saturating_add(data.len());
        if len > len_max {
            return Err(codes::BODY_TOO_LARGE);
        }
        if len > UNCOUNTED_LEN_MAX {
            charge.grow(data.len()).map_err(overloaded)?;
        }
        bytes.extend_from_slice(&data);
    }
}

/// Counts the bytes of an answer until they are written, unless they are shared or few.
///
/// # Errors
/// [`codes::OVERLOADED`] when there is no memory for an answer so long that it can only be to a question.
pub(super) fn keep(answer: Json, memory: &Memory) -> Result<Bytes, StableError> {
    let len = answer.get().len();
    if answer.is_shared() || len <= UNCOUNTED_LEN_MAX {
        return Ok(answer.into_bytes(()));
    }
    Ok(answer.into_bytes(count(len, memory)?))
}

/// As [`keep`], for an answer that was copied into a text of its own.
pub(super) fn count(len: usize, memory: &Memory) -> Result<Charge, StableError> {
    if len <= OWED_ANSWER_LEN_MAX {
        return Ok(memory.charge(len));
    }
    let mut charge = memory.charge(0);
    charge.grow(len).map_err(overloaded)?;
    Ok(charge)
}

fn overloaded(_: MemoryFull) -> StableError {
    codes::OVERLOADED
}

/// The body of an answer: buffers that are written one after the other, or a stream of them without an end.
#[derive(Default)]
pub(super) struct AnswerBody {
    chunks: VecDeque<Bytes>,
    stream: Option<BoxStream<'static, Bytes>>,
}

impl<const N: usize> From<[Bytes; N]> for AnswerBody {
    fn from(chunks: [Bytes; N]) -> Self {
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        Self { chunks: chunks.collect(), stream: None }
    }
}

impl From<BoxStream<'static, Bytes>> for AnswerBody {
    fn from(stream: BoxStream<'static, Bytes>) -> Self {
        Self { chunks: VecDeque::new(), stream: Some(stream) }
    }
}

impl From<String> for AnswerBody {
    fn from(text: String) -> Self {
        Self::from([Bytes::from(text)])
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut self.stream {
            Some(stream) => ready!(stream.poll_next_unpin(cx)),
            None => self.chunks.pop_front(),
        };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_none() && self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.stream.is_some() {
            return SizeHint::default();
        }
        let len: usize = self.chunks.iter().map(Bytes::len).sum();
        SizeHint::with_exact(u64::try_from(len).unwrap_or(u64::MAX))
    }
}

//! A socket whose other end has to keep reading: a client that lets an answer lie loses its connection.

use super::config::Limits;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Counts a transfer from the first write that has to wait until everything is flushed, and ends the connection when it is
/// slower than the limits allow.
#[derive(Debug)]
pub(super) struct TimedIo<T> {
    inner: T,
    limits: Arc<Limits>,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    written: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<T> TimedIo<T> {
    pub(super) fn new(inner: T, limits: Arc<Limits>) -> Self {
        Self { inner, limits, waiting: None }
    }

    /// What a write did, and whether the other end is too slow.
    fn on_write(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = outcome {
            if let (Some(waiting), Ok(len)) = (&mut self.waiting, &result) {
                waiting.written = waiting.written.saturating_add(*len);
            }
            return Poll::Ready(result);
        }
        let limits = &self.limits;
        let waiting = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            Waiting { since: now, written: 0, deadline: Box::pin(sleep_until(now)) }
        });
        let deadline = waiting.since.checked_add(limits.transfer_time(waiting.written));
        if let Some(deadline) = deadline.filter(|deadline| *deadline != waiting.deadline.deadline())
        {
            waiting.deadline.as_mut().reset(deadline);
        }
        ready!(waiting.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.on_write(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.on_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.waiting = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

//! A local connection and its stream, until both have ended.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use wayleave_proto::base::Target;
use wayleave_proto::client::FlowError;
use wayleave_tokio::{Client, Stream};

/// A local connection, and what was read from it ahead of its turn.
#[derive(Debug)]
pub(crate) struct Local {
    stream: TcpStream,
    early: Vec<u8>,
    /// The client has ended its half; it may still listen.
    ended: bool,
}

impl Local {
    pub(crate) const fn new(stream: TcpStream) -> Self {
        Self { stream, early: Vec::new(), ended: false }
    }

    pub(crate) const fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// What was read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.early
    }

    /// So much of what was read ahead had its turn.
    pub(crate) fn drop_ahead(&mut self, count: usize) {
        self.early.drain(..count);
        if self.early.is_empty() {
            self.early = Vec::new();
        }
    }

    /// Whether the client has ended its half and everything before had its turn.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended && self.early.is_empty()
    }

    /// Reads ahead as far as there is room; whether that changed anything.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        let room = EARLY.saturating_sub(self.early.len()).min(chunk.len());
        if self.ended || room == 0 {
            return Ok(false);
        }
        let mut read = ReadBuf::new(&mut chunk[..room]);
        match Pin::new(&mut self.stream).poll_read(cx, &mut read)? {
            Poll::Ready(()) => {
                self.ended = read.filled().is_empty();
                self.early.extend_from_slice(read.filled());
                Ok(true)
            }
            Poll::Pending => Ok(false),
        }
    }

    /// Waits until something was read ahead, or the client has ended its half. Cancel safe.
    pub(crate) async fn read_ahead(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self.poll_ahead(cx) {
            Ok(false) if !self.ended => Poll::Pending,
            result => Poll::Ready(result.map(|_| ())),
        })
        .await
    }

    /// Opens a stream for this connection; `None` where the local client breaks off before it stands. One that only ends its
    /// half may be waiting for a server that speaks first.
    pub(crate) async fn open(
        &mut self,
        client: &Client,
        target: Target,
    ) -> Option<Result<Stream, FlowError>> {
        let connecting = client.connect(target);
        tokio::pin!(connecting);
        poll_fn(|cx| {
            if let Poll::Ready(result) = connecting.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            loop {
                match self.poll_ahead(cx) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Pending,
                    Err(_) => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    /// Moves bytes both ways until both halves have ended. Whatever breaks it off breaks it off on both sides, so that
    /// nobody takes a part for the whole.
    pub(crate) async fn splice(self, remote: Stream) -> io::Result<(u64, u64)> {
        self.splice_and_hear(remote, || ()).await
    }

    /// [`Self::splice`] that tells when the target has spoken for the first time, or ended its half.
    pub(crate) async fn splice_and_hear(
        self,
        remote: Stream,
        heard: impl FnOnce() + Unpin,
    ) -> io::Result<(u64, u64)> {
        let mut splice = Splice { local: self, remote, finished: false };
        let mut remote = Heard { remote: &mut splice.remote, tell: Some(heard) };
        let result = copy_bidirectional_with_sizes(&mut splice.local, &mut remote, COPIED, COPIED).await;
        splice.finished = result.is_ok();
        result
    }
}

impl AsyncRead for Local {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_ended() {
            return Poll::Ready(Ok(()));
        }
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = buf.remaining().min(self.early.len());
        buf.put_slice(&self.early[..count]);
        self.drop_ahead(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Local {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A stream that tells of its first answer.
struct Heard<'a, F> {
    remote: &'a mut Stream,
    tell: Option<F>,
}

impl<F: FnOnce() + Unpin> AsyncRead for Heard<'_, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut *self.remote).poll_read(cx, buf);
        if read.is_ready()
            && let Some(tell) = self.tell.take()
        {
            tell();
        }
        read
    }
}

impl<F: Unpin> AsyncWrite for Heard<'_, F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.remote).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.remote).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.remote).poll_shutdown(cx)
    }
}

struct Splice {
    local: Local,
    remote: Stream,
    finished: bool,
}

impl Drop for Splice {
    fn drop(&mut self) {
        if !self.finished {
            self.remote.reset();
            // Without lingering, closing sends a reset. Where that fails the connection is gone anyway.
            let _ = self.local.stream.set_zero_linger();
        }
    }
}

/// How much is read ahead while a stream is being opened, or a request is forwarded.
const EARLY: usize = 64 * 1024;
/// How much is read at once in each direction.
const COPIED: usize = 16 * 1024;
const CHUNK: usize = 4 * 1024;

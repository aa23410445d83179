//! A local connection and its stream, until both have ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use wayleave_proto::base::Target;
use wayleave_proto::client::FlowError;
use wayleave_tokio::{Client, Stream};

/// A local connection, and what was read from it ahead of its turn.
#[derive(Debug)]
pub(super) struct Local {
    stream: TcpStream,
    early: Vec<u8>,
}

/// What a local client that ends its half before it sent anything wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EarlyEnd {
    /// It only listens: such programs exist behind a forward.
    Listens,
    /// It went away: a client of a proxy has something to say.
    Left,
}

impl Local {
    pub(super) const fn new(stream: TcpStream, early: Vec<u8>) -> Self {
        Self { stream, early }
    }

    pub(super) const fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Opens a stream for this connection; `None` where the local client goes away before it stands.
    pub(super) async fn open(
        &mut self,
        client: &Client,
        target: Target,
        early_end: EarlyEnd,
    ) -> Option<Result<Stream, FlowError>> {
        let connecting = client.connect(target);
        tokio::pin!(connecting);
        let mut ended = false;
        let mut chunk = [0; 1_024];
        loop {
            let room = EARLY.saturating_sub(self.early.len()).min(chunk.len());
            tokio::select! {
                biased;
                result = &mut connecting => return Some(result),
                read = self.stream.read(&mut chunk[..room]), if !ended && room > 0 => match read {
                    Ok(0) if self.early.is_empty() && early_end == EarlyEnd::Left => return None,
                    Ok(0) => ended = true,
                    Ok(count) => self.early.extend_from_slice(&chunk[..count]),
                    Err(_) => return None,
                },
            }
        }
    }

    /// Moves bytes both ways until both halves have ended. Whatever breaks it off breaks it off on both sides, so that
    /// nobody takes a part for the whole.
    pub(super) async fn splice(self, remote: Stream) -> io::Result<(u64, u64)> {
        let mut splice = Splice { local: self, remote, finished: false };
        let result =
            copy_bidirectional_with_sizes(&mut splice.local, &mut splice.remote, COPIED, COPIED).await;
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
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = buf.remaining().min(self.early.len());
        buf.put_slice(&self.early[..count]);
        self.early.drain(..count);
        if self.early.is_empty() {
            self.early = Vec::new();
        }
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

/// How much is read ahead while a stream is being opened.
const EARLY: usize = 64 * 1024;
/// How much is read at once in each direction.
const COPIED: usize = 16 * 1024;

//! A stream with the traits of futures-io.

use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::io::{AsyncRead, AsyncWrite};
use wayleave_drive as drive;

use crate::AsyncIo;

/// A stream to a target, directly or through a relay.
///
/// Each half ends by itself: `close` ends the application's, a read of zero bytes is the end of the target's.
/// Dropping the stream ends both; what was written is still delivered.
#[derive(Debug)]
pub struct Stream(pub(crate) drive::Stream<AsyncIo>);

impl Deref for Stream {
    type Target = drive::Stream<AsyncIo>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf).map_err(io::Error::from)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes).map_err(io::Error::from)
    }

    /// Waits until the system has taken what was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx).map_err(io::Error::from)
    }

    /// Ends the application's half, and waits until the system has taken it with everything before.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_finish(cx).map_err(io::Error::from)
    }
}

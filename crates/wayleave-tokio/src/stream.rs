//! A stream with tokio's traits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wayleave_drive::{StreamFlow, stream_verbs};

use crate::Tokio;

/// A stream to a target, directly or through a relay.
///
/// Each half ends by itself: `shutdown` ends the application's, a read of zero bytes is the end of the target's.
/// Dropping the stream ends both; what was written is still delivered. A `flush` waits until the system has taken what was
/// written.
///
/// A reference reads and writes too, so that a stream can be shared; one task at a time may read, and one write.
///
/// ```
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # use tokio::net::TcpListener;
/// # use wayleave_tokio::{Client, ClientConfig};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = Client::new(ClientConfig::direct().build()?);
/// let stream = client.connect(listener.local_addr()?).await?;
/// let (mut target, _) = listener.accept().await?;
/// let (mut reader, mut writer) = stream.into_split();
/// writer.write_all(b"question").await?;
/// writer.shutdown().await?; // the end of the application's half
/// let mut question = String::new();
/// target.read_to_string(&mut question).await?;
/// target.write_all(b"answer").await?;
/// drop(target); // the end of the target's
/// let mut answer = String::new();
/// reader.read_to_string(&mut answer).await?;
/// assert_eq!((&*question, &*answer), ("question", "answer"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream that is dropped ends"]
pub struct Stream(pub(crate) StreamFlow<Tokio>);

/// The target's half of a stream, which reads: [`Stream::into_split`].
#[derive(Debug)]
#[must_use = "a stream ends when both halves are dropped"]
pub struct OwnedReadHalf(Arc<Stream>);

/// The application's half of a stream, which writes: [`Stream::into_split`]. Dropping it ends this half, as `shutdown` does
/// without waiting.
#[derive(Debug)]
#[must_use = "this half ends when it is dropped"]
pub struct OwnedWriteHalf(Arc<Stream>);

impl Stream {
    stream_verbs!();

    /// The two halves, each for a task of its own.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf(Arc::clone(&stream)), OwnedWriteHalf(stream))
    }

    const fn inner(&self) -> &StreamFlow<Tokio> {
        &self.0
    }
}

impl AsRef<Self> for Stream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<Stream> for OwnedReadHalf {
    fn as_ref(&self) -> &Stream {
        &self.0
    }
}

impl AsRef<Stream> for OwnedWriteHalf {
    fn as_ref(&self) -> &Stream {
        &self.0
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl AsyncRead for &Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.0.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for &Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes).map_err(io::Error::from)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, pieces).map_err(io::Error::from)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits until the system has taken what was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx).map_err(io::Error::from)
    }

    /// Ends the application's half, and waits until the system has taken it with everything before.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_finish(cx).map_err(io::Error::from)
    }
}

/// Lets an owner read as a reference to its stream does.
macro_rules! reads {
    ($owner:ty) => {
        impl AsyncRead for $owner {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut stream(&*self)).poll_read(cx, buf)
            }
        }
    };
}

/// Lets an owner write as a reference to its stream does.
macro_rules! writes {
    ($owner:ty) => {
        impl AsyncWrite for $owner {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut stream(&*self)).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                pieces: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut stream(&*self)).poll_write_vectored(cx, pieces)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// Waits until the system has taken what was written.
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut stream(&*self)).poll_flush(cx)
            }

            /// Ends the application's half, and waits until the system has taken it with everything before.
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut stream(&*self)).poll_shutdown(cx)
            }
        }
    };
}

reads!(OwnedReadHalf);
reads!(Stream);
writes!(OwnedWriteHalf);
writes!(Stream);

fn stream(owner: &impl AsRef<Stream>) -> &Stream {
    owner.as_ref()
}

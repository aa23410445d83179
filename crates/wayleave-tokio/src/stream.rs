//! One stream of the application.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wayleave_proto::base::Route;
use wayleave_proto::client::Incoming;

use crate::client::{Flow, Side};

/// A stream to a target, directly or through a relay.
///
/// Each half ends by itself: `shutdown` ends the application's, a read of zero bytes is the end of the target's.
/// Dropping the stream ends both; what was written is still delivered.
#[derive(Debug)]
pub struct Stream(pub(crate) Flow);

impl Stream {
    /// Which way the stream goes.
    pub fn route(&self) -> Option<Route> {
        self.0.route()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let id = self.0.id;
        let result = self.0.poll(Side::Reader, cx, |machine, now| {
            let count = match machine.read(id)? {
                Incoming::Nothing => return Ok(None),
                Incoming::End => return Ok(Some(())),
                Incoming::Bytes(bytes) => {
                    let count = bytes.len().min(buf.remaining());
                    buf.put_slice(&bytes[..count]);
                    count
                }
            };
            machine.consume(now, id, count);
            Ok(Some(()))
        });
        result.map_err(io::Error::from)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let id = self.0.id;
        let result = self.0.poll(Side::Writer, cx, |machine, now| {
            Ok(Some(machine.write(now, id, bytes)?).filter(|taken| *taken > 0))
        });
        result.map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was taken is sent as fast as the network allows, without being asked.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let id = self.0.id;
        self.0.tell(|machine, now| machine.finish(now, id));
        Poll::Ready(Ok(()))
    }
}

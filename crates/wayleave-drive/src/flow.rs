//! Streams and datagram flows, as an application holds them.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io::IoSlice;

use smallvec::SmallVec;

use crate::Runtime;
use crate::client::{Client, Side, opened};
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{FlowError, FlowId, Incoming};

/// A flow and the client that it keeps alive.
pub(crate) struct Flow<R: Runtime> {
    client: Client<R>,
    id: FlowId,
    target: Target,
}

impl<R: Runtime> Flow<R> {
    pub(crate) const fn new(client: Client<R>, id: FlowId, target: Target) -> Self {
        Self { client, id, target }
    }

    /// Waits until the flow is open.
    pub(crate) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<Result<(), FlowError>> {
        self.client.poll_flow(self.id, Side::Reader, cx, |machine, _| {
            Ok(opened(machine.status(self.id))?.map(|_| ()))
        })
    }

    fn route(&self) -> Option<Route> {
        self.client.tell(|machine, _| opened(machine.status(self.id))).ok().flatten()
    }
}

impl<R: Runtime> Drop for Flow<R> {
    fn drop(&mut self) {
        self.client.release(self.id);
    }
}

/// A stream to a target, directly or through a relay.
///
/// Each half ends by itself: [`Self::finish`] ends the application's, a read of zero bytes is the end of the target's.
/// Dropping the stream ends both; what was written is still delivered.
pub struct StreamFlow<R: Runtime>(Flow<R>);

impl<R: Runtime> StreamFlow<R> {
    pub(crate) const fn new(flow: Flow<R>) -> Self {
        Self(flow)
    }

    /// Where the stream goes.
    pub const fn target(&self) -> &Target {
        &self.0.target
    }

    /// Which way the stream goes; `None` when it has failed.
    pub fn route(&self) -> Option<Route> {
        self.0.route()
    }

    /// Reads into `buffer`; zero bytes are the end of the target's half.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, FlowError>> {
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Reader, cx, |machine, now| {
            let count = match machine.read(id)? {
                Incoming::Nothing => return Ok(None),
                Incoming::End => return Ok(Some(0)),
                Incoming::Bytes(bytes) => {
                    let count = bytes.len().min(buffer.len());
                    if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
                        to.copy_from_slice(from);
                    }
                    count
                }
            };
            machine.consume(now, id, count);
            Ok(Some(count))
        })
    }

    /// Takes bytes for the target, as many as there is room for.
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, FlowError>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// [`Self::poll_write`] of several pieces, one behind the other; they go out together.
    pub fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize, FlowError>> {
        let pieces: SmallVec<[&[u8]; 8]> = pieces.iter().map(|piece| &**piece).collect();
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Writer, cx, |machine, now| {
            Ok(Some(machine.write_pieces(now, id, &pieces)?).filter(|taken| *taken > 0))
        })
    }

    /// Waits until the system has taken everything that was written, as it has with a socket at once: it is sent from then on
    /// whatever becomes of the client.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), FlowError>> {
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Writer, cx, |machine, _| Ok(machine.is_flushed(id)?.then_some(())))
    }

    /// Ends the application's half and waits as [`Self::poll_flush`] does, for the end too.
    pub fn poll_finish(&self, cx: &mut Context<'_>) -> Poll<Result<(), FlowError>> {
        self.finish();
        self.poll_flush(cx)
    }

    /// Ends the application's half; what was written before is delivered. A write that waits fails.
    pub fn finish(&self) {
        self.0.client.tell(|machine, now| machine.finish(now, self.0.id));
    }

    /// Breaks the stream off: the target learns that its end is no regular one, and what was written and not delivered
    /// is thrown away. Afterwards there is nothing to read or write; whoever waits for it is told.
    pub fn reset(&self) {
        self.0.client.tell(|machine, now| machine.reset(now, self.0.id));
    }
}

impl<R: Runtime> fmt::Debug for StreamFlow<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.0.id)
    }
}

/// Datagrams to and from one target.
pub struct DatagramFlow<R: Runtime>(Flow<R>);

impl<R: Runtime> DatagramFlow<R> {
    pub(crate) const fn new(flow: Flow<R>) -> Self {
        Self(flow)
    }

    /// Sends one datagram of at most [`Self::largest`] bytes. It never waits: where the path is slower than the sender, the oldest
    /// datagrams that wait are dropped.
    ///
    /// # Errors
    /// The datagram is too large, or the flow has failed.
    pub fn send(&self, payload: &[u8]) -> Result<(), FlowError> {
        self.0.client.tell(|machine, now| machine.send_datagram(now, self.0.id, payload))
    }

    /// How large a datagram may be, in bytes: 65,507 over IPv4, and 65,527 where the target is an IPv6 address.
    pub fn largest(&self) -> usize {
        self.0.client.tell(|machine, _| machine.largest_datagram(self.0.id))
    }

    /// Receives one datagram into `buffer`, and returns its length; what does not fit is cut off. Cancel safe.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize, FlowError> {
        poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// [`Self::recv`] for those who poll.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, FlowError>> {
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Reader, cx, |machine, _| {
            let Some(payload) = machine.datagram(id)? else { return Ok(None) };
            let count = payload.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), payload.get(..count)) {
                to.copy_from_slice(from);
            }
            machine.take_datagram(id);
            Ok(Some(count))
        })
    }

    /// Where the flow goes.
    pub const fn target(&self) -> &Target {
        &self.0.target
    }

    /// Which way the flow goes; `None` while it is looking, and when it has failed.
    pub fn route(&self) -> Option<Route> {
        self.0.route()
    }
}

impl<R: Runtime> fmt::Debug for DatagramFlow<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatagramFlow({})", self.0.id)
    }
}

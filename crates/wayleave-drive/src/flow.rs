//! Streams and datagram flows, as an application holds them.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io::{IoSlice, IoSliceMut};

use smallvec::SmallVec;

use crate::Runtime;
use crate::client::{Client, Side, opened};
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{Client as Machine, DatagramStats, FlowError, FlowId, Incoming};

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

    /// Waits until the flow is open, and says which way it goes.
    pub(crate) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<Result<Route, FlowError>> {
        self.client.poll_flow(self.id, Side::Opener, cx, |machine, _| opened(machine.status(self.id)))
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
#[must_use = "a stream that is dropped ends"]
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
///
/// Dropping it closes the flow.
#[must_use = "a flow that is dropped is closed"]
pub struct DatagramFlow<R: Runtime>(Flow<R>);

impl<R: Runtime> DatagramFlow<R> {
    pub(crate) const fn new(flow: Flow<R>) -> Self {
        Self(flow)
    }

    /// Sends one datagram of at most [`Self::largest`] bytes. It never waits: where the path is slower than the sender, the oldest
    /// datagrams that wait are dropped, as the newest is worth most to a call. [`Self::stats`] counts them, and
    /// [`Self::send_wait`] waits instead.
    ///
    /// # Errors
    /// The datagram is too large, or the flow has failed.
    pub fn send(&self, payload: &[u8]) -> Result<(), FlowError> {
        self.0.client.tell(|machine, now| machine.send_datagram(now, self.0.id, payload))
    }

    /// Sends several datagrams in one go, which costs less than one after the other; else as [`Self::send`]. Returns how many
    /// were taken.
    ///
    /// # Errors
    /// The first datagram is too large, or the flow has failed. Where a later one is too large, those before it are taken.
    pub fn send_many(&self, payloads: &[IoSlice<'_>]) -> Result<usize, FlowError> {
        let id = self.0.id;
        self.0.client.tell(|machine, now| {
            for (taken, payload) in payloads.iter().enumerate() {
                match machine.send_datagram(now, id, payload) {
                    Err(error) if taken == 0 => return Err(error),
                    Err(_) => return Ok(taken),
                    Ok(()) => {}
                }
            }
            Ok(payloads.len())
        })
    }

    /// Sends one datagram when it finds room: none that waits is dropped for it. Those that wait for longer than their age
    /// allows are dropped all the same. Cancel safe; one task at a time.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_wait(&self, payload: &[u8]) -> Result<(), FlowError> {
        poll_fn(|cx| self.poll_send(cx, payload)).await
    }

    /// [`Self::send_wait`] for those who poll.
    pub fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<Result<(), FlowError>> {
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Writer, cx, |machine, now| {
            Ok(machine.try_send_datagram(now, id, payload)?.then_some(()))
        })
    }

    /// How large a datagram may be, in bytes: 65,507 over IPv4, and 65,527 where the target is an IPv6 address.
    pub fn largest(&self) -> usize {
        self.0.client.tell(|machine, _| machine.largest_datagram(self.0.id))
    }

    /// Receives one datagram into `buffer`, and returns its length; what does not fit is cut off. Cancel safe; one task at a time.
    ///
    /// It waits for as long as nothing comes. That a target refuses datagrams (nobody listens at its port) is no error here:
    /// somebody may listen later, and a rescue or a new network may lead there on another way. Who has to know sets a limit of
    /// its own.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize, FlowError> {
        poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// [`Self::recv`] for those who poll.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, FlowError>> {
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Reader, cx, |machine, _| take(machine, id, buffer))
    }

    /// Receives one datagram that is there already, as [`Self::recv`] does; `None` where none is.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub fn try_recv(&self, buffer: &mut [u8]) -> Result<Option<usize>, FlowError> {
        self.0.client.tell(|machine, _| take(machine, self.0.id, buffer))
    }

    /// Receives what there is, at least one datagram, each into a buffer of its own; their lengths go to `lengths`. Returns how
    /// many that were, at most as many as there are of both. Else as [`Self::recv`].
    ///
    /// # Errors
    /// Why the flow has failed.
    pub async fn recv_many(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        lengths: &mut [usize],
    ) -> Result<usize, FlowError> {
        poll_fn(|cx| self.poll_recv_many(cx, buffers, lengths)).await
    }

    /// [`Self::recv_many`] for those who poll.
    pub fn poll_recv_many(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        lengths: &mut [usize],
    ) -> Poll<Result<usize, FlowError>> {
        if buffers.is_empty() || lengths.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let id = self.0.id;
        self.0.client.poll_flow(id, Side::Reader, cx, |machine, _| {
            let mut count = 0;
            for (buffer, length) in buffers.iter_mut().zip(lengths.iter_mut()) {
                match take(machine, id, buffer) {
                    Ok(Some(taken)) => *length = taken,
                    Ok(None) => break,
                    Err(error) if count == 0 => return Err(error),
                    Err(_) => break,
                }
                count += 1;
            }
            Ok(Some(count).filter(|count| *count > 0))
        })
    }

    /// Waits until the flow is open, and says which way it goes: an address is known on the direct way, which need not mean
    /// that anybody answers there, or a relay has opened a tunnel. Cancel safe; one task at a time.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub async fn ready(&self) -> Result<Route, FlowError> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// [`Self::ready`] for those who poll.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<Route, FlowError>> {
        self.0.poll_open(cx)
    }

    /// What became of its datagrams: how many wait, and how many were dropped for which reason.
    pub fn stats(&self) -> DatagramStats {
        self.0.client.tell(|machine, _| machine.datagram_stats(self.0.id))
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

/// Takes the oldest datagram that came, where there is one.
fn take(machine: &mut Machine, id: FlowId, buffer: &mut [u8]) -> Result<Option<usize>, FlowError> {
    let Some(payload) = machine.datagram(id)? else { return Ok(None) };
    let count = payload.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..count), payload.get(..count)) {
        to.copy_from_slice(from);
    }
    machine.take_datagram(id);
    Ok(Some(count))
}

impl<R: Runtime> fmt::Debug for DatagramFlow<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatagramFlow({})", self.0.id)
    }
}

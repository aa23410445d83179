//! The sockets and the timer of async-io and threads for look-ups, as the core wants them.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant as StdInstant;

use async_io::{Async, Timer};
use futures_lite::io::{AsyncRead, AsyncWrite};
use wayleave_drive::{Binding, Lookup, Resolver, Runtime, at_once};
use wayleave_proto::base::{Clock, Instant, Name, Seed};
use wayleave_proto::config::Liveness;
use wayleave_proto::net::{Arrival, Transmit};
use wayleave_sockets::{Lookups, Offload, Spare};

use crate::connection::{Connection, Watches};
use crate::{Task, thread};

/// What async-io gives to a client or a relay. They work on every thread and under every executor.
pub struct AsyncIo {
    epoch: StdInstant,
    timer: Timer,
    /// The deadline that the timer waits for.
    armed: Option<Instant>,
    lookups: Arc<Lookups>,
    /// Asked in the place of the platform.
    resolver: Option<Arc<dyn Resolver>>,
    watches: Watches,
}

/// A listener, with a descriptor to refuse with.
pub struct Listener {
    socket: Async<TcpListener>,
    spare: Spare,
}

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    socket: Async<UdpSocket>,
    offload: Offload,
}

fn send(socket: &UdpSocket, payload: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
    match to {
        None => socket.send(payload),
        Some(to) => socket.send_to(payload, to),
    }
}

impl AsyncIo {
    /// Sockets and a timer for one client or one relay.
    pub fn new() -> Self {
        Self {
            epoch: StdInstant::now(),
            timer: Timer::never(),
            armed: None,
            lookups: Arc::default(),
            resolver: None,
            watches: Watches::default(),
        }
    }

    /// For another machine of the relay of this one: it asks the same resolver, and its clock has the same zero.
    pub(crate) fn beside(&self) -> Self {
        let (lookups, resolver) = (Arc::clone(&self.lookups), self.resolver.clone());
        Self { epoch: self.epoch, lookups, resolver, ..Self::new() }
    }

    /// The same, with `resolver` in the place of the platform's.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver: Some(resolver), ..self }
    }
}

impl Default for AsyncIo {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for AsyncIo {
    type Stream = Connection;
    type Datagrams = Datagrams;
    type Listener = Listener;

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn clock(&self) -> Clock {
        wayleave_sockets::clock_at(self.now())
    }

    fn seed(&self) -> Seed {
        wayleave_sockets::seed()
    }

    fn lookup(&self, name: &Name) -> Lookup {
        match &self.resolver {
            Some(resolver) => resolver.lookup(name),
            None => at_once(self.lookups.begin(name)),
        }
    }

    fn dial(&self, address: SocketAddr) -> io::Result<Connection> {
        let socket = Async::new_nonblocking(wayleave_sockets::dial(address)?)?;
        Ok(Connection::new(socket, &self.watches))
    }

    fn poll_connected(&self, stream: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        // The socket itself is asked first: while the reactor waits on another thread, an event that it brings for what was
        // registered meanwhile looks old to async-io, again and again.
        loop {
            match wayleave_sockets::connected(&stream.socket) {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    ready!(stream.socket.poll_writable(cx))?
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn bind(&self, binding: Binding) -> io::Result<(Datagrams, SocketAddr)> {
        let Binding { remote, fragments, receive_buffer, offload } = binding;
        let socket = Async::new_nonblocking(wayleave_sockets::bind(remote, fragments, receive_buffer)?)?;
        let local = socket.get_ref().local_addr()?;
        let offload = Offload::new(&socket, remote, offload);
        Ok((Datagrams { socket, offload }, local))
    }

    fn listen(&self, address: SocketAddr) -> io::Result<(Listener, SocketAddr)> {
        let socket = Async::new_nonblocking(wayleave_sockets::listen(address)?)?;
        let address = socket.get_ref().local_addr()?;
        Ok((Listener { socket, spare: Spare::new() }, address))
    }

    fn listen_beside(&self, other: &Listener) -> io::Result<Listener> {
        let socket = Async::new_nonblocking(wayleave_sockets::listen_beside(&other.socket)?)?;
        Ok(Listener { socket, spare: Spare::new() })
    }

    fn poll_accept(
        &self,
        listener: &mut Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Connection, SocketAddr, SocketAddr)>> {
        let listener = &listener.socket;
        loop {
            let (stream, client) =
                ready!(poll_until(|| listener.get_ref().accept(), || listener.poll_readable(cx)))?;
            // One that is gone already is no fault of the listener.
            if let Ok(local) = wayleave_sockets::prepare(&stream).and_then(|()| stream.local_addr()) {
                let stream = Connection::new(Async::new_nonblocking(stream)?, &self.watches);
                return Poll::Ready(Ok((stream, client, local)));
            }
        }
    }

    fn refuse(&self, listener: &mut Listener) -> io::Result<()> {
        listener.spare.refuse(&listener.socket)
    }

    fn poll_broken(&self, stream: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Error> {
        stream.poll_broken(cx)
    }

    fn read_rest(&self, stream: &mut Connection, buffer: &mut [u8]) -> io::Result<usize> {
        wayleave_sockets::read_rest(&stream.socket, buffer)
    }

    fn has_lost_address(&self, stream: &Connection) -> bool {
        wayleave_sockets::has_lost_address(&stream.socket)
    }

    fn poll_read(
        &self,
        stream: &mut Connection,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut stream.socket).poll_read(cx, buffer)
    }

    fn poll_write(
        &self,
        stream: &mut Connection,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut stream.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        &self,
        stream: &mut Connection,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut stream.socket).poll_write_vectored(cx, pieces)
    }

    fn delay_acks(&self, stream: &mut Connection) {
        let _ = wayleave_sockets::delay_acks(&stream.socket);
    }

    fn watch(&self, stream: &mut Connection, liveness: &Liveness) {
        let _ = wayleave_sockets::watch(&stream.socket, liveness);
    }

    fn finish(&self, stream: &mut Connection) {
        let _ = wayleave_sockets::finish(&stream.socket);
    }

    fn set_reset(&self, stream: &mut Connection, resets: bool) {
        let _ = wayleave_sockets::set_reset(&stream.socket, resets);
    }

    fn poll_receive(
        &self,
        socket: &mut Datagrams,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>> {
        let Datagrams { socket, offload } = socket;
        let receive = || offload.receive(socket.get_ref(), UdpSocket::recv_from, buffer, arrivals);
        poll_until(receive, || socket.poll_readable(cx)).map_ok(|received| received.count)
    }

    fn most_arrivals(&self) -> usize {
        Offload::MOST_ARRIVALS
    }

    fn poll_send(
        &self,
        socket: &mut Datagrams,
        cx: &mut Context<'_>,
        transmit: Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        let Datagrams { socket, offload } = socket;
        poll_until(|| offload.send(socket.get_ref(), send, transmit), || socket.poll_writable(cx))
    }

    fn overflowed(&self, socket: &Datagrams) -> u64 {
        wayleave_sockets::overflowed(socket.socket.get_ref())
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.armed != Some(deadline) {
            self.armed = Some(deadline);
            self.timer.set_at(self.epoch + deadline.since(Instant::ZERO));
        }
        ready!(Pin::new(&mut self.timer).poll(cx));
        // A timer that has fired is silent until it is set again.
        self.armed = None;
        Poll::Ready(())
    }

    fn spawn(&self, task: Task) {
        thread::spawn(task);
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.socket.fmt(f)
    }
}

impl std::fmt::Debug for AsyncIo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsyncIo").finish_non_exhaustive()
    }
}

/// Attempts something, and again whenever the socket may have become ready, until it would not block.
fn poll_until<T>(
    mut attempt: impl FnMut() -> io::Result<T>,
    mut wait: impl FnMut() -> Poll<io::Result<()>>,
) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(wait())?,
            result => return Poll::Ready(result),
        }
    }
}

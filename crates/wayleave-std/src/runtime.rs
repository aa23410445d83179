//! The standard library's sockets and threads, as the core wants them.

use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;

use wayleave_drive::{Binding, Lookup, Resolver, Runtime, at_once};
use wayleave_proto::base::{Clock, Instant, Name, Seed};
use wayleave_proto::config::Liveness;
use wayleave_proto::net::{Arrival, Transmit};
use wayleave_sockets::{Lookups, Offload, Spare};

use crate::reactor::{Reactor, Side, Socket};

/// One thread and what it waits for: the sockets and the timer of one client or one relay.
pub struct Std {
    reactor: Arc<Reactor>,
    lookups: Arc<Lookups>,
    /// Asked in the place of the platform.
    resolver: Option<Arc<dyn Resolver>>,
}

impl Std {
    /// # Errors
    /// The system has no descriptor to wait with.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { reactor: Reactor::new()?, lookups: Arc::default(), resolver: None })
    }

    /// For another machine of the relay of this one: it asks the same resolver, and its clock has the same zero.
    ///
    /// # Errors
    /// The system has no descriptor to wait with.
    pub(crate) fn beside(&self) -> io::Result<Self> {
        let (lookups, resolver) = (Arc::clone(&self.lookups), self.resolver.clone());
        Ok(Self { reactor: self.reactor.beside()?, lookups, resolver })
    }

    /// The same, with `resolver` in the place of the platform's.
    pub(crate) fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver: Some(resolver), ..self }
    }

    /// What the one thread runs that looks after the sockets.
    pub(crate) fn reactor(&self) -> Arc<Reactor> {
        Arc::clone(&self.reactor)
    }
}

impl Runtime for Std {
    type Stream = Socket<TcpStream>;
    type Datagrams = Datagrams;
    type Listener = Listener;

    fn now(&self) -> Instant {
        self.reactor.now()
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

    fn dial(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        Ok(Socket::new(wayleave_sockets::dial(address)?, &self.reactor))
    }

    fn poll_connected(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        ready!(stream.poll_writable(cx))?;
        Poll::Ready(wayleave_sockets::connected(&stream.socket))
    }

    fn bind(&self, binding: Binding) -> io::Result<(Datagrams, SocketAddr)> {
        let Binding { remote, fragments, receive_buffer, offload } = binding;
        let socket = wayleave_sockets::bind(remote, fragments, receive_buffer)?;
        let local = socket.local_addr()?;
        let offload = Offload::new(&socket, remote, offload);
        Ok((Datagrams { socket: Socket::new(socket, &self.reactor), offload }, local))
    }

    fn listen(&self, address: SocketAddr) -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = wayleave_sockets::listen(address)?;
        let address = listener.local_addr()?;
        Ok((Listener { socket: Socket::new(listener, &self.reactor), spare: Spare::new() }, address))
    }

    fn listen_beside(&self, other: &Self::Listener) -> io::Result<Self::Listener> {
        let listener = wayleave_sockets::listen_beside(&other.socket.socket)?;
        Ok(Listener { socket: Socket::new(listener, &self.reactor), spare: Spare::new() })
    }

    fn poll_accept(
        &self,
        listener: &mut Self::Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, SocketAddr, SocketAddr)>> {
        loop {
            let (stream, client) = ready!(listener.socket.poll(Side::Reader, cx, TcpListener::accept))?;
            // One that is gone already is no fault of the listener.
            if let Ok(local) = wayleave_sockets::prepare(&stream).and_then(|()| stream.local_addr()) {
                return Poll::Ready(Ok((Socket::new(stream, &self.reactor), client, local)));
            }
        }
    }

    fn refuse(&self, listener: &mut Self::Listener) -> io::Result<()> {
        listener.spare.refuse(&listener.socket.socket)
    }

    fn poll_broken(&self, stream: &mut Self::Stream, cx: &mut Context<'_>) -> Poll<io::Error> {
        stream.poll_broken(cx)
    }

    fn read_rest(&self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        wayleave_sockets::read_rest(&stream.socket, buffer)
    }

    fn has_lost_address(&self, stream: &Self::Stream) -> bool {
        wayleave_sockets::has_lost_address(&stream.socket)
    }

    fn poll_read(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        stream.poll(Side::Reader, cx, |mut stream| stream.read(buffer))
    }

    fn poll_write(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        stream.poll(Side::Writer, cx, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        stream.poll(Side::Writer, cx, |mut stream| stream.write_vectored(pieces))
    }

    fn delay_acks(&self, stream: &mut Self::Stream) {
        let _ = wayleave_sockets::delay_acks(&stream.socket);
    }

    fn watch(&self, stream: &mut Self::Stream, liveness: &Liveness) {
        let _ = wayleave_sockets::watch(&stream.socket, liveness);
    }

    fn finish(&self, stream: &mut Self::Stream) {
        let _ = wayleave_sockets::finish(&stream.socket);
    }

    fn set_reset(&self, stream: &mut Self::Stream, resets: bool) {
        let _ = wayleave_sockets::set_reset(&stream.socket, resets);
    }

    fn poll_receive(
        &self,
        socket: &mut Self::Datagrams,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>> {
        let Datagrams { socket, offload } = socket;
        let receive = |socket: &UdpSocket| offload.receive(socket, UdpSocket::recv_from, buffer, arrivals);
        socket.poll(Side::Reader, cx, receive).map_ok(|received| received.count)
    }

    fn most_arrivals(&self) -> usize {
        Offload::MOST_ARRIVALS
    }

    fn poll_send(
        &self,
        socket: &mut Self::Datagrams,
        cx: &mut Context<'_>,
        transmit: Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        let Datagrams { socket, offload } = socket;
        socket.poll(Side::Writer, cx, |socket| offload.send(socket, send, transmit))
    }

    fn overflowed(&self, socket: &Self::Datagrams) -> u64 {
        wayleave_sockets::overflowed(&socket.socket.socket)
    }

    fn poll_timer(&mut self, _: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        // Only the task of this machine asks, and it is polled whenever the thread wakes up.
        self.reactor.poll_deadline(deadline)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let reactor = self.reactor();
        thread::spawn(move || reactor.run(task));
    }
}

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    socket: Socket<UdpSocket>,
    offload: Offload,
}

fn send(socket: &UdpSocket, payload: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
    match to {
        None => socket.send(payload),
        Some(to) => socket.send_to(payload, to),
    }
}

/// A listener, with a descriptor to refuse with.
#[derive(Debug)]
pub struct Listener {
    socket: Socket<TcpListener>,
    spare: Spare,
}

impl std::fmt::Debug for Std {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Std").finish_non_exhaustive()
    }
}

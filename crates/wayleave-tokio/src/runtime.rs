//! tokio's sockets, timer and threads, as the core wants them.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant as StdInstant};

use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep, sleep_until};
use wayleave_drive::{Binding, Lookup, Resolver, Runtime, at_once};
use wayleave_proto::base::{Clock, Instant, Name, Seed};
use wayleave_proto::config::Liveness;
use wayleave_proto::net::{Arrival, Transmit};
use wayleave_sockets::{Lookups, Offload, Spare};

use crate::connection::Connection;
use crate::datagrams::Datagrams;

/// The tokio runtime in which a client or a relay was made. It needs its time and I/O drivers.
pub struct Tokio {
    handle: Handle,
    epoch: StdInstant,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    lookups: Arc<Lookups>,
    /// Asked in the place of the platform.
    resolver: Option<Arc<dyn Resolver>>,
}

impl Tokio {
    /// The runtime that the caller runs on.
    ///
    /// # Panics
    /// When called outside of a tokio runtime, or in one without its drivers.
    pub fn current() -> Self {
        demand_drivers();
        Self {
            handle: Handle::current(),
            epoch: StdInstant::now(),
            timer: None,
            lookups: Arc::default(),
            resolver: None,
        }
    }

    /// The runtime that the caller runs on, for another machine of the relay of this one: it asks the same resolver, and its
    /// clock has the same zero.
    pub(crate) fn beside(&self) -> Self {
        let (lookups, resolver) = (Arc::clone(&self.lookups), self.resolver.clone());
        Self { epoch: self.epoch, lookups, resolver, ..Self::current() }
    }

    /// The same, with `resolver` in the place of the platform's.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver: Some(resolver), ..self }
    }
}

impl Runtime for Tokio {
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
        let _context = self.handle.enter();
        TcpStream::from_std(wayleave_sockets::dial(address)?).map(Connection::new)
    }

    fn poll_connected(&self, stream: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        ready!(stream.socket.poll_write_ready(cx))?;
        Poll::Ready(wayleave_sockets::connected(&*stream.socket))
    }

    fn bind(&self, binding: Binding) -> io::Result<(Datagrams, SocketAddr)> {
        let Binding { remote, fragments, receive_buffer, offload } = binding;
        let _context = self.handle.enter();
        let socket = UdpSocket::from_std(wayleave_sockets::bind(remote, fragments, receive_buffer)?)?;
        let local = socket.local_addr()?;
        Ok((Datagrams::new(socket, remote, offload), local))
    }

    fn listen(&self, address: SocketAddr) -> io::Result<(Listener, SocketAddr)> {
        let _context = self.handle.enter();
        let socket = TcpListener::from_std(wayleave_sockets::listen(address)?)?;
        let address = socket.local_addr()?;
        Ok((Listener { socket, spare: Spare::new() }, address))
    }

    fn listen_beside(&self, other: &Listener) -> io::Result<Listener> {
        let _context = self.handle.enter();
        let socket = TcpListener::from_std(wayleave_sockets::listen_beside(&other.socket)?)?;
        Ok(Listener { socket, spare: Spare::new() })
    }

    fn poll_accept(
        &self,
        listener: &mut Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Connection, SocketAddr, SocketAddr)>> {
        loop {
            let (stream, client) = ready!(listener.socket.poll_accept(cx))?;
            // One that is gone already is no fault of the listener.
            if let Ok(local) = wayleave_sockets::prepare(&stream).and_then(|()| stream.local_addr()) {
                return Poll::Ready(Ok((Connection::new(stream), client, local)));
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
        wayleave_sockets::read_rest(&*stream.socket, buffer)
    }

    fn has_lost_address(&self, stream: &Connection) -> bool {
        wayleave_sockets::has_lost_address(&*stream.socket)
    }

    fn poll_read(
        &self,
        stream: &mut Connection,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(stream.poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(
        &self,
        stream: &mut Connection,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        stream.poll_until_written(cx, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        &self,
        stream: &mut Connection,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        stream.poll_until_written(cx, |socket| socket.try_write_vectored(pieces))
    }

    fn delay_acks(&self, stream: &mut Connection) {
        let _ = wayleave_sockets::delay_acks(&*stream.socket);
    }

    fn watch(&self, stream: &mut Connection, liveness: &Liveness) {
        let _ = wayleave_sockets::watch(&*stream.socket, liveness);
    }

    fn finish(&self, stream: &mut Connection) {
        let _ = wayleave_sockets::finish(&*stream.socket);
    }

    fn set_reset(&self, stream: &mut Connection, resets: bool) {
        let _ = wayleave_sockets::set_reset(&*stream.socket, resets);
    }

    fn poll_receive(
        &self,
        socket: &mut Datagrams,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>> {
        socket.poll_receive(cx, buffer, arrivals)
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
        socket.poll_send(cx, transmit)
    }

    fn overflowed(&self, socket: &Datagrams) -> u64 {
        wayleave_sockets::overflowed(&socket.socket)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        // tokio's timer has a resolution of a millisecond and rounds up.
        let at = || (self.epoch + deadline.since(Instant::ZERO)).into();
        let timer = match &mut self.timer {
            Some((armed, timer)) => {
                if *armed != deadline {
                    *armed = deadline;
                    timer.as_mut().reset(at());
                }
                timer
            }
            none => {
                let _context = self.handle.enter();
                &mut none.insert((deadline, Box::pin(sleep_until(at())))).1
            }
        };
        timer.as_mut().poll(cx)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        // The driver limits its own work; tokio's budget would make it yield in the middle of a batch.
        self.handle.spawn(tokio::task::unconstrained(task));
    }
}

/// Lets tokio say which driver is missing here, in the call of whoever can mend it, and not in a task later.
fn demand_drivers() {
    drop(sleep(Duration::ZERO));
    // Where the system has no socket to try with, nothing is known, and the first that is needed tells.
    if let Ok(socket) = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        && socket.set_nonblocking(true).is_ok()
    {
        drop(UdpSocket::from_std(socket));
    }
}

/// A listener, with a descriptor to refuse with.
pub struct Listener {
    socket: TcpListener,
    spare: Spare,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.socket.fmt(f)
    }
}

impl std::fmt::Debug for Tokio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokio").finish_non_exhaustive()
    }
}

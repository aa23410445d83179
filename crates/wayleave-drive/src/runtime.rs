//! What an adapter brings.

use core::any::Any;
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, IoSlice};

use wayleave_proto::base::{Clock, Families, Instant, Name, Seed};
use wayleave_proto::config::Liveness;
use wayleave_proto::error::IoFailed;
use wayleave_proto::net::{Arrival, Remote, Transmit};

/// A look-up under way. It is given up when it is dropped: what has not been asked by then is not asked any more.
pub type Lookup = Box<dyn PollAnswer>;

/// The answers to one look-up.
pub trait PollAnswer: Send {
    /// The next answer: one for both families, or one for each as soon as it is known. It is not asked again after that for
    /// [`Families::Both`], or the second one.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer>;
}

/// Addresses of the families that were found, or why there are none.
pub type Answer = (Families, Result<Vec<IpAddr>, IoFailed>);

/// A look-up that tells both families at once, when `future` is ready.
pub fn at_once(future: impl Future<Output = Result<Vec<IpAddr>, IoFailed>> + Send + 'static) -> Lookup {
    Box::new(AtOnce(Box::pin(future)))
}

struct AtOnce<F>(Pin<Box<F>>);

impl<F: Future<Output = Result<Vec<IpAddr>, IoFailed>> + Send> PollAnswer for AtOnce<F> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        self.0.as_mut().poll(cx).map(|answer| (Families::Both, answer))
    }
}

/// What looks names up in the place of the platform.
///
/// The platform's own resolver, which every adapter uses by default, knows what only the platform can: its hosts file, its
/// name services, its virtual private networks. It blocks a thread for each name, tells both families at once, and often
/// not why it failed. Whoever knows better where a machine stands brings another one.
pub trait Resolver: Send + Sync + 'static {
    /// Looks up `name`: [completely as it is](Name::is_absolute), or as the platform understands a single label.
    fn lookup(&self, name: &Name) -> Lookup;
}

/// The UDP socket that a machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whom it speaks with.
    pub remote: Remote,
    /// Whether what is too large for the path is cut into fragments; else it is dropped.
    pub fragments: bool,
    /// Bytes that the system keeps while they wait to be received, or as many as it gives.
    pub receive_buffer: usize,
    /// Whether the system may cut apart what is sent together, and join what comes, where the runtime knows how.
    pub offload: bool,
}

/// The sockets, the timer and the look-ups of a runtime, for one machine.
///
/// Every `poll_` method either does what it says or sees to it that the waker of `cx` is woken when it can. All sockets are
/// non-blocking. Methods are called from the task that drives the machine and from those that use it, never two at a time.
pub trait Runtime: Send + 'static {
    /// A TCP connection.
    type Stream: Send;
    /// A UDP socket.
    type Datagrams: Send;
    /// A TCP listener.
    type Listener: Send;

    /// The present, from a zero that does not change.
    fn now(&self) -> Instant;

    /// Where the present stands on the civil clock.
    fn clock(&self) -> Clock;

    /// Thirty-two bytes that nobody can guess.
    fn seed(&self) -> Seed;

    /// Looks up the addresses of `name`.
    fn lookup(&self, name: &Name) -> Lookup;

    /// Begins a connection.
    ///
    /// # Errors
    /// It cannot even begin.
    fn dial(&self, address: SocketAddr) -> io::Result<Self::Stream>;

    /// Waits until a connection stands, and returns its own address.
    fn poll_connected(&self, stream: &mut Self::Stream, cx: &mut Context<'_>)
    -> Poll<io::Result<SocketAddr>>;

    /// Opens a UDP socket, and returns its own address.
    ///
    /// # Errors
    /// There is no way to the address that it is to speak with, or the system lacks something.
    fn bind(&self, binding: Binding) -> io::Result<(Self::Datagrams, SocketAddr)>;

    /// Listens on `address`, and returns the address with its real port.
    ///
    /// # Errors
    /// The address is in use, or not this machine's.
    fn listen(&self, address: SocketAddr) -> io::Result<(Self::Listener, SocketAddr)>;

    /// Listens on the address of `other` too: from now on the system gives each connection to one of the two, or of all that
    /// were made so. A process that listens by [`Self::listen`] is still refused the address.
    ///
    /// # Errors
    /// The platform cannot divide connections (`Unsupported`), or the system lacks something.
    fn listen_beside(&self, other: &Self::Listener) -> io::Result<Self::Listener>;

    /// Accepts a connection; with it come the client's address and that which it reached.
    fn poll_accept(
        &self,
        listener: &mut Self::Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, SocketAddr, SocketAddr)>>;

    /// Closes a connection that waits to be accepted, with a descriptor that was kept for that: its client hears at once that
    /// nobody serves it, where the system has none left to accept it with.
    ///
    /// # Errors
    /// None waits (`WouldBlock`), or not even that can be done.
    fn refuse(&self, listener: &mut Self::Listener) -> io::Result<()>;

    /// Waits until a connection breaks from which nobody reads now: the other side reset it, or the system gave it up. What
    /// it has received can still be read. A regular end is none.
    fn poll_broken(&self, stream: &mut Self::Stream, cx: &mut Context<'_>) -> Poll<io::Error>;

    /// Whether the address that a connection has here is none of this machine's any more, so that nothing can come back to it.
    /// Asked when the network underneath has changed. A runtime that cannot tell says no: such a connection breaks when the
    /// system gives it up, which may take minutes.
    fn has_lost_address(&self, _stream: &Self::Stream) -> bool {
        false
    }

    /// Reads; zero is the end.
    fn poll_read(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Reads what a connection that broke has received before; nothing more will come, so nothing is waited for. By default it
    /// asks as [`Self::poll_read`] does. Where that goes by what a reactor has noticed so far, what the reactor has not noticed
    /// yet would be lost.
    ///
    /// # Errors
    /// Nothing is left.
    fn read_rest(&self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        match self.poll_read(stream, &mut Context::from_waker(Waker::noop()), buffer) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes what the socket takes.
    fn poll_write(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>>;

    /// Writes what the socket takes of several pieces, or of the first.
    fn poll_write_vectored(
        &self,
        stream: &mut Self::Stream,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Lets the platform acknowledge every second segment only, where it can be told.
    fn delay_acks(&self, stream: &mut Self::Stream);

    /// Lets the platform watch over a connection, as far as it can.
    fn watch(&self, stream: &mut Self::Stream, liveness: &Liveness);

    /// Ends the sending half. Where that fails the connection is gone, and its reading half finds it out.
    fn finish(&self, stream: &mut Self::Stream);

    /// Makes the drop of a connection a reset, or the regular end that it is else. That counts for the end of the process too.
    fn set_reset(&self, stream: &mut Self::Stream, resets: bool);

    /// Receives what waits: a datagram, or several that one call to the system brings. Their bytes go into `buffer` as
    /// [`Packets::new`](wayleave_proto::net::Packets::new) wants them, the rest of what is known into `arrivals`. Returns how many of
    /// those there are: at least one, and at most [`most_arrivals`](Self::most_arrivals), for which there is room.
    fn poll_receive(
        &self,
        socket: &mut Self::Datagrams,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>>;

    /// How many pieces [`poll_receive`](Self::poll_receive) brings at once.
    fn most_arrivals(&self) -> usize {
        1
    }

    /// Sends the first datagram of `transmit`, or more of them with one call to the system, and returns how many. Where there is an
    /// error, none was sent.
    fn poll_send(
        &self,
        socket: &mut Self::Datagrams,
        cx: &mut Context<'_>,
        transmit: Transmit<'_>,
    ) -> Poll<io::Result<usize>>;

    /// How many datagrams of a socket the system has dropped since it was opened, because its buffer was full; zero where the
    /// platform does not tell.
    fn overflowed(&self, socket: &Self::Datagrams) -> u64;

    /// Waits until `deadline`. Only the last deadline asked for has to be waited for; one that has passed is ready as often
    /// as it is asked for.
    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()>;

    /// Starts a task that runs for as long as it needs, whatever becomes of the caller.
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>);

    /// The machine told `event`, behind everything that it has asked of this runtime and before what it asks next. It is for a
    /// runtime that keeps a record of both in their order; whoever owns the machine gets the event by another way.
    fn told<E: Any>(&self, _event: &E) {}
}

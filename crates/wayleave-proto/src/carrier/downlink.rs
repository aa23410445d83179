//! The relay's side of a client's connection, whatever carries it: tunnels come out of it and are answered, written, read and
//! ended by their keys.

use core::net::SocketAddr;
use core::time::Duration;

pub(crate) use super::h1::Moved;
#[cfg(any(test, feature = "testing"))]
use super::mux;
use super::tls::{Session, TlsError};
use super::{Carrier, ConnectionFault, h1};
use crate::base::{Clock, Instant, key};
use crate::codec::capsule::CapsuleError;
use crate::codec::http::{Answer, Ask, Malformed};
use crate::config::{RelayConfig, RelayLimits};
use crate::net::{Onward, Requests, SocketId};
use crate::queue::DatagramQueue;

key! {
    /// One tunnel of a connection, chosen by its carrier and never given out twice.
    pub(crate) TunnelKey, "k"
}

/// What a carrier works with: the sockets of its machine, the limits that count there, and the present by both clocks.
#[derive(Debug)]
pub(crate) struct Io<'a, R, E> {
    pub(crate) sockets: &'a mut Requests<R, E>,
    pub(crate) limits: &'a RelayLimits,
    pub(crate) clock: &'a Clock,
    pub(crate) now: Instant,
}

/// What a connection tells its relay; asked for with [`Downlink::poll_signal`] behind every input and verb.
#[derive(Debug)]
pub(crate) enum Signal {
    /// A client asks for something, or says what cannot be understood: [`Downlink::answer`] it.
    Asked(TunnelKey, Box<Result<Ask, Malformed>>),
    /// A balancer said whose connection this is; `None` where it is the balancer's own. Nothing of it is looked at before
    /// [`Downlink::admit`].
    Client(Option<SocketAddr>),
    /// The client ended its half of a tunnel: [`Downlink::ending`] says how.
    Ended(TunnelKey),
    /// The connection is of no use. It ends by itself, maybe with a last answer.
    Failed(ConnectionFault),
    /// The client's side of a tunnel is gone. What it sent before may wait until the relay [ends](Downlink::end) the tunnel.
    Lost(TunnelKey, Loss),
    /// Something came in a tunnel, which may wait in [`Downlink::read`].
    Readable(TunnelKey),
    /// The client broke a rule of what carries datagrams; the tunnel has to end.
    Violated(TunnelKey, CapsuleError),
    /// Little of what was written to a stream still waits.
    Writable(TunnelKey),
}

/// How a client ended its half of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It said that what it sent is whole.
    Clean,
    /// It did not.
    Truncated,
}

/// How the client's side of a tunnel was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The client said that it breaks off.
    BrokenOff,
    /// Its connection is gone, or it gave the tunnel up at once.
    Gone,
}

/// How the relay ends a tunnel that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Regularly, behind everything that was written.
    Clean,
    /// At once, so that the client knows that bytes are missing.
    Reset,
    /// Behind everything that was written, so that the client knows that bytes are missing behind that.
    Truncated,
}

/// Where a connection delivers to what comes in its tunnels.
pub(crate) trait Sinks {
    /// The way on from one tunnel.
    type Sink<'s>: Sink
    where
        Self: 's;

    /// The way on from tunnel `key`; `None` where it is not open.
    fn sink(&mut self, key: TunnelKey) -> Option<Self::Sink<'_>>;
}

/// The way on from one tunnel.
pub(crate) trait Sink {
    /// Takes of the chunks, joined, as many bytes from the front as it can; the rest waits in the connection.
    fn write(&mut self, chunks: [&[u8]; 2]) -> usize;

    /// Takes one datagram.
    fn datagram(&mut self, payload: &[u8]);
}

/// What a connection that was accepted is made of, before it has a place.
#[derive(Debug)]
pub(crate) struct Arrival {
    carrier: Carrier,
    session: Box<dyn Session>,
}

impl Arrival {
    /// One on the carrier that the relay serves.
    ///
    /// # Errors
    /// None can be made.
    pub(crate) fn new(config: &RelayConfig) -> Result<Self, TlsError> {
        Ok(Self { carrier: config.carrier(), session: config.acceptor.accept()? })
    }
}

/// One connection of a client, on any carrier.
///
/// It owns its socket, its encryption, its deadlines, and the bytes that wait in its tunnels; datagrams wait with the relay,
/// where they grow old. Behind every call that takes [`Io`] the relay looks at [`poll_signal`](Self::poll_signal),
/// [`poll_timeout`](Self::poll_timeout) and [`is_closed`](Self::is_closed).
#[derive(Debug)]
pub(crate) enum Downlink {
    /// HTTP/1.1 over TLS over TCP, one tunnel for each connection.
    H1(h1::Downlink),
    /// That of the tests.
    #[cfg(any(test, feature = "testing"))]
    Mux(mux::Downlink),
}

/// Calls the same of whichever carrier it is.
macro_rules! each {
    ($self:expr, $downlink:ident => $call:expr) => {
        match $self {
            Downlink::H1($downlink) => $call,
            #[cfg(any(test, feature = "testing"))]
            Downlink::Mux($downlink) => $call,
        }
    };
}

/// What happens to the connection.
impl Downlink {
    /// A connection that was accepted at `socket`; behind a balancer it says first whose it is.
    pub(crate) fn accept<R: Copy, E>(
        io: &mut Io<'_, R, E>,
        socket: SocketId,
        arrival: Arrival,
        is_behind_balancer: bool,
    ) -> Self {
        let Arrival { carrier, session } = arrival;
        match carrier {
            Carrier::H1 => Self::H1(h1::Downlink::new(io, socket, session, is_behind_balancer)),
            #[cfg(any(test, feature = "testing"))]
            Carrier::Mux => Self::Mux(mux::Downlink::new(io, socket, session)),
        }
    }

    /// Bytes came; what they bring for tunnels that are open goes to `sinks` at once, as far as those take it.
    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        data: &mut [u8],
    ) {
        each!(self, it => it.handle_received(io, sinks, data));
    }

    /// The client will send nothing more on this connection.
    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        each!(self, it => it.handle_finished(io));
    }

    /// The connection is gone, and its socket with it.
    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        each!(self, it => it.handle_failed(io));
    }

    /// Nothing can be written to the connection any more, while reading from it is paused.
    pub(crate) fn handle_broken<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        each!(self, it => it.handle_broken(io));
    }

    /// `written` bytes of what is [`pending`](Self::pending) were written.
    pub(crate) fn handle_written<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, written: usize) {
        each!(self, it => it.handle_written(io, written));
    }

    /// Time passes.
    pub(crate) fn handle_timeout<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        each!(self, it => it.handle_timeout(io));
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        each!(self, it => it.poll_timeout())
    }

    /// The next signal.
    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        each!(self, it => it.poll_signal())
    }

    /// What to write now; `None` when there is nothing.
    pub(crate) fn pending<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) -> Option<&[u8]> {
        each!(self, it => it.pending(io))
    }
}

/// The connection as a whole.
impl Downlink {
    /// Goes on behind [`Signal::Client`].
    pub(crate) fn admit<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, sinks: &mut impl Sinks) {
        each!(self, it => it.admit(io, sinks));
    }

    /// Ends it and all its tunnels at once.
    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        each!(self, it => it.close(io, reset));
    }

    /// Whether it is over, and nothing more will come of it but signals.
    pub(crate) const fn is_closed(&self) -> bool {
        each!(self, it => it.is_closed())
    }

    /// Which carrier it is.
    pub(crate) const fn carrier(&self) -> Carrier {
        match self {
            Self::H1(_) => Carrier::H1,
            #[cfg(any(test, feature = "testing"))]
            Self::Mux(_) => Carrier::Mux,
        }
    }

    /// Whether its client has asked for nothing yet that could be judged.
    pub(crate) const fn is_strange(&self) -> bool {
        each!(self, it => it.is_strange())
    }

    /// The relay is about to go: where the carrier can say so, the client asks for nothing more on this connection. What runs
    /// goes on, and the connection ends behind it; one that carries nothing ends.
    pub(crate) fn leave<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        each!(self, it => it.leave(io));
    }

    /// Memory in its buffers, in bytes.
    pub(crate) fn held(&self) -> usize {
        each!(self, it => it.held())
    }

    /// Key material that both sides derive alike ([RFC 9729 §3](https://www.rfc-editor.org/rfc/rfc9729#section-3)).
    pub(crate) fn export(&mut self, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
        each!(self, it => it.export(label, context))
    }
}

/// Its tunnels.
impl Downlink {
    /// Answers what was asked. A tunnel that was accepted is open from now on, any other is over.
    pub(crate) fn answer<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, answer: &Answer) {
        each!(self, it => it.answer(io, key, answer));
    }

    /// Sends bytes in a stream, at once as far as the connection takes them through `onward`.
    pub(crate) fn write<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        onward: &mut dyn Onward,
        key: TunnelKey,
        data: &[u8],
    ) {
        each!(self, it => it.write(io, onward, key, data));
    }

    /// Bytes of a stream that were written and have not left.
    pub(crate) fn waiting(&self, key: TunnelKey) -> usize {
        each!(self, it => it.waiting(key))
    }

    /// Ends our half of a stream, behind everything that was written.
    pub(crate) fn finish<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        each!(self, it => it.finish(io, key));
    }

    /// Ends a tunnel that is open.
    pub(crate) fn end<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, end: End) {
        each!(self, it => it.end(io, key, end));
    }

    /// Bytes of a stream that no sink took, lent; empty when none. It may be a part of what waits.
    pub(crate) fn read(&mut self, key: TunnelKey) -> &[u8] {
        each!(self, it => it.read(key))
    }

    /// Takes `amount` bytes of a stream away.
    pub(crate) fn consume<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, amount: usize) {
        each!(self, it => it.consume(io, key, amount));
    }

    /// Bytes of a tunnel that came and wait.
    pub(crate) fn readable(&self, key: TunnelKey) -> usize {
        each!(self, it => it.readable(key))
    }

    /// Stops or starts taking bytes of a tunnel from the client.
    pub(crate) fn pause<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, paused: bool) {
        each!(self, it => it.pause(io, key, paused));
    }

    /// Whether the client has ended its half of a tunnel, and how.
    pub(crate) fn ending(&mut self, key: TunnelKey) -> Option<Ending> {
        each!(self, it => it.ending(key))
    }

    /// Lets the platform ask the client of a tunnel whether it is there when nothing came for as long as `idle`, and take it for
    /// gone after a `timeout`.
    pub(crate) fn watch<R: Copy, E>(
        &self,
        io: &mut Io<'_, R, E>,
        key: TunnelKey,
        idle: Duration,
        timeout: Duration,
    ) {
        each!(self, it => it.watch(io, key, idle, timeout));
    }

    /// Delivers datagrams that came before their tunnel was open.
    pub(crate) fn deliver_datagrams<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        key: TunnelKey,
    ) {
        each!(self, it => it.deliver_datagrams(io, sinks, key));
    }

    /// Whether the client did not stop in the middle of a datagram.
    ///
    /// # Errors
    /// It did ([RFC 9297 §3.3](https://www.rfc-editor.org/rfc/rfc9297#section-3.3)).
    pub(crate) fn check_whole(&self, key: TunnelKey) -> Result<(), CapsuleError> {
        each!(self, it => it.check_whole(key))
    }

    /// Says that datagrams of a tunnel wait: [`send_datagrams`](Self::send_datagrams) is called before
    /// [`pending`](Self::pending) then.
    pub(crate) fn announce_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        each!(self, it => it.announce_datagrams(io, key));
    }

    /// Sends what waits in `queue`, as long as little waits to be written: what waits longer stays there, where it can still
    /// grow old and be dropped.
    pub(crate) fn send_datagrams(
        &mut self,
        now: Instant,
        key: TunnelKey,
        queue: &mut DatagramQueue,
    ) -> Moved {
        each!(self, it => it.send_datagrams(now, key, queue))
    }
}

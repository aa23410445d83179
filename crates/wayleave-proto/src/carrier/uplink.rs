//! The client's side of a connection to a proxy, whatever carries it: tunnels are asked for, written, read and ended by their
//! keys.

#[cfg(any(test, feature = "testing"))]
use super::mux;
use super::tls::Session;
use super::via::{Approach, Through};
use super::{Carrier, h1};
use crate::base::{Instant, Target};
use crate::codec::http::{Answer, Ask, Malformed};
use crate::config::{ClientConfig, Peer, ViaScheme};
use crate::net::{Fault, Requests, SocketId};
use crate::queue::DatagramQueue;

pub(crate) use super::downlink::TunnelKey;

/// What a carrier works with: the sockets of its machine, what is configured there, and the present.
#[derive(Debug)]
pub(crate) struct Io<'a, R, E> {
    pub(crate) sockets: &'a mut Requests<R, E>,
    pub(crate) config: &'a ClientConfig,
    pub(crate) now: Instant,
}

/// Takes the datagrams that come in tunnels.
pub(crate) type Take<'a> = dyn FnMut(TunnelKey, &[u8]) + 'a;

/// What a connection tells its client; asked for with [`Uplink::poll_signal`] behind every input.
#[derive(Debug)]
#[cfg_attr(
    not(any(test, feature = "testing")),
    expect(
        dead_code,
        reason = "HTTP/1.1 has one tunnel, which is lost with its connection, and no word for leaving"
    )
)]
pub(crate) enum Signal {
    /// The proxy has answered. Where it accepted, the tunnel is open; where it did not, or cannot be understood, there is
    /// nothing more to come of the key.
    Answered(TunnelKey, Box<Result<Answer, Malformed>>),
    /// The connection is gone with all its tunnels. What came in them before may still be read.
    Broken,
    /// Datagrams came in a tunnel, with so many bytes of payload.
    Datagrams(TunnelKey, u64),
    /// The proxy has ended a tunnel of datagrams regularly.
    Ended(TunnelKey),
    /// No connection came of it.
    Failed(Box<Fault>),
    /// The proxy is about to go: the connection takes no new tunnels, and those that it has go on.
    Leaving,
    /// The proxy has broken off a tunnel, asked for or open. What came in it before may still be read.
    Lost(TunnelKey),
    /// Something came in a stream, or its end.
    Readable(TunnelKey),
    /// The connection stands.
    Ready,
    /// There is [`room`](Uplink::room) again where there was none.
    Room,
    /// The proxy broke a rule of what carries datagrams; the tunnel has to end.
    Violated(TunnelKey),
    /// Bytes of a tunnel have left.
    Writable(TunnelKey),
}

/// One connection to a proxy, on any carrier, from its first byte.
///
/// It owns its socket, its encryption, its deadlines, and the bytes that wait in its streams; datagrams wait with the client,
/// where they grow old.
#[derive(Debug)]
pub(crate) enum Uplink {
    /// HTTP/1.1 over TLS over TCP, one tunnel for each connection.
    H1(h1::Uplink),
    /// That of the tests.
    #[cfg(any(test, feature = "testing"))]
    Mux(mux::Uplink),
}

/// Calls the same of whichever carrier it is.
macro_rules! each {
    ($self:expr, $uplink:ident => $call:expr) => {
        match $self {
            Uplink::H1($uplink) => $call,
            #[cfg(any(test, feature = "testing"))]
            Uplink::Mux($uplink) => $call,
        }
    };
}

/// What happens to the connection.
impl Uplink {
    /// Begins a connection to `proxy` at `socket`, which has been opened, to it or to the proxy of the network that is asked
    /// first; `None` where nothing is configured for it.
    ///
    /// # Errors
    /// None can be made to that host.
    pub(crate) fn begin<R: Copy, E>(
        io: &mut Io<'_, R, E>,
        socket: SocketId,
        proxy: &Target,
        approach: Option<Approach>,
    ) -> Option<Result<Self, Fault>> {
        let connector = io.config.connector.as_ref()?;
        let mut session = connector.connect(&proxy.host);
        if let Some(approach) = approach {
            let outer = match approach.via.scheme() {
                ViaScheme::Https => Some(connector.connect(&approach.via.proxy().host)),
                ViaScheme::Http | ViaScheme::Socks5 => None,
            };
            session = session.and_then(|inner| {
                let outer = outer.transpose()?;
                Ok(Box::new(Through::new(approach, proxy.clone(), outer, inner)) as Box<dyn Session>)
            });
        }
        let begun = session.map(|session| {
            io.sockets.watch(socket, io.config.limits.liveness(Peer::Pausing));
            io.sockets.pending(socket);
            match io.config.carrier() {
                Carrier::H1 => Self::H1(h1::Uplink::new(socket, session)),
                #[cfg(any(test, feature = "testing"))]
                Carrier::Mux => Self::Mux(mux::Uplink::new(socket, session)),
            }
        });
        Some(begun.map_err(Fault::from))
    }

    /// Bytes came; datagrams among them are handed to `take` at once.
    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        take: &mut Take<'_>,
        data: &mut [u8],
    ) {
        each!(self, it => it.handle_received(io, take, data));
    }

    /// The proxy will send nothing more on this connection.
    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, take: &mut Take<'_>) {
        each!(self, it => it.handle_finished(io, take));
    }

    /// The connection is gone, and its socket with it.
    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, fault: Fault) {
        each!(self, it => it.handle_failed(io, fault));
    }

    /// `written` bytes of what is [`pending`](Self::pending) were written.
    pub(crate) fn handle_written(&mut self, written: usize) {
        each!(self, it => it.handle_written(written));
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
impl Uplink {
    /// Which carrier it is.
    pub(crate) const fn carrier(&self) -> Carrier {
        match self {
            Self::H1(_) => Carrier::H1,
            #[cfg(any(test, feature = "testing"))]
            Self::Mux(_) => Carrier::Mux,
        }
    }

    /// Whether it goes on where the network underneath is another one, or has other addresses. One that does not takes no new
    /// tunnels any more.
    pub(crate) const fn survives_network(&self) -> bool {
        each!(self, it => it.survives_network())
    }

    /// How many tunnels may be asked for now.
    pub(crate) fn room(&self) -> usize {
        each!(self, it => it.room())
    }

    /// Whether it is over.
    pub(crate) const fn is_closed(&self) -> bool {
        each!(self, it => it.is_closed())
    }

    /// Until when its last word goes out, where it is over but for that. It ends by itself then.
    pub(crate) fn last_word(&self) -> Option<Instant> {
        each!(self, it => it.last_word())
    }

    /// Ends it and all its tunnels at once.
    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        each!(self, it => it.close(io, reset));
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
impl Uplink {
    /// Asks for a tunnel, or that credentials be seen; `None` where there is no [`room`](Self::room).
    pub(crate) fn ask<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, ask: &Ask) -> Option<TunnelKey> {
        each!(self, it => it.ask(io, ask))
    }

    /// Sends pieces, joined, in a stream. The caller keeps [`waiting`](Self::waiting) under its mark.
    pub(crate) fn write<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, pieces: &[&[u8]]) {
        each!(self, it => it.write(io, key, pieces));
    }

    /// Bytes of a stream that were written and have not left.
    pub(crate) fn waiting(&self, key: TunnelKey) -> usize {
        each!(self, it => it.waiting(key))
    }

    /// Ends our half of a stream, behind everything that was written.
    pub(crate) fn finish<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        each!(self, it => it.finish(io, key));
    }

    /// Tells the proxy, behind everything that was written, that a stream has no regular end.
    pub(crate) fn abort<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        each!(self, it => it.abort(io, key));
    }

    /// Ends a tunnel at once, open or asked for; with a `reset` the proxy learns that bytes may be missing. Nothing more is told
    /// of the key.
    pub(crate) fn end<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, reset: bool) {
        each!(self, it => it.end(io, key, reset));
    }

    /// Both halves of a stream have ended, and all that came was taken: what carries nothing else may end. The key stays good
    /// until the tunnel is [ended](Self::end).
    pub(crate) fn settle<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        each!(self, it => it.settle(io, key));
    }

    /// Bytes of a stream that came and wait, lent; empty when none. It may be a part of what waits.
    pub(crate) fn read(&mut self, key: TunnelKey) -> &[u8] {
        each!(self, it => it.read(key))
    }

    /// Takes `amount` bytes of a stream away.
    pub(crate) fn consume<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, amount: usize) {
        each!(self, it => it.consume(io, key, amount));
    }

    /// Bytes of a stream that came and wait.
    pub(crate) fn readable(&self, key: TunnelKey) -> usize {
        each!(self, it => it.readable(key))
    }

    /// Whether the proxy has ended its half of a stream, and all of it was taken.
    pub(crate) fn is_finished(&mut self, key: TunnelKey) -> bool {
        each!(self, it => it.is_finished(key))
    }

    /// Whether the proxy did not say that what it sent is whole.
    pub(crate) fn is_truncated(&self, key: TunnelKey) -> bool {
        each!(self, it => it.is_truncated(key))
    }

    /// Whether nothing can be sent in a tunnel any more. What came may still be read.
    pub(crate) fn is_broken<R: Copy, E>(&self, io: &Io<'_, R, E>, key: TunnelKey) -> bool {
        each!(self, it => it.is_broken(io, key))
    }

    /// Whether nothing more will come in a tunnel.
    pub(crate) fn is_gone(&self, key: TunnelKey) -> bool {
        each!(self, it => it.is_gone(key))
    }

    /// Stops or starts taking bytes of a stream from the proxy.
    pub(crate) fn pause<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, paused: bool) {
        each!(self, it => it.pause(io, key, paused));
    }

    /// Says that datagrams of a tunnel wait: [`send_datagrams`](Self::send_datagrams) is called before
    /// [`pending`](Self::pending) then.
    pub(crate) fn announce_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        each!(self, it => it.announce_datagrams(io, key));
    }

    /// Sends what waits in `queue`, as long as little waits to be written: what waits longer stays there, where it can still
    /// grow old and be dropped.
    pub(crate) fn send_datagrams(&mut self, now: Instant, key: TunnelKey, queue: &mut DatagramQueue) {
        each!(self, it => it.send_datagrams(now, key, queue));
    }
}

//! The boundary: every top machine is driven by the same few verbs, so one loop drives them all.

use core::net::{IpAddr, SocketAddr};

use super::{Packets, Transmit};
use crate::base::{Families, Instant, Name, UnixTime, key};
use crate::config::Liveness;
use crate::error::IoFailed;

key! {
    /// One socket or one look-up of the outside world, chosen by the machine and never given out twice.
    pub SocketId, "s"
}

/// A request of a machine to its adapter, or something that the embedder should know.
///
/// `E` is what the machine tells its embedder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<E> {
    /// Look up `name`, both families at the same time; answer with [`Machine::handle_resolved`] once for both, or once for
    /// each as soon as it is known. A name that [is absolute](Name::is_absolute) must not be completed with the domains of
    /// a search list.
    Resolve {
        /// The look-up.
        id: SocketId,
        /// The name.
        name: Name,
    },
    /// Open a TCP connection; answer once with [`Machine::handle_opened`] or [`Machine::handle_failed`].
    Dial {
        /// The connection.
        id: SocketId,
        /// Exactly where to.
        address: SocketAddr,
    },
    /// Open a UDP socket; answer once with [`Machine::handle_opened`] or [`Machine::handle_failed`].
    Bind {
        /// The socket.
        id: SocketId,
        /// Whom it speaks with.
        remote: Remote,
        /// Whether what is too large for the path is cut into fragments, as with any plain socket. Else it is dropped, where
        /// the platform has the don't-fragment bit ([RFC 9298 §3.1](https://www.rfc-editor.org/rfc/rfc9298#section-3.1)).
        fragments: bool,
    },
    /// There is something to send: on a TCP connection write what [`Machine::pending`] lends whenever it takes something, on a UDP
    /// socket send what [`Machine::transmit`] lends, until nothing is lent.
    Pending(SocketId),
    /// Do not read from this socket until [`Output::ReadResume`].
    ReadPause(SocketId),
    /// Read from this socket again.
    ReadResume(SocketId),
    /// Write what is pending, then end the sending half of this TCP connection.
    Finish(SocketId),
    /// Acknowledge what comes on this TCP connection with every second segment and not at once, where the platform can
    /// be told ([RFC 9293 §3.8.6.3](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3)). It is a wish; the platform
    /// may forget it, so it is said again from time to time.
    DelayAcks(SocketId),
    /// Watch over this TCP connection as the platform can, until another word about it: it fails by
    /// [`Machine::handle_failed`] when its other end has vanished. Without this word no connection is watched.
    Watch {
        /// The connection, whether it was dialled or accepted.
        id: SocketId,
        /// How.
        liveness: Liveness,
    },
    /// Close this socket, or forget this look-up, at once; the id is not used again by either side.
    Close {
        /// The socket or look-up.
        id: SocketId,
        /// Whether a TCP connection should end with a reset, so that the other side knows bytes were lost.
        reset: bool,
    },
    /// Something for the embedder.
    Event(E),
}

/// Whom a UDP socket speaks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// With everybody of this family, from one port: each [`Transmit`] says where it goes.
    Every(Family),
    /// With this address alone, which the socket is connected to.
    One(SocketAddr),
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6; without IPv4 in its mapped form.
    V6,
}

impl Family {
    /// The family of `address`.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// What an adapter drives.
///
/// Call any `handle_` method when something happened, then [`poll_output`](Self::poll_output) until it returns
/// `None`, then sleep until [`poll_timeout`](Self::poll_timeout) or the next happening. Two inputs without a drain
/// between them are legal. A `now` that is older than an earlier one counts as the latest. An id that the machine
/// does not know (any more) is ignored.
///
/// Sending: after [`Output::Pending`] the adapter asks for [`pending`](Self::pending) and reports how much the
/// socket took with [`handle_written`](Self::handle_written), so a partial write costs nothing. For a UDP socket the two are
/// [`transmit`](Self::transmit) and [`handle_sent`](Self::handle_sent).
///
/// Receiving: the adapter lends what it read to [`handle_received`](Self::handle_received). A read
/// that was under way when [`Output::ReadPause`] came is still accepted. What waits in a machine can exceed its limit by
/// one read, so read no more than 64 KiB at once where the last read led to a pause. Datagrams go to
/// [`handle_packets`](Self::handle_packets), one at a time or as many as one call brought. A queue of datagrams that is full
/// drops the oldest, so let sockets write before much more is received.
pub trait Machine {
    /// What the machine tells its embedder.
    type Event;

    /// The next request or event, `None` when there is nothing more to do.
    fn poll_output(&mut self) -> Option<Output<Self::Event>>;

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing happens before.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Lets time pass. Early and repeated calls do nothing.
    fn handle_timeout(&mut self, now: Instant);

    /// The civil clock shows `unix` now. An adapter reads it whenever it is woken, before anything else: tokens are judged by
    /// the present ([RFC 7519 §4.1.4](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4)), and that clock may have been
    /// set, or have gone on while the other slept. It is cheap where nothing of the kind happened.
    fn handle_clock(&mut self, now: Instant, unix: UnixTime);

    /// Answers [`Output::Resolve`] for `families`. An empty list says that the name has no such address. A further answer
    /// for the same family is ignored.
    fn handle_resolved(
        &mut self,
        now: Instant,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    );

    /// Answers [`Output::Dial`] or [`Output::Bind`]: the socket is open, `local` is its own address.
    fn handle_opened(&mut self, now: Instant, id: SocketId, local: SocketAddr);

    /// The socket could not be opened, or is broken: the adapter has closed it and forgets its id. The exception is an
    /// open UDP socket, where it says that the target refused a datagram: that socket stays until the machine closes
    /// it.
    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed);

    /// A TCP connection from which reading is paused broke: the other side reset it, or the network gave it up
    /// ([RFC 9293 §3.10.7.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4)). Nothing can be written to it any more;
    /// what it had received before is read when reading goes on, and behind that comes
    /// [`handle_failed`](Self::handle_failed). Said once, so that pausing makes nobody blind.
    fn handle_broken(&mut self, now: Instant, id: SocketId, error: IoFailed);

    /// Bytes of a TCP connection. May be decrypted in place.
    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]);

    /// Datagrams of a UDP socket. May be decrypted in place.
    fn handle_packets(&mut self, now: Instant, id: SocketId, packets: Packets<'_>);

    /// [`handle_received`](Self::handle_received) for bytes of a TCP connection, where the adapter can write to another one
    /// meanwhile: what is only forwarded need not be copied.
    fn handle_stream(&mut self, now: Instant, id: SocketId, data: &mut [u8], _onward: &mut dyn Onward) {
        self.handle_received(now, id, data);
    }

    /// The system dropped `count` more datagrams of a UDP socket, because nobody had received them in time.
    fn handle_overflow(&mut self, now: Instant, id: SocketId, count: u64);

    /// The other side of a TCP connection ended its sending half; no more bytes will come.
    fn handle_finished(&mut self, now: Instant, id: SocketId);

    /// What to write on this TCP connection now, which is not empty; `None` when there is nothing.
    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]>;

    /// The connection took `written` bytes of what [`pending`](Self::pending) lent.
    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize);

    /// What to send on this UDP socket now; `None` when there is nothing.
    fn transmit(&mut self, now: Instant, id: SocketId) -> Option<Transmit<'_>>;

    /// The first `count` datagrams of what [`transmit`](Self::transmit) lent are gone: the socket took them, or they are lost. The
    /// others are lent again.
    fn handle_sent(&mut self, now: Instant, id: SocketId, count: usize);
}

/// Writes to other sockets while bytes of one are lent.
pub trait Onward {
    /// Writes the chunks, joined, to the TCP connection `id`, and returns how much of them it took: all, some or nothing.
    /// It is not to be asked while something is [`pending`](Machine::pending) there. The machine keeps the rest and says
    /// [`Output::Pending`]; what was taken is not reported again.
    fn write(&mut self, id: SocketId, chunks: [&[u8]; 2]) -> usize;

    /// Sends datagrams on the UDP socket `id`, and returns how many of them are gone. It is not to be asked while
    /// something waits for [`transmit`](Machine::transmit) there. The machine keeps the others and says
    /// [`Output::Pending`]; what is gone is not reported again.
    fn send(&mut self, id: SocketId, transmit: Transmit<'_>) -> usize;
}

/// Takes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Onward for Nowhere {
    fn write(&mut self, _: SocketId, _: [&[u8]; 2]) -> usize {
        0
    }

    fn send(&mut self, _: SocketId, _: Transmit<'_>) -> usize {
        0
    }
}

//! Datagrams as they cross the boundary: several at once where the platform has them so.

use core::net::{IpAddr, SocketAddr};
use core::slice::{ChunksMut, Iter};

use crate::base::Instant;
use crate::queue::DatagramQueue;

/// A mark of Explicit Congestion Notification ([RFC 3168 §5](https://www.rfc-editor.org/rfc/rfc3168#section-5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecn {
    /// The sender understands the marks: ECT(0).
    Ect0,
    /// The sender understands the marks: ECT(1).
    Ect1,
    /// A router on the way is congested: CE.
    Ce,
}

/// What one call to the system sends: one datagram, or several of one size that lie one behind the other.
///
/// A platform that cuts them apart by itself (generic segmentation offload, GSO) takes `contents` as it is. Any other sends
/// [`datagrams`](Self::datagrams) one by one, or only the [first](Self::first) of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// Whom they go to; `None` on a socket that is connected.
    pub destination: Option<SocketAddr>,
    /// The mark that they bear; `None` for none.
    pub ecn: Option<Ecn>,
    /// All of them, joined: at most [`MOST_BYTES`](Self::MOST_BYTES), where there is more than one.
    pub contents: &'a [u8],
    /// Bytes of each; the last may have fewer, but at least one where there is more than one. Zero where the only one is empty.
    pub segment_size: usize,
}

impl<'a> Transmit<'a> {
    /// As many datagrams go together at most: no system takes more.
    pub const MOST: usize = 64;
    /// Bytes of payload that go together at most: to a system they are one packet, until it cuts them apart.
    pub const MOST_BYTES: usize = 65_000;

    /// One datagram, to whom the socket is connected to.
    pub const fn one(payload: &'a [u8]) -> Self {
        Self { destination: None, ecn: None, contents: payload, segment_size: payload.len() }
    }

    /// What waits in `queue` and can leave together, the oldest first; say with [`pop`](DatagramQueue::pop) for each that it is gone.
    pub fn of(queue: &'a mut DatagramQueue, now: Instant) -> Option<Self> {
        let (contents, segment_size) = queue.alike(now, Self::MOST_BYTES, Self::MOST)?;
        Some(Self { segment_size, ..Self::one(contents) })
    }

    /// The same to `destination`.
    #[must_use]
    pub const fn to(self, destination: SocketAddr) -> Self {
        Self { destination: Some(destination), ..self }
    }

    /// How many datagrams it is, at least one.
    pub const fn count(&self) -> usize {
        if self.segment_size == 0 { 1 } else { self.contents.len().div_ceil(self.segment_size) }
    }

    /// The first datagram.
    pub fn first(&self) -> &'a [u8] {
        self.contents.get(..self.segment_size).unwrap_or(self.contents)
    }

    /// The datagrams, in the order in which they are to be sent.
    pub fn datagrams(self) -> impl Iterator<Item = &'a [u8]> {
        core::iter::successors(Some(self), |sent| sent.behind(1)).map(|left| left.first())
    }

    /// What is left when the first `count` datagrams are sent; `None` where nothing is.
    #[must_use]
    pub fn behind(self, count: usize) -> Option<Self> {
        let contents = self.contents.get(count.saturating_mul(self.segment_size)..)?;
        let is_over = contents.is_empty() && count > 0;
        (!is_over).then_some(Self { contents, ..self })
    }
}

/// What came in one piece: a datagram, or several of one size from one sender that the system joined (generic receive offload,
/// GRO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it.
    pub from: SocketAddr,
    /// The address of this machine that it was sent to, where the platform tells.
    pub local: Option<IpAddr>,
    /// The mark that it bore, where the platform tells.
    pub ecn: Option<Ecn>,
    /// Bytes of the whole.
    pub len: usize,
    /// Bytes of each datagram in it; the last may have fewer.
    pub stride: usize,
}

impl Arrival {
    /// One datagram of `len` bytes, of which no more is known.
    pub const fn one(from: SocketAddr, len: usize) -> Self {
        Self { from, local: None, ecn: None, len, stride: len }
    }

    /// How many datagrams it is, at least one.
    pub const fn count(&self) -> usize {
        if self.stride == 0 || self.len == 0 { 1 } else { self.len.div_ceil(self.stride) }
    }
}

/// One datagram that came. The payload may be changed in place.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// The address of this machine that it was sent to, where the platform tells.
    pub local: Option<IpAddr>,
    /// The mark that it bore, where the platform tells.
    pub ecn: Option<Ecn>,
    /// What it says.
    pub payload: &'a mut [u8],
}

/// The datagrams that came on one socket, lent in the order in which they came.
#[derive(Debug)]
pub struct Packets<'a> {
    /// What is left of a piece that is being taken apart.
    piece: Option<(Arrival, &'a mut [u8])>,
    slots: ChunksMut<'a, u8>,
    arrivals: Iter<'a, Arrival>,
}

impl<'a> Packets<'a> {
    /// How far apart pieces lie that come in one call: none is longer.
    pub const SLOT: usize = 65_536;

    /// What one call brought: the bytes of each of `arrivals` lie in `buffer`, [`SLOT`](Self::SLOT) bytes behind those of the one
    /// before.
    pub fn new(buffer: &'a mut [u8], arrivals: &'a [Arrival]) -> Self {
        Self { piece: None, slots: buffer.chunks_mut(Self::SLOT), arrivals: arrivals.iter() }
    }

    /// One datagram.
    pub fn one(from: SocketAddr, payload: &'a mut [u8]) -> Self {
        let nothing = Self::new(&mut [], &[]);
        Self { piece: Some((Arrival::one(from, payload.len()), payload)), ..nothing }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let (arrival, bytes) = match self.piece.take() {
            Some(piece) => piece,
            None => {
                let (arrival, slot) = (*self.arrivals.next()?, self.slots.next()?);
                (arrival, slot.get_mut(..arrival.len)?)
            }
        };
        let stride = if arrival.stride == 0 { bytes.len() } else { arrival.stride.min(bytes.len()) };
        let (payload, rest) = bytes.split_at_mut_checked(stride)?;
        if !rest.is_empty() {
            self.piece = Some((arrival, rest));
        }
        Some(Packet { from: arrival.from, local: arrival.local, ecn: arrival.ecn, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_transmit_is_as_many_datagrams_as_its_segments() {
        for (contents, segment_size, expected) in [
            ("", 0, &[""][..]),
            ("abc", 3, &["abc"]),
            ("abcdef", 3, &["abc", "def"]),
            ("abcdefg", 3, &["abc", "def", "g"]),
            ("abc", 9, &["abc"]),
            ("ab", 1, &["a", "b"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|payload| payload.as_bytes()).collect();
            let transmit = Transmit { segment_size, ..Transmit::one(contents.as_bytes()) };
            assert_eq!(transmit.datagrams().collect::<Vec<_>>(), expected);
            assert_eq!((transmit.count(), transmit.first()), (expected.len(), expected[0]));
            for count in 0..expected.len() {
                let left = transmit.behind(count).unwrap();
                assert_eq!(left.datagrams().collect::<Vec<_>>(), expected[count..]);
            }
            assert_eq!(transmit.behind(expected.len()), None);
            assert_eq!(transmit.behind(expected.len() + 1), None);
        }
    }

    #[test]
    fn what_came_in_pieces_is_taken_apart() {
        let mut buffer = vec![0; 3 * Packets::SLOT];
        buffer[..7].copy_from_slice(b"abcdefg");
        buffer[2 * Packets::SLOT..][..2].copy_from_slice(b"xy");
        let joined = Arrival { ecn: Some(Ecn::Ce), stride: 3, ..Arrival::one(from(1), 7) };
        let arrivals = [joined, Arrival::one(from(2), 0), Arrival::one(from(3), 2)];
        let packets = Packets::new(&mut buffer, &arrivals);
        let seen: Vec<_> =
            packets.map(|packet| (packet.from.port(), packet.ecn, packet.payload.to_vec())).collect();
        let ce = Some(Ecn::Ce);
        let expected =
            [(1, ce, &b"abc"[..]), (1, ce, b"def"), (1, ce, b"g"), (2, None, b""), (3, None, b"xy")];
        assert_eq!(seen, expected.map(|(port, ecn, payload)| (port, ecn, payload.to_vec())));
        assert_eq!(arrivals.map(|arrival| arrival.count()), [3, 1, 1]);
    }

    #[test]
    fn one_datagram_needs_no_more_than_its_bytes() {
        for payload in [&b"word"[..], b""] {
            let mut bytes = payload.to_vec();
            let mut packets = Packets::one(from(9), &mut bytes);
            assert_eq!(packets.next().map(|packet| packet.payload.to_vec()), Some(payload.to_vec()));
            assert_eq!(packets.next(), None);
        }
    }

    #[test]
    fn an_arrival_that_is_longer_than_the_buffer_is_none() {
        let arrivals = [Arrival::one(from(1), 9), Arrival::one(from(1), 1)];
        assert_eq!(Packets::new(&mut [0; 4], &arrivals).next(), None);
    }
}

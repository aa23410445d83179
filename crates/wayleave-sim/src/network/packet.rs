//! What travels.

use core::fmt;
use core::net::SocketAddr;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// From where.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram.
    Udp(Vec<u8>),
    /// Nobody takes datagrams at the source of this packet (ICMP port unreachable).
    Unreachable,
}

/// A TCP segment, with positions that count from zero and never wrap. The SYN takes position 0, a FIN one position behind
/// the last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What it does beside carrying bytes.
    pub flags: Flags,
    /// The position of its first byte.
    pub position: u64,
    /// The next position that its sender expects from the other side.
    pub expected: u64,
    /// How many bytes beyond that its sender takes.
    pub window: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a segment does beside carrying bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// It opens the connection.
    pub syn: bool,
    /// It ends the half of its sender.
    pub fin: bool,
    /// It breaks the connection.
    pub rst: bool,
    /// `expected` counts.
    pub ack: bool,
}

/// The transport of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP, and the messages about it.
    Udp,
}

impl Packet {
    /// Its transport.
    pub const fn protocol(&self) -> Protocol {
        match self.body {
            Body::Tcp(_) => Protocol::Tcp,
            Body::Udp(_) | Body::Unreachable => Protocol::Udp,
        }
    }

    /// Bytes of payload.
    pub const fn payload(&self) -> usize {
        match &self.body {
            Body::Tcp(segment) => segment.bytes.len(),
            Body::Udp(bytes) => bytes.len(),
            Body::Unreachable => 0,
        }
    }

    /// Bytes on the link, headers included.
    pub const fn size(&self) -> usize {
        self.payload() + 40
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(self.syn, "SYN"), (self.fin, "FIN"), (self.rst, "RST"), (self.ack, "ACK")];
        let mut between = "";
        for (_, name) in named.into_iter().filter(|(set, _)| *set) {
            write!(f, "{between}{name}")?;
            between = " ";
        }
        Ok(())
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} ", self.source, self.destination)?;
        match &self.body {
            Body::Tcp(segment) => {
                write!(
                    f,
                    "TCP {} at {}, expects {}, window {}",
                    segment.flags, segment.position, segment.expected, segment.window
                )?;
                if segment.bytes.is_empty() { Ok(()) } else { write!(f, ", {} bytes", segment.bytes.len()) }
            }
            Body::Udp(bytes) => write!(f, "UDP, {} bytes", bytes.len()),
            Body::Unreachable => f.write_str("ICMP port unreachable"),
        }
    }
}

//! The client's end of one datagram flow.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::capsule::{self, Decoder};
use super::turn;
use crate::load::door::{Door, Entrance};
use crate::load::tunnel::Tunnel;
use crate::load::wire::{Received, is_wait};

/// One flow to the target.
#[derive(Debug)]
pub enum Link {
    /// A socket whose datagrams begin with a header.
    Socket {
        /// Connected to the relay.
        socket: UdpSocket,
        /// What stands before each payload.
        header: Vec<u8>,
        /// The connection with which the relay lets the flow live.
        control: Option<TcpStream>,
        /// What tells the relay that the flow is over.
        farewell: Option<Vec<u8>>,
    },
    /// Capsules in a stream.
    Tunnel(Box<Tunnel>, Decoder),
}

impl Link {
    /// Begins a flow to `target` whose payloads have `size` bytes.
    ///
    /// # Errors
    /// The relay cannot be reached, or refuses.
    pub fn open(entrance: &Entrance, target: SocketAddr, size: usize) -> io::Result<Self> {
        match entrance.door {
            Door::Socks => socks(entrance.address, target),
            Door::Turn => {
                let socket = udp(entrance.address)?;
                turn::bind(&socket, target)?;
                socket.set_nonblocking(true)?;
                let length = u16::try_from(size).map_err(io::Error::other)?;
                let header = [turn::CHANNEL.to_be_bytes(), length.to_be_bytes()].concat();
                Ok(Self::Socket { socket, header, control: None, farewell: Some(turn::release()) })
            }
            Door::Fixed => {
                let socket = udp(entrance.address)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Socket { socket, header: Vec::new(), control: None, farewell: Some(Vec::new()) })
            }
            Door::Connect(_) | Door::ConnectUdp(_) => {
                Ok(Self::Tunnel(Box::new(Tunnel::open(entrance, target)?), Decoder::default()))
            }
        }
    }

    /// Lets it open further; says whether payload can be sent.
    ///
    /// # Errors
    /// The relay is gone, or refuses.
    pub fn advance(&mut self) -> io::Result<bool> {
        match self {
            Self::Socket { .. } => Ok(true),
            Self::Tunnel(tunnel, _) => {
                tunnel.advance()?;
                Ok(tunnel.is_open())
            }
        }
    }

    /// Takes one payload, which leaves with the next [`Self::flush`] at the latest; says whether it was taken.
    ///
    /// # Errors
    /// The relay is gone.
    pub fn send(&mut self, payload: &[u8], scratch: &mut Vec<u8>) -> io::Result<bool> {
        scratch.clear();
        match self {
            Self::Socket { socket, header, .. } => {
                scratch.extend_from_slice(header);
                scratch.extend_from_slice(payload);
                match socket.send(scratch) {
                    Ok(_) => Ok(true),
                    Err(error) if is_wait(&error) => Ok(false),
                    Err(error) => Err(error),
                }
            }
            Self::Tunnel(tunnel, _) => {
                // What the socket has not taken yet would only grow older.
                if tunnel.wire.is_full() {
                    return Ok(false);
                }
                capsule::encode(payload, scratch);
                tunnel.wire.queue(scratch).map(|()| true)
            }
        }
    }

    /// Sends what [`Self::send`] left.
    ///
    /// # Errors
    /// The relay is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Socket { .. } => Ok(()),
            Self::Tunnel(tunnel, _) => tunnel.wire.flush().map(|_| ()),
        }
    }

    /// Gives `sink` each payload that has arrived.
    ///
    /// # Errors
    /// The relay is gone, or refuses.
    pub fn receive(&mut self, buffer: &mut [u8], mut sink: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Socket { socket, header, .. } => loop {
                match socket.recv(buffer) {
                    Ok(count) => sink(buffer[..count].get(header.len()..).unwrap_or_default()),
                    Err(error) if is_wait(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
            },
            Self::Tunnel(tunnel, decoder) => {
                let received = tunnel
                    .receive(buffer, usize::MAX, |bytes| decoder.read(bytes, |payload| sink(payload)))?;
                if received == Received::End {
                    return Err(io::Error::other("the relay ended the tunnel"));
                }
                Ok(())
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Self::Socket { socket, farewell: Some(farewell), .. } = self {
            // Where it is lost, the relay finds out later.
            let _ = socket.send(farewell);
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Socket { socket, .. } => socket.as_fd(),
            Self::Tunnel(tunnel, _) => tunnel.as_fd(),
        }
    }
}

fn udp(relay: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(relay)?;
    Ok(socket)
}

/// UDP ASSOCIATE (RFC 1928 §7).
fn socks(relay: SocketAddr, target: SocketAddr) -> io::Result<Link> {
    let SocketAddr::V4(target) = target else { return Err(io::Error::other("targets are IPv4")) };
    let mut control = TcpStream::connect(relay)?;
    control.set_read_timeout(Some(Duration::from_secs(2)))?;
    control.write_all(&[5, 1, 0])?;
    let mut answer = [0; 10];
    control.read_exact(&mut answer[..2])?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let SocketAddr::V4(own) = socket.local_addr()? else { return Err(io::Error::other("no IPv4")) };
    let mut request = vec![5, 3, 0, 1];
    request.extend(own.ip().octets());
    request.extend(own.port().to_be_bytes());
    control.write_all(&request)?;
    control.read_exact(&mut answer)?;
    if answer[1] != 0 {
        return Err(io::Error::other(format!("the relay answered: {answer:?}")));
    }
    socket.connect((relay.ip(), u16::from_be_bytes([answer[8], answer[9]])))?;
    socket.set_nonblocking(true)?;
    let mut header = vec![0, 0, 0, 1];
    header.extend(target.ip().octets());
    header.extend(target.port().to_be_bytes());
    Ok(Link::Socket { socket, header, control: Some(control), farewell: None })
}

//! The far end of stream tunnels: what a connection does is said by its first byte.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::wire::is_wait;

/// A connection with this first byte receives as fast as it can.
pub const DOWNLOAD: u8 = b'D';
/// A connection with this first byte gets back what it sends.
pub const ECHO: u8 = b'E';
/// A connection with this first byte is read as fast as it can send.
pub const UPLOAD: u8 = b'U';

/// One accepted connection.
#[derive(Debug)]
pub struct Connection {
    tcp: TcpStream,
    kind: Option<u8>,
    owed: Vec<u8>,
    received: u64,
}

/// What became of a connection after it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It has ended.
    End,
    /// It could go on at once.
    More,
    /// It waits for its socket.
    Wait,
}

/// Listens for relays.
///
/// # Errors
/// No port is free.
pub fn listen() -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The next connection that waits, if there is one.
///
/// # Errors
/// The listener broke, or no more files can be opened.
pub fn accept(listener: &TcpListener) -> io::Result<Option<Connection>> {
    match listener.accept() {
        Ok((tcp, _)) => {
            tcp.set_nonblocking(true)?;
            tcp.set_nodelay(true)?;
            Ok(Some(Connection { tcp, kind: None, owed: Vec::new(), received: 0 }))
        }
        Err(error) if is_wait(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Connection {
    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.tcp
    }

    /// Payload received, without what is sent back.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Reads and writes, at most `BUDGET` times each.
    pub fn serve(&mut self, buffer: &mut [u8]) -> Served {
        let read = self.read(buffer);
        if read == Served::End {
            return Served::End;
        }
        let written = match self.kind {
            Some(DOWNLOAD) => self.pour(),
            _ => self.repay(),
        };
        if written == Served::Wait { read } else { written }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Served {
        for _ in 0..BUDGET {
            match self.tcp.read(buffer) {
                Ok(0) => return Served::End,
                Ok(count) => {
                    let kind = *self.kind.get_or_insert(buffer[0]);
                    if kind == ECHO {
                        self.owed.extend_from_slice(&buffer[..count]);
                    } else {
                        self.received += count as u64;
                    }
                }
                Err(error) if is_wait(&error) => return Served::Wait,
                Err(_) => return Served::End,
            }
        }
        Served::More
    }

    fn pour(&mut self) -> Served {
        for _ in 0..BUDGET {
            match self.tcp.write(&POURED) {
                Ok(_) => {}
                Err(error) if is_wait(&error) => return Served::Wait,
                Err(_) => return Served::End,
            }
        }
        Served::More
    }

    fn repay(&mut self) -> Served {
        while !self.owed.is_empty() {
            match self.tcp.write(&self.owed) {
                Ok(count) => drop(self.owed.drain(..count)),
                Err(error) if is_wait(&error) => return Served::Wait,
                Err(_) => return Served::End,
            }
        }
        Served::Wait
    }
}

/// How often a connection may read, and write, before the others have their turn.
const BUDGET: usize = 4;

/// What a download consists of.
static POURED: [u8; 64 * 1024] = [b'x'; 64 * 1024];

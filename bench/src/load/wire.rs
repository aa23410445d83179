//! One connection to a relay: TCP, with TLS where the relay has it.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};

/// A connection that never waits.
#[derive(Debug)]
pub struct Wire {
    tcp: TcpStream,
    tls: Option<ClientConnection>,
    out: Vec<u8>,
    sent: usize,
}

/// What became of an attempt to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The other side has ended.
    End,
    /// There may be more: the budget was used up.
    More,
    /// Everything that was there has been read.
    Nothing,
}

impl Wire {
    /// Begins to connect to `address`, with TLS if `tls` is given.
    ///
    /// # Errors
    /// No socket can be had, or the connection is refused at once.
    pub fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            result => result?,
        }
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let tls = tls.map(|config| ClientConnection::new(Arc::clone(config), name));
        let tls = tls.transpose().map_err(io::Error::other)?;
        Ok(Self { tcp: socket.into(), tls, out: Vec::new(), sent: 0 })
    }

    /// Whether bytes can be given to [`Self::send`]: TLS is up and what was sent before has left.
    pub fn is_ready(&self) -> bool {
        self.out.is_empty() && self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// Whether more waits than is good for anything that grows old.
    pub fn is_full(&self) -> bool {
        self.out.len() - self.sent > FULL
    }

    /// Takes all of `bytes` and sends as much as the socket takes; the rest waits for [`Self::flush`].
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.queue(bytes)?;
        self.flush().map(|_| ())
    }

    /// Takes all of `bytes`, which leave with the next [`Self::flush`].
    ///
    /// # Errors
    /// TLS has failed.
    pub fn queue(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            self.out.extend_from_slice(bytes);
            return Ok(());
        };
        while !bytes.is_empty() {
            let taken = tls.writer().write(bytes)?;
            bytes = &bytes[taken..];
            while tls.wants_write() {
                tls.write_tls(&mut self.out)?;
            }
        }
        Ok(())
    }

    /// Sends what waits; says whether all of it left.
    ///
    /// # Errors
    /// The connection broke.
    pub fn flush(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.out)?;
            }
        }
        while self.sent < self.out.len() {
            match self.tcp.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if is_wait(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Says goodbye and closes.
    pub fn close(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        // The other side may have left already.
        let _ = self.flush();
    }

    /// Reads at most `budget` times into `buffer` and gives `sink` what arrived, decrypted.
    ///
    /// # Errors
    /// The connection broke, or TLS has failed.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        budget: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> io::Result<Received> {
        for _ in 0..budget {
            let count = match self.tcp.read(buffer) {
                Ok(0) => return Ok(Received::End),
                Ok(count) => count,
                Err(error) if is_wait(&error) => return Ok(Received::Nothing),
                Err(error) => return Err(error),
            };
            match &mut self.tls {
                Some(tls) => decrypt(tls, &buffer[..count], &mut sink)?,
                None => sink(&buffer[..count]),
            }
            if self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
                self.flush()?;
            }
        }
        Ok(Received::More)
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

fn decrypt(tls: &mut ClientConnection, mut bytes: &[u8], sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let mut waiting = state.plaintext_bytes_to_read();
        while waiting > 0 {
            let mut reader = tls.reader();
            let chunk = io::BufRead::fill_buf(&mut reader)?;
            let length = chunk.len();
            sink(chunk);
            io::BufRead::consume(&mut reader, length);
            waiting -= length;
        }
    }
    Ok(())
}

/// Whether a socket only asks to wait.
pub fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
        || error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Bytes that may wait for the socket.
const FULL: usize = 16 * 1024;

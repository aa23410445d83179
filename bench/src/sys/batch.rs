//! Many datagrams in one call, in both directions.

#![expect(unsafe_code, reason = "recvmmsg and sendmmsg have no safe form")]

use std::fmt;
use std::io;
use std::mem;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::ptr;

/// Datagrams that were received, or wait to be sent, with their addresses. IPv4 only.
pub struct Batch {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
    addresses: Vec<libc::sockaddr_in>,
    count: usize,
}

impl Batch {
    /// An empty one for `CAPACITY` datagrams of at most `LARGEST` bytes.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; CAPACITY * LARGEST],
            lengths: vec![0; CAPACITY],
            addresses: vec![to_raw(SocketAddrV4::new(0.into(), 0)); CAPACITY],
            count: 0,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether no more fits.
    pub fn is_full(&self) -> bool {
        self.count == CAPACITY
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Each with its address.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        (0..self.count).map(|place| {
            let start = place * LARGEST;
            (&self.bytes[start..start + self.lengths[place]], from_raw(&self.addresses[place]))
        })
    }

    /// Adds one for `to` (an unconnected socket needs it) that `fill` writes, and that is as long as it says. There must be
    /// room.
    pub fn push(&mut self, to: Option<SocketAddr>, fill: impl FnOnce(&mut [u8]) -> usize) {
        let start = self.count * LARGEST;
        self.lengths[self.count] = fill(&mut self.bytes[start..start + LARGEST]);
        if let Some(SocketAddr::V4(to)) = to {
            self.addresses[self.count] = to_raw(to);
        }
        self.count += 1;
    }

    /// Replaces all by what waits at `socket`; does not wait.
    ///
    /// # Errors
    /// Nothing waits, or the socket has an error.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.count = 0;
        self.lengths.fill(LARGEST);
        let (_parts, mut headers) = self.headers(CAPACITY, true);
        // SAFETY: the headers lead to buffers and addresses that outlive the call, and tell their true lengths.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                CAPACITY as u32,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        self.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (length, header) in self.lengths.iter_mut().zip(&headers).take(self.count) {
            *length = header.msg_len as usize;
        }
        Ok(self.count)
    }

    /// Sends all through `socket`, to their addresses if `is_addressed`, and forgets them; says how many left.
    pub fn send(&mut self, socket: &UdpSocket, is_addressed: bool) -> usize {
        let (_parts, mut headers) = self.headers(self.count, is_addressed);
        let mut sent = 0;
        while sent < self.count {
            let rest = &mut headers[sent..];
            // SAFETY: the headers lead to buffers and addresses that outlive the call, and tell their true lengths.
            let count = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT)
            };
            match usize::try_from(count) {
                Ok(count) if count > 0 => sent += count,
                // A full socket loses datagrams, as the network may.
                _ => break,
            }
        }
        self.count = 0;
        sent
    }

    fn headers(&mut self, count: usize, is_addressed: bool) -> (Vec<libc::iovec>, Vec<libc::mmsghdr>) {
        let (bytes, lengths) = (self.bytes.as_mut_ptr(), &self.lengths);
        let mut parts: Vec<libc::iovec> = (0..count)
            .map(|place| libc::iovec {
                iov_base: bytes.wrapping_add(place * LARGEST).cast(),
                iov_len: lengths[place],
            })
            .collect();
        let headers = (0..count).map(|place| {
            // SAFETY: a header of zeroes is a header without anything.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_iov = parts.as_mut_ptr().wrapping_add(place);
            header.msg_hdr.msg_iovlen = 1;
            if is_addressed {
                header.msg_hdr.msg_name = ptr::from_mut(&mut self.addresses[place]).cast();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            }
            header
        });
        let headers = headers.collect();
        (parts, headers)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("count", &self.count).finish_non_exhaustive()
    }
}

fn to_raw(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn from_raw(address: &libc::sockaddr_in) -> SocketAddr {
    SocketAddr::from((address.sin_addr.s_addr.to_ne_bytes(), u16::from_be(address.sin_port)))
}

/// Datagrams in one call at most.
const CAPACITY: usize = 64;

/// Bytes in one datagram at most.
const LARGEST: usize = 2048;

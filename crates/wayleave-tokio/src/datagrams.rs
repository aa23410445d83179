//! One UDP socket on tokio.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::net::UdpSocket;
use wayleave_proto::net::{Arrival, Remote, Transmit};
use wayleave_sockets::Offload;

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    pub(crate) socket: UdpSocket,
    offload: Offload,
}

impl Datagrams {
    pub(crate) fn new(socket: UdpSocket, remote: Remote, offload: bool) -> Self {
        let offload = Offload::new(&socket, remote, offload);
        Self { socket, offload }
    }

    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, offload } = self;
        loop {
            ready!(socket.poll_recv_ready(cx))?;
            let mut count = 0;
            let result = socket.try_io(Interest::READABLE, || {
                let received = offload.receive(socket, UdpSocket::try_recv_from, buffer, arrivals)?;
                count = received.count;
                // tokio need not find out with another call that nothing waits any more.
                if received.is_all { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match result {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                _ if count > 0 => return Poll::Ready(Ok(count)),
                _ => {}
            }
        }
    }

    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        transmit: Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        let Self { socket, offload } = self;
        loop {
            ready!(socket.poll_send_ready(cx))?;
            match socket.try_io(Interest::WRITABLE, || offload.send(socket, send, transmit)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

fn send(socket: &UdpSocket, payload: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
    match to {
        None => socket.try_send(payload),
        Some(to) => socket.try_send_to(payload, to),
    }
}

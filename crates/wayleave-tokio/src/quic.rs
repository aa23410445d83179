//! Datagram flows as the sockets of a QUIC endpoint.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use wayleave_proto::base::Host;

use crate::DatagramFlow;

/// A datagram flow as the socket of an endpoint of quinn, which speaks with the target of the flow and nobody else. Feature `quinn`.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use quinn::{Endpoint, EndpointConfig, TokioRuntime};
/// # use wayleave_tokio::{Client, QuicSocket};
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let socket = QuicSocket::new(client.datagrams("server.example:443")?);
/// let remote = socket.remote();
/// let endpoint = Endpoint::new_with_abstract_socket(
///     EndpointConfig::default(),
///     None,
///     Arc::new(socket),
///     Arc::new(TokioRuntime),
/// )?;
/// let connection = endpoint.connect(remote, "server.example")?.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct QuicSocket {
    flow: DatagramFlow,
    remote: SocketAddr,
}

impl QuicSocket {
    /// The socket that sends and receives with `flow`.
    pub fn new(flow: DatagramFlow) -> Self {
        let target = flow.target();
        let address = match target.host {
            Host::Address(address) => address,
            Host::Name(_) => STAND_IN,
        };
        let remote = target.at(address);
        Self { flow, remote }
    }

    /// The address by which the endpoint knows the target: its own, or one from the documentation range
    /// ([RFC 5737 §3](https://www.rfc-editor.org/rfc/rfc5737#section-3)) where the target is a name, which only the relay may
    /// resolve.
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The flow.
    pub const fn flow(&self) -> &DatagramFlow {
        &self.flow
    }
}

impl AsyncUdpSocket for QuicSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Always)
    }

    /// Takes every datagram: what a slow path cannot take is dropped from the front of its queue, which QUIC sees as loss. What
    /// goes to somebody else than the target goes nowhere.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if transmit.destination != self.remote {
            return Ok(());
        }
        Ok(self.flow.send(transmit.contents)?)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut lengths = [0; BATCH_SIZE];
        let most = lengths.len().min(meta.len());
        let count = ready!(self.flow.poll_recv_many(cx, buffers, &mut lengths[..most]))?;
        for (meta, length) in meta.iter_mut().zip(&lengths[..count]) {
            *meta = RecvMeta::default();
            (meta.addr, meta.len, meta.stride) = (self.remote, *length, *length);
        }
        Poll::Ready(Ok(count))
    }

    /// No address of its own is known, through a relay there is none; the family is that of the target.
    fn local_addr(&self) -> io::Result<SocketAddr> {
        let any: IpAddr = match self.remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ok((any, 0).into())
    }
}

/// A flow never has to be waited for.
#[derive(Debug)]
struct Always;

impl UdpPoller for Always {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Stands for the address of a name.
const STAND_IN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

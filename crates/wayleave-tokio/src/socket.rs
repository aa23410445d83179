//! One socket or look-up, and the waker that says which one it is.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::net::{TcpStream, UdpSocket};
use wayleave_proto::net::SocketId;

/// One entry of the socket table.
pub(crate) struct Socket {
    pub(crate) io: Io,
    /// Wakes the driver and names this socket.
    pub(crate) waker: Waker,
    mark: Arc<Mark>,
    /// The machine has something to send, as far as is known.
    pub(crate) wants_write: bool,
    /// The machine does not want to receive.
    pub(crate) paused: bool,
    /// The sending half ends when nothing is pending.
    pub(crate) finishing: bool,
    /// The receiving half has ended.
    pub(crate) ended: bool,
    /// It waits among the sockets to look at.
    pub(crate) queued: bool,
}

/// What an entry waits for.
pub(crate) enum Io {
    Lookup(Waiting<Vec<IpAddr>>),
    Dialling(Waiting<TcpStream>),
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

type Waiting<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Socket {
    pub(crate) fn new(id: SocketId, io: Io, ready: &Arc<Ready>) -> Self {
        let mark = Arc::new(Mark { id, queued: AtomicBool::new(false), ready: Arc::clone(ready) });
        let waker = Waker::from(Arc::clone(&mark));
        Self {
            io,
            waker,
            mark,
            wants_write: false,
            paused: false,
            finishing: false,
            ended: false,
            queued: false,
        }
    }

    /// The driver is about to look at this socket; the next wake-up counts again.
    pub(crate) fn unmark(&self) {
        self.mark.queued.store(false, Ordering::Release);
    }
}

/// The sockets that something happened to, and the task that looks after them.
#[derive(Default)]
pub(crate) struct Ready(Mutex<(Vec<SocketId>, Option<Waker>)>);

impl Ready {
    /// Names the task to wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut ready.1 {
            Some(known) if known.will_wake(waker) => {}
            known => *known = Some(waker.clone()),
        }
    }

    /// Wakes the task.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves the sockets that something happened to behind those in `into`.
    pub(crate) fn take(&self, into: &mut Vec<SocketId>) {
        into.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0);
    }
}

struct Mark {
    id: SocketId,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let waker = {
            let mut ready = self.ready.0.lock().unwrap_or_else(PoisonError::into_inner);
            ready.0.push(self.id);
            // Whoever finds sockets already waiting knows that the task has been woken for them.
            if ready.0.len() == 1 { ready.1.clone() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Looks up the addresses of `name` with the system's resolver.
pub(crate) async fn lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// Opens a TCP connection that sends small writes at once.
pub(crate) async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A UDP socket connected to `address`.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = RawSocket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    socket.bind(&SocketAddr::new(any, 0).into())?;
    socket.connect(&address.into())?;
    forbid_fragments(&socket, address)?;
    UdpSocket::from_std(socket.into())
}

/// RFC 9298 §3.1: what is too large for the path is dropped, not cut into fragments.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn forbid_fragments(socket: &RawSocket, address: SocketAddr) -> io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    if address.is_ipv4() {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DO)?;
    } else {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DO)?;
    }
    Ok(())
}

/// Elsewhere the platform decides.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn forbid_fragments(_: &RawSocket, _: SocketAddr) -> io::Result<()> {
    Ok(())
}

//! Sockets as the machines want them, before any runtime has them: non-blocking, small writes sent at once, datagrams cut
//! into fragments only where that is wanted.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use wayleave_proto::error::{IoFailed, IoFailure, Resource};
use wayleave_proto::net::{Family, Remote};

/// Begins a TCP connection. It stands when the socket is writable and has no error, see [`connected`].
///
/// # Errors
/// There is no way to that address, or no descriptor.
pub fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => {}
        Err(error) => return Err(named(error, address)),
    }
    Ok(socket.into())
}

/// What is lacking where the system has no local address to give: all ports towards `address` are taken, or there is no
/// address at all from which to reach it. UDP, whose ports are others, tells which.
fn named(error: io::Error, address: SocketAddr) -> io::Error {
    if error.kind() != io::ErrorKind::AddrNotAvailable {
        return error;
    }
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP));
    let failure = match socket.and_then(|socket| socket.connect(&address.into())) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => IoFailure::Unreachable,
        _ => IoFailure::Exhausted(Resource::Ports),
    };
    io::Error::new(error.kind(), IoFailed::with_detail(failure, &error.to_string()))
}

/// Whether a connection that has become writable stands, and its own address.
///
/// # Errors
/// Why it does not.
pub fn connected(stream: &impl AsFd) -> io::Result<SocketAddr> {
    let socket = SockRef::from(stream);
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    socket.peer_addr()?;
    prepare(stream)?;
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// What this machine lacks for a socket, where it does.
pub(crate) fn lacking() -> Option<IoFailed> {
    let error = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).err()?;
    Some(IoFailed::from(&error)).filter(|failed| failed.lacked().is_some())
}

/// Why a connection is broken, where it is: the other side reset it, or the system gave it up. It is told once.
pub fn broken(stream: &impl AsFd) -> Option<io::Error> {
    SockRef::from(stream).take_error().ok().flatten()
}

/// Whether the address that `stream` has here is none of this machine's any more. UDP tells: it takes any address that there is.
pub fn has_lost_address(stream: &impl AsFd) -> bool {
    let Some(local) = SockRef::from(stream).local_addr().ok().and_then(|local| local.as_socket()) else {
        return false;
    };
    let free = SocketAddr::new(local.ip(), 0);
    let socket = Socket::new(Domain::for_address(free), Type::DGRAM, Some(Protocol::UDP));
    let bound = socket.and_then(|socket| socket.bind(&free.into()));
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Reads what the system holds of `stream`, without waiting.
///
/// # Errors
/// Nothing is left to be read.
pub fn read_rest(stream: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    (&*SockRef::from(stream)).read(buffer)
}

/// Makes an accepted or connected stream non-blocking and quick.
///
/// # Errors
/// The connection is gone.
pub fn prepare(stream: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)
}

/// Lets the system acknowledge every second segment of `stream` instead of each that is read, where it can be told.
///
/// # Errors
/// The connection is gone.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub fn delay_acks(stream: &impl AsFd) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_quickack(stream, false)?)
}

/// Elsewhere the platform decides.
///
/// # Errors
/// None.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub fn delay_acks(_: &impl AsFd) -> io::Result<()> {
    Ok(())
}

/// Ends the sending half of `stream`.
///
/// # Errors
/// The connection is gone already.
pub fn finish(stream: &impl AsFd) -> io::Result<()> {
    SockRef::from(stream).shutdown(Shutdown::Write)
}

/// Makes the close of `stream` a reset, so that the other side knows bytes were lost, or a regular end again. That of a process
/// which is killed is a close too.
///
/// # Errors
/// The connection is gone already.
pub fn set_reset(stream: &impl AsFd, resets: bool) -> io::Result<()> {
    SockRef::from(stream).set_linger(resets.then_some(std::time::Duration::ZERO))
}

/// A UDP socket for which the system keeps `receive_buffer` bytes, or as many as it gives. Where `fragments` are not wanted, what is
/// too large for the path is dropped, if the platform can be told.
///
/// # Errors
/// There is no way to that address, or no descriptor or port.
pub fn bind(remote: Remote, fragments: bool, receive_buffer: usize) -> io::Result<UdpSocket> {
    let family = match remote {
        Remote::Every(family) => family,
        Remote::One(address) => Family::of(address.ip()),
    };
    let (domain, any): (_, IpAddr) = match family {
        Family::V4 => (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into()),
        Family::V6 => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if family == Family::V6 {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SocketAddr::new(any, 0).into()).map_err(|error| match error.kind() {
        // No port was asked for: none is free.
        io::ErrorKind::AddrInUse => {
            let failed = IoFailed::with_detail(IoFailure::Exhausted(Resource::Ports), &error.to_string());
            io::Error::new(error.kind(), failed)
        }
        _ => error,
    })?;
    if let Remote::One(address) = remote {
        socket.connect(&address.into()).map_err(|error| named(error, address))?;
    }
    grow(&socket, receive_buffer);
    if !fragments {
        forbid_fragments(&socket, family)?;
    }
    Ok(socket.into())
}

/// A listener on `address` with a long queue.
///
/// # Errors
/// The address is in use, not this machine's, or not allowed.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Another listener on the address of `other`: from now on the system gives each connection to one of the two, or of all that
/// were made so, by a hash of its addresses.
///
/// `other` was bound alone and listens before it shares, so that its address was nobody else's; and whoever binds it alone, as
/// [`listen`] does, is refused. Only a process of the same user that means to share the address can.
///
/// # Errors
/// The platform cannot divide connections among listeners (`Unsupported`), or there is no descriptor.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub fn listen_beside(other: &impl AsFd) -> io::Result<TcpListener> {
    let other = SockRef::from(other);
    other.set_reuse_port(true)?;
    let address = other.local_addr()?;
    let domain = if address.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Elsewhere the system does not divide them.
///
/// # Errors
/// `Unsupported`.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub fn listen_beside(_: &impl AsFd) -> io::Result<TcpListener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// How many threads can share the port of a relay where nobody says it: as many as there are cores, or one where the platform
/// does not divide connections among listeners.
pub fn threads() -> usize {
    let divides = cfg!(any(target_os = "android", target_os = "linux"));
    if divides { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 }
}

/// Lets the system keep more of what waits to be received. It may give less: a burst that is too large is lost then, and counted.
fn grow(socket: &Socket, receive_buffer: usize) {
    // A process with the right to do so may pass the limit of the system.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, receive_buffer).is_ok() {
        return;
    }
    let _ = socket.set_recv_buffer_size(receive_buffer);
}

fn is_under_way(error: &io::Error) -> bool {
    // Linux, and BSD with macOS, number EINPROGRESS differently; Windows says "would block".
    error.kind() == io::ErrorKind::WouldBlock || matches!(error.raw_os_error(), Some(115 | 36))
}

/// RFC 9298 §3.1: what is too large for the path is dropped, not cut into fragments.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn forbid_fragments(socket: &Socket, family: Family) -> io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    if family == Family::V4 {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DO)?;
    } else {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DO)?;
    }
    Ok(())
}

/// Elsewhere the platform decides.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn forbid_fragments(_: &Socket, _: Family) -> io::Result<()> {
    Ok(())
}

/// Connections that wait to be accepted; the system has a limit of its own beside it.
const BACKLOG: i32 = 4_096;

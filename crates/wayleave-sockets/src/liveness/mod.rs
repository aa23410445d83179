//! What the platform can do so that the other end of a connection does not vanish without a word.
//!
//! Two things are needed, and no platform has both in one. *Keep-alive* asks an end that is silent while nothing is on its
//! way. While something is, TCP repeats it, on Linux for a quarter of an hour. `TCP_USER_TIMEOUT` would end that sooner, but on
//! Linux it also ends connections whose other end acknowledges and does not read, which RFC 9293 §3.8.6.1 forbids and which
//! a paused video is; and with it a single lost question of the keep-alive counts as the end. So a bound on the pause
//! between repetitions is preferred (`TCP_RTO_MAX_MS`, Linux 6.15): fifteen of them are the end, and as a gift what stood
//! still goes on within a second once the path is back. Older systems have the user timeout where the other end always
//! reads, and their own patience elsewhere.

use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;

use socket2::{SockRef, TcpKeepalive};
use wayleave_proto::config::{Liveness, Peer};

#[cfg(test)]
mod tests;

/// Lets the system watch over `stream`.
///
/// # Errors
/// The connection is gone, or the system has no keep-alive.
pub fn watch(stream: &impl AsFd, liveness: &Liveness) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(liveness.idle)
        .with_interval(liveness.interval())
        .with_retries(Liveness::QUESTIONS);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    match liveness.peer {
        Peer::Foreign => Ok(()),
        Peer::Pausing => limit_repetition(stream, liveness).map(drop),
        Peer::Reading if limit_repetition(stream, liveness)? => Ok(()),
        Peer::Reading => limit_waiting(stream, liveness),
    }
}

/// Bounds the pause between repetitions, so that all of them take as long as the timeout; `false` where it cannot be done.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn limit_repetition(stream: &impl AsFd, liveness: &Liveness) -> io::Result<bool> {
    use std::os::fd::AsRawFd;

    let pause = (liveness.timeout / REPETITIONS).as_millis().clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    let pause = libc::c_int::try_from(pause).unwrap_or(libc::c_int::MAX);
    let fd = stream.as_fd();
    // SAFETY: the descriptor is borrowed for the call, and the kernel reads the one integer that the pointer and the length
    // name, which lives until the end of this function.
    let answer = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_RTO_MAX_MS,
            (&raw const pause).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if answer == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    // An older kernel does not know the option.
    if error.raw_os_error() == Some(libc::ENOPROTOOPT) { Ok(false) } else { Err(error) }
}

/// Elsewhere it cannot be done.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn limit_repetition(_: &impl AsFd, _: &Liveness) -> io::Result<bool> {
    Ok(false)
}

/// RFC 5482: how long what was sent may stay unacknowledged.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn limit_waiting(stream: &impl AsFd, liveness: &Liveness) -> io::Result<()> {
    SockRef::from(stream).set_tcp_user_timeout(Some(liveness.timeout))
}

/// Elsewhere the platform decides.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn limit_waiting(_: &impl AsFd, _: &Liveness) -> io::Result<()> {
    Ok(())
}

/// `TCP_RTO_MAX_MS` of `linux/tcp.h`, and what it takes.
#[cfg(any(target_os = "android", target_os = "linux"))]
const TCP_RTO_MAX_MS: libc::c_int = 44;
#[cfg(any(target_os = "android", target_os = "linux"))]
const SHORTEST_PAUSE: u128 = 1_000;
#[cfg(any(target_os = "android", target_os = "linux"))]
const LONGEST_PAUSE: u128 = 120_000;
/// How often Linux repeats what is not acknowledged (`tcp_retries2`).
#[cfg(any(target_os = "android", target_os = "linux"))]
const REPETITIONS: u32 = 15;

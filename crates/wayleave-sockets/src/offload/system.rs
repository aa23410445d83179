//! What Linux can do of it, found out once.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;
use std::time::Duration;

use quinn_udp::{EcnCodepoint, RecvMeta, UdpSocketState};
use wayleave_proto::net::{Arrival, Ecn, Family, Packets, Remote, Transmit};

use super::{Offload, Received};

/// This machine.
#[derive(Debug)]
pub(super) struct System {
    /// Made with a socket of its own: those of the machines keep the options that they have.
    state: UdpSocketState,
    /// For those that bear no mark: once the system has refused something, quinn-udp leaves marks out.
    unmarked: UdpSocketState,
    cuts: bool,
    joins: bool,
}

impl System {
    /// This machine, unless it lacks what it takes to find out.
    pub(super) fn here() -> Option<&'static Self> {
        static HERE: OnceLock<System> = OnceLock::new();
        match HERE.get() {
            Some(here) => Some(here),
            None => Self::find_out().ok().map(|found| HERE.get_or_init(|| found)),
        }
    }

    fn find_out() -> io::Result<Self> {
        let scratch = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = UdpSocketState::new((&scratch).into())?;
        let unmarked = UdpSocketState::new((&scratch).into())?;
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let cuts = state.max_gso_segments() > 1 && !mangles(&release) && cuts_well(&unmarked);
        let joins = state.gro_segments() > 1;
        Ok(Self { state, unmarked, cuts, joins })
    }

    /// Whether it cuts apart what is sent.
    pub(super) const fn cuts(&self) -> bool {
        self.cuts
    }

    /// Has what comes to `socket` joined from now on; whether that can be had.
    pub(super) fn join(&self, socket: &impl AsFd, remote: Remote) -> bool {
        if !self.joins || set(socket, libc::SOL_UDP, libc::UDP_GRO).is_err() {
            return false;
        }
        let told = match remote {
            Remote::One(_) => [].as_slice(),
            Remote::Every(Family::V4) => {
                &[(libc::IPPROTO_IP, libc::IP_PKTINFO), (libc::IPPROTO_IP, libc::IP_RECVTOS)]
            }
            Remote::Every(Family::V6) => {
                &[(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO), (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS)]
            }
        };
        for (level, name) in told {
            // It is told where the system can tell it.
            let _ = set(socket, *level, *name);
        }
        true
    }

    pub(super) fn receive(
        &self,
        socket: &impl AsFd,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> io::Result<Received> {
        let mut slots = buffer.chunks_mut(Packets::SLOT);
        let most = arrivals.len().min(slots.len()).min(Offload::MOST_ARRIVALS);
        let mut slots: [_; Offload::MOST_ARRIVALS] =
            std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
        let mut metas = [RecvMeta::default(); Offload::MOST_ARRIVALS];
        let count = self.state.recv(socket.into(), &mut slots[..most], &mut metas[..most])?;
        for (arrival, meta) in arrivals.iter_mut().zip(&metas[..count]) {
            *arrival = Arrival {
                from: meta.addr,
                local: meta.dst_ip,
                ecn: meta.ecn.map(mark_of),
                len: meta.len,
                stride: meta.stride,
            };
        }
        Ok(Received { count, is_all: count < most })
    }

    pub(super) fn send(&self, socket: &impl AsFd, to: SocketAddr, transmit: Transmit<'_>) -> io::Result<()> {
        let state = if transmit.ecn.is_some() { &self.state } else { &self.unmarked };
        let transmit = quinn_udp::Transmit {
            destination: to,
            ecn: transmit.ecn.map(codepoint_of),
            contents: transmit.contents,
            segment_size: (transmit.count() > 1).then_some(transmit.segment_size),
            src_ip: None,
        };
        state.try_send(socket.into(), &transmit)
    }
}

/// Whether an error says that the system, or the card that it leaves this to, could not cut apart what was to be sent: some only
/// find out by trying, and where a datagram is larger than the path takes, each has to be sent alone.
pub(super) fn cannot_cut(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO | libc::EMSGSIZE))
}

/// Whether a kernel is one of those that damage what they cut apart: Linux 7.0 to 7.1.4 writes wrong headers and checksums in what
/// some cards are given.
fn mangles(release: &str) -> bool {
    let mut numbers = release.split(|other: char| !other.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or_default();
    let version = (next(), next(), next());
    ((7, 0, 0)..=(7, 1, 4)).contains(&version)
}

/// Whether what is cut apart arrives as what it was: a sandbox may accept the option and know nothing of it.
fn cuts_well(state: &UdpSocketState) -> bool {
    arrives_well(state).unwrap_or(false)
}

fn arrives_well(state: &UdpSocketState) -> io::Result<bool> {
    let [near, far] = [(), ()].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let (near, far) = (near?, far?);
    // On loopback it has arrived when it is sent; nobody waits, but where something is wrong.
    far.set_read_timeout(Some(Duration::from_millis(20)))?;
    let contents: Vec<u8> = (0..250_u8).collect();
    let transmit = quinn_udp::Transmit {
        destination: far.local_addr()?,
        ecn: None,
        contents: &contents,
        segment_size: Some(100),
        src_ip: None,
    };
    state.try_send((&near).into(), &transmit)?;
    for expected in contents.chunks(100) {
        let mut buffer = [0; 300];
        let (length, from) = far.recv_from(&mut buffer)?;
        if (&buffer[..length], from) != (expected, near.local_addr()?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn set(socket: &impl AsFd, level: libc::c_int, name: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or_default();
    // SAFETY: the system reads `length` bytes of `on`, which is that long and outlives the call. The descriptor is borrowed.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const on).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const fn mark_of(codepoint: EcnCodepoint) -> Ecn {
    match codepoint {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    }
}

const fn codepoint_of(mark: Ecn) -> EcnCodepoint {
    match mark {
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
        Ecn::Ce => EcnCodepoint::Ce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_that_damage_what_they_cut_are_known() {
        for (release, expected) in [
            ("6.18.44-fc-v657", false),
            ("7.0.0", true),
            ("7.0-rc1", true),
            ("7.0.14-pve", true),
            ("7.1.4-generic", true),
            ("7.1.5", false),
            ("7.2.0", false),
            ("10.0.1", false),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(mangles(release), expected, "{release}");
        }
    }
}

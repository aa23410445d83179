//! Real sockets on loopback.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use rustix::net::sockopt::{Ipv4PathMtuDiscovery, ip_mtu_discover};
use wayleave_proto::net::{Ecn, Family, Packets};

use super::*;

/// A socket as a machine has it.
struct Socket {
    socket: UdpSocket,
    offload: Offload,
    buffer: Vec<u8>,
}

impl Socket {
    fn to(remote: Remote, fragments: bool, wanted: bool) -> Self {
        let socket = crate::bind(remote, fragments, 1 << 20).unwrap();
        let offload = Offload::new(&socket, remote, wanted);
        Self { socket, offload, buffer: vec![0; Offload::MOST_ARRIVALS * Packets::SLOT] }
    }

    /// What calls bring until nothing waits: how many datagrams each, and what they say.
    fn receive(&mut self) -> (Vec<usize>, Vec<Vec<u8>>) {
        let (mut calls, mut payloads) = (Vec::new(), Vec::new());
        let mut arrivals = [Arrival::one(SocketAddr::from(([0; 4], 0)), 0); Offload::MOST_ARRIVALS];
        loop {
            let result = self.offload.receive(
                &self.socket,
                |socket, buffer| socket.recv_from(buffer),
                &mut self.buffer,
                &mut arrivals,
            );
            match result {
                Ok(received) => {
                    let before = payloads.len();
                    let packets = Packets::new(&mut self.buffer, &arrivals[..received.count]);
                    payloads.extend(packets.map(|packet| packet.payload.to_vec()));
                    calls.push(payloads.len() - before);
                    if received.is_all {
                        return (calls, payloads);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (calls, payloads),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn send(&mut self, transmit: Transmit<'_>) -> io::Result<usize> {
        self.offload.send(&self.socket, single, transmit)
    }
}

fn single(socket: &UdpSocket, payload: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
    match to {
        None => socket.send(payload),
        Some(to) => socket.send_to(payload, to),
    }
}

/// Two that speak with each other.
fn pair(wanted: bool) -> (Socket, Socket) {
    let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = Socket::to(Remote::One(far.local_addr().unwrap()), false, wanted);
    let remote = near.socket.local_addr().unwrap();
    far.connect(remote).unwrap();
    far.set_nonblocking(true).unwrap();
    let offload = Offload::new(&far, Remote::One(remote), wanted);
    (near, Socket { socket: far, offload, buffer: vec![0; Offload::MOST_ARRIVALS * Packets::SLOT] })
}

fn alike(contents: &[u8], segment_size: usize) -> Transmit<'_> {
    Transmit { segment_size, ..Transmit::one(contents) }
}

#[test]
fn what_leaves_together_arrives_as_what_it_was() {
    let (mut near, mut far) = pair(true);
    let contents: Vec<u8> = (0..=255).cycle().take(9 * 20 + 7).collect();
    let transmit = alike(&contents, 20);
    assert_eq!(near.send(transmit).unwrap(), 10, "one call");
    let expected: Vec<_> = transmit.datagrams().map(<[u8]>::to_vec).collect();
    // When some have come in a row, more are taken with one call; the next are joined, as they left.
    assert_eq!(far.receive(), (vec![1, 1, 1, 1, 4, 2], expected.clone()));
    assert_eq!(near.send(transmit).unwrap(), 10);
    assert_eq!(near.send(Transmit::one(b"")).unwrap(), 1);
    let (calls, received) = far.receive();
    assert_eq!((calls, received), (vec![11], [expected, vec![Vec::new()]].concat()));
}

#[test]
fn a_socket_that_shall_not_goes_one_by_one() {
    let (mut near, mut far) = pair(false);
    let transmit = alike(b"aabbc", 2);
    for left in [transmit.behind(0), transmit.behind(1), transmit.behind(2)] {
        assert_eq!(near.send(left.unwrap()).unwrap(), 1);
    }
    for _ in 0..5 {
        near.send(Transmit::one(b"dd")).unwrap();
    }
    let (calls, received) = far.receive();
    assert_eq!(calls, [1; 8]);
    assert_eq!(received[..4], [&b"aa"[..], b"bb", b"c", b"dd"]);
}

#[test]
fn where_the_system_cannot_cut_they_go_one_by_one_for_good() {
    let (mut near, mut far) = pair(true);
    // More than any system takes.
    let contents = vec![7; 2_000];
    assert_eq!(near.send(alike(&contents, 1)).unwrap(), 1);
    assert_eq!(near.send(alike(b"aabb", 2)).unwrap(), 1);
    assert_eq!(far.receive().1, [&[7][..], b"aa"]);
}

#[test]
fn the_answer_to_an_earlier_datagram_says_nothing_of_cutting() {
    let (mut near, far) = pair(true);
    drop(far);
    let refused = (0..100).find_map(|_| near.send(alike(b"aabb", 2)).err());
    assert_eq!(refused.map(|error| error.kind()), Some(io::ErrorKind::ConnectionRefused));
    assert_eq!(near.send(alike(b"aabb", 2)).unwrap(), 2);
}

#[test]
fn fragments_are_forbidden_where_they_were_and_nowhere_else() {
    for (fragments, expected) in [(true, Ipv4PathMtuDiscovery::WANT), (false, Ipv4PathMtuDiscovery::DO)] {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for remote in [Remote::One(far.local_addr().unwrap()), Remote::Every(Family::V4)] {
            let mut socket = Socket::to(remote, fragments, true);
            let to = Transmit { destination: far.local_addr().ok(), ..alike(b"aabb", 2) };
            assert_eq!(socket.send(to).unwrap(), 2);
            let port = socket.socket.local_addr().unwrap().port();
            for _ in 0..9 {
                far.send_to(b"x", (Ipv4Addr::LOCALHOST, port)).unwrap();
            }
            assert_eq!(socket.receive().1.len(), 9);
            assert!(matches!(socket.offload.joins, Joins::Now));
            assert_eq!(ip_mtu_discover(&socket.socket).unwrap(), expected, "{remote:?}");
        }
    }
}

#[test]
fn who_speaks_with_everybody_hears_the_address_and_the_mark() {
    for (family, local) in [
        (Family::V4, IpAddr::from(Ipv4Addr::LOCALHOST)),
        (Family::V6, IpAddr::from(std::net::Ipv6Addr::LOCALHOST)),
    ] {
        let mut near = Socket::to(Remote::Every(family), true, true);
        let mut far = Socket::to(Remote::Every(family), true, true);
        let to = SocketAddr::new(local, far.socket.local_addr().unwrap().port());
        for mark in [None, Some(Ecn::Ect0), Some(Ecn::Ect1), Some(Ecn::Ce)] {
            near.send(Transmit { ecn: mark, ..Transmit::one(b"x").to(to) }).unwrap();
            let mut arrivals = [Arrival::one(to, 0)];
            far.offload
                .receive(
                    &far.socket,
                    |socket, buffer| socket.recv_from(buffer),
                    &mut far.buffer,
                    &mut arrivals,
                )
                .unwrap();
            let from = SocketAddr::new(local, near.socket.local_addr().unwrap().port());
            assert_eq!(arrivals, [Arrival { local: Some(local), ecn: mark, ..Arrival::one(from, 1) }]);
        }
    }
}

//! Hosts that vanish without a word: no end, no reset, nothing.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::namespace::{alone, drop_silently};
use crate::process::wayleave;
use crate::socks::{Association, ask, connect};
use crate::targets::{echo_datagrams, echo_stream};

#[test]
fn a_call_outlives_the_relay_that_carries_it() {
    alone("vanished::a_call_outlives_the_relay_that_carries_it", || {
        let lab = Lab::new();
        let (first, second) = (lab.relay(&[]), lab.relay(&[]));
        let relays = [first.listening(1), second.listening(1)];
        let agent = lab.agent(&relays, &["--mode", "normal", "--user-timeout", "5s"]);
        let door = agent.listening(1);
        let (stream, datagrams) = (echo_stream(), echo_datagrams());
        let mut old = connect(door, "localhost", stream);
        assert!(echoes(&mut old));
        let call = Association::new(door);
        assert!(is_answered(&call, datagrams, Duration::from_secs(10)));
        first.wait_for_nth("tunnel opened", 2);
        assert!(!second.log().contains("tunnel opened"), "{}", second.log());

        drop_silently(&port(relays[0]));
        let began = Instant::now();
        old.write_all(b"is anybody there").unwrap();
        assert!(is_answered(&call, datagrams, Duration::from_secs(15)), "{}", agent.log());
        second.wait_for("tunnel opened");
        let asked = Instant::now();
        assert!(echoes(&mut connect(door, "localhost", stream)));
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}\n{}", asked.elapsed(), agent.log());
        let told = old.read(&mut [0; 16]).unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::ConnectionReset, "{}", agent.log());
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}\n{}", began.elapsed(), agent.log());
    });
}

#[test]
fn the_tunnels_of_a_client_that_vanished_make_room_for_the_next() {
    alone("vanished::the_tunnels_of_a_client_that_vanished_make_room_for_the_next", || {
        let lab = Lab::new();
        let minting =
            ["token", "mint", "--keys", "keys.toml", "--app-id", "1001", "--user", "phone", "--ttl"];
        let (status, token, error) =
            wayleave(lab.folder(), &[&minting[..], &["1h", "--tunnels", "2"]].concat());
        assert_eq!(status, 0, "{error}");
        lab.write("token.txt", token.trim());
        let relay = lab.relay_at("0.0.0.0:0", &["--name", "127.0.0.3"]);
        let port = relay.listening(1).port();
        let target = echo_stream();
        let phone = lab.agent(&[SocketAddr::from((Ipv4Addr::LOCALHOST, port))], &["--mode", "normal"]);
        let mut held = [(); 2].map(|()| connect(phone.listening(1), "localhost", target));
        assert!(held.iter_mut().all(echoes));
        // It left its network, and nothing of its old address comes through; then it has another way.
        drop_silently(
            &["daddr 127.0.0.1 tcp dport", "saddr 127.0.0.1 tcp sport"].map(|it| format!("ip {it} {port}")),
        );
        drop(phone);
        let proxy = format!("127.0.0.3:{port}");
        let phone = lab.agent(&[], &["--mode", "normal", "--proxy", &proxy]);
        let door = phone.listening(1);
        let began = Instant::now();
        assert_ne!(ask(door, 1, "localhost", target).1, 0, "there was room at once");
        relay.wait_for("status=429");
        relay.wait_for("tunnel closed");
        assert!(echoes(&mut connect(door, "localhost", target)));
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}\n{}", began.elapsed(), relay.log());
    });
}

/// Its system ends what it had open. Where a reset tells that something is missing, the system says so too.
#[test]
fn the_targets_of_a_relay_that_is_killed_are_told_as_its_operator_wants_it() {
    for (more, told) in [(&[][..], Ok(0)), (&["--truncated", "reset"], Err(io::ErrorKind::ConnectionReset))] {
        let lab = Lab::new();
        let mut relay = lab.relay(more);
        let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let open = || {
            let mut stream = connect(agent.listening(1), "127.0.0.1", target.local_addr().unwrap().port());
            let (mut accepted, _) = target.accept().unwrap();
            stream.write_all(b"half").unwrap();
            accepted.read_exact(&mut [0; 4]).unwrap();
            (stream, accepted)
        };
        let (whole, mut whole_target) = open();
        let (_cut, mut cut_target) = open();
        whole.shutdown(Shutdown::Write).unwrap();
        assert_eq!(whole_target.read(&mut [0; 4]).map_err(|error| error.kind()), Ok(0), "{more:?}");
        drop(whole_target);
        relay.wait_for("tunnel closed");
        relay.signal("KILL");
        relay.wait();
        assert_eq!(cut_target.read(&mut [0; 4]).map_err(|error| error.kind()), told, "{more:?}");
    }
}

/// Rules for everything to and from this port.
fn port(address: SocketAddr) -> [String; 2] {
    ["dport", "sport"].map(|side| format!("tcp {side} {}", address.port()))
}

/// Whether an answer comes within `patience` while something is said five times a second.
fn is_answered(call: &Association, target: u16, patience: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < patience {
        call.send("localhost", target, b"hello");
        if call.receive(Duration::from_millis(200)).is_some() {
            return true;
        }
    }
    false
}

fn echoes(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4];
    stream.write_all(b"word").and_then(|()| stream.read_exact(&mut answer)).is_ok() && &answer == b"word"
}

//! Networks that let little through, links that change, name servers that die.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Lab, TARGETS};
use crate::namespace::{alone, drop_silently, ip, lay_over};
use crate::socks::{Association, connect};
use crate::targets::{echo_datagrams, echo_stream};

#[test]
fn where_only_port_443_gets_out_the_relay_carries_the_rest() {
    alone("networks::where_only_port_443_gets_out_the_relay_carries_the_rest", || {
        let lab = Lab::new();
        // The agent finds `localhost` at 127.0.0.1, the relay at 127.0.0.2.
        let _web = echoing("127.0.0.1:443");
        let (_chat, _call) = (echoing("127.0.0.2:8080"), echoing_datagrams("127.0.0.2:5060"));
        let relay = lab.relay_at("127.0.0.4:443", &["--name", "127.0.0.4"]);
        relay.listening(1);
        let more = ["--mode", "smart", "--link", "ethernet", "--proxy", "127.0.0.4:443"];
        let agent = lab.agent(&[], &more);
        let door = agent.listening(1);
        drop_silently(&["127.0.0.1", "::1"].map(|host| {
            let family = if host.contains(':') { "ip6" } else { "ip" };
            format!("{family} daddr {host} th dport != 443 th dport < 30000")
        }));

        assert!(echoes(&mut connect(door, "localhost", 443)));
        lab.event("direct_connected", |event| event["kind"] == "stream");
        let began = Instant::now();
        assert!(echoes(&mut connect(door, "localhost", 8080)), "{}", agent.log());
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let call = Association::new(door);
        let began = Instant::now();
        while call.receive(Duration::from_millis(200)).is_none() {
            call.send("localhost", 5060, b"INVITE");
            assert!(began.elapsed() < Duration::from_secs(10), "{}", agent.log());
        }
        for (target, kind) in [("localhost:8080", "stream"), ("localhost:5060", "datagram")] {
            let is_it = |event: &serde_json::Value| event["target"] == target && event["kind"] == kind;
            assert_eq!(lab.event("flow_opened", is_it)["route"], "proxied", "{target}");
        }
        assert!(echoes(&mut connect(door, "localhost", 443)));
        assert!(!relay.log().contains("localhost:443"), "{}", relay.log());
    });
}

#[test]
fn datagrams_larger_than_the_link_are_cut_on_the_direct_way_as_without_us() {
    alone("networks::datagrams_larger_than_the_link_are_cut_on_the_direct_way_as_without_us", || {
        ip("link set lo mtu 1500");
        let lab = Lab::new();
        let agent = lab.agent(&[], &["--mode", "off"]);
        let (call, target) = (Association::new(agent.listening(1)), echo_datagrams());
        let host = TARGETS.to_string();
        for length in [1_200, 1_472, 1_473, 4_000, 8_000] {
            call.send(&host, target, &vec![7; length]);
            let answer = call.receive(Duration::from_secs(10)).map(|answer| answer.len());
            assert_eq!(answer, Some(length), "{}", agent.log());
        }
    });
}

#[test]
fn an_agent_hears_within_a_second_that_its_address_is_gone_or_new() {
    alone("networks::an_agent_hears_within_a_second_that_its_address_is_gone_or_new", || {
        ip("link add wire0 type veth peer name wire1");
        ip("link set wire1 up");
        ip("link set wire0 up");
        ip("address add 192.0.2.7/24 dev wire0");
        ip("route add default via 192.0.2.1");
        let lab = Lab::new();
        let relay = lab.relay(&[]);
        let agent = lab.agent(&[relay.listening(1)], &["--mode", "smart"]);
        let door = agent.listening(1);
        let server = echoing("192.0.2.7:0").local_addr().unwrap();
        let host = server.ip().to_string();
        // Both ends have the address that is about to go, and the system tells neither.
        let mut old = connect(door, &host, server.port());
        assert!(echoes(&mut old));
        let changes = |up: bool, change: &dyn Fn()| {
            change();
            let began = Instant::now();
            let is_told = || {
                let mut events = lab.events().into_iter();
                events.any(|event| event["event"] == "network_changed" && event["up"] == up)
            };
            while !is_told() {
                assert!(began.elapsed() < Duration::from_secs(1), "{}", lab.read("events.jsonl"));
                thread::yield_now();
            }
        };
        // The route goes with the address.
        changes(false, &|| ip("address del 192.0.2.7/24 dev wire0"));
        old.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let told = old.read(&mut [0; 16]).unwrap_err();
        assert_eq!(told.kind(), ErrorKind::ConnectionReset, "{}", agent.log());
        changes(true, &|| {
            ip("address add 192.0.2.7/24 dev wire0");
            ip("route add default via 192.0.2.1");
        });
    });
}

#[test]
fn an_agent_goes_on_with_the_addresses_that_it_knows_when_its_name_server_dies() {
    alone("networks::an_agent_goes_on_with_the_addresses_that_it_knows_when_its_name_server_dies", || {
        let lab = Lab::new();
        let names = NameServer::start(&lab);
        let relay = lab.relay(&["--name", "relay.example"]);
        let proxy = format!("relay.example:{}", relay.listening(1).port());
        let agent = lab.agent(&[], &["--mode", "normal", "--proxy", &proxy]);
        let (door, target) = (agent.listening(1), echo_stream());
        assert!(echoes(&mut connect(door, "localhost", target)));
        names.is_dead.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            let began = Instant::now();
            assert!(echoes(&mut connect(door, "localhost", target)));
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}\n{}", began.elapsed(), agent.log());
        }
    });
}

/// The one name server of this network, which knows `relay.example` at 127.0.0.1.
struct NameServer {
    is_dead: Arc<AtomicBool>,
}

impl NameServer {
    fn start(lab: &Lab) -> Self {
        lab.write("resolv.conf", "nameserver 127.0.0.53\n");
        lay_over(&lab.folder().join("resolv.conf"), "/etc/resolv.conf");
        let socket = UdpSocket::bind("127.0.0.53:53").unwrap();
        let is_dead = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_dead);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((count, from)) = socket.recv_from(&mut question) {
                if !ends.load(Ordering::SeqCst) {
                    let _ = socket.send_to(&answer(&question[..count]), from);
                }
            }
        });
        Self { is_dead }
    }
}

/// The answer of RFC 1035 §4 to a question: this machine for type A, nothing for others.
fn answer(question: &[u8]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let is_address = question[end - 4..end - 2] == [0, 1];
    let mut answer = question[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// Sends back what it gets, at an address that it may choose in a network of its own.
fn echoing(address: &str) -> TcpListener {
    let listener = TcpListener::bind(address).unwrap();
    let accepting = listener.try_clone().unwrap();
    thread::spawn(move || {
        for stream in accepting.incoming().map_while(Result::ok) {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    listener
}

fn echoing_datagrams(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    let reading = socket.try_clone().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((count, from)) = reading.recv_from(&mut buffer) {
            let _ = reading.send_to(&buffer[..count], from);
        }
    });
    socket
}

fn echoes(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4];
    stream.write_all(b"word").and_then(|()| stream.read_exact(&mut answer)).is_ok() && &answer == b"word"
}

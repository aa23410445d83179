//! The agent's ports over real sockets, in mode off.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;
use wayleave_proto::base::{Link, Network};
use wayleave_proto::client::{CloseReason, What};
use wayleave_proto::config::ClientConfig;
use wayleave_proto::local::Forward;
use wayleave_tokio::Events;

use crate::{Agent as Served, AgentConfig};

/// An agent with one port of each kind.
struct Agent {
    front: SocketAddr,
    stream: SocketAddr,
    datagrams: SocketAddr,
    events: Events,
    _served: Served,
}

impl Agent {
    /// Both forwards lead to the port `target` of this machine.
    async fn start(target: u16) -> Self {
        let forward =
            |kind| format!("{kind}:127.0.0.1:0=127.0.0.1:{target}").parse::<Forward>().expect("a forward");
        let mut client = ClientConfig::direct();
        client.network = Network::up(Link::Wifi);
        let mut config = AgentConfig::new(client.build().expect("a client"));
        config.listen = vec![local(0)];
        config.forwards = vec![forward("tcp"), forward("udp")];
        let served = Served::start(config).await.expect("free ports");
        let [front, stream, datagrams] = served.doors() else { panic!("{:?}", served.doors()) };
        let (front, stream, datagrams) = (front.address, stream.address, datagrams.address);
        let events = served.events();
        Self { front, stream, datagrams, events, _served: served }
    }

    /// Asks for a stream to `port` of this machine, with `early` behind the request.
    async fn connect(&self, port: u16, early: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(self.front).await.expect("a connection");
        let request = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        client.write_all(&[request.as_bytes(), early].concat()).await.expect("the request is sent");
        client
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind(local(0)).await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

#[tokio::test]
async fn what_stands_behind_the_request_is_not_lost_and_each_half_ends_by_itself() {
    let (listener, port) = listener().await;
    let agent = Agent::start(port).await;
    let early = vec![b'x'; 200_000];
    let mut client = agent.connect(port, &early).await;
    client.shutdown().await.expect("the half ends");
    let (mut target, _) = listener.accept().await.expect("a stream");
    let mut received = Vec::new();
    target.read_to_end(&mut received).await.expect("the end of the half");
    assert!(received == early, "{} bytes", received.len());
    target.write_all(b"answer").await.expect("the other half is open");
    drop(target);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("the end of the other half");
    assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\nanswer");
}

#[tokio::test]
async fn a_reset_on_one_side_is_one_on_the_other() {
    let (listener, port) = listener().await;
    let agent = Agent::start(port).await;
    for from_target in [true, false] {
        let mut client = TcpStream::connect(agent.stream).await.expect("a connection");
        client.write_all(b"a").await.expect("a byte");
        let (mut target, _) = listener.accept().await.expect("a stream");
        target.read_u8().await.expect("the byte");
        let (broken, other) = if from_target { (target, &mut client) } else { (client, &mut target) };
        broken.set_zero_linger().expect("a socket");
        drop(broken);
        let error = other.read_u8().await.expect_err("no end");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "from the target: {from_target}");
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_takes_its_pending_flow_along() {
    // The queue of this listener is full, so that nothing answers and nothing refuses.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(local(0)).expect("a free port");
    let listener = socket.listen(1).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let mut held = Vec::new();
    while let Ok(filler) = timeout(Duration::from_millis(200), TcpStream::connect(local(port))).await {
        held.push(filler);
    }
    let mut agent = Agent::start(port).await;
    let client = agent.connect(port, b"").await;
    tokio::task::yield_now().await;
    // An end without a reset could be that of a half: a server may speak first.
    client.set_zero_linger().expect("a socket");
    drop(client);
    let closed = async {
        loop {
            if let What::FlowClosed { reason, .. } = agent.events.recv().await.expect("an event").what {
                return reason;
            }
        }
    };
    assert_eq!(timeout(Duration::from_secs(5), closed).await, Ok(CloseReason::Closed));
}

#[tokio::test]
async fn datagrams_come_back_through_a_forward_and_an_association() {
    let echo = UdpSocket::bind(local(0)).await.expect("a free port");
    let port = echo.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let mut datagram = [0; 2_048];
        while let Ok((count, from)) = echo.recv_from(&mut datagram).await {
            let _ = echo.send_to(&datagram[..count], from).await;
        }
    });
    let agent = Agent::start(port).await;
    let client = UdpSocket::bind(local(0)).await.expect("a free port");
    let mut datagram = [0; 2_048];
    client.send_to(b"forward", agent.datagrams).await.expect("sent");
    let (count, from) = client.recv_from(&mut datagram).await.expect("an answer");
    assert_eq!((&datagram[..count], from), (&b"forward"[..], agent.datagrams));

    let mut control = TcpStream::connect(agent.front).await.expect("a connection");
    control.write_all(&[5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("the request is sent");
    let mut answer = [0; 12];
    control.read_exact(&mut answer).await.expect("the answers");
    assert_eq!(answer[..10], [5, 0, 5, 0, 0, 1, 127, 0, 0, 1]);
    let relay = local(u16::from_be_bytes([answer[10], answer[11]]));
    let named = [&[0, 0, 0, 1, 127, 0, 0, 1], &port.to_be_bytes()[..], b"association"].concat();
    client.send_to(&named, relay).await.expect("sent");
    let (count, from) = client.recv_from(&mut datagram).await.expect("an answer");
    assert_eq!((&datagram[..count], from), (&named[..], relay));

    drop(control);
    let ended = async {
        // Its socket is closed, so that another can have its port.
        while UdpSocket::bind(relay).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), ended).await.expect("the association ends with its connection");
}

#[tokio::test]
async fn a_client_that_only_listens_hears_a_server_that_speaks_first() {
    let (listener, port) = listener().await;
    let agent = Agent::start(port).await;
    let mut client = agent.connect(port, b"").await;
    client.shutdown().await.expect("the half ends");
    let (mut target, _) = listener.accept().await.expect("a stream");
    assert_eq!(target.read(&mut [0; 1]).await.expect("the end of the half"), 0);
    target.write_all(b"220 ready").await.expect("the other half is open");
    drop(target);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("the end of the other half");
    assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\n220 ready");
}

/// What one exchange brings: an origin server that reads one head and says `answer`.
async fn origin(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let (listener, port) = listener().await;
    let served = tokio::spawn(async move {
        let (mut target, _) = listener.accept().await.expect("a stream");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(target.read_u8().await.expect("the head"));
        }
        target.write_all(answer.as_bytes()).await.expect("the answer is sent");
        String::from_utf8(head).expect("a text")
    });
    (port, served)
}

#[tokio::test]
async fn pages_of_several_servers_come_over_one_connection_and_a_tunnel_behind_them() {
    let (one, first) = origin("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none").await;
    let (two, second) =
        origin("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n").await;
    let (listener, port) = listener().await;
    let agent = Agent::start(port).await;
    let mut client = TcpStream::connect(agent.front).await.expect("a connection");
    // Everything is sent ahead; each is answered in its turn.
    let asked = format!(
        "GET http://127.0.0.1:{one}/a HTTP/1.1\r\nHost: x\r\nProxy-Connection: keep-alive\r\n\r\n\
         GET http://127.0.0.1:{two}/b HTTP/1.1\r\nHost: x\r\n\r\n\
         CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\nearly"
    );
    client.write_all(asked.as_bytes()).await.expect("the requests are sent");
    let (mut target, _) = listener.accept().await.expect("a stream");
    let mut early = [0; 5];
    target.read_exact(&mut early).await.expect("what was sent ahead");
    assert_eq!(&early, b"early");
    target.write_all(b"late").await.expect("the other half is open");
    drop((target, client.shutdown().await));
    let mut answers = String::new();
    client.read_to_string(&mut answers).await.expect("the end");
    assert_eq!(
        answers,
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none\
         HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n\
         HTTP/1.1 200 Connection established\r\n\r\nlate"
    );
    let head = |path: &str, port: u16| {
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")
    };
    assert_eq!(
        (first.await.expect("served"), second.await.expect("served")),
        (head("/a", one), head("/b", two))
    );
}

#[tokio::test]
async fn a_page_that_cannot_be_had_is_said_in_words() {
    let (listener, port) = listener().await;
    drop(listener);
    let agent = Agent::start(port).await;
    let mut client = TcpStream::connect(agent.front).await.expect("a connection");
    let asked = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n");
    client.write_all(asked.as_bytes()).await.expect("the request is sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("the end");
    assert!(
        answer.starts_with(
            "HTTP/1.1 502 Bad Gateway\r\nProxy-Status: wayleave-agent; error=connection_refused\r\n"
        ),
        "{answer}"
    );
    assert!(answer.contains("check that it runs"), "{answer}");
}

#[tokio::test]
async fn a_page_that_is_cut_short_does_not_look_whole() {
    let (port, served) = origin("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    let agent = Agent::start(port).await;
    let mut client = TcpStream::connect(agent.front).await.expect("a connection");
    let asked = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n");
    client.write_all(asked.as_bytes()).await.expect("the request is sent");
    served.await.expect("served");
    let error = client.read_to_end(&mut Vec::new()).await.expect_err("no end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn directly_an_association_has_one_port_for_all_and_hears_strangers() {
    let agent = Agent::start(9).await;
    let mut control = TcpStream::connect(agent.front).await.expect("a connection");
    control.write_all(&[5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("the request is sent");
    let mut answer = [0; 12];
    control.read_exact(&mut answer).await.expect("the answers");
    let relay = local(u16::from_be_bytes([answer[10], answer[11]]));
    let bound = || async { UdpSocket::bind(local(0)).await.expect("a free port") };
    let (client, other, one, two) = (bound().await, bound().await, bound().await, bound().await);
    let named = |target: &UdpSocket, payload: &[u8]| {
        let port = target.local_addr().expect("an address").port();
        [&[0, 0, 0, 1, 127, 0, 0, 1], &port.to_be_bytes()[..], payload].concat()
    };
    let mut datagram = [0; 100];
    let mut ports = Vec::new();
    for (from, target) in [(&client, &one), (&client, &two), (&other, &one)] {
        from.send_to(&named(target, b"hello"), relay).await.expect("sent");
        let (count, port) = target.recv_from(&mut datagram).await.expect("a datagram");
        assert_eq!(&datagram[..count], b"hello");
        ports.push(port);
    }
    assert_eq!(ports[0], ports[1], "one port for both targets");
    assert_ne!(ports[0], ports[2], "another port of the client is another port here");
    let stranger = bound().await;
    stranger.send_to(b"who is there", ports[0]).await.expect("sent");
    let (count, _) = client.recv_from(&mut datagram).await.expect("an answer");
    assert_eq!(datagram[..count], named(&stranger, b"who is there"), "the header names who sent it");
    // What is larger than the link is cut, as that of any plain socket.
    let large = vec![b'x'; 60_000];
    client.send_to(&named(&one, &large), relay).await.expect("sent");
    let mut room = vec![0; 65_536];
    assert_eq!(one.recv_from(&mut room).await.expect("a datagram"), (60_000, ports[0]));
}

#[tokio::test]
async fn a_datagram_that_comes_back_to_its_forward_does_not_go_round_for_ever() {
    let back = UdpSocket::bind(local(0)).await.expect("a free port");
    let agent = Agent::start(back.local_addr().expect("an address").port()).await;
    let first = UdpSocket::bind(local(0)).await.expect("a free port");
    first.send_to(b"round", agent.datagrams).await.expect("sent");
    let (mut rounds, mut held) = (0, Vec::new());
    let mut datagram = [0; 100];
    // What comes to the target goes back to the forward, from another port each time.
    while let Ok(came) = timeout(Duration::from_secs(2), back.recv_from(&mut datagram)).await {
        let (count, _) = came.expect("a datagram");
        rounds += 1;
        assert!(rounds <= 64, "it goes round");
        let next = UdpSocket::bind(local(0)).await.expect("a free port");
        next.send_to(&datagram[..count], agent.datagrams).await.expect("sent");
        held.push(next);
    }
    assert_eq!(rounds, 64);
    // Everything else goes on.
    first.send_to(b"another", agent.datagrams).await.expect("sent");
    let (count, _) = back.recv_from(&mut datagram).await.expect("a datagram");
    assert_eq!(&datagram[..count], b"another");
}

#[tokio::test]
async fn a_connection_that_comes_back_to_its_forward_does_not_go_round_for_ever() {
    let (listener, port) = listener().await;
    let agent = Agent::start(port).await;
    let forward = agent.stream;
    let rounds = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&rounds);
    // Whatever comes to the target goes back to the forward.
    tokio::spawn(async move {
        while let Ok((mut came, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::spawn(async move {
                let mut next = TcpStream::connect(forward).await?;
                let result = tokio::io::copy_bidirectional(&mut came, &mut next).await;
                if result.is_err() {
                    came.set_zero_linger()?;
                }
                result
            });
        }
    });
    let mut client = TcpStream::connect(forward).await.expect("a connection");
    client.write_all(b"round").await.expect("sent");
    let ended = timeout(Duration::from_secs(10), client.read_to_end(&mut Vec::new())).await;
    assert!(ended.expect("an end in time").is_err(), "it is broken off");
    assert!(rounds.load(std::sync::atomic::Ordering::Relaxed) <= 64);
}

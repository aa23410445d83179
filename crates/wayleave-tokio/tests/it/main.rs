//! Client and relay on tokio, over real sockets and real TLS.

mod lab;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use lab::{BlackHole, Lab, TARGETS, echo_datagrams, echo_stream, exchange, target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wayleave_proto::base::{Kind, Link, Route};
use wayleave_proto::client::{FlowError, What};
use wayleave_proto::config::Mode;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[5]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_through_the_relay_is_whole_both_ways() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    let port = echo_stream().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", port)).await.unwrap();
    assert_eq!(stream.route(), Some(Route::Proxied));
    let bytes = pattern(10_000_000);
    assert!(exchange(stream, bytes.clone()).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_stream_is_whole_both_ways() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    let port = echo_stream().await;
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let stream = client.connect(target(&TARGETS.to_string(), port)).await.unwrap();
    assert_eq!(stream.route(), Some(Route::Direct));
    let bytes = pattern(10_000_000);
    assert!(exchange(stream, bytes.clone()).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_every_size_come_back() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    let port = echo_datagrams().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let flow = client.datagrams(target("localhost", port)).unwrap();
    let mut buffer = vec![0; 65_536];
    for size in [0, 1, 160, 1_200, 9_000, 65_507] {
        let payload = pattern(size);
        flow.send(&payload).unwrap();
        let count = flow.recv(&mut buffer).await.unwrap();
        assert!(buffer[..count] == payload, "{size}");
    }
    // Legal for the tunnel, but larger than any UDP datagram: dropped, and the flow goes on.
    flow.send(&pattern(65_520)).unwrap();
    flow.send(b"after").unwrap();
    let count = flow.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"after");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_black_hole_the_first_byte_comes_a_second_later() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    let (tcp, udp) = (echo_stream().await, echo_datagrams().await);
    let (_tcp_hole, _udp_hole) = (BlackHole::stream(tcp), BlackHole::datagrams(udp));
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let mut events = client.events();
    let began = Instant::now();
    let flow = client.datagrams(target("localhost", udp)).unwrap();
    let stream = client.connect(target("localhost", tcp)).await.unwrap();
    assert_eq!(stream.route(), Some(Route::Proxied));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(exchange(stream, b"hello".into()).await.unwrap(), b"hello");
    let mut buffer = [0; 10];
    flow.send(b"media").unwrap();
    let count = flow.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"media");
    let mut changed = Vec::new();
    while changed.len() < 2 {
        let event = events.recv().await.unwrap();
        if let What::RouteChanged { kind, to, .. } = event.what {
            assert!(event.at.as_millis() >= 1_000, "{}", event.at);
            changed.push((kind, to));
        }
    }
    changed.sort();
    assert_eq!(changed, [(Some(Kind::Datagram), Route::Proxied), (Some(Kind::Stream), Route::Proxied)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_broken_off_does_not_look_finished_to_its_target() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    for mode in [Mode::Normal, Mode::Off] {
        let listener = TcpListener::bind((TARGETS, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let mut stream = client.connect(target(&TARGETS.to_string(), port)).await.unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        stream.write_all(b"part").await.unwrap();
        let mut part = [0; 4];
        accepted.read_exact(&mut part).await.unwrap();
        stream.reset();
        let error = accepted.read(&mut part).await.expect_err("no end");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "mode {mode}");
        assert!(stream.read(&mut part).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_relay_stops_the_next_one_takes_over() {
    let lab = Lab::new();
    let (first, second) = (lab.relay().await, lab.relay().await);
    let port = echo_stream().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&first, &second]);
    let stream = client.connect(target("localhost", port)).await.unwrap();
    assert_eq!(exchange(stream, b"first".into()).await.unwrap(), b"first");
    first.handle.close();
    let stream = client.connect(target("localhost", port)).await.unwrap();
    assert_eq!(exchange(stream, b"second".into()).await.unwrap(), b"second");
    assert_eq!(second.handle.stats().opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_relay_finishes_what_it_has() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    let port = echo_stream().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", port)).await.unwrap();
    relay.handle.drain();
    let bytes = pattern(1_000_000);
    assert!(exchange(stream, bytes.clone()).await.unwrap() == bytes);
    assert!(matches!(client.connect(target("localhost", port)).await, Err(FlowError::NoProxy(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_is_named_with_its_remedy() {
    let (lab, stranger) = (Lab::new(), Lab::new());
    let relay = stranger.relay().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let error = client.connect("localhost:1").await.unwrap_err().to_string();
    assert!(error.contains("certificate") && error.contains(&relay.address.port().to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_dropped_is_given_back() {
    let lab = Lab::new();
    let relay = lab.relay().await;
    let port = echo_stream().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(client.connect(target("localhost", port)).await.unwrap());
    }
    assert_eq!(relay.handle.stats().tunnels, 200);
    drop(streams);
    drop(client);
    let deadline = Instant::now() + Duration::from_secs(20);
    while relay.handle.stats().connections > 0 {
        assert!(Instant::now() < deadline, "{:?}", relay.handle.stats());
        tokio::task::yield_now().await;
    }
    let stats = relay.handle.stats();
    assert_eq!((stats.tunnels, stats.held), (0, 0));
    assert!(!relay.events.lock().unwrap().is_empty());
}

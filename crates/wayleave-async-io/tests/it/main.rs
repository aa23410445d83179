//! Client and relay on async-io, over real sockets and real TLS, under three executors.

mod lab;

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::future;
use lab::{BlackHole, Lab, Served, TARGETS, echo_datagrams, echo_stream, exchange, target};
use wayleave_async_io::{AsyncIo, Client};
use wayleave_drive::Runtime;
use wayleave_proto::base::{Kind, Link, Route};
use wayleave_proto::client::{FlowError, What};
use wayleave_proto::config::Mode;

/// Makes each of the functions a test under every executor.
macro_rules! under_every_executor {
    ($($test:ident,)*) => {
        mod smol {
            $(#[test]
            fn $test() {
                let test = super::$test(super::Lab::new(|task| smol::spawn(task).detach()));
                smol::block_on(super::in_time(test));
            })*
        }
        mod async_std {
            $(#[test]
            fn $test() {
                let spawn = |task| drop(async_std::task::spawn(task));
                async_std::task::block_on(super::in_time(super::$test(super::Lab::new(spawn))));
            })*
        }
        mod block_on {
            use futures_lite::future::block_on;
            $(#[test]
            fn $test() {
                let spawn = |task| drop(std::thread::spawn(|| block_on(task)));
                block_on(super::in_time(super::$test(super::Lab::new(spawn))));
            })*
        }
    };
}

under_every_executor! {
    a_stream_through_the_relay_is_whole_both_ways,
    a_direct_stream_is_whole_both_ways,
    datagrams_of_every_size_come_back,
    behind_a_black_hole_the_first_byte_comes_a_second_later,
    when_a_relay_stops_the_next_one_takes_over,
    a_drained_relay_finishes_what_it_has,
    a_stream_that_nobody_waits_for_is_closed,
    everything_dropped_is_given_back,
    clients_share_one_thread,
    a_client_can_be_driven_by_its_embedder,
}

#[test]
fn a_connection_that_stands_is_seen_without_an_event() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let runtime = AsyncIo::new();
    let mut stream = runtime.dial(listener.local_addr().unwrap()).unwrap();
    let (_accepted, client) = listener.accept().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    match runtime.poll_connected(&mut stream, &mut cx) {
        Poll::Ready(local) => assert_eq!(local.unwrap(), client),
        Poll::Pending => panic!("it waits for what has happened"),
    }
}

#[test]
fn a_deadline_is_waited_for_and_stays_due() {
    let mut runtime = AsyncIo::new();
    let deadline = runtime.now() + Duration::from_millis(20);
    for _ in 0..2 {
        let due = future::poll_fn(|cx| runtime.poll_timer(cx, deadline));
        future::block_on(in_time(due));
        assert!(runtime.now() >= deadline);
    }
}

/// Fails a test that waits for what never comes.
async fn in_time<T>(test: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(Duration::from_secs(60)).await;
        panic!("nothing came");
    };
    future::or(test, late).await
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[5]).collect()
}

async fn a_stream_through_the_relay_is_whole_both_ways(lab: Lab) {
    let relay = lab.relay().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", echo_stream())).await.unwrap();
    assert_eq!(stream.route(), Some(Route::Proxied));
    let bytes = pattern(10_000_000);
    assert!(exchange(stream, &bytes).await.unwrap() == bytes);
}

async fn a_direct_stream_is_whole_both_ways(lab: Lab) {
    let relay = lab.relay().await;
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let stream = client.connect(target(&TARGETS.to_string(), echo_stream())).await.unwrap();
    assert_eq!(stream.route(), Some(Route::Direct));
    let bytes = pattern(10_000_000);
    assert!(exchange(stream, &bytes).await.unwrap() == bytes);
}

async fn datagrams_of_every_size_come_back(lab: Lab) {
    let relay = lab.relay().await;
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let flow = client.datagrams(target("localhost", echo_datagrams())).unwrap();
    let mut buffer = vec![0; 65_536];
    for size in [0, 1, 160, 1_200, 9_000, 65_507] {
        let payload = pattern(size);
        flow.send(&payload).unwrap();
        let count = flow.recv(&mut buffer).await.unwrap();
        assert!(buffer[..count] == payload, "{size}");
    }
    // Larger than any UDP datagram over IPv4: an error, and the flow goes on.
    flow.send(&pattern(65_508)).unwrap_err();
    flow.send(b"after").unwrap();
    let count = flow.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"after");
}

async fn behind_a_black_hole_the_first_byte_comes_a_second_later(lab: Lab) {
    let relay = lab.relay().await;
    let (tcp, udp) = (echo_stream(), echo_datagrams());
    let (_tcp_hole, _udp_hole) = (BlackHole::stream(tcp), BlackHole::datagrams(udp));
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let mut events = client.events();
    let began = Instant::now();
    let flow = client.datagrams(target("localhost", udp)).unwrap();
    let stream = client.connect(target("localhost", tcp)).await.unwrap();
    assert_eq!(stream.route(), Some(Route::Proxied));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(exchange(stream, b"hello").await.unwrap(), b"hello");
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

async fn when_a_relay_stops_the_next_one_takes_over(lab: Lab) {
    let (first, second) = (lab.relay().await, lab.relay().await);
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&first, &second]);
    let stream = client.connect(target("localhost", port)).await.unwrap();
    assert_eq!(exchange(stream, b"first").await.unwrap(), b"first");
    first.handle.close();
    let stream = client.connect(target("localhost", port)).await.unwrap();
    assert_eq!(exchange(stream, b"second").await.unwrap(), b"second");
    assert_eq!(second.handle.stats().opened, 1);
}

async fn a_drained_relay_finishes_what_it_has(lab: Lab) {
    let relay = lab.relay().await;
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", port)).await.unwrap();
    relay.handle.drain();
    let bytes = pattern(1_000_000);
    assert!(exchange(stream, &bytes).await.unwrap() == bytes);
    assert!(matches!(client.connect(target("localhost", port)).await, Err(FlowError::NoProxy(_))));
}

async fn a_stream_that_nobody_waits_for_is_closed(lab: Lab) {
    let relay = lab.relay().await;
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    for patience in 0..20 {
        let connect = async { client.connect(target("localhost", port)).await.is_ok() };
        let give_up = async {
            for _ in 0..patience {
                future::yield_now().await;
            }
            false
        };
        let _ = future::or(connect, give_up).await;
    }
    let stream = client.connect(target("localhost", port)).await.unwrap();
    assert_eq!(exchange(stream, b"last").await.unwrap(), b"last");
    drop(client);
    given_back(&relay).await;
}

async fn everything_dropped_is_given_back(lab: Lab) {
    let relay = lab.relay().await;
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(client.connect(target("localhost", port)).await.unwrap());
    }
    assert_eq!(relay.handle.stats().tunnels, 200);
    drop(streams);
    drop(client);
    given_back(&relay).await;
    assert!(!relay.events.lock().unwrap().is_empty());
}

async fn clients_share_one_thread(lab: Lab) {
    let relay = lab.relay().await;
    let port = echo_stream();
    let clients: Vec<_> = (0..4).map(|_| lab.client(Mode::Normal, Link::Wifi, &[&relay])).collect();
    for client in &clients {
        let stream = client.connect(target("localhost", port)).await.unwrap();
        assert_eq!(exchange(stream, b"hello").await.unwrap(), b"hello");
    }
    #[cfg(target_os = "linux")]
    {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|thread| {
            // A thread of another test may end while this one looks.
            std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()
        });
        assert_eq!(threads.filter(|name| name.trim() == "wayleave").count(), 1);
    }
}

async fn a_client_can_be_driven_by_its_embedder(lab: Lab) {
    let relay = lab.relay().await;
    let port = echo_stream();
    let config = lab.config(Mode::Normal, Link::Wifi, &[&relay]).build().unwrap();
    let executor = ::smol::LocalExecutor::new();
    let mut driving = None;
    let client = Client::with_spawn(config, |task| driving = Some(executor.spawn(task)));
    executor
        .run(async {
            let stream = client.connect(target("localhost", port)).await.unwrap();
            assert_eq!(exchange(stream, b"hello").await.unwrap(), b"hello");
            drop(client);
            // The task ends with the client, and only then.
            driving.unwrap().await;
        })
        .await;
    given_back(&relay).await;
}

/// Waits until the relay holds nothing any more.
async fn given_back(relay: &Served) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while relay.handle.stats().connections > 0 {
        assert!(Instant::now() < deadline, "{:?}", relay.handle.stats());
        future::yield_now().await;
    }
    let stats = relay.handle.stats();
    assert_eq!((stats.tunnels, stats.held), (0, 0));
}

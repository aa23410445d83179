//! Client and relay on threads, over real sockets and real TLS.

mod lab;
#[expect(dead_code, reason = "its main reads the command line")]
#[path = "../../examples/own_loop.rs"]
mod own_loop;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
#[cfg(target_os = "linux")]
use std::{path::PathBuf, process::Command};

use lab::{BlackHole, Lab, TARGETS, echo_datagrams, echo_stream, exchange, target};
use wayleave_proto::base::{Kind, Link, Route};
use wayleave_proto::client::{FlowError, What};
use wayleave_proto::config::Mode;
use wayleave_std::{Client, Stream};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[5]).collect()
}

#[test]
fn a_stream_through_the_relay_is_whole_both_ways() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", port)).unwrap();
    assert_eq!(stream.route(), Some(Route::Proxied));
    let bytes = pattern(10_000_000);
    assert!(exchange(&stream, &bytes).unwrap() == bytes);
}

#[test]
fn a_direct_stream_is_whole_both_ways() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let stream = client.connect(target(&TARGETS.to_string(), port)).unwrap();
    assert_eq!(stream.route(), Some(Route::Direct));
    let bytes = pattern(10_000_000);
    assert!(exchange(&stream, &bytes).unwrap() == bytes);
}

#[test]
fn datagrams_of_every_size_come_back() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_datagrams();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let flow = client.datagrams(target("localhost", port)).unwrap();
    let mut buffer = vec![0; 65_536];
    for size in [0, 1, 160, 1_200, 9_000, 65_507] {
        let payload = pattern(size);
        flow.send(&payload).unwrap();
        let count = flow.recv(&mut buffer).unwrap();
        assert!(buffer[..count] == payload, "{size}");
    }
    // Larger than any UDP datagram over IPv4: an error, and the flow goes on.
    flow.send(&pattern(65_508)).unwrap_err();
    flow.send(b"after").unwrap();
    let count = flow.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"after");
}

#[test]
fn behind_a_black_hole_the_first_byte_comes_a_second_later() {
    let lab = Lab::new();
    let relay = lab.relay();
    let (tcp, udp) = (echo_stream(), echo_datagrams());
    let (_tcp_hole, _udp_hole) = (BlackHole::stream(tcp), BlackHole::datagrams(udp));
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let mut events = client.events();
    let began = Instant::now();
    let flow = client.datagrams(target("localhost", udp)).unwrap();
    let stream = client.connect(target("localhost", tcp)).unwrap();
    assert_eq!(stream.route(), Some(Route::Proxied));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(exchange(&stream, b"hello").unwrap(), b"hello");
    let mut buffer = [0; 10];
    flow.send(b"media").unwrap();
    let count = flow.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"media");
    let mut changed = Vec::new();
    while changed.len() < 2 {
        let event = events.recv().unwrap();
        if let What::RouteChanged { kind, to, .. } = event.what {
            assert!(event.at.as_millis() >= 1_000, "{}", event.at);
            changed.push((kind, to));
        }
    }
    changed.sort();
    assert_eq!(changed, [(Some(Kind::Datagram), Route::Proxied), (Some(Kind::Stream), Route::Proxied)]);
}

#[test]
fn when_a_relay_stops_the_next_one_takes_over() {
    let lab = Lab::new();
    let (first, second) = (lab.relay(), lab.relay());
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&first, &second]);
    let stream = client.connect(target("localhost", port)).unwrap();
    assert_eq!(exchange(&stream, b"first").unwrap(), b"first");
    first.handle.close();
    let stream = client.connect(target("localhost", port)).unwrap();
    assert_eq!(exchange(&stream, b"second").unwrap(), b"second");
    assert_eq!(second.handle.stats().opened, 1);
}

#[test]
fn a_drained_relay_finishes_what_it_has() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", port)).unwrap();
    relay.handle.drain();
    let bytes = pattern(1_000_000);
    assert!(exchange(&stream, &bytes).unwrap() == bytes);
    assert!(matches!(client.connect(target("localhost", port)), Err(FlowError::NoProxy(_))));
}

#[test]
fn a_foreign_certificate_is_named_with_its_remedy() {
    let (lab, stranger) = (Lab::new(), Lab::new());
    let relay = stranger.relay();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let error = client.connect("localhost:1").unwrap_err().to_string();
    assert!(error.contains("certificate") && error.contains(&relay.address.port().to_string()), "{error}");
}

#[test]
fn everything_dropped_is_given_back() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(client.connect(target("localhost", port)).unwrap());
    }
    assert_eq!(relay.handle.stats().tunnels, 200);
    drop(streams);
    drop(client);
    let deadline = Instant::now() + Duration::from_secs(20);
    while relay.handle.stats().connections > 0 {
        assert!(Instant::now() < deadline, "{:?}", relay.handle.stats());
        thread::yield_now();
    }
    let stats = relay.handle.stats();
    assert_eq!((stats.tunnels, stats.held), (0, 0));
    assert!(!relay.events.lock().unwrap().is_empty());
}

/// A stream to a target that says nothing and does not read, and what holds that target open.
fn silent() -> (Client, Stream, TcpListener) {
    let lab = Lab::new();
    let target = TcpListener::bind((TARGETS, 0)).unwrap();
    let client = lab.client(Mode::Off, Link::Wifi, &[]);
    let stream = client.connect(target.local_addr().unwrap().to_string().as_str()).unwrap();
    (client, stream, target)
}

#[test]
fn a_read_gives_up_after_its_timeout_and_the_stream_goes_on() {
    let (_client, mut stream, target) = silent();
    assert_eq!(
        stream.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
    stream.try_clone().unwrap().set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(stream.read_timeout(), Some(LIMIT));
    let began = Instant::now();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), TOO_LONG);
    assert!(began.elapsed() >= LIMIT);
    target.accept().unwrap().0.write_all(b"late").unwrap();
    stream.set_read_timeout(None).unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    assert_eq!(got, "late");
}

#[test]
fn a_write_gives_up_after_its_timeout_when_nobody_reads() {
    let (_client, mut stream, target) = silent();
    let (peer, _) = target.accept().unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let mut written = 0;
    let error = loop {
        match stream.write(&[7; 65_536]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), TOO_LONG);
    // The end waits behind what the system has not taken yet, so it has the same limit; it is not forgotten.
    stream.set_write_timeout(None).unwrap();
    let reading = thread::spawn(move || io::copy(&mut &peer, &mut io::sink()).unwrap());
    stream.shutdown(Shutdown::Write).unwrap();
    // What was reported as written arrives, and no byte more.
    assert_eq!(reading.join().unwrap(), written as u64);
}

#[test]
fn each_half_ends_by_itself() {
    let (_client, mut stream, target) = silent();
    let (mut peer, _) = target.accept().unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut end = Vec::new();
    peer.read_to_end(&mut end).unwrap();
    assert!(end.is_empty() && stream.write(b"x").is_err());
    peer.write_all(b"still here").unwrap();
    let mut got = [0; 10];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here");
    let waiting = stream.try_clone().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send((&waiting).read(&mut [0; 1]).unwrap()).unwrap());
    assert_eq!(receiver.recv_timeout(LIMIT), Err(RecvTimeoutError::Timeout));
    stream.shutdown(Shutdown::Read).unwrap();
    assert_eq!((receiver.recv().unwrap(), stream.read(&mut got).unwrap()), (0, 0));
}

#[test]
fn clones_read_and_write_on_many_threads() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(target("localhost", port)).unwrap();
    let length = 3_000_000;
    let writer = stream.try_clone().unwrap();
    let writing = thread::spawn(move || {
        (&writer).write_all(&vec![1; length]).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut reader = stream.try_clone().unwrap();
            thread::spawn(move || io::copy(&mut reader, &mut io::sink()).unwrap())
        })
        .collect();
    drop(stream);
    let got: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    writing.join().unwrap();
    assert_eq!(got, length as u64);
}

#[test]
fn connecting_waiting_and_listening_end_in_time() {
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let _hole = BlackHole::stream(port);
    let client = lab.client(Mode::Off, Link::Wifi, &[&relay]);
    let error = client.connect_timeout(target("localhost", port), LIMIT).unwrap_err();
    assert_eq!(error, FlowError::TimedOut);
    let flow = client.datagrams(target(&TARGETS.to_string(), echo_datagrams())).unwrap();
    flow.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(flow.recv(&mut [0; 8]).unwrap_err().kind(), TOO_LONG);
    flow.send(b"echo").unwrap();
    assert_eq!(flow.recv(&mut [0; 8]).unwrap(), 4);
    drop(flow);
    let mut events = client.events();
    while events.recv_timeout(Duration::ZERO).is_ok() {}
    assert_eq!(events.recv_timeout(LIMIT), Err(RecvTimeoutError::Timeout));
    client.close();
    drop(client);
    events.by_ref().for_each(drop);
    assert_eq!(events.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_loop_of_ones_own_sends_a_line_and_gets_it_back() {
    let lab = Lab::new();
    let relay = lab.relay();
    let target = target("localhost", echo_stream());
    let mut answer = Vec::new();
    let config = lab.config(Mode::Normal, Link::Wifi, &[&relay]);
    own_loop::run(config, target, "hello", &mut answer).unwrap();
    assert_eq!(answer, b"hello\n");
    assert_eq!(relay.handle.stats().opened, 1);
}

/// In a process of its own, where no other test has a client.
#[test]
#[cfg(target_os = "linux")]
fn two_hundred_flows_need_one_thread_that_rests() {
    const INSIDE: &str = "WAYLEAVE_COUNT_THREADS";
    if std::env::var_os(INSIDE).is_none() {
        let mut counting = Command::new(std::env::current_exe().unwrap());
        counting.env(INSIDE, "1").args(["--exact", "two_hundred_flows_need_one_thread_that_rests"]);
        let output = counting.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let lab = Lab::new();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let target = target("localhost", port);
    let streams: Vec<_> = (0..100).map(|_| client.connect(target.clone()).unwrap()).collect();
    let flows: Vec<_> = (0..100).map(|_| client.datagrams("localhost:9").unwrap()).collect();
    assert_eq!(threads("wayleave").len(), 1);
    let mut events = client.events();
    let rest = Duration::from_millis(300);
    while events.recv_timeout(rest).is_ok() {}
    let before = worked("wayleave");
    events.recv_timeout(rest).unwrap_err();
    let worked = worked("wayleave") - before;
    assert!(worked < rest / 4, "{worked:?} of work while nothing happens");
    drop((client, streams, flows));
    let deadline = Instant::now() + Duration::from_secs(20);
    while threads("wayleave").len() + threads("wayleave-lookup").len() > 0 {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

/// The threads of this name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> Vec<PathBuf> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path());
    let is_named = |path: &PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|found| found.trim_end() == name)
    };
    tasks.filter(is_named).collect()
}

/// How long the threads of this name have used a processor.
#[cfg(target_os = "linux")]
fn worked(name: &str) -> Duration {
    let nanos = |path: PathBuf| -> u64 {
        let schedule = std::fs::read_to_string(path.join("schedstat")).unwrap();
        schedule.split(' ').next().unwrap().parse().unwrap()
    };
    Duration::from_nanos(threads(name).into_iter().map(nanos).sum())
}

const LIMIT: Duration = Duration::from_millis(50);
const TOO_LONG: io::ErrorKind =
    if cfg!(windows) { io::ErrorKind::TimedOut } else { io::ErrorKind::WouldBlock };

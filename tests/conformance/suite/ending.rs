//! Whatever is cancelled, dropped or closed leaves nothing behind.

use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use wayleave_proto::base::Link;
use wayleave_proto::client::FlowError;
use wayleave_proto::config::Mode;

use super::traffic::next;
use crate::kit::{Client, ClientKit, PATIENCE, RelayKit, Served, Stream};
use crate::lab::{
    Lab, accept, alone, beside, echo_datagrams, echo_stream, listener, localhost, raise_limit_of_files,
    wait_until,
};

pub(crate) fn an_attempt_that_is_cancelled_leaves_no_tunnel<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let (mut seed, mut cancelled) = (1, 0);
    let deadline = Instant::now() + PATIENCE;
    while cancelled < 50 {
        assert!(Instant::now() < deadline, "only {cancelled} attempts could be cancelled");
        let patience = Duration::from_micros(next(&mut seed) % 5_000);
        match client.connect_within(localhost(port), patience) {
            None => cancelled += 1,
            Some(stream) => drop(stream.unwrap()),
        }
    }
    wait_until(|| relay.stats(), |stats| stats.tunnels == 0);
    // The client is none the worse for it.
    let mut stream = client.connect(localhost(port)).unwrap();
    stream.writer.write_all(b"ping").unwrap();
    let mut pong = [0; 4];
    stream.reader.read_exact(&mut pong).unwrap();
    drop((stream, client));
    wait_until_empty(&relay);
}

pub(crate) fn a_thousand_flows_are_open_at_once<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = alone();
    raise_limit_of_files();
    let relay = lab.relay();
    let port = greets();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut streams = open_many(&*client, port);
    assert_eq!(relay.stats().tunnels, THOUSAND);
    for stream in &mut streams {
        let mut greeting = [0; 5];
        stream.reader.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"hello");
    }
    drop(streams);
    wait_until(|| relay.stats(), |stats| stats.tunnels == 0);
    drop(client);
    wait_until_empty(&relay);
}

/// Opens a thousand streams from as many threads as make sense.
fn open_many(client: &dyn Client, port: u16) -> Vec<Stream> {
    thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS)
            .map(|_| {
                let open = move |_| client.connect(localhost(port)).unwrap();
                scope.spawn(move || (0..THOUSAND / OPENERS).map(open).collect::<Vec<_>>())
            })
            .collect();
        openers.into_iter().flat_map(|opener| opener.join().unwrap()).collect()
    })
}

/// A target that greets everybody, and then waits for the end of each, on one thread.
fn greets() -> u16 {
    let (listener, port) = listener();
    thread::spawn(move || {
        let mut greeted = Vec::new();
        for _ in 0..THOUSAND {
            let mut stream = accept(&listener);
            stream.write_all(b"hello").unwrap();
            greeted.push(stream);
        }
        for mut stream in greeted {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    port
}

pub(crate) fn a_client_that_is_dropped_gives_everything_back<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let (listener, port) = listener();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut stream = client.connect(localhost(port)).unwrap();
    let mut accepted = accept(&listener);
    let flow = client.datagrams(localhost(echo_datagrams())).unwrap();
    flow.send(b"media").unwrap();
    assert_eq!(flow.recv().unwrap(), b"media");
    // Flows keep their client alive, and what was written is delivered when both are gone.
    drop((client, flow));
    accepted.write_all(b"still here").unwrap();
    let mut got = [0; 10];
    stream.reader.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here");
    stream.writer.write_all(b"farewell").unwrap();
    drop(stream);
    let mut farewell = String::new();
    accepted.read_to_string(&mut farewell).unwrap();
    assert_eq!(farewell, "farewell");
    drop(accepted);
    wait_until_empty(&relay);
    assert!(!relay.events.lock().unwrap().is_empty());
}

pub(crate) fn a_closed_client_wakes_whoever_waits<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let (listener, port) = listener();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let Stream { mut reader, writer, .. } = client.connect(localhost(port)).unwrap();
    let _accepted = accept(&listener);
    let (told, reading) = channel();
    thread::scope(|scope| {
        let read = scope.spawn(move || {
            told.send(()).unwrap();
            reader.read(&mut [0; 16])
        });
        reading.recv().unwrap();
        client.verbs().close();
        assert!(read.join().unwrap().is_err());
    });
    assert_eq!(client.connect(localhost(port)).err(), Some(FlowError::ClientClosed));
    drop((writer, client));
    wait_until_empty(&relay);
}

fn wait_until_empty(relay: &Served) {
    wait_until(|| relay.stats(), |stats| (stats.connections, stats.tunnels, stats.held) == (0, 0, 0));
}

const THOUSAND: usize = 1_000;
/// Threads that open flows.
const OPENERS: usize = 8;

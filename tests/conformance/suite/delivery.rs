//! What was written arrives, whatever ends; and every end wakes whoever waits for something.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

use wayleave_proto::base::Link;
use wayleave_proto::config::Mode;

use super::streams::wait_until_stalled;
use super::traffic::{pattern, read_all, write_all};
use crate::kit::{ClientKit, PATIENCE, RelayKit, Shared, Stream};
use crate::lab::{Lab, accept, beside, echo_stream, listener, localhost, straight, wait_until};

pub(crate) fn what_was_flushed_arrives_whatever_becomes_of_the_client<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let Stream { mut writer, .. } = client.connect(target(port)).unwrap();
        let mut accepted = accept(&listener);
        // Little enough for the systems in between, while the target reads nothing yet.
        let written = write_all(&mut *writer, 100_000).unwrap();
        writer.flush().unwrap();
        writer.finish().unwrap();
        client.verbs().close();
        assert_eq!(read_all(&mut accepted).unwrap(), written, "mode {mode}");
    }
}

pub(crate) fn a_drain_delivers_what_was_written_and_counts_what_it_cuts<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let Stream { mut writer, reader, .. } = client.connect(target(port)).unwrap();
        let mut accepted = accept(&listener);
        let reading = thread::spawn(move || read_all(&mut accepted).unwrap());
        let written = write_all(&mut *writer, 4_000_000).unwrap();
        drop((reader, writer));
        assert_eq!(client.drain(PATIENCE), 0, "mode {mode}");
        assert_eq!(reading.join().unwrap(), written, "mode {mode}");

        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = self::listener();
        let stream = client.connect(target(port)).unwrap();
        let _accepted = accept(&listener);
        assert_eq!(client.drain(Duration::from_millis(50)), 1, "mode {mode}: its target ends nothing");
        drop(stream);
    }
}

pub(crate) fn an_aborted_relay_leaves_no_tunnel_and_no_reader_behind<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let relay = lab.relay();
    let (listener, port) = listener();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut stream = client.connect(localhost(port)).unwrap();
    let mut accepted = accept(&listener);
    let abort = relay.abort.as_ref().expect("a task that can be ended");
    abort();
    assert!(stream.reader.read(&mut [0; 16]).is_err(), "no regular end");
    assert!(matches!(accepted.read(&mut [0; 16]), Ok(0) | Err(_)));
    wait_until(|| relay.stats(), |stats| (stats.connections, stats.tunnels) == (0, 0));
}

pub(crate) fn a_reset_wakes_a_reader_and_an_end_wakes_a_writer<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let echo = echo_stream();
        for _ in 0..10 {
            let stream = client.share(target(echo));
            thread::scope(|scope| {
                let (told, reading) = channel();
                let stream: &dyn Shared = &*stream;
                let reader = scope.spawn(move || {
                    stream.write(b"ping").unwrap();
                    assert!(stream.read(&mut [0; 16]).unwrap() > 0);
                    told.send(()).unwrap();
                    // The rest of the echo, if it was cut.
                    while stream.read(&mut [0; 16])? > 0 {}
                    Ok::<_, std::io::Error>(())
                });
                reading.recv().unwrap();
                stream.reset();
                let error = reader.join().unwrap().expect_err("nothing will come");
                assert_eq!(error.kind(), ErrorKind::NotConnected, "mode {mode}: {error}");
            });
        }
        let (listener, port) = listener();
        let stream = client.share(target(port));
        let _accepted = accept(&listener);
        thread::scope(|scope| {
            let (told, progress) = sync_channel(0);
            let stream: &dyn Shared = &*stream;
            let writer = scope.spawn(move || {
                let piece = pattern(65_536);
                loop {
                    match stream.write(&piece) {
                        Ok(_) => told.send(()).unwrap(),
                        Err(error) => return error,
                    }
                }
            });
            wait_until_stalled(progress);
            stream.finish();
            let error = writer.join().unwrap();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "mode {mode}: {error}");
        });
    }
}

//! Streams: every byte, both ends, and a reader that takes its time.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use wayleave_proto::base::{Link, Route};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::Mode;

use super::traffic::{exchange, pattern, read_all, write_all, write_and_finish, write_while};
use crate::kit::{ClientKit, PATIENCE, RelayKit, Stream};
use crate::lab::{Lab, Silence, accept, alone, beside, echo_stream, listener, localhost, straight};

pub(crate) fn a_large_stream_is_whole_both_ways<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>, length: usize) {
    let _turn = alone();
    let relay = lab.relay();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(localhost(echo_stream())).unwrap();
    assert_eq!(stream.route, Some(Route::Proxied));
    let (written, read) = exchange(stream, length);
    assert_eq!(written, read);
}

pub(crate) fn a_direct_stream_is_whole_both_ways<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let client = lab.client(Mode::Smart, Link::Wifi, &[&relay]);
    let stream = client.connect(straight(echo_stream())).unwrap();
    assert_eq!(stream.route, Some(Route::Direct));
    let (written, read) = exchange(stream, 1_000_000);
    assert_eq!(written, read);
    assert_eq!(relay.stats().opened, 0);
}

pub(crate) fn the_application_may_end_its_half_first<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let (listener, port) = listener();
    let Stream { mut reader, mut writer, .. } = client.connect(localhost(port)).unwrap();
    let mut accepted = accept(&listener);
    let written = write_and_finish(&mut *writer, 100_000);
    assert_eq!(read_all(&mut accepted).unwrap(), written);
    // The other half goes on as long as the target likes.
    let answer = write_all(&mut accepted, 100_000).unwrap();
    accepted.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut *reader).unwrap(), answer);
    assert_eq!(writer.write(b"more").expect_err("it is over").kind(), ErrorKind::BrokenPipe);
}

pub(crate) fn a_half_that_is_dropped_ends_as_one_that_is_shut_down<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let Stream { mut reader, mut writer, .. } = client.connect(target(port)).unwrap();
        let mut accepted = accept(&listener);
        let written = write_all(&mut *writer, 100_000).unwrap();
        drop(writer);
        assert_eq!(read_all(&mut accepted).unwrap(), written, "mode {mode}");
        let answer = write_all(&mut accepted, 100_000).unwrap();
        drop(accepted);
        assert_eq!(read_all(&mut *reader).unwrap(), answer, "mode {mode}");
    }
}

pub(crate) fn several_pieces_are_written_as_one<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let Stream { mut writer, .. } = client.connect(target(port)).unwrap();
        let mut accepted = accept(&listener);
        let pieces = [&b"head"[..], b"", b" and ", b"body"].map(IoSlice::new);
        assert_eq!(writer.write_vectored(&pieces).unwrap(), 13, "mode {mode}");
        assert_eq!(writer.write_vectored(&[IoSlice::new(b"")]).unwrap(), 0, "mode {mode}");
        // More than there is room for is taken in part, in the middle of a piece.
        let large = [pattern(50_000), pattern(200_000), pattern(1)];
        let taken = writer.write_vectored(&large.each_ref().map(|piece| IoSlice::new(piece))).unwrap();
        assert!((50_001..250_000).contains(&taken), "mode {mode}: {taken}");
        writer.finish().unwrap();
        let mut got = Vec::new();
        accepted.read_to_end(&mut got).unwrap();
        let expected = [&b"head and body"[..], &large.concat()[..taken]].concat();
        assert!(got == expected, "mode {mode}: {} bytes", got.len());
    }
}

pub(crate) fn an_attempt_that_takes_too_long_is_given_up<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let client = lab.client(Mode::Off, Link::Wifi, &[&relay]);
    let (port, _silence) = Silence::hides_stream(echo_stream);
    let began = Instant::now();
    let timeout = Duration::from_millis(200);
    assert_eq!(client.connect_timeout(localhost(port), timeout), Err(FlowError::TimedOut));
    assert!(began.elapsed() >= timeout);
    // Where there is an answer it is as without.
    client.connect_timeout(straight(port), PATIENCE).unwrap();
}

pub(crate) fn the_target_may_end_its_half_first<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let (listener, port) = listener();
    let Stream { mut reader, mut writer, .. } = client.connect(localhost(port)).unwrap();
    let mut accepted = accept(&listener);
    let greeting = write_all(&mut accepted, 100_000).unwrap();
    accepted.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut *reader).unwrap(), greeting);
    let written = write_and_finish(&mut *writer, 100_000);
    assert_eq!(read_all(&mut accepted).unwrap(), written);
}

pub(crate) fn a_reset_by_the_target_is_an_error_behind_the_last_byte<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let mut stream = client.connect(target(port)).unwrap();
        let mut accepted = accept(&listener);
        let bytes = pattern(10_000);
        accepted.write_all(&bytes).unwrap();
        reset(accepted);
        let mut got = Vec::new();
        let error = stream.reader.read_to_end(&mut got).expect_err("no regular end");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "mode {mode}: {error}");
        assert!(got == bytes, "mode {mode}: {} bytes", got.len());
    }
}

pub(super) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

pub(crate) fn a_slow_reader_slows_the_writer_down<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = alone();
    let relay = lab.relay();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let (listener, port) = listener();
    let Stream { mut reader, mut writer, .. } = client.connect(localhost(port)).unwrap();
    let mut accepted = accept(&listener);
    thread::scope(|scope| {
        let (told, progress) = sync_channel(0);
        let writing = scope.spawn(move || {
            let sum = write_while(&mut *writer, NO_END, || told.send(()).is_ok()).unwrap();
            writer.finish().unwrap();
            sum
        });
        wait_until_stalled(progress);
        assert!(relay.stats().held <= HELD, "{:?}", relay.stats());
        assert_eq!(read_all(&mut accepted).unwrap(), writing.join().unwrap());
    });
    thread::scope(|scope| {
        let (told, progress) = sync_channel(0);
        let writing = scope.spawn(move || {
            let sum = write_while(&mut accepted, NO_END, || told.send(()).is_ok()).unwrap();
            accepted.shutdown(Shutdown::Write).unwrap();
            sum
        });
        wait_until_stalled(progress);
        assert!(relay.stats().held <= HELD, "{:?}", relay.stats());
        assert_eq!(read_all(&mut *reader).unwrap(), writing.join().unwrap());
    });
}

/// Waits until a writer makes no progress, which it must long before its end. Afterwards it writes no further piece.
pub(super) fn wait_until_stalled(progress: Receiver<()>) {
    loop {
        match progress.recv_timeout(STALLED) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => panic!("everything was written while nobody read"),
        }
    }
}

/// Many times more than the systems on the way take into their buffers.
const NO_END: usize = 1 << 30;
/// A writer that makes no progress for this long is stalled.
const STALLED: Duration = Duration::from_millis(250);
/// What a relay may hold of one stream whose reader is slow: a buffer, the largest read on top of it, and the room to grow.
const HELD: usize = 4 * 64 * 1024;

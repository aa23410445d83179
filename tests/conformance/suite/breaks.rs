//! A connection that breaks is noticed at once, also by those who do not read ([RFC 9293 §3.10.7.4]).
//!
//! [RFC 9293 §3.10.7.4]: https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use wayleave_proto::base::Link;
use wayleave_proto::config::Mode;

use super::streams::{reset, wait_until_stalled};
use super::traffic::pattern;
use crate::kit::{ClientKit, RelayKit, Shared};
use crate::lab::{Lab, accept, beside, listener, localhost, straight, wait_until};

pub(crate) fn a_writer_that_does_not_read_learns_of_a_reset<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let stream = client.share(target(port));
        let mut accepted = accept(&listener);
        // Everything on the way is full of what nobody reads.
        fill(&mut accepted);
        stream.write(b"before").unwrap();
        reset(accepted);
        let began = Instant::now();
        let error = write_until_told(&*stream);
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "mode {mode}: {error}");
        assert!(began.elapsed() < AT_ONCE, "mode {mode}: {:?}", began.elapsed());
    }
}

pub(crate) fn a_target_that_does_not_read_learns_of_a_reset<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    for (mode, target) in [(Mode::Normal, localhost as fn(u16) -> _), (Mode::Off, straight)] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let (listener, port) = listener();
        let stream = client.share(target(port));
        let mut accepted = accept(&listener);
        thread::scope(|scope| {
            let (told, progress) = sync_channel(0);
            let stream: &dyn Shared = &*stream;
            let writer = scope.spawn(move || {
                let piece = pattern(65_536);
                while stream.write(&piece).is_ok() {
                    let _ = told.send(());
                }
            });
            wait_until_stalled(progress);
            stream.reset();
            writer.join().unwrap();
        });
        let began = Instant::now();
        while accepted.write_all(b"is anybody there?").is_ok() {
            assert!(began.elapsed() < AT_ONCE, "mode {mode}: nobody was told");
            thread::yield_now();
        }
    }
    wait_until(|| relay.stats(), |stats| stats.tunnels == 0);
}

/// Writes until nothing is taken any more.
fn fill(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(250))).unwrap();
    while stream.write(&pattern(65_536)).is_ok() {}
}

fn write_until_told(stream: &dyn Shared) -> std::io::Error {
    loop {
        match stream.write(b"a little") {
            Ok(_) => thread::yield_now(),
            Err(error) => return error,
        }
    }
}

/// What a machine under load may take to tell it; without being told it takes minutes.
const AT_ONCE: Duration = Duration::from_secs(5);

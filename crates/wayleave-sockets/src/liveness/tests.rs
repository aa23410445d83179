//! How connections are watched, and that nobody is ended who is there.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::*;

const LIVENESS: Liveness =
    Liveness { idle: Duration::from_secs(45), timeout: Duration::from_secs(15), peer: Peer::Pausing };

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let near = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
    (near, listener.accept().expect("its other end").0)
}

#[test]
fn a_silent_end_is_asked_as_often_as_was_said() {
    for peer in [Peer::Foreign, Peer::Pausing, Peer::Reading] {
        let (near, _far) = connection();
        watch(&near, &Liveness { peer, ..LIVENESS }).expect("it is watched");
        let socket = SockRef::from(&near);
        assert!(socket.keepalive().expect("an answer"), "{peer:?}");
        assert_eq!(socket.tcp_keepalive_time().expect("an answer"), Duration::from_secs(45));
        assert_eq!(socket.tcp_keepalive_interval().expect("an answer"), Duration::from_secs(5));
        assert_eq!(socket.tcp_keepalive_retries().expect("an answer"), 3);
    }
}

/// With a user timeout Linux would end this connection: it is what a paused video looks like.
#[test]
fn an_end_that_does_not_read_is_alive() {
    let (mut near, _far) = connection();
    watch(&near, &LIVENESS).expect("it is watched");
    assert_eq!(SockRef::from(&near).tcp_user_timeout().ok().flatten(), None);
    near.set_nonblocking(true).expect("it does not block");
    let begun = Instant::now();
    // Until nothing more is taken; the bound is that of the system's buffers.
    while near.write(&[0; 65_536]).is_ok() {}
    assert!(begun.elapsed() < LIVENESS.timeout);
    assert!(SockRef::from(&near).take_error().expect("an answer").is_none());
}

#[test]
fn an_end_that_always_reads_has_a_limit_on_every_system() {
    let (near, _far) = connection();
    watch(&near, &Liveness { peer: Peer::Reading, ..LIVENESS }).expect("it is watched");
    let has_limit = limit_repetition(&near, &LIVENESS).expect("an answer")
        || SockRef::from(&near).tcp_user_timeout().expect("an answer") == Some(LIVENESS.timeout);
    assert!(has_limit || !cfg!(target_os = "linux"));
}

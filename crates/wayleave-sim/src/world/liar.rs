//! Something with the certificate of a relay that answers every request in a way that serves nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use wayleave_proto::base::Instant;
use wayleave_proto::carrier::tls::{Acceptor, Session};

use crate::Tape;
use crate::stack::{Handle, Happened, Stack};

/// One that answers nonsense.
#[derive(Debug)]
pub(super) struct Liar {
    acceptor: Arc<dyn Acceptor>,
    sessions: BTreeMap<Handle, Box<dyn Session>>,
}

impl Liar {
    pub(super) fn new(acceptor: Arc<dyn Acceptor>) -> Self {
        Self { acceptor, sessions: BTreeMap::new() }
    }

    pub(super) fn happened(&mut self, now: Instant, stack: &mut Stack, tape: &mut Tape, happened: Happened) {
        match happened {
            Happened::Accepted(handle) => {
                if let Ok(session) = self.acceptor.accept() {
                    self.sessions.insert(handle, session);
                }
            }
            Happened::Readable(handle) | Happened::Writable(handle) => self.talk(now, stack, tape, handle),
            Happened::Failed(handle, _) => {
                stack.close(now, handle, false);
                self.sessions.remove(&handle);
            }
            Happened::Connected(_) | Happened::Datagram(..) => {}
        }
    }

    fn talk(&mut self, now: Instant, stack: &mut Stack, tape: &mut Tape, handle: Handle) {
        let Some(session) = self.sessions.get_mut(&handle) else { return };
        let mut bytes = stack.read(now, handle, usize::MAX);
        let failed = session.receive(&mut bytes).is_err();
        let asked = session.plaintext_len();
        session.consume(asked);
        if asked > 0 {
            session.send(&[&answer(tape)]);
            if tape.chance(128) {
                session.send_end();
            }
        }
        while !session.pending().is_empty() {
            let taken = stack.write(now, handle, session.pending());
            session.written(taken);
            if taken == 0 {
                break;
            }
        }
        // It leaves the connection open where it can, since whoever asks must find out by himself.
        if failed || stack.is_finished(handle) {
            stack.close(now, handle, false);
            self.sessions.remove(&handle);
        }
    }
}

/// No answer is one that opens a tunnel: whoever has the certificate could say anything inside of it.
fn answer(tape: &mut Tape) -> Vec<u8> {
    let said: &[u8] = match tape.below(13) {
        0 => b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        1 => b"HTTP/1.1 403 Forbidden\r\n\r\n",
        2 => b"HTTP/1.1 502 Bad Gateway\r\nProxy-Status: liar; error=dns_error\r\n\r\n",
        3 => b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        4 => b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\r\n",
        5 => b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 99999999999999999999\r\n\r\n",
        6 => b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://login.example/\r\n\r\n",
        7 => b"HTTP/1.1 20",
        8 => b"220 mail.example ESMTP\r\n\r\n",
        9 => b"\x00\xff\x00\xff\r\n\r\n\r\n",
        10 => return b"HTTP/1.1 100 Continue\r\n\r\n".repeat(200),
        11 => return [b"HTTP/1.1 200 OK\r\nX-Long: ".as_slice(), &[b'a'; 40_000]].concat(),
        _ => b"",
    };
    said.to_vec()
}

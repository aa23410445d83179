//! How a connection on HTTP/1.1 arrives: behind the header of a balancer or not, with TLS as its first word, then one request.

use super::Pipe;
use super::clear::Clear;
use super::downlink::{Downlink, KEY, State};
use crate::carrier::ConnectionFault;
use crate::carrier::downlink::{Io, Signal, Sinks};
use crate::carrier::transport::Transport;
use crate::codec::h1::parse_ask;
use crate::codec::http::Malformed;
use crate::codec::proxy_protocol::ProxyHeader;

impl Downlink {
    /// Counts bytes of a client that has no tunnel; `false` where they are more than is taken, and then it is gone.
    pub(super) fn takes_stray<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, bytes: usize) -> bool {
        let most = io.limits.stray;
        self.stray = self.stray.saturating_add(bytes);
        if self.stray <= most {
            return true;
        }
        if !matches!(self.state, State::Closing { .. }) {
            self.fail(ConnectionFault::TooMuch(most));
        }
        self.close(io, true);
        false
    }

    /// More of a balancer's header has come; what stands behind it is its client's.
    pub(super) fn on_preface<R: Copy, E>(&mut self, data: &[u8], io: &mut Io<'_, R, E>) {
        let (deadline, header) = match &mut self.state {
            State::Preface { deadline, header } => (*deadline, header),
            State::Admission { rest, .. } => return rest.extend_from_slice(data),
            _ => return,
        };
        header.extend_from_slice(data);
        match ProxyHeader::read(header) {
            Ok(Some(read)) => {
                let rest = header.split_off(read.length);
                self.state = State::Admission { deadline, rest };
                self.signal(Signal::Client(read.client));
            }
            Ok(None) => {}
            Err(error) => self.fail_at_once(io, ConnectionFault::ProxyHeader(error)),
        }
    }

    pub(crate) fn admit<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, sinks: &mut impl Sinks) {
        let State::Admission { deadline, rest } = &mut self.state else { return };
        let (deadline, mut rest) = (*deadline, core::mem::take(rest));
        self.state = State::Handshake { deadline, begun: false };
        if !rest.is_empty() {
            self.handle_received(io, sinks, &mut rest);
        }
    }

    /// Looks at the first bytes where TLS should begin; `false` where they are something else, which is answered in its own
    /// words. No TLS record begins with a letter.
    pub(super) fn begins_tls<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, data: &[u8]) -> bool {
        let State::Handshake { begun, .. } = &mut self.state else { return true };
        if core::mem::replace(begun, true) {
            return true;
        }
        if ProxyHeader::begins(data) {
            self.fail_at_once(io, ConnectionFault::ProxyHeaderUnwanted);
            false
        } else if data.first().is_some_and(u8::is_ascii_alphabetic) {
            self.answer_in_the_clear(io);
            false
        } else {
            true
        }
    }

    fn answer_in_the_clear<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.fail(ConnectionFault::NotEncrypted);
        let transport = Transport::new(self.pipe.transport.socket, Box::new(Clear::default()));
        self.pipe = Pipe::new(transport, io.limits.head);
        self.send_refusal(io, 400, SPEAK_TLS);
        self.linger(io);
    }

    fn fail_at_once<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, fault: ConnectionFault) {
        self.fail(fault);
        self.close(io, true);
    }

    pub(super) fn on_handshake<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if !self.pipe.session().is_handshaking() {
            self.state = State::Head { deadline: io.now + io.limits.head_timeout };
            self.on_head(io);
        }
    }

    pub(super) fn on_head<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        let ask = match self.pipe.read_head() {
            Ok(Some(head)) => parse_ask(head, &io.limits.head),
            Ok(None) => {
                // The rest of the head may come, but not behind a close_notify.
                if self.pipe.session().is_finished() {
                    self.close(io, false);
                }
                return;
            }
            Err(error) => Err(error),
        };
        self.pipe.end_head();
        self.state = State::Asked { kind: ask.as_ref().ok().and_then(|ask| ask.want.kind()) };
        self.signal(Signal::Asked(KEY, Box::new(ask.map_err(Malformed::from))));
    }

    pub(super) fn on_too_slow<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, what: &'static str) {
        if self.pipe.has_begun_head() {
            self.fail(ConnectionFault::TooSlow("request"));
            self.send_refusal(io, 408, "The request took too long.\n");
            return self.linger(io);
        }
        // A client that keeps a connection ready and does not use it is no fault.
        if !matches!(self.state, State::Head { .. }) {
            self.fail(ConnectionFault::TooSlow(what));
        }
        self.close(io, false);
    }
}

/// For those who took the port for one without TLS.
const SPEAK_TLS: &str =
    "This port speaks TLS: name the proxy as https://HOST:PORT (curl: --proxy https://HOST:PORT).\n";

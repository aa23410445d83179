//! The last answer: what a client may know, and how its connection ends.

use super::connection::{Connection, State};
use super::{CloseReason, ConnectionFault, ConnectionId, RefuseReason, Relay, What};
use crate::auth::Challenge;
use crate::base::Target;
use crate::codec::h1::encode_answer;
use crate::codec::http::{Answer, Refusal};
use crate::codec::proxy_status::{ProxyError, ProxyStatus};
use crate::error::IoFailure;
use crate::net::Fault;
use crate::policy::Denied;

impl Relay {
    /// Answers a request with a refusal; nothing behind it on this connection is read (RFC 9931).
    pub(super) fn refuse(&mut self, id: ConnectionId, target: Option<Target>, reason: RefuseReason) {
        let mut refusal = refusal_of(&reason);
        let challenge = match &reason {
            RefuseReason::NoToken => Some(Challenge::Missing),
            RefuseReason::Authorization(_) | RefuseReason::Token(_) => Some(Challenge::Invalid),
            _ => None,
        };
        refusal.challenges = challenge.map(|it| it.field_values(Challenge::REALM).into()).unwrap_or_default();
        self.stats.refused += 1;
        self.tell(id, What::Refused { status: refusal.status, target, reason });
        self.send_refusal(id, refusal);
    }

    /// The last answer on a connection.
    pub(super) fn send_refusal(&mut self, id: ConnectionId, refusal: Refusal) {
        let mut head = Vec::new();
        encode_answer(&mut head, None, &Answer::Refused(refusal));
        if let Some(connection) = self.connections.get_mut(id) {
            connection.pipe.session().send(&[&head]);
        }
        self.linger(id);
    }

    /// A head that began and did not end in time.
    pub(super) fn refuse_slow(&mut self, id: ConnectionId) {
        self.tell(id, What::ConnectionFailed { reason: ConnectionFault::TooSlow("request") });
        let body = "The request took too long.\n".into();
        self.send_refusal(id, Refusal { status: 408, body, ..Refusal::default() });
    }

    /// Ends our half and waits a while for the client to end its own, so that the last answer is not lost to a reset
    /// (RFC 9112 §9.6).
    pub(super) fn linger(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.pipe.session().send_end();
        }
        self.part(id);
    }

    /// Writes what is pending, then ends our half; without a close_notify before it the client knows that bytes are
    /// missing behind those that came.
    pub(super) fn part(&mut self, id: ConnectionId) {
        let deadline = self.now + self.config.limits.linger;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let socket = connection.socket;
        let before = core::mem::replace(&mut connection.state, State::Closing { deadline });
        connection.stray = 0;
        self.requests.pending(socket);
        self.requests.finish(socket);
        self.requests.pause(socket, false);
        self.timers.set(id, Some(deadline));
        self.give_up(before);
        self.count(id);
        self.settle_closing(id);
    }

    /// Closes a connection whose halves have both ended, once the last answer is written.
    pub(super) fn settle_closing(&mut self, id: ConnectionId) {
        let is_over = |connection: &Connection| {
            let is_closing = matches!(connection.state, State::Closing { .. });
            is_closing && connection.ended.is_some() && connection.pipe.pending_len() == 0
        };
        if self.connections.get(id).is_some_and(is_over) {
            self.drop_connection(id, false);
        }
    }

    /// The client's side broke.
    pub(super) fn on_client_gone(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        match &connection.state {
            State::Handshake { .. } | State::Preface { .. } => {
                self.tell(id, What::ConnectionFailed { reason: ConnectionFault::ClosedEarly });
            }
            // What the client ended regularly, and the target's socket has taken, is still the target's.
            State::Tunnel(_) => self.end_tunnel(id, CloseReason::ClientGone, !connection.has_delivered()),
            State::Closing { .. } | State::Dialling(_) | State::Head { .. } | State::Verifying { .. } => {}
        }
        self.drop_connection(id, true);
    }
}

/// What a client may know of a reason.
fn refusal_of(reason: &RefuseReason) -> Refusal {
    use ProxyError as E;
    let refusal = |status, error: Option<ProxyError>, body: &'static str| Refusal {
        status,
        proxy_status: error.map(ProxyStatus::failed),
        body: body.into(),
        ..Refusal::default()
    };
    match reason {
        RefuseReason::NoToken => refusal(407, None, "Give a token: Proxy-Authorization: Bearer TOKEN.\n"),
        RefuseReason::Authorization(_) | RefuseReason::Token(_) => {
            refusal(407, None, "The token was not accepted.\n")
        }
        RefuseReason::TooManyFailures(_) => {
            let body = "Too many failed attempts from your address.\n";
            Refusal { retry_after: Some(1), ..refusal(429, None, body) }
        }
        RefuseReason::TooManyTunnels { .. } => {
            let error = Some(E::ConnectionLimitReached);
            Refusal { retry_after: Some(1), ..refusal(429, error, "Too many tunnels for this token.\n") }
        }
        RefuseReason::TooManyLookups(_) => {
            let body = "Too many names of this token are being looked up.\n";
            Refusal { retry_after: Some(1), ..refusal(429, Some(E::ProxyInternalResponse), body) }
        }
        RefuseReason::LookupOverload(_) => {
            let body = "The relay is looking up too many names.\n";
            Refusal { retry_after: Some(1), ..refusal(503, Some(E::ProxyInternalResponse), body) }
        }
        RefuseReason::VolumeSpent { .. } => refusal(429, None, "This token has moved as much as it may.\n"),
        RefuseReason::TooManyToVerify(_) | RefuseReason::Unverified => {
            let body = "The relay cannot check tokens at the moment.\n";
            Refusal { retry_after: Some(1), ..refusal(503, Some(E::ProxyInternalError), body) }
        }
        RefuseReason::Overload(_) => {
            let error = Some(E::ConnectionLimitReached);
            Refusal { retry_after: Some(1), ..refusal(503, error, "The relay is overloaded.\n") }
        }
        RefuseReason::Draining => {
            let error = Some(E::DestinationUnavailable);
            Refusal { retry_after: Some(1), ..refusal(503, error, "The relay is stopping.\n") }
        }
        RefuseReason::Denied(denied) if denied.is_address() => {
            refusal(403, Some(E::DestinationIpProhibited), "The relay does not forward to this address.\n")
        }
        RefuseReason::Denied(Denied::Scope(_)) => {
            refusal(403, Some(E::HttpRequestDenied), "This token does not lead to this target.\n")
        }
        RefuseReason::Denied(_) => {
            refusal(403, Some(E::HttpRequestDenied), "The relay does not forward to this port.\n")
        }
        RefuseReason::Exhausted(_) => {
            let body = "The relay itself lacks what this takes at the moment; the target was not asked.\n";
            Refusal { retry_after: Some(1), ..refusal(503, Some(E::ProxyInternalError), body) }
        }
        RefuseReason::Unreachable(fault) => {
            let (status, error) = unreachable(fault);
            let rcode = if let Fault::Io(failed) = fault { failed.rcode() } else { None };
            let proxy_status = Some(ProxyStatus::failed(error).with_rcode(rcode));
            Refusal { proxy_status, ..refusal(status, None, "The target could not be reached.\n") }
        }
        RefuseReason::Malformed(error) => Refusal {
            body: format!("{error}. {HINT}\n").into(),
            ..refusal(error.status, Some(E::HttpRequestError), "")
        },
    }
}

fn unreachable(fault: &Fault) -> (u16, ProxyError) {
    let Fault::Io(failed) = fault else { return (502, ProxyError::ProxyInternalError) };
    match failed.failure {
        IoFailure::ConnectionRefused => (502, ProxyError::ConnectionRefused),
        IoFailure::ConnectionReset => (502, ProxyError::ConnectionTerminated),
        IoFailure::Exhausted(_) => (503, ProxyError::ProxyInternalError),
        IoFailure::NameEmpty | IoFailure::NameFailed | IoFailure::NameRefused | IoFailure::NameUnknown => {
            (502, ProxyError::DnsError)
        }
        IoFailure::NameUnanswered => (504, ProxyError::DnsTimeout),
        IoFailure::TimedOut => (504, ProxyError::ConnectionTimeout),
        IoFailure::Unreachable | IoFailure::PermissionDenied => (502, ProxyError::DestinationIpUnroutable),
        IoFailure::Other => (502, ProxyError::DestinationUnavailable),
    }
}

/// For those who took the relay for a web server, or for a proxy that fetches pages.
const HINT: &str = "This is a relay for tunnels: ask with CONNECT (curl: --proxytunnel), or with CONNECT-UDP";

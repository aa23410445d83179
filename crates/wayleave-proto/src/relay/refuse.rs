//! Refusals: what a client may know of a reason.

use super::ledger::Ledger;
use super::tunnel::TunnelId;
use super::{RefuseReason, Relay, What};
use crate::auth::Challenge;
use crate::base::Target;
use crate::codec::http::{Answer, Refusal};
use crate::codec::proxy_status::{ProxyError, ProxyStatus};
use crate::error::IoFailure;
use crate::net::Fault;
use crate::policy::Denied;

impl<L: Ledger> Relay<L> {
    /// Answers a request with a refusal.
    pub(super) fn refuse(&mut self, id: TunnelId, target: Option<Target>, reason: RefuseReason) {
        let mut refusal = refusal_of(&reason);
        let challenge = match &reason {
            RefuseReason::NoToken => Some(Challenge::Missing),
            RefuseReason::Authorization(_) | RefuseReason::Token(_) => Some(Challenge::Invalid),
            _ => None,
        };
        refusal.challenges = challenge.map(|it| it.field_values(Challenge::REALM).into()).unwrap_or_default();
        refusal.echo = self.echo_of(id);
        self.stats.refused.count(refusal.status);
        self.stats.dial_errors.count(&reason);
        self.tell(id, What::Refused { status: refusal.status, target, reason });
        self.answer_last(id, &Answer::Refused(refusal));
    }

    /// Answers a request that opens no tunnel, and forgets it.
    pub(super) fn answer_last(&mut self, id: TunnelId, answer: &Answer) {
        let Some((connection, key)) = self.carrier(id) else { return };
        self.remove_tunnel(id);
        self.with_downlink(connection, |downlink, io| downlink.answer(io, key, answer));
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
        RefuseReason::ConnectionFull(_) => {
            let error = Some(E::ConnectionLimitReached);
            Refusal { retry_after: Some(1), ..refusal(429, error, "Too many tunnels on this connection.\n") }
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
        RefuseReason::Echo => refusal(
            403,
            Some(E::HttpRequestDenied),
            "This relay has no echo, or none of that kind and port.\n",
        ),
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

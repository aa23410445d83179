//! Events as sentences for the log.

use std::time::Duration;

use wayleave_proto::base::Kind;
use wayleave_proto::carrier::tls::TlsError;
use wayleave_proto::client::{CloseReason, FlowError, ProxyFault, What};
use wayleave_proto::net::Fault;
use wayleave_proto::route::Blocked;

/// How much a sentence matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// One of many.
    Detail,
    /// Something changed.
    News,
    /// Somebody has to do something, or will soon.
    Warning,
}

/// What to say of `what`; `None` for what this version does not know.
pub(super) fn sentence(what: &What) -> Option<(Weight, String)> {
    Some(match what {
        What::Blocked { kind, target, what, pause } => {
            let what = match what {
                Blocked::Host => format!("to {target}"),
                Blocked::Port => format!("to port {}", target.port),
            };
            let text = format!(
                "{} {what} proxied: direct is blocked there on this network; one tries again after {}",
                go(Some(*kind)),
                span(*pause)
            );
            (Weight::News, text)
        }
        What::DirectConnected { kind, proof, elapsed } => {
            (Weight::News, format!("{} direct: {proof} after {}", go(*kind), span(*elapsed)))
        }
        What::FlowClosed { flow, kind, target, sent, received, reason } => {
            let weight = match reason {
                CloseReason::Failed(FlowError::NoProxy(_)) => Weight::Warning,
                CloseReason::Failed(error) if *error != FlowError::Closed => Weight::News,
                _ => Weight::Detail,
            };
            let text = format!(
                "{kind} {flow} to {target} closed after {sent} bytes out and {received} bytes in: {}",
                close_reason(reason)
            );
            (weight, text)
        }
        What::FlowMoved { flow, route } => (Weight::Detail, format!("{flow} goes on {route}")),
        What::FlowOpened { flow, kind, target, route, elapsed } => {
            (Weight::Detail, format!("{kind} {flow} to {target} opened {route} in {}", span(*elapsed)))
        }
        What::NetworkChanged { network } if network.up => {
            (Weight::News, format!("the network changed: link {}", network.link))
        }
        What::NetworkChanged { .. } => (Weight::News, "the network is down".into()),
        What::ProofFailed { kind, failure } => (
            Weight::News,
            format!("{} direct no longer for certain: {failure}; a new trial follows", go(*kind)),
        ),
        What::ProxyConnected { proxy, carrier, elapsed } => {
            (Weight::Detail, format!("connected to proxy {proxy} ({carrier}) in {}", span(*elapsed)))
        }
        What::ProxyFailed { proxy, carrier, error } => {
            (Weight::Warning, format!("proxy {proxy} ({carrier}) failed: {error}{}", remedy(error)))
        }
        What::Rescuing { flow, kind, target, reason } => {
            (Weight::Detail, format!("{kind} {flow} to {target} is taken to a relay: {reason}"))
        }
        What::Retrying { flow, kind, target, after, error } => {
            let name = flow.map_or_else(|| "probe".into(), |flow| flow.to_string());
            (Weight::Detail, format!("{kind} {name} to {target} is tried again in {}: {error}", span(*after)))
        }
        What::RouteChanged { kind, from, to, reason, link } => {
            (Weight::News, format!("{} {to} instead of {from}: {reason} (link {link})", go(*kind)))
        }
        What::StayingDirect { kind, link } => {
            (Weight::News, format!("{} direct still: nothing was proven, but the link is {link}", go(*kind)))
        }
        What::TokenUnheard { proxy, tunnels } => (
            Weight::Warning,
            format!(
                "{tunnels} tunnels through {proxy} run on a machine that the renewed token has not reached; they may end with \
                 the old one: let the balancer in front of it spread new connections, or give its machines names of their own"
            ),
        ),
        What::TrialStarted { kind, link, length } => (
            Weight::News,
            format!("{} on trial: direct is tried for {} (link {link})", plural(*kind), span(*length)),
        ),
        _ => return about_client(what),
    })
}

/// What concerns the client and its machine as a whole.
fn about_client(what: &What) -> Option<(Weight, String)> {
    Some(match what {
        What::CredentialAccepted { proxy } => {
            (Weight::News, format!("proxy {proxy} has accepted the token or app sign"))
        }
        What::Overflowed { flow, target, dropped } => (
            Weight::Warning,
            format!(
                "the system dropped {dropped} datagrams of {flow} from {target} that came too fast (net.core.rmem_max)"
            ),
        ),
        What::SystemLacks { resource } => (
            Weight::Warning,
            format!("{resource}; nothing is concluded from that about networks, targets and proxies"),
        ),
        What::SystemRecovered { resource, failures, lasted } => (
            Weight::News,
            format!(
                "what was lacking is there again ({resource}): {failures} attempts failed in {}",
                span(*lasted)
            ),
        ),
        What::TokenAccepted { proxy } => {
            (Weight::News, format!("proxy {proxy} goes on with the renewed token for the tunnels that run"))
        }
        What::TokenExpiring { left } if left.is_zero() => {
            (Weight::Warning, "the token has expired: relays will refuse it until it is renewed".into())
        }
        What::TokenExpiring { left } => {
            (Weight::Warning, format!("the token expires in {}: renew it", span(*left)))
        }
        // What a later version of the core adds.
        _ => return None,
    })
}

/// The reason; what each proxy said with what helps against it.
fn close_reason(reason: &CloseReason) -> String {
    match reason {
        CloseReason::Failed(FlowError::NoProxy(said)) if !said.is_empty() => {
            let said: Vec<String> =
                said.iter().map(|(proxy, fault)| format!("{proxy}: {fault}{}", remedy(fault))).collect();
            format!("no proxy could be used: {}", said.join("; "))
        }
        reason => reason.to_string(),
    }
}

/// How the options of the agent help against what a proxy said.
fn remedy(fault: &ProxyFault) -> &'static str {
    match fault {
        ProxyFault::Connection(Fault::Tls(
            TlsError::CertificateNotTrusted { .. } | TlsError::CertificateRejected { .. },
        )) => " (--ca FILE names the CA to trust; a relay with --self-signed DIR has DIR/ca.pem)",
        ProxyFault::Refused { status: 407 } | ProxyFault::TokenExpired { .. } => {
            " (write a new token to the file of --token-file)"
        }
        ProxyFault::AppSignRefused => " (`wayleave token app-sign` prints what the relay's key file needs)",
        _ => "",
    }
}

const fn plural(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Datagram) => "datagrams",
        Some(Kind::Stream) => "streams",
        None => "streams and datagrams",
    }
}

fn go(kind: Option<Kind>) -> String {
    format!("{} go", plural(kind))
}

fn span(span: Duration) -> String {
    let ms = span.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        1_000..120_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} min", ms / 60_000),
    }
}

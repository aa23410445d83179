//! What a client tells, as sentences.

use core::fmt;
use core::time::Duration;

use super::{Event, What};
use crate::base::Kind;
use crate::route::Blocked;

/// The moment, and what happened.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.what)
    }
}

/// One line without a full stop.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked { kind, target, what, pause } => {
                write!(f, "{} go ", plural(Some(*kind)))?;
                match what {
                    Blocked::Host => write!(f, "to {target}")?,
                    Blocked::Port => write!(f, "to port {}", target.port)?,
                }
                let pause = Span(*pause);
                write!(f, " proxied: direct is blocked there on this network; one tries again after {pause}")
            }
            Self::DirectConnected { kind, proof, elapsed } => {
                write!(f, "{} go direct: {proof} after {}", plural(*kind), Span(*elapsed))
            }
            Self::FlowClosed { flow, kind, target, sent, received, reason } => write!(
                f,
                "{kind} {flow} to {target} closed after {sent} bytes out and {received} bytes in: {reason}"
            ),
            Self::FlowMoved { flow, route } => write!(f, "{flow} goes on {route}"),
            Self::FlowOpened { flow, kind, target, route, elapsed } => {
                write!(f, "{kind} {flow} to {target} opened {route} in {}", Span(*elapsed))
            }
            Self::NetworkChanged { network } if network.up => {
                write!(f, "the network changed: link {}", network.link)
            }
            Self::NetworkChanged { .. } => f.write_str("the network is down"),
            Self::ProofFailed { kind, failure } => {
                write!(f, "{} go direct no longer for certain: {failure}; a new trial follows", plural(*kind))
            }
            Self::Rescuing { flow, kind, target, reason } => {
                write!(f, "{kind} {flow} to {target} is taken to a relay: {reason}")
            }
            Self::Retrying { flow, kind, target, after, error } => {
                write!(f, "{kind} ")?;
                match flow {
                    Some(flow) => write!(f, "{flow}")?,
                    None => f.write_str("probe")?,
                }
                write!(f, " to {target} is tried again in {}: {error}", Span(*after))
            }
            Self::RouteChanged { kind, from, to, reason, link } => {
                write!(f, "{} go {to} instead of {from}: {reason} (link {link})", plural(*kind))
            }
            Self::StayingDirect { kind, link } => {
                write!(f, "{} go direct still: nothing was proven, but the link is {link}", plural(*kind))
            }
            Self::TrialStarted { kind, link, length } => {
                let length = Span(*length);
                write!(f, "{} on trial: direct is tried for {length} (link {link})", plural(*kind))
            }
            Self::Overflowed { flow, target, dropped } => write!(
                f,
                "the system dropped {dropped} datagrams of {flow} from {target} that came too fast (net.core.rmem_max)"
            ),
            Self::SystemLacks { resource } => {
                write!(f, "{resource}; nothing is concluded from that about networks, targets and proxies")
            }
            Self::SystemRecovered { resource, failures, lasted } => write!(
                f,
                "what was lacking is there again ({resource}): {failures} attempts failed in {}",
                Span(*lasted)
            ),
            what => what.fmt_proxy(f),
        }
    }
}

impl What {
    /// What concerns proxies and the credential.
    fn fmt_proxy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialAccepted { proxy } => {
                write!(f, "proxy {proxy} has accepted the token or app sign")
            }
            Self::ProxyConnected { proxy, via: Some(via), carrier, elapsed } => {
                write!(f, "connected to proxy {proxy} ({carrier}) through {via} in {}", Span(*elapsed))
            }
            Self::ProxyConnected { proxy, via: None, carrier, elapsed } => {
                write!(f, "connected to proxy {proxy} ({carrier}) in {}", Span(*elapsed))
            }
            Self::ProxyFailed { proxy, carrier, error } => {
                write!(f, "proxy {proxy} ({carrier}) failed: {error}")
            }
            Self::TokenAccepted { proxy } => {
                write!(f, "proxy {proxy} goes on with the renewed token for the tunnels that run")
            }
            Self::TokenExpiring { left } if left.is_zero() => {
                f.write_str("the token has expired: relays will refuse it until it is renewed")
            }
            Self::TokenExpiring { left } => write!(f, "the token expires in {}: renew it", Span(*left)),
            Self::TokenUnheard { proxy, tunnels } => write!(
                f,
                "{tunnels} tunnels through {proxy} run on a machine that the renewed token has not reached; they may end with \
                 the old one: let the balancer in front of it spread new connections, or give its machines names of their own"
            ),
            // Told above.
            _ => Ok(()),
        }
    }
}

pub(super) const fn plural(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Datagram) => "datagrams",
        Some(Kind::Stream) => "streams",
        None => "streams and datagrams",
    }
}

/// A length of time, as a person says it.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            0..1_000 => write!(f, "{ms} ms"),
            1_000..120_000 if ms.is_multiple_of(1_000) => write!(f, "{} s", ms / 1_000),
            1_000..120_000 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            _ => write!(f, "{} min", ms / 60_000),
        }
    }
}

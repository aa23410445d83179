//! Events as JSON.

use std::time::Duration;

use serde::Serialize;
use wayleave_proto::base::{Kind, Target};
use wayleave_proto::carrier::Carrier;
use wayleave_proto::client::{CloseReason, Event, RescueReason, What};
use wayleave_proto::config::Via;
use wayleave_proto::route::{Blocked, Failure, Proof, RouteReason};

/// One line of the events file.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// Milliseconds since the start.
    t_ms: f64,
    #[serde(flatten)]
    fact: Fact,
}

/// What happened; times that end in `_ms` are milliseconds, those in `_s` seconds.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Fact {
    Blocked {
        kind: &'static str,
        target: String,
        what: &'static str,
        pause_s: f64,
    },
    CredentialAccepted {
        proxy: String,
    },
    DirectConnected {
        kind: &'static str,
        proof: &'static str,
        ms: f64,
    },
    FlowClosed {
        id: String,
        kind: &'static str,
        target: String,
        sent: u64,
        received: u64,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    FlowMoved {
        id: String,
        route: String,
    },
    FlowOpened {
        id: String,
        kind: &'static str,
        target: String,
        route: String,
        ms: f64,
    },
    NetworkChanged {
        link: String,
        up: bool,
    },
    ProofFailed {
        kind: &'static str,
        reason: &'static str,
        failure: String,
    },
    Overflowed {
        id: String,
        target: String,
        dropped: u64,
    },
    ProxyConnected {
        proxy: String,
        /// The proxy of the network that led there.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<String>,
        carrier: String,
        ms: f64,
    },
    ProxyFailed {
        proxy: String,
        carrier: String,
        error: String,
    },
    Rescuing {
        id: String,
        kind: &'static str,
        target: String,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Retrying {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        kind: &'static str,
        target: String,
        after_ms: f64,
        error: String,
    },
    RouteChanged {
        kind: &'static str,
        from: String,
        to: String,
        reason: &'static str,
        link: String,
    },
    StayingDirect {
        kind: &'static str,
        link: String,
    },
    SystemLacks {
        resource: &'static str,
    },
    SystemRecovered {
        resource: &'static str,
        failures: u64,
        ms: f64,
    },
    TokenAccepted {
        proxy: String,
    },
    TokenExpiring {
        left_s: f64,
    },
    TokenUnheard {
        proxy: String,
        tunnels: usize,
    },
    TrialStarted {
        kind: &'static str,
        link: String,
        trial_ms: f64,
    },
}

impl Line {
    /// The line of `event`; `None` for what this version does not know.
    pub(super) fn new(event: &Event) -> Option<Self> {
        Some(Self { t_ms: tenths(event.at.as_nanos()), fact: fact(&event.what)? })
    }

    /// The JSON, with its line end.
    pub(super) fn to_json(&self) -> String {
        // Text and finite numbers cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

fn fact(what: &What) -> Option<Fact> {
    Some(match what {
        What::Blocked { kind, target, what, pause } => Fact::Blocked {
            kind: word(Some(*kind)),
            target: target.to_string(),
            what: blocked_word(*what),
            pause_s: ms(*pause) / 1_000.0,
        },
        What::DirectConnected { kind, proof, elapsed } => {
            Fact::DirectConnected { kind: word(*kind), proof: proof_word(*proof), ms: ms(*elapsed) }
        }
        What::FlowClosed { flow, kind, target, sent, received, reason } => {
            let (reason, error) = reason_word(reason);
            Fact::FlowClosed {
                id: flow.to_string(),
                kind: word(Some(*kind)),
                target: target.to_string(),
                sent: *sent,
                received: *received,
                reason,
                error,
            }
        }
        What::FlowMoved { flow, route } => Fact::FlowMoved { id: flow.to_string(), route: route.to_string() },
        What::FlowOpened { flow, kind, target, route, elapsed } => Fact::FlowOpened {
            id: flow.to_string(),
            kind: word(Some(*kind)),
            target: target.to_string(),
            route: route.to_string(),
            ms: ms(*elapsed),
        },
        What::ProofFailed { kind, failure } => Fact::ProofFailed {
            kind: word(*kind),
            reason: failure_word(*failure),
            failure: failure.to_string(),
        },
        What::ProxyConnected { proxy, via, carrier, elapsed } => {
            connected(proxy, via.as_ref(), *carrier, *elapsed)
        }
        What::ProxyFailed { proxy, carrier, error } => Fact::ProxyFailed {
            proxy: proxy.to_string(),
            carrier: carrier.to_string(),
            error: error.to_string(),
        },
        What::Rescuing { flow, kind, target, reason } => {
            let (reason, error) = rescue_word(reason);
            Fact::Rescuing {
                id: flow.to_string(),
                kind: word(Some(*kind)),
                target: target.to_string(),
                reason,
                error,
            }
        }
        What::Retrying { flow, kind, target, after, error } => Fact::Retrying {
            id: flow.map(|flow| flow.to_string()),
            kind: word(Some(*kind)),
            target: target.to_string(),
            after_ms: ms(*after),
            error: error.to_string(),
        },
        What::RouteChanged { kind, from, to, reason, link } => Fact::RouteChanged {
            kind: word(*kind),
            from: from.to_string(),
            to: to.to_string(),
            reason: route_reason_word(*reason),
            link: link.to_string(),
        },
        What::StayingDirect { kind, link } => {
            Fact::StayingDirect { kind: word(*kind), link: link.to_string() }
        }
        What::TokenUnheard { proxy, tunnels } => {
            Fact::TokenUnheard { proxy: proxy.to_string(), tunnels: *tunnels }
        }
        What::TrialStarted { kind, link, length } => {
            Fact::TrialStarted { kind: word(*kind), link: link.to_string(), trial_ms: ms(*length) }
        }
        _ => return about_client(what),
    })
}

fn connected(proxy: &Target, via: Option<&Via>, carrier: Carrier, elapsed: Duration) -> Fact {
    let via = via.map(ToString::to_string);
    Fact::ProxyConnected { proxy: proxy.to_string(), via, carrier: carrier.to_string(), ms: ms(elapsed) }
}

/// What concerns the client and its machine as a whole.
fn about_client(what: &What) -> Option<Fact> {
    Some(match what {
        What::CredentialAccepted { proxy } => Fact::CredentialAccepted { proxy: proxy.to_string() },
        What::NetworkChanged { network } => {
            Fact::NetworkChanged { link: network.link.to_string(), up: network.up }
        }
        What::Overflowed { flow, target, dropped } => {
            Fact::Overflowed { id: flow.to_string(), target: target.to_string(), dropped: *dropped }
        }
        What::SystemLacks { resource } => Fact::SystemLacks { resource: resource.name() },
        What::SystemRecovered { resource, failures, lasted } => {
            Fact::SystemRecovered { resource: resource.name(), failures: *failures, ms: ms(*lasted) }
        }
        What::TokenAccepted { proxy } => Fact::TokenAccepted { proxy: proxy.to_string() },
        What::TokenExpiring { left } => Fact::TokenExpiring { left_s: ms(*left) / 1_000.0 },
        // What a later version of the core adds.
        _ => return None,
    })
}

const fn word(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Datagram) => "datagram",
        Some(Kind::Stream) => "stream",
        None => "all",
    }
}

const fn proof_word(proof: Proof) -> &'static str {
    match proof {
        Proof::Connection => "connection",
        Proof::Datagram => "datagram",
        Proof::Embedder => "embedder",
        Proof::Probe => "probe",
        Proof::Stream => "stream",
        // What a later version of the core adds.
        _ => "other",
    }
}

const fn blocked_word(what: Blocked) -> &'static str {
    match what {
        Blocked::Host => "host",
        Blocked::Port => "port",
    }
}

const fn failure_word(failure: Failure) -> &'static str {
    match failure {
        Failure::Broken(_) => "broken",
        Failure::Silent(_) => "silent",
        // What a later version of the core adds.
        _ => "other",
    }
}

fn rescue_word(reason: &RescueReason) -> (&'static str, Option<String>) {
    match reason {
        RescueReason::Blocked => ("blocked", None),
        RescueReason::Ended => ("ended", None),
        RescueReason::Failed(fault) => ("failed", Some(fault.to_string())),
        RescueReason::NotConnected(_) => ("not_connected", None),
        RescueReason::Reset => ("reset", None),
        RescueReason::Unanswered(_) => ("unanswered", None),
        // What a later version of the core adds.
        other => ("other", Some(other.to_string())),
    }
}

const fn route_reason_word(reason: RouteReason) -> &'static str {
    match reason {
        RouteReason::NetworkChanged => "network_changed",
        RouteReason::NewTrialAsked => "new_trial_asked",
        RouteReason::NothingProven(_) => "nothing_proven",
        // What a later version of the core adds.
        _ => "other",
    }
}

fn reason_word(reason: &CloseReason) -> (&'static str, Option<String>) {
    match reason {
        CloseReason::Closed => ("closed", None),
        CloseReason::Failed(error) => ("failed", Some(error.to_string())),
        CloseReason::Finished => ("finished", None),
        // What a later version of the core adds.
        other => ("other", Some(other.to_string())),
    }
}

fn ms(span: Duration) -> f64 {
    tenths(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// Milliseconds with one digit behind the point.
fn tenths(nanos: u64) -> f64 {
    (nanos / 100_000) as f64 / 10.0
}

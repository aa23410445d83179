//! What a relay counts, as the families of metrics that Prometheus reads.

mod text;

#[cfg(test)]
mod reader;
#[cfg(test)]
mod tests;

use wayleave_proto::config::RelayLimits;
use wayleave_proto::relay::Stats;

use super::ready::obstacle;

pub(super) use text::{Format, text};

/// A metric with one name, and its samples.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// Without the `_total` of a counter.
    name: &'static str,
    kind: Kind,
    /// One sentence, without its full stop.
    help: &'static str,
    /// What tells its samples apart; empty where there is one.
    label: &'static str,
    /// Each value of the label, and how much it is.
    samples: Vec<(&'static str, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Info,
}

/// All metrics of a relay that has counted `stats` under `limits`. Their labels have few values, which are known beforehand: nothing
/// here grows with users, applications, addresses or targets.
pub(super) fn families(stats: &Stats, limits: &RelayLimits, is_accepting: bool) -> Vec<Family> {
    let moved = |of: fn(&wayleave_proto::relay::Moved) -> u64| {
        vec![("to_client", of(&stats.to_client)), ("to_target", of(&stats.to_target))]
    };
    let is_ready = obstacle(stats, limits, is_accepting).is_none();
    vec![
        Family {
            kind: Kind::Info,
            ..one("wayleave_build", "The version that runs", 1_u64).by("version", vec![(VERSION, 1)])
        },
        one("wayleave_ready", "Whether the relay would take a tunnel now, as GET /readyz says", is_ready),
        one("wayleave_draining", "Whether the relay drains", stats.draining),
        one("wayleave_connections", "Connections of clients that are open", count(stats.connections)),
        one("wayleave_connections_limit", "Connections that may be open at once", count(limits.connections)),
        total("wayleave_connections_accepted", "Connections of clients that were accepted", stats.accepted),
        total(
            "wayleave_connections_turned_away",
            "Connections that were closed as they came, at a limit or for want of something",
            0_u64,
        )
        .by("reason", stats.turned_away.each().chain([("system", stats.unaccepted)]).collect()),
        one("wayleave_tunnels", "Tunnels that are open", count(stats.tunnels)),
        total("wayleave_tunnels_opened", "Tunnels that were opened", stats.opened),
        total(
            "wayleave_payload_bytes",
            "Bytes of payload that came to be forwarded, without what carries it",
            0,
        )
        .by("direction", moved(|moved| moved.bytes)),
        total("wayleave_datagrams", "Datagrams that came to be forwarded", 0)
            .by("direction", moved(|moved| moved.datagrams)),
        total("wayleave_datagrams_dropped", "Datagrams that were dropped, by the relay or by its system", 0)
            .by("reason", stats.dropped.each().chain([("system", stats.overflowed)]).collect()),
        total("wayleave_authentications", "Requests whose credential was judged", 0)
            .by("outcome", stats.authentications.each().collect()),
        total("wayleave_requests_refused", "Requests that were refused, by the status of the answer", 0)
            .by("status", stats.refused.each().collect()),
        total("wayleave_dial_errors", "Requests whose target could not be reached", 0)
            .by("reason", stats.dial_errors.each().collect()),
        one("wayleave_lookups", "Names of targets that are being looked up", count(stats.lookups)),
        one("wayleave_lookups_limit", "Names that may be looked up at once", count(limits.lookups)),
        one("wayleave_buffer_bytes", "Bytes in buffers", count(stats.held)),
        one(
            "wayleave_buffer_limit_bytes",
            "Bytes in buffers from which on new tunnels get 503",
            count(limits.memory),
        ),
        one(
            "wayleave_accounts",
            "Accounts that have something open or are remembered",
            count(stats.accounts),
        ),
        one(
            "wayleave_revocations",
            "Tokens, users and applications that are revoked",
            count(stats.revocations),
        ),
    ]
}

fn one(name: &'static str, help: &'static str, value: impl Into<u64>) -> Family {
    Family { name, kind: Kind::Gauge, help, label: "", samples: vec![("", value.into())] }
}

fn total(name: &'static str, help: &'static str, value: u64) -> Family {
    Family { kind: Kind::Counter, ..one(name, help, value) }
}

impl Family {
    /// The same with a sample for each value of a label.
    fn by(self, label: &'static str, samples: Vec<(&'static str, u64)>) -> Self {
        Self { label, samples, ..self }
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

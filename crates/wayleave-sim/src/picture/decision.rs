//! What a client decided about its routes, and on what evidence.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use wayleave_proto::base::{Instant, Kind, Link, Route};
use wayleave_proto::client::What;
use wayleave_proto::route::{Proof, RouteReason};

use super::time::moment;
use super::words;
use crate::scenario::Step;
use crate::trace;
use crate::{Report, Scenario};

/// One decision.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) at: Instant,
    pub(super) client: usize,
    /// For what it holds; both kinds at once where they were decided in the same way at the same moment.
    pub(super) kind: Option<Kind>,
    /// When the trial began that led to it.
    pub(super) trial: Option<Instant>,
    pub(super) verdict: Verdict,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Direct is proven.
    Proven(Proof, Duration),
    /// The route is another.
    Switched(Route, RouteReason, Link),
    /// Nothing is proven, and the link stays direct.
    Held(Link),
}

impl Decision {
    /// Whether it sends flows to a relay.
    pub(super) const fn is_proxied(&self) -> bool {
        matches!(self.verdict, Verdict::Switched(Route::Proxied, ..))
    }
}

/// Every decision of the run, in order.
pub(super) fn all(report: &Report) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = Vec::new();
    let mut trials: BTreeMap<(usize, Option<Kind>), Instant> = BTreeMap::new();
    for (client, event) in &report.client_events {
        let (kind, verdict) = match &event.what {
            What::TrialStarted { kind, .. } => {
                trials.insert((*client, *kind), event.at);
                continue;
            }
            What::DirectConnected { kind, proof, elapsed } => (*kind, Verdict::Proven(*proof, *elapsed)),
            What::RouteChanged { kind, to, reason, link, .. } => {
                (*kind, Verdict::Switched(*to, *reason, *link))
            }
            What::StayingDirect { kind, link } => (*kind, Verdict::Held(*link)),
            _ => continue,
        };
        let trial = trials.get(&(*client, kind)).copied();
        let alike = decisions.iter_mut().rev().take_while(|last| last.at == event.at).find(|last| {
            last.client == *client && last.verdict == verdict && last.trial == trial && last.kind != kind
        });
        match alike {
            Some(last) => last.kind = None,
            None => decisions.push(Decision { at: event.at, client: *client, kind, trial, verdict }),
        }
    }
    decisions
}

/// What began the trial at `at`, behind `began with` or the like; `None` where it is not known.
pub(super) fn cause(scenario: &Scenario, report: &Report, client: usize, at: Instant) -> Option<String> {
    let steps = &scenario.clients[client].application.steps;
    if steps.iter().any(|(after, step)| matches!(step, Step::Retry(_)) && words::at(*after) == at) {
        return Some("when the application asked for it".to_owned());
    }
    let networks: Vec<_> = report
        .client_events
        .iter()
        .filter_map(|(of, event)| match &event.what {
            What::NetworkChanged { network } if *of == client => Some((event.at, *network)),
            _ => None,
        })
        .collect();
    if let Some(index) = networks.iter().position(|(moment, network)| *moment == at && network.up) {
        let was_down = match index.checked_sub(1) {
            Some(before) => !networks[before].1.up,
            None => !scenario.clients[client].up,
        };
        let link = networks[index].1.link;
        let how = if was_down { "came up" } else { &format!("changed to {link}") };
        return Some(format!("when the network {how}"));
    }
    let opened =
        report.opened.iter().zip(&report.flows).any(|((when, _), (of, ..))| *of == client && *when == at);
    if opened {
        let since = networks.iter().rev().find(|(moment, _)| *moment < at);
        return Some(match since {
            Some((moment_of, _)) => {
                format!("with the first flow since the network changed at {}", moment(*moment_of))
            }
            None => "with the first flow".to_owned(),
        });
    }
    let (streams, datagrams) = scenario.clients[client].probes;
    (at == Instant::ZERO && (streams || datagrams)).then(|| "at the start, since there are probes".to_owned())
}

/// What the direct attempts of a trial came to: those to connect, and datagrams. What goes over streams that stand is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    sent: usize,
    answered: usize,
    lost: BTreeMap<String, usize>,
    unknown: Vec<String>,
}

impl Evidence {
    /// What happened between `from` and `to`.
    pub(super) fn new(
        report: &Report,
        clients: usize,
        relays: usize,
        decision: &Decision,
        from: Instant,
    ) -> Self {
        let mut found = Self::default();
        let is_relay =
            |host: Option<usize>| host.is_some_and(|host| (clients..clients + relays).contains(&host));
        let is_kind = |is_stream: bool| decision.kind.is_none_or(|kind| (kind == Kind::Stream) == is_stream);
        for item in report.items.iter().filter(|item| item.at >= from && item.at <= decision.at) {
            match &item.what {
                trace::What::Packet { toward, is_stream, lost, label, .. }
                    if item.host == decision.client
                        && !is_relay(*toward)
                        && is_kind(*is_stream)
                        && (!is_stream || label.contains(" TCP SYN at ")) =>
                {
                    found.sent += 1;
                    if let Some(lost) = lost {
                        *found.lost.entry(lost.clone()).or_default() += 1;
                    }
                }
                trace::What::Packet { to, is_stream, arrives: Some(arrives), label, .. }
                    if *to == Some(decision.client)
                        && !is_relay(Some(item.host))
                        && is_kind(*is_stream)
                        && (!is_stream
                            || [" TCP SYN ACK ", " TCP RST"].iter().any(|word| label.contains(word)))
                        && *arrives <= decision.at =>
                {
                    found.answered += 1;
                }
                trace::What::Lookup(name, told) if item.host == decision.client && !is_answer(told) => {
                    found.unknown.push(format!("{name}: {told}"));
                }
                _ => {}
            }
        }
        found.unknown.sort();
        found.unknown.dedup();
        found
    }

    /// In sentences.
    pub(super) fn words(&self, kind: Option<Kind>) -> Vec<String> {
        let (one, many, did) = match kind {
            Some(Kind::Stream) => ("attempt", "attempts", "to connect directly"),
            Some(Kind::Datagram) => ("UDP packet", "UDP packets", "left directly"),
            None => ("packet", "packets", "left directly"),
        };
        let mut said = Vec::new();
        if self.sent == 0 {
            said.push("Nothing was sent directly.".to_owned());
        } else {
            let why: Vec<String> =
                self.lost.iter().map(|(why, count)| format!("{} {why}", all_of(*count, self.sent))).collect();
            let back = match self.answered {
                0 => "nothing came back".to_owned(),
                count => format!("{count} came back"),
            };
            let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
            let what = if self.sent == 1 { one } else { many };
            said.push(format!("{} {what} {did}{why}; {back}.", self.sent));
        }
        if let Some(first) = self.unknown.first() {
            let more = if self.unknown.len() > 1 {
                format!(", and {} more names", self.unknown.len() - 1)
            } else {
                String::new()
            };
            said.push(format!("Not found: {first}{more}."));
        }
        said
    }
}

fn all_of(count: usize, of: usize) -> String {
    if count == of && of > 1 {
        "all".to_owned()
    } else if of == 1 {
        "it was".to_owned()
    } else {
        count.to_string()
    }
}

/// Whether what a look-up told is addresses.
pub(super) fn is_answer(told: &str) -> bool {
    told.split(", ").all(|part| part.parse::<IpAddr>().is_ok())
}

//! What lasts: the phases of routes, networks, states of relays, and flows.

use wayleave_proto::base::{Instant, Kind, Route};
use wayleave_proto::client::{CloseReason, What};
use wayleave_proto::config::{Mode, Scope};
use wayleave_proto::route::Phase;

use super::time::moment;
use super::words;
use crate::scenario::{Fault, State, Step};
use crate::trace;
use crate::{Report, Scenario};

/// Something that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) from: Instant,
    pub(super) to: Instant,
    /// Its look, by the name of a class of the style.
    pub(super) class: &'static str,
    pub(super) text: String,
    /// What is shown on hover; the times are added.
    pub(super) tip: String,
}

/// The bands of one row, each of which lasts until the next; what is over at once is left out.
fn chain(starts: Vec<(Instant, &'static str, String, String)>, end: Instant) -> Vec<Band> {
    let ends: Vec<Instant> = starts.iter().skip(1).map(|(at, ..)| *at).chain([end]).collect();
    let bands = starts.into_iter().zip(ends);
    let bands = bands.map(|((from, class, text, tip), to)| Band { from, to: to.max(from), class, text, tip });
    bands.filter(|band| band.to > band.from).collect()
}

/// A row for each decision of a client: its name, and its phases.
pub(super) fn routes(scenario: &Scenario, report: &Report, client: usize) -> Vec<(&'static str, Vec<Band>)> {
    let plan = &scenario.clients[client];
    let kinds: &[(&str, Kind)] = match (plan.mode, plan.scope) {
        (Mode::Smart, Scope::Kind) => &[("streams", Kind::Stream), ("datagrams", Kind::Datagram)],
        (Mode::Smart, Scope::Session) => &[("both kinds", Kind::Stream)],
        (Mode::Normal | Mode::Off, _) => &[("route", Kind::Stream)],
    };
    kinds
        .iter()
        .map(|(name, kind)| {
            let starts = report.items.iter().filter_map(|item| match &item.what {
                trace::What::Route(of, phase) if item.host == client && of == kind => {
                    let (class, text, tip) = phase_words(phase, plan.mode);
                    Some((item.at, class, text, tip))
                }
                _ => None,
            });
            (*name, chain(starts.collect(), report.now))
        })
        .collect()
}

/// Where a decision of a client stands at a moment.
pub(super) fn phase(report: &Report, client: usize, kind: Kind, at: Instant) -> Option<Phase> {
    let mut found = None;
    for item in report.items.iter().take_while(|item| item.at <= at) {
        match item.what {
            trace::What::Route(of, phase) if item.host == client && of == kind => found = Some(phase),
            _ => {}
        }
    }
    found
}

fn phase_words(phase: &Phase, mode: Mode) -> (&'static str, String, String) {
    let (class, text, tip) = match phase {
        Phase::Direct => ("direct", "direct, proven", "Direct works: it was proven on this network."),
        Phase::Fixed(Route::Direct) => ("direct", "direct", "Mode off: every flow goes direct."),
        Phase::Fixed(Route::Proxied) => {
            ("proxied", "proxied", "Mode normal: every flow goes through a relay.")
        }
        Phase::Held { .. } => (
            "held",
            "direct, unproven",
            "A trial ended with nothing proven on a link that stays direct; flows try again.",
        ),
        Phase::Idle => ("idle", "direct, not yet tried", "Direct; the trial begins with the next flow."),
        Phase::Proxied => {
            ("proxied", "proxied", "A trial ended with nothing proven: flows go through a relay.")
        }
        Phase::Trial { deadline, link, .. } => {
            let tip = format!(
                "Direct is tried on {link}. What is proven until {} counts; else {}.",
                moment(*deadline),
                if *link == wayleave_proto::base::Link::Cellular {
                    "flows stay direct and try again"
                } else {
                    "flows go to a relay"
                }
            );
            return ("trial", "trial".to_owned(), tip);
        }
        Phase::Waiting => {
            ("waiting", "waits for the network", "The network is down; the trial begins when it comes up.")
        }
    };
    debug_assert!(mode == Mode::Smart || matches!(phase, Phase::Fixed(_)));
    (class, text.to_owned(), tip.to_owned())
}

/// What the networks of a client let out, one after the other.
pub(super) fn network(scenario: &Scenario, report: &Report, client: usize) -> Vec<Band> {
    let plan = &scenario.clients[client];
    let (mut link, mut condition, mut up) = (plan.link, plan.condition, plan.up);
    let mut starts = Vec::new();
    let mut push = |at, link: wayleave_proto::base::Link, condition, up: bool| {
        let (class, text) = match up {
            false => ("down", format!("{link}: down")),
            true if condition == crate::scenario::Condition::Open => ("open", format!("{link}: open")),
            true => ("wall", format!("{link}: {}", words::condition(condition))),
        };
        let tip = if up {
            format!("The network of client {client} is {link}. It {}.", words::lets_out(condition))
        } else {
            format!("The network of client {client} is down.")
        };
        starts.push((at, class, text, tip));
    };
    push(Instant::ZERO, link, condition, up);
    for (at, fault) in faults(scenario, report) {
        match fault {
            Fault::Roam { client: of, link: to, condition: next } if *of == client => {
                (link, condition, up) = (*to, *next, true);
            }
            Fault::Condition { client: of, condition: next } if *of == client => condition = *next,
            Fault::Up { client: of, up: next } if *of == client => up = *next,
            _ => continue,
        }
        push(at, link, condition, up);
    }
    if let Some(at) = healed(scenario, report) {
        push(at, link, scenario.after, true);
    }
    chain(starts, report.now)
}

/// What was not a good relay in place of a relay, or not a good link.
pub(super) fn relay(scenario: &Scenario, report: &Report, relay: usize) -> Vec<Band> {
    let mut starts = Vec::new();
    let mut push = |at, state: State| {
        let (class, text) = match state {
            State::Running => ("fine", "runs"),
            State::Crashed => ("dead", "crashed"),
            State::Vanished => ("dead", "gone"),
            State::Draining => ("odd", "draining"),
            State::WithoutKeys => ("odd", "with other keys"),
            State::Babbling | State::Lying => ("odd", "talks nonsense"),
            State::Mute => ("odd", "says nothing"),
        };
        starts.push((at, class, text.to_owned(), format!("Relay {relay} {}.", words::became(state))));
    };
    push(Instant::ZERO, if scenario.relays[relay].running { State::Running } else { State::Crashed });
    for (at, fault) in faults(scenario, report) {
        if let Fault::Relay { relay: of, state } = fault
            && *of == relay
        {
            push(at, *state);
        }
    }
    if let Some(at) = healed(scenario, report) {
        push(at, State::Running);
    }
    let mut bands = chain(starts, report.now);
    bands.retain(|band| band.class != "fine");
    bands
}

/// When a client's application was suspended.
pub(super) fn suspended(scenario: &Scenario, report: &Report, client: usize) -> Vec<Band> {
    let steps = scenario.clients[client].application.steps.iter();
    steps
        .filter_map(|(after, step)| match step {
            Step::Suspend(time) if words::at(*after) <= report.now.min(report.healed) => {
                let from = words::at(*after);
                let to = (from + *time).min(report.healed);
                let tip = "Nothing of the application runs; its network goes on.".to_owned();
                Some(Band { from, to, class: "suspended", text: "suspended".to_owned(), tip })
            }
            _ => None,
        })
        .collect()
}

/// The flows of a client in as few rows as they fit into, and how many found no room.
pub(super) fn flows(report: &Report, client: usize, most: usize) -> (Vec<Vec<Band>>, usize) {
    let mut rows: Vec<(Instant, Vec<Band>)> = Vec::new();
    let mut left = 0;
    for (index, (of, ..)) in report.flows.iter().enumerate() {
        if *of != client {
            continue;
        }
        let bands = flow(report, client, index);
        let (Some(from), Some(to)) = (bands.first().map(|band| band.from), bands.last().map(|band| band.to))
        else {
            continue;
        };
        let room = rows.iter().position(|(free, _)| *free <= from);
        match room {
            Some(row) => {
                rows[row].0 = to;
                rows[row].1.extend(bands);
            }
            None if rows.len() < most => rows.push((to, bands)),
            None => left += 1,
        }
    }
    (rows.into_iter().map(|(_, bands)| bands).collect(), left)
}

/// A flow: how it waits, and which way it goes.
fn flow(report: &Report, client: usize, index: usize) -> Vec<Band> {
    let (_, plan, outcome) = &report.flows[index];
    let Some((opened, id)) = report.opened.get(index).copied() else { return Vec::new() };
    let name = words::flow_name(plan.kind, index + 1);
    let about = match plan.kind {
        Kind::Stream => format!("{name}: {} bytes out, {} in", plan.up, plan.down),
        Kind::Datagram => format!("{name}: {} datagrams of {} bytes", plan.up, plan.down),
    };
    let mut starts = vec![(opened, "pending", name.clone(), format!("{about}. It looks for its way."))];
    let mut end = None;
    for (of, event) in &report.client_events {
        if *of != client {
            continue;
        }
        match &event.what {
            What::FlowOpened { flow, route, target, .. } if Some(*flow) == id => {
                let tip = format!("{about}, to {target}, {}.", words::by(*route));
                starts.push((event.at, route_class(*route), name.clone(), tip));
            }
            What::FlowMoved { flow, route } if Some(*flow) == id => {
                let tip = format!("{about}. It goes on {}.", words::by(*route));
                starts.push((event.at, route_class(*route), name.clone(), tip));
            }
            What::FlowClosed { flow, reason, sent, received, .. } if Some(*flow) == id => {
                end = Some((event.at, matches!(reason, CloseReason::Failed(_)), reason.to_string()));
                let tip = format!(" In the end: {reason}, {sent} bytes out, {received} in.");
                starts.iter_mut().for_each(|(.., text)| text.push_str(&tip));
            }
            _ => {}
        }
    }
    if let (None, Some((at, error))) = (&end, &outcome.error) {
        end = Some((*at, true, error.to_string()));
    }
    let to = end.as_ref().map_or(report.now, |(at, ..)| *at);
    let mut bands = chain(starts, to);
    if let Some((at, true, reason)) = end {
        let text = format!("✕ {name}");
        bands.push(Band {
            from: at,
            to: at,
            class: "failed",
            text,
            tip: format!("{name} failed: {reason}."),
        });
    }
    bands
}

/// The look of a route.
pub(super) const fn route_class(route: Route) -> &'static str {
    match route {
        Route::Direct => "direct",
        Route::Proxied => "proxied",
    }
}

/// The faults that happened, in the order of time.
pub(super) fn faults<'a>(scenario: &'a Scenario, report: &Report) -> Vec<(Instant, &'a Fault)> {
    let last = report.now.min(report.healed);
    let mut faults: Vec<_> =
        scenario.faults.iter().map(|(after, fault)| (words::at(*after), fault)).collect();
    faults.retain(|(at, _)| *at <= last);
    faults.sort_by_key(|(at, _)| *at);
    faults
}

/// When the faults were over, where the run came that far.
pub(super) fn healed(scenario: &Scenario, report: &Report) -> Option<Instant> {
    (scenario.heals && report.now > report.healed).then_some(report.healed)
}

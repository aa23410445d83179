//! One sentence for the whole run.

use wayleave_proto::base::{Kind, Route};
use wayleave_proto::client::What;
use wayleave_proto::config::Mode;
use wayleave_proto::route::RouteReason;

use super::super::decision::{self, Decision, Verdict};
use super::super::time::{moment, span};
use super::super::{bands, words};
use crate::laws::Law;
use crate::scenario::{Fault, State, Step};
use crate::{Report, Scenario};

/// What happened, in a sentence or two.
pub(in super::super) fn headline(scenario: &Scenario, report: &Report) -> String {
    if let Some(violation) = &report.violation {
        let what = cut(&violation.what);
        return match violation.law {
            Law::Scenario => format!("It was {what}, and that is not so."),
            law => {
                format!(
                    "{} was broken at {}: {what}.",
                    words::sentence(&law.to_string()),
                    moment(violation.at)
                )
            }
        };
    }
    let decisions: Vec<Decision> =
        decision::all(report).into_iter().filter(|decision| decision.at <= report.healed).collect();
    let many = scenario.clients.len() > 1;
    let told: Vec<String> = (0..scenario.clients.len())
        .map(|client| {
            let own: Vec<&Decision> = decisions.iter().filter(|decision| decision.client == client).collect();
            let told = one(scenario, report, client, &own);
            if many { format!("Client {client}: {}", uncapital(&told)) } else { told }
        })
        .collect();
    if told.is_empty() { "There is no client, so nothing happened.".to_owned() } else { told.join(" ") }
}

fn one(scenario: &Scenario, report: &Report, client: usize, decisions: &[&Decision]) -> String {
    match scenario.clients[client].mode {
        Mode::Off => "Every flow went direct: the proxy is off.".to_owned(),
        Mode::Normal => normal(scenario, report, client),
        Mode::Smart => smart(scenario, report, client, decisions),
    }
}

fn smart(scenario: &Scenario, report: &Report, client: usize, decisions: &[&Decision]) -> String {
    let Some(first) = decisions.iter().find(|decision| decision.is_proxied()) else {
        return stayed(scenario, decisions);
    };
    let subject = words::sentence(words::flows(first.kind));
    let mut told = format!(
        "{subject} went to the relay at {}: nothing was proven directly by the deadline of the trial",
        moment(first.at)
    );
    if let Some(trial) = first.trial
        && let Some(cause) = decision::cause(scenario, report, client, trial)
        && (cause.starts_with("when") || cause.contains("network"))
    {
        told.push_str(&format!(", which began at {} {cause}", moment(trial)));
    }
    told.push('.');
    if let Some(kind) = first.kind {
        told.push_str(&other(decisions, first, kind));
    }
    let later: Vec<&&Decision> = decisions.iter().filter(|decision| decision.at > first.at).collect();
    let back = later.iter().find(|decision| matches!(decision.verdict, Verdict::Switched(Route::Direct, ..)));
    if let Some(back) = back
        && let Verdict::Switched(_, reason, _) = back.verdict
    {
        let why = match reason {
            RouteReason::NetworkChanged => "the network changed".to_owned(),
            RouteReason::NewTrialAsked => "the application asked for a new trial".to_owned(),
            reason => reason.to_string(),
        };
        told.push_str(&format!(" At {} {why}, and direct was tried again.", moment(back.at)));
    } else if let Some(late) = late(scenario, client, first) {
        told.push_str(&format!(" The direct success at {late} came too late and changed nothing."));
    }
    told
}

/// What became of the other kind.
fn other(decisions: &[&Decision], first: &Decision, kind: Kind) -> String {
    let other = if kind == Kind::Stream { Kind::Datagram } else { Kind::Stream };
    let subject = words::sentence(words::flows(Some(other)));
    let last = decisions.iter().rev().find(|decision| decision.kind.is_none_or(|of| of == other));
    match last.map(|decision| (decision.verdict, decision.at)) {
        Some((Verdict::Proven(proof, elapsed), _)) => {
            format!(" {subject} stayed direct: {proof} within {}.", span(elapsed))
        }
        Some((Verdict::Held(link), _)) => format!(" {subject} stayed direct, since the link is {link}."),
        Some((Verdict::Switched(Route::Proxied, ..), at)) if at != first.at => {
            format!(" {subject} followed at {}.", moment(at))
        }
        _ => String::new(),
    }
}

/// Nothing went to a relay.
fn stayed(scenario: &Scenario, decisions: &[&Decision]) -> String {
    let Some(last) = decisions.last() else {
        let opens = |client: &crate::scenario::ClientPlan| !client.application.steps.is_empty();
        return if scenario.clients.iter().any(opens) {
            "Everything stayed direct: no trial came to an end.".to_owned()
        } else {
            "Nothing was decided: no application did anything.".to_owned()
        };
    };
    let held = decisions.iter().find(|decision| matches!(decision.verdict, Verdict::Held(_)));
    if let Some((held, link)) = held.and_then(|held| match held.verdict {
        Verdict::Held(link) => Some((held, link)),
        _ => None,
    }) {
        let subject = words::sentence(words::flows(held.kind));
        let later = match last.verdict {
            Verdict::Proven(proof, _) => format!(" At {} {proof}.", moment(last.at)),
            _ => String::new(),
        };
        return format!(
            "{subject} stayed direct although nothing was proven by {}: the link is {link}, and there the client keeps trying.{later}",
            moment(held.at)
        );
    }
    let subject = words::sentence(words::flows(last.kind));
    match last.verdict {
        Verdict::Proven(proof, elapsed) => {
            let alike = decisions.iter().filter(|decision| decision.kind == last.kind).count();
            let more = match alike {
                1 => String::new(),
                count => format!(" It was proven {count} times, trial by trial."),
            };
            format!("{subject} stayed direct: {proof}, {} after the trial began.{more}", span(elapsed))
        }
        Verdict::Held(link) => format!("{subject} stayed direct, since the link is {link}."),
        Verdict::Switched(_, reason, _) => {
            format!("{subject} returned to direct at {}: {reason}.", moment(last.at))
        }
    }
}

/// When the application said that direct works, after the switch and in vain.
fn late(scenario: &Scenario, client: usize, first: &Decision) -> Option<String> {
    let mut steps = scenario.clients[client].application.steps.iter();
    let late = steps.find(|(at, step)| {
        matches!(step, Step::DirectWorks(kind) if first.kind.is_none_or(|of| of == *kind))
            && words::at(*at) > first.at
    });
    late.map(|(at, _)| moment(words::at(*at)))
}

fn normal(scenario: &Scenario, report: &Report, client: usize) -> String {
    let own: Vec<_> = report
        .client_events
        .iter()
        .filter(|(of, event)| *of == client && event.at <= report.healed)
        .map(|(_, event)| event)
        .collect();
    let opened = own.iter().any(|event| matches!(event.what, What::FlowOpened { .. }));
    let flows = report.flows.iter().zip(&report.opened);
    let mut flows = flows.filter(|((of, ..), (at, _))| *of == client && *at <= report.healed);
    if !opened {
        let failed = flows.clone().find_map(|((.., outcome), _)| outcome.error.clone());
        return match (failed, flows.next()) {
            (Some((at, error)), _) => {
                format!(
                    "No flow was served, and none went direct: mode normal fails closed. The first failed at {}: {error}.",
                    moment(at)
                )
            }
            (None, Some(_)) => {
                "No flow was served, and none went direct: no relay could be used, and mode normal fails closed.".to_owned()
            }
            (None, None) => "Nothing was opened.".to_owned(),
        };
    }
    let relays = if scenario.relays.len() == 1 { "the relay" } else { "a relay" };
    let mut told = format!("Everything went through {relays} from the first packet, as mode normal has it.");
    if let Some((fault_at, relay, state)) = bad_relay(scenario, report) {
        told = format!(
            "{} at {}",
            words::sentence(&format!("relay {relay} {}", words::had_become(state))),
            moment(fault_at)
        );
        let next = own.iter().find_map(|event| match &event.what {
            What::ProxyConnected { proxy, .. }
                if event.at >= fault_at && words::relay_of(proxy) != format!("relay {relay}") =>
            {
                Some((event.at, words::relay_of(proxy)))
            }
            _ => None,
        });
        match next {
            Some((at, name)) => told.push_str(&format!("; {name} took its place at {}.", moment(at))),
            None => told.push('.'),
        }
    }
    let failed: Vec<_> = flows
        .filter_map(|((.., outcome), _)| outcome.error.as_ref())
        .filter(|(at, _)| *at < report.healed)
        .collect();
    if let Some((_, error)) = failed.first() {
        let many = if failed.len() == 1 { "One flow".to_owned() } else { format!("{} flows", failed.len()) };
        told.push_str(&format!(" {many} failed: {error}."));
    }
    told
}

/// The first relay that something happened to.
fn bad_relay(scenario: &Scenario, report: &Report) -> Option<(wayleave_proto::base::Instant, usize, State)> {
    bands::faults(scenario, report).into_iter().find_map(|(at, fault)| match fault {
        Fault::Relay { relay, state } if *state != State::Running => Some((at, *relay, *state)),
        _ => None,
    })
}

/// As much as a headline holds; cards and list have it all.
fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(LONGEST) else { return text.to_owned() };
    let end = text[..end].rfind(' ').unwrap_or(end);
    format!("{} …", &text[..end])
}

fn uncapital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Characters of what a headline quotes.
const LONGEST: usize = 180;

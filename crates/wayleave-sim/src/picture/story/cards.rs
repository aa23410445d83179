//! A card for each of the few moments that explain the run.

use wayleave_proto::base::{Instant, Link, Route};
use wayleave_proto::client::{CloseReason, What};
use wayleave_proto::config::Mode;
use wayleave_proto::route::Phase;

use super::super::decision::{self, Decision, Evidence, Verdict};
use super::super::time::span;
use super::super::{bands, words};
use super::violation;
use crate::laws::Law;
use crate::scenario::Step;
use crate::{Report, Scenario};

/// A moment that matters.
#[derive(Clone, Debug)]
pub(in super::super) struct Card {
    pub(in super::super) at: Instant,
    pub(in super::super) class: &'static str,
    pub(in super::super) title: String,
    pub(in super::super) lines: Vec<String>,
    /// The less, the sooner it is left out.
    pub(in super::super) weight: u32,
}

/// The cards, in the order of time, and how many moments found no room.
pub(in super::super) fn cards(scenario: &Scenario, report: &Report) -> (Vec<Card>, usize) {
    let mut cards = Vec::new();
    if let Some((at, _, text)) = violation(report) {
        let lines = vec![words::sentence(&text) + "."];
        let is_law = report.violation.as_ref().is_some_and(|violation| violation.law != Law::Scenario);
        let title = if is_law { "Broken" } else { "Not as expected" }.to_owned();
        cards.push(Card { at, class: "violation", title, lines, weight: 100 });
    }
    trials(scenario, report, &mut cards);
    for decision in decision::all(report).iter().filter(|decision| decision.at <= report.healed) {
        cards.push(decided(scenario, report, decision));
    }
    for (at, fault) in bands::faults(scenario, report) {
        let (_, text) = words::fault(scenario, fault);
        let lines = vec![words::consequence(fault).to_owned()];
        let title = words::sentence(&text);
        cards.push(Card { at, class: "fault", title, lines, weight: 40 });
    }
    steps(scenario, report, &mut cards);
    outcomes(scenario, report, &mut cards);
    // By weight, and of the same weight the first; the index keeps what stands at one moment in order.
    let mut order: Vec<usize> = (0..cards.len()).collect();
    order.sort_by_key(|index| (core::cmp::Reverse(cards[*index].weight), cards[*index].at, *index));
    order.truncate(MOST);
    // A fault comes before what follows from it, and the law that was broken ends the run.
    let turn = |index: &usize| match cards[*index].class {
        "app" | "fault" => 0,
        "violation" => 2,
        _ => 1,
    };
    order.sort_by_key(|index| (cards[*index].at, turn(index), *index));
    let left = cards.len() - order.len();
    (order.into_iter().map(|index| cards[index].clone()).collect(), left)
}

/// Where the first trial of each client begins, and in what network.
fn trials(scenario: &Scenario, report: &Report, cards: &mut Vec<Card>) {
    for client in 0..scenario.clients.len() {
        let begun: Vec<(Instant, Option<wayleave_proto::base::Kind>, Link)> = report
            .client_events
            .iter()
            .filter_map(|(of, event)| match event.what {
                What::TrialStarted { kind, link, .. } if *of == client && event.at <= report.healed => {
                    Some((event.at, kind, link))
                }
                _ => None,
            })
            .collect();
        let Some((at, kind, link)) = begun.first().copied() else {
            cards.extend(start(scenario, report, client));
            continue;
        };
        let both = begun.iter().any(|(when, of, _)| *when == at && *of != kind);
        let mut lines = Vec::new();
        if let Some(cause) = decision::cause(scenario, report, client, at) {
            lines.push(format!("It begins {cause}."));
        }
        let networks = bands::network(scenario, report, client);
        if let Some(band) = networks.iter().rev().find(|band| band.from <= at) {
            lines.push(band.tip.clone());
        }
        let of = words::flows(if both { None } else { kind });
        let title = format!("{} on trial for a second, on {link}", words::sentence(of));
        cards.push(Card { at, class: "trial", title, lines, weight: 60 });
    }
}

/// The network at the start of a client that tries nothing, where it is not open.
fn start(scenario: &Scenario, report: &Report, client: usize) -> Option<Card> {
    let network = bands::network(scenario, report, client).into_iter().next()?;
    let mode = match scenario.clients[client].mode {
        Mode::Normal => "Mode normal: only relays are tried.",
        Mode::Off => "Mode off: only direct is tried.",
        Mode::Smart => return None,
    };
    let (title, lines) = (words::sentence(&network.text), vec![network.tip, mode.to_owned()]);
    (network.class != "open").then_some(Card { at: Instant::ZERO, class: "fault", title, lines, weight: 45 })
}

fn decided(scenario: &Scenario, report: &Report, decision: &Decision) -> Card {
    let kinds = words::sentence(words::flows(decision.kind));
    let client =
        if scenario.clients.len() > 1 { format!("Client {}: ", decision.client) } else { String::new() };
    let mut lines = Vec::new();
    if let Some(trial) = decision.trial {
        let evidence = Evidence::new(report, scenario.clients.len(), scenario.relays.len(), decision, trial);
        if !matches!(decision.verdict, Verdict::Switched(Route::Direct, ..)) {
            lines.extend(evidence.words(decision.kind));
        }
    }
    let (class, title, weight) = match decision.verdict {
        Verdict::Proven(proof, elapsed) => {
            lines.insert(
                0,
                format!(
                    "{} {} after the trial began, in time (rule 2).",
                    words::sentence(&proof.to_string()),
                    span(elapsed)
                ),
            );
            lines.truncate(1);
            ("direct", format!("{kinds} stay direct"), 70)
        }
        Verdict::Switched(Route::Proxied, _, link) => {
            lines.push(format!("On {link} that means: to the relay (rule 3)."));
            ("proxied", format!("{kinds} go to the relay"), 90)
        }
        Verdict::Switched(Route::Direct, reason, _) => {
            lines.push(format!("{}.", words::sentence(&reason.to_string())));
            ("direct", format!("{kinds} return to direct"), 80)
        }
        Verdict::Held(link) => {
            lines.push(format!("On {link} flows stay direct and try again (rule 3)."));
            ("direct", format!("{kinds} stay direct, unproven"), 85)
        }
    };
    Card { at: decision.at, class, title: format!("{client}{title}"), lines, weight }
}

/// What the applications did beside opening flows.
fn steps(scenario: &Scenario, report: &Report, cards: &mut Vec<Card>) {
    let last = report.now.min(report.healed);
    for (client, plan) in scenario.clients.iter().enumerate() {
        for (after, step) in &plan.application.steps {
            let at = words::at(*after);
            if matches!(step, Step::Open(_)) || at > last {
                continue;
            }
            let is_late = |kind| bands::phase(report, client, kind, at) == Some(Phase::Proxied);
            let (text, weight) = match step {
                Step::DirectWorks(kind) if is_late(*kind) => {
                    ("Too late: what succeeds after the switch changes nothing (rule 6).", 62)
                }
                Step::DirectWorks(_) => ("That proves it as well as a connection does (rule 2).", 45),
                Step::Retry(_) => ("The client starts again at rule 1 (rule 7).", 62),
                Step::Suspend(_) => ("Its timers wait, and the network does not.", 45),
                Step::Renew(_) => ("Relays with open tunnels are told.", 45),
                Step::Open(_) | Step::ReleaseAll => ("", 20),
            };
            let lines = if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
            let title = format!("The application {step}");
            cards.push(Card { at, class: "app", title, lines, weight });
        }
    }
}

/// The first flow that was served after the last switch or fault, new relays, and what failed.
fn outcomes(scenario: &Scenario, report: &Report, cards: &mut Vec<Card>) {
    let turns = cards.iter().filter(|card| matches!(card.class, "proxied" | "fault"));
    let turn = turns.max_by_key(|card| card.at).map(|card| (card.at, card.class));
    let last = turn.map(|(at, _)| at);
    let mut proxies: Vec<String> = Vec::new();
    let (mut served, mut failed) = (false, 0);
    for (client, event) in report.client_events.iter().filter(|(_, event)| event.at <= report.healed) {
        let (at, (_, text)) = (event.at, words::client_event(report, *client, &event.what));
        match &event.what {
            What::FlowOpened { .. } | What::FlowMoved { route: Route::Proxied, .. }
                if !served && last.is_none_or(|last| at >= last) =>
            {
                served = true;
                let class = if text.contains("directly") { "direct" } else { "proxied" };
                let (title, lines) = opened(&text, turn, at);
                cards.push(Card { at, class, title, lines, weight: 50 });
            }
            What::FlowClosed { reason: CloseReason::Failed(error), .. } if failed < 2 => {
                failed += 1;
                let title =
                    text.split(" ends,").next().map(|name| format!("{} fails", words::sentence(name)));
                let lines = vec![format!("{}.", words::sentence(&error.to_string()))];
                cards.push(Card { at, class: "bad", title: title.unwrap_or_default(), lines, weight: 55 });
            }
            What::ProxyConnected { proxy, elapsed, .. } if !proxies.contains(&words::relay_of(proxy)) => {
                let name = words::relay_of(proxy);
                let is_first = proxies.is_empty();
                let is_standby = scenario.clients[*client].mode == Mode::Smart;
                let title = format!("{} is connected", words::sentence(&name));
                let why = if is_standby {
                    "Warm standby: the handshake is done before it is needed."
                } else {
                    "TLS stands; tunnels can open."
                };
                let lines = vec![format!("In {}. {why}", span(*elapsed))];
                proxies.push(name);
                cards.push(Card {
                    at,
                    class: "proxied",
                    title,
                    lines,
                    weight: if is_first { 30 } else { 58 },
                });
            }
            _ => {}
        }
    }
}

fn opened(text: &str, turn: Option<(Instant, &str)>, at: Instant) -> (String, Vec<String>) {
    let (name, rest) =
        text.split_once(" reached ").or_else(|| text.split_once(" goes on ")).unwrap_or((text, ""));
    let mut lines = vec![format!("{}.", words::sentence(text))];
    if let Some((last, class)) = turn.filter(|(last, _)| *last < at) {
        let what = if class == "fault" { "fault" } else { "switch" };
        lines.push(format!("That is {} after the {what}.", span(at.since(last))));
    }
    let title =
        if rest.is_empty() { words::sentence(name) } else { format!("{} is served", words::sentence(name)) };
    (title, lines)
}

/// So many cards stand beside each other.
const MOST: usize = 5;

//! The run in sentences: one for all of it, a card for each moment that matters, a line for everything that happened.

mod cards;
mod headline;

use core::time::Duration;

use wayleave_proto::base::Instant;
use wayleave_proto::client::What as Said;

pub(super) use cards::{Card, cards};
pub(super) use headline::headline;

use super::time::Axis;
use super::{bands, decision, words};
use crate::laws::Law;
use crate::trace::What;
use crate::{Report, Scenario};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) host: usize,
    /// Its look, by the name of a class of the style.
    pub(super) class: &'static str,
    pub(super) text: String,
    /// Whether it is a mark on the line of its host.
    pub(super) is_mark: bool,
    /// Whether it is told in the list.
    pub(super) is_told: bool,
}

/// Everything that happened, in order.
pub(super) fn moments(scenario: &Scenario, report: &Report) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut add = |at, host, class, text: String, is_mark, is_told| {
        moments.push(Moment { at, host, class, text, is_mark, is_told });
    };
    for (at, fault) in bands::faults(scenario, report) {
        let (host, text) = words::fault(scenario, fault);
        add(at, host, "fault", text, false, true);
    }
    if let Some(at) = bands::healed(scenario, report) {
        let text = format!("the faults are over; every network {}", words::lets_out(scenario.after));
        add(at, 0, "healed", text, false, true);
    }
    for item in &report.items {
        match &item.what {
            What::Application(text) => {
                add(item.at, item.host, "app", format!("the application {text}"), true, true)
            }
            What::Discarded(packet, why) => {
                add(
                    item.at,
                    item.host,
                    "bad",
                    format!("a packet is not taken, {why}: {packet}"),
                    true,
                    false,
                );
            }
            What::Lookup(name, told) => {
                let class = if decision::is_answer(told) { "name" } else { "bad" };
                add(item.at, item.host, class, format!("looks {name} up: {told}"), true, false);
            }
            What::Event(..) | What::Fault(_) | What::Packet { .. } | What::Route(..) | What::Violation(_) => {
            }
        }
    }
    for (client, event) in &report.client_events {
        let (class, text) = words::client_event(report, *client, &event.what);
        add(event.at, *client, class, text, true, !matches!(event.what, Said::Retrying { .. }));
    }
    for (host, event) in &report.relay_events {
        let (class, text) = words::relay_event(&event.what);
        add(event.at, *host, class, text, true, class == "bad");
    }
    if let Some((at, host, text)) = violation(report) {
        add(at, host, "violation", text, true, true);
    }
    moments.sort_by_key(|moment| moment.at);
    moments
}

/// The law that was broken: when, on which host, and how. What a scenario expects in vain has its place at the end.
pub(super) fn violation(report: &Report) -> Option<(Instant, usize, String)> {
    let violation = report.violation.as_ref()?;
    let host = report.items.iter().rev().find_map(|item| match item.what {
        What::Violation(_) => Some(item.host),
        _ => None,
    });
    let text = match violation.law {
        Law::Scenario => violation.what.clone(),
        law => format!("{law} is broken: {}", violation.what),
    };
    Some((violation.at, host.unwrap_or(0), text))
}

/// The part of the run that is looked at first: the seconds around what matters most.
pub(super) fn view(scenario: &Scenario, report: &Report, cards: &[Card], axis: &Axis) -> (Instant, Instant) {
    let last = report.now.min(report.healed);
    let broken = report.violation.as_ref().filter(|violation| violation.law != Law::Scenario);
    if let Some(violation) = broken {
        let before = violation.at.since(Instant::ZERO).min(AROUND);
        let from = Instant::ZERO + (violation.at.since(Instant::ZERO) - before);
        return (from, violation.at + Duration::from_millis(120));
    }
    let weighty = || cards.iter().filter(|card| card.weight >= WEIGHTY).map(|card| card.at);
    let steps = scenario.clients.iter().flat_map(|client| client.application.steps.iter());
    let first_step = steps.map(|(at, _)| words::at(*at)).min().unwrap_or(Instant::ZERO);
    let from = weighty().min().unwrap_or(first_step);
    let seen = |at: Instant| axis.place(at) - axis.place(from);
    let to = weighty().filter(|at| seen(*at) <= LONGEST_VIEW).max().unwrap_or(from);
    let room = Duration::from_secs_f64((seen(to) / 5_000.0).max(0.15));
    let before = room.mul_f64(0.6).min(from.since(Instant::ZERO));
    let start = Instant::ZERO + (from.since(Instant::ZERO) - before);
    // A fold at the right edge would only take room.
    let fold = axis.folds.iter().map(|(from, _)| *from).find(|fold| *fold > to);
    let end = (to + room).min(last).min(fold.unwrap_or(last));
    (start, end.max(start + Duration::from_millis(10)))
}

/// What weighs less is no reason to look there first.
const WEIGHTY: u32 = 40;
/// So much of the time before a broken law.
const AROUND: Duration = Duration::from_millis(1_500);
/// In milliseconds of the axis.
const LONGEST_VIEW: f64 = 12_000.0;

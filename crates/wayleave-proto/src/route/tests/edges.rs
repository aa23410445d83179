//! A long random walk takes only the moves of the table, and every one of them.

use core::time::Duration;
use std::collections::BTreeSet;

use super::super::{EDGES, Probed, Proof, RouteEvent, Routes};
use super::{KINDS, events};
use crate::base::{Instant, Kind, Link, Network, Rng, Route, Seed};
use crate::config::{RouteConfig, Scope};

type Moves = BTreeSet<(&'static str, &'static str)>;

#[test]
fn a_random_walk_takes_every_edge_and_no_other() {
    let table: Moves = EDGES.iter().map(|edge| (edge.from, edge.to)).collect();
    assert_eq!(table.len(), EDGES.len(), "an edge is listed twice");
    let mut taken = Moves::new();
    for byte in 0..200 {
        walk(&Seed::new([byte; 32]), &mut taken);
    }
    let illegal: Vec<_> = taken.difference(&table).collect();
    assert!(illegal.is_empty(), "moves that the table does not know: {illegal:?}");
    let missing: Vec<_> = table.difference(&taken).collect();
    assert!(missing.is_empty(), "moves that never happened: {missing:?}");
}

fn walk(seed: &Seed, taken: &mut Moves) {
    let mut rng = seed.stream("walk");
    let config = RouteConfig {
        scope: if coin(&mut rng) { Scope::Kind } else { Scope::Session },
        return_to_direct: coin(&mut rng),
        ..RouteConfig::default()
    };
    let probed = Probed { datagram: rng.below(4) == 0, stream: rng.below(4) == 0 };
    let mut now = Instant::from_millis(rng.below(10_000));
    let mut routes = Routes::new(config, now, network(&mut rng), probed);
    for kind in KINDS {
        note(taken, "idle", routes.phase(kind).name(), false);
    }
    for _ in 0..60 {
        now = now + Duration::from_millis(rng.below(1_500));
        // Time alone first, so that what follows is one move.
        step(&mut routes, taken, |routes| routes.handle_timeout(now));
        let kind = KINDS[usize::from(coin(&mut rng))];
        match rng.below(6) {
            0 => step(&mut routes, taken, |routes| routes.handle_flow(now, kind)),
            1 => step(&mut routes, taken, |routes| routes.handle_proven(now, kind, Proof::Embedder)),
            2 | 3 => {
                let network = network(&mut rng);
                step(&mut routes, taken, |routes| routes.handle_network(now, network));
            }
            4 => step(&mut routes, taken, |routes| routes.retry(now, Some(kind))),
            _ => {}
        }
    }
}

fn step(routes: &mut Routes, taken: &mut Moves, input: impl FnOnce(&mut Routes)) {
    events(routes);
    let before = KINDS.map(|kind| routes.phase(kind));
    input(routes);
    let told = events(routes);
    for (kind, before) in KINDS.into_iter().zip(before) {
        let after = routes.phase(kind);
        let restarted = told.iter().any(|event| is_start_of(event, kind));
        note(taken, before.name(), after.name(), restarted);
        let changes = told.iter().filter_map(|event| change_of(event, kind)).collect::<Vec<_>>();
        if before.route() == after.route() {
            assert_eq!(changes, [], "{before:?} to {after:?}");
        } else {
            assert_eq!(changes, [(before.route(), after.route())], "{before:?} to {after:?}");
        }
    }
}

fn note(taken: &mut Moves, from: &'static str, to: &'static str, restarted: bool) {
    if from != to || restarted {
        taken.insert((from, to));
    }
}

fn is_start_of(event: &RouteEvent, of: Kind) -> bool {
    matches!(event, RouteEvent::TrialStarted { kind, .. } if kind.is_none_or(|kind| kind == of))
}

fn change_of(event: &RouteEvent, of: Kind) -> Option<(Route, Route)> {
    match event {
        RouteEvent::RouteChanged { kind, from, to, .. } if kind.is_none_or(|kind| kind == of) => {
            Some((*from, *to))
        }
        _ => None,
    }
}

fn network(rng: &mut Rng) -> Network {
    let link =
        [Link::Cellular, Link::Ethernet, Link::Unknown, Link::Wifi][usize::try_from(rng.below(4)).unwrap()];
    Network { link, up: rng.below(3) > 0, fingerprint: None }
}

fn coin(rng: &mut Rng) -> bool {
    rng.below(2) == 1
}

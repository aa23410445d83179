mod model;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use super::{Dial, DialConfig, Fault, Judge, Known, Refresh};
use crate::base::{Families, Instant, Kind, Name};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Ipv6Evidence, Output, Remote, Requests, SocketId};
use crate::policy::Denied;

const CONFIG: DialConfig =
    DialConfig { stagger: Duration::from_millis(250), timeout: Duration::from_secs(10), fragments: true };

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Allows everything and knows nothing.
struct Anywhere;

impl Judge for Anywhere {
    fn known(&self, _: &Name) -> Option<Known> {
        None
    }

    fn judge(&mut self, _: SocketAddr) -> Result<(), Fault> {
        Ok(())
    }
}

/// A search with its table of sockets.
struct Search {
    dial: Dial,
    requests: Requests<(), ()>,
    outputs: VecDeque<Output<()>>,
}

impl Search {
    fn new(kind: Kind, targets: &[&str]) -> Self {
        let targets = targets.iter().map(|target| target.parse().unwrap());
        let dial = Dial::new(kind, targets, CONFIG, at(0));
        Self { dial, requests: Requests::new(), outputs: VecDeque::new() }
    }

    fn advance(&mut self, now: u64, judge: &mut dyn Judge) {
        self.dial.advance(at(now), &mut self.requests, (), judge);
        self.outputs.extend(core::iter::from_fn(|| self.requests.poll()));
    }

    fn resolved(&mut self, now: u64, id: SocketId, addresses: &[&str], judge: &mut dyn Judge) {
        self.half(now, id, Families::Both, addresses, judge);
    }

    fn half(&mut self, now: u64, id: SocketId, families: Families, answer: &[&str], judge: &mut dyn Judge) {
        let addresses: Vec<IpAddr> = answer.iter().map(|text| text.parse().unwrap()).collect();
        self.dial.handle_resolved(at(now), id, families, Ok(&addresses));
        self.advance(now, judge);
    }

    fn fail(&mut self, now: u64, id: SocketId) {
        self.requests.forget(id);
        self.dial.handle_failed(at(now), id, IoFailed::new(IoFailure::ConnectionRefused).into());
        self.advance(now, &mut Anywhere);
    }

    /// The only thing that was asked for since.
    fn asked(&mut self) -> (SocketId, String) {
        let asked = match self.outputs.pop_front() {
            Some(Output::Resolve { id, name }) => (id, name.to_string()),
            Some(Output::Dial { id, address }) => (id, format!("tcp {address}")),
            Some(Output::Bind { id, remote: Remote::One(address), fragments }) => {
                assert_eq!(fragments, CONFIG.fragments);
                (id, format!("udp {address}"))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(self.outputs, []);
        asked
    }

    fn quiet(&mut self) {
        assert_eq!(self.outputs, []);
    }
}

#[test]
fn an_address_is_attempted_at_once() {
    for (kind, asked) in [(Kind::Stream, "tcp 192.0.2.1:443"), (Kind::Datagram, "udp 192.0.2.1:443")] {
        let mut search = Search::new(kind, &["192.0.2.1:443"]);
        search.advance(0, &mut Anywhere);
        assert_eq!(search.asked().1, asked);
        assert_eq!(search.dial.poll_timeout(), Some(at(10_000)));
    }
}

#[test]
fn addresses_start_one_stagger_apart_or_when_one_fails() {
    let mut search = Search::new(Kind::Stream, &["a.example:1"]);
    search.advance(0, &mut Anywhere);
    let (lookup, name) = search.asked();
    assert_eq!((name.as_str(), search.dial.poll_timeout()), ("a.example", Some(at(10_000))));
    search.resolved(100, lookup, &["192.0.2.1", "192.0.2.2", "192.0.2.3"], &mut Anywhere);
    let (first, address) = search.asked();
    assert_eq!((address.as_str(), search.dial.poll_timeout()), ("tcp 192.0.2.1:1", Some(at(350))));
    search.advance(349, &mut Anywhere);
    search.quiet();
    search.advance(350, &mut Anywhere);
    assert_eq!(search.asked().1, "tcp 192.0.2.2:1");
    search.fail(400, first);
    let (third, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.3:1");
    search.dial.end(&mut search.requests, Some(third));
    assert_eq!(search.requests.len(), 1, "all but the winner are closed");
    assert_eq!(search.dial.poll_timeout(), None);
}

#[test]
fn the_next_target_joins_one_stagger_after_the_last_attempt() {
    let mut search = Search::new(Kind::Stream, &["192.0.2.1:1", "b.example:2"]);
    search.advance(0, &mut Anywhere);
    search.asked();
    assert_eq!(search.dial.poll_timeout(), Some(at(250)));
    search.advance(249, &mut Anywhere);
    search.quiet();
    search.advance(250, &mut Anywhere);
    let (lookup, name) = search.asked();
    assert_eq!(name, "b.example");
    search.resolved(260, lookup, &["192.0.2.2"], &mut Anywhere);
    assert_eq!(search.asked().1, "tcp 192.0.2.2:2");
    assert_eq!(search.requests.len(), 2, "the first still runs");
}

#[test]
fn the_next_target_joins_at_once_when_nothing_is_left_to_wait_for() {
    let mut search = Search::new(Kind::Stream, &["192.0.2.1:1", "a.example:2", "192.0.2.3:3"]);
    search.advance(0, &mut Anywhere);
    let (first, _) = search.asked();
    search.fail(10, first);
    let (lookup, name) = search.asked();
    assert_eq!(name, "a.example");
    search.resolved(20, lookup, &[], &mut Anywhere);
    let (third, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.3:3");
    assert!(!search.dial.is_exhausted());
    search.fail(30, third);
    assert!(search.dial.is_exhausted());
    assert_eq!(search.dial.poll_timeout(), None);
    assert!(search.requests.is_empty());
    let faults: Vec<_> = search.dial.faults().iter().map(|(index, fault)| (*index, fault.clone())).collect();
    let io = |failure| Fault::Io(IoFailed::new(failure));
    assert_eq!(
        faults,
        [
            (0, io(IoFailure::ConnectionRefused)),
            (1, io(IoFailure::NameEmpty)),
            (2, io(IoFailure::ConnectionRefused)),
        ]
    );
}

#[test]
fn look_ups_and_attempts_end_after_their_timeout_and_hold_nobody_up() {
    let mut search = Search::new(Kind::Stream, &["a.example:1", "192.0.2.2:2"]);
    search.advance(0, &mut Anywhere);
    let (lookup, _) = search.asked();
    search.advance(249, &mut Anywhere);
    search.quiet();
    search.advance(250, &mut Anywhere);
    let (attempt, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.2:2", "a slow name does not hold the next target up");
    search.advance(9_999, &mut Anywhere);
    search.quiet();
    search.advance(10_000, &mut Anywhere);
    assert_eq!(search.outputs.pop_front(), Some(Output::Close { id: lookup, reset: false }));
    search.advance(10_250, &mut Anywhere);
    assert_eq!(search.outputs.pop_front(), Some(Output::Close { id: attempt, reset: true }));
    assert!(search.dial.is_exhausted() && search.requests.is_empty());
    let failures: Vec<_> = search.dial.faults().iter().map(|(_, fault)| fault.clone()).collect();
    let io = |failure| Fault::Io(IoFailed::new(failure));
    assert_eq!(failures, [io(IoFailure::NameUnanswered), io(IoFailure::TimedOut)]);
    // What comes too late changes nothing.
    search.resolved(20_001, lookup, &["192.0.2.9"], &mut Anywhere);
    search.fail(20_001, attempt);
    search.quiet();
    assert_eq!(search.dial.faults().len(), 2);
}

#[test]
fn a_family_that_is_answered_waits_50_ms_for_the_other_and_what_comes_later_takes_turns() {
    let mut search = Search::new(Kind::Stream, &["a.example:1"]);
    search.advance(0, &mut Anywhere);
    let (lookup, _) = search.asked();
    search.half(100, lookup, Families::V4, &["192.0.2.1", "192.0.2.2"], &mut Anywhere);
    search.quiet();
    assert_eq!(search.dial.poll_timeout(), Some(at(150)));
    search.advance(150, &mut Anywhere);
    assert_eq!(search.asked().1, "tcp 192.0.2.1:1");
    search.half(200, lookup, Families::V6, &["2001:db8::1"], &mut Anywhere);
    search.quiet();
    search.advance(400, &mut Anywhere);
    assert_eq!(search.asked().1, "tcp [2001:db8::1]:1");
    search.advance(650, &mut Anywhere);
    assert_eq!(search.asked().1, "tcp 192.0.2.2:1");
    assert_eq!(search.requests.len(), 3, "the look-up is over");
}

#[test]
fn a_family_that_is_never_answered_costs_50_ms() {
    let mut search = Search::new(Kind::Stream, &["a.example:1"]);
    search.advance(0, &mut Anywhere);
    let (lookup, _) = search.asked();
    search.half(10, lookup, Families::V4, &["192.0.2.1"], &mut Anywhere);
    search.advance(60, &mut Anywhere);
    let (attempt, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.1:1");
    search.dial.end(&mut search.requests, Some(attempt));
    assert_eq!(search.requests.len(), 1, "the look-up is given up");
}

#[test]
fn a_search_waits_for_the_other_family_when_every_address_has_failed() {
    let mut search = Search::new(Kind::Stream, &["a.example:1"]);
    search.advance(0, &mut Anywhere);
    let (lookup, _) = search.asked();
    search.half(10, lookup, Families::V4, &["192.0.2.1"], &mut Anywhere);
    search.advance(60, &mut Anywhere);
    let (attempt, _) = search.asked();
    search.fail(70, attempt);
    assert!(!search.dial.is_exhausted());
    search.half(5_000, lookup, Families::V6, &["2001:db8::1"], &mut Anywhere);
    let (attempt, address) = search.asked();
    assert_eq!(address, "tcp [2001:db8::1]:1");
    search.fail(5_001, attempt);
    assert!(search.dial.is_exhausted());
    assert_eq!(search.dial.faults().len(), 1);
}

/// Knows where one name led before.
struct Knows(Refresh);

impl Judge for Knows {
    fn known(&self, name: &Name) -> Option<Known> {
        let addresses = vec!["192.0.2.7".parse().unwrap()];
        (name.as_str() == "known.example").then_some(Known { addresses, refresh: self.0 })
    }

    fn judge(&mut self, _: SocketAddr) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn known_addresses_are_attempted_at_once_and_their_name_is_asked_beside_them() {
    let judge = &mut Knows(Refresh::Now);
    let mut search = Search::new(Kind::Stream, &["known.example:1"]);
    search.advance(0, judge);
    let Some(Output::Resolve { id: lookup, .. }) = search.outputs.pop_front() else { panic!("no look-up") };
    let (old, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.7:1");
    search.resolved(100, lookup, &["192.0.2.7", "192.0.2.8"], judge);
    search.quiet();
    search.advance(250, judge);
    assert_eq!(search.asked().1, "tcp 192.0.2.8:1", "no address is attempted twice");
    search.fail(300, old);
    assert!(!search.dial.is_exhausted());
}

#[test]
fn a_look_up_beside_known_addresses_outlives_the_search() {
    let judge = &mut Knows(Refresh::Now);
    let mut search = Search::new(Kind::Stream, &["known.example:1"]);
    search.advance(0, judge);
    let Some(Output::Resolve { id: lookup, .. }) = search.outputs.pop_front() else { panic!("no look-up") };
    let (winner, _) = search.asked();
    let released = search.dial.release_lookup().map(|(id, name)| (id, name.to_string()));
    assert_eq!(released, Some((lookup, "known.example".into())));
    search.dial.end(&mut search.requests, Some(winner));
    assert_eq!(search.requests.len(), 2);
}

#[test]
fn a_name_that_was_asked_a_moment_ago_is_asked_again_only_when_its_addresses_do_not_serve() {
    let judge = &mut Knows(Refresh::Later);
    let mut search = Search::new(Kind::Stream, &["known.example:1", "192.0.2.2:2"]);
    search.advance(0, judge);
    let (old, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.7:1");
    search.dial.handle_failed(at(10), old, IoFailed::new(IoFailure::ConnectionRefused).into());
    search.advance(10, judge);
    assert_eq!(search.asked().1, "tcp 192.0.2.2:2", "the other target comes first");
    search.advance(260, judge);
    let (lookup, name) = search.asked();
    assert_eq!(name, "known.example");
    search.dial.handle_resolved(at(300), lookup, Families::Both, Err(IoFailed::new(IoFailure::NameFailed)));
    search.advance(300, judge);
    let io = |failure| Fault::Io(IoFailed::new(failure));
    assert_eq!(search.dial.faults(), [(0, io(IoFailure::ConnectionRefused))]);
}

#[test]
fn ipv6_is_lost_where_it_had_its_chance_and_reached_where_it_won() {
    let both = ["2001:db8::1", "192.0.2.1"];
    let race = |until: u64, winner: usize| {
        let mut search = Search::new(Kind::Stream, &["a.example:1"]);
        search.advance(0, &mut Anywhere);
        let (lookup, _) = search.asked();
        search.resolved(0, lookup, &both, &mut Anywhere);
        let mut attempts = vec![search.asked().0];
        search.advance(until, &mut Anywhere);
        if until >= 250 {
            attempts.push(search.asked().0);
        }
        search.dial.ipv6(attempts[winner])
    };
    assert_eq!(race(100, 0), Some(Ipv6Evidence::Reached));
    assert_eq!(race(250, 0), Some(Ipv6Evidence::Reached));
    assert_eq!(race(250, 1), Some(Ipv6Evidence::Lost));
    // Refused there and served here.
    let mut search = Search::new(Kind::Stream, &["a.example:1"]);
    search.advance(0, &mut Anywhere);
    let (lookup, _) = search.asked();
    search.resolved(0, lookup, &both, &mut Anywhere);
    let (first, _) = search.asked();
    search.fail(5, first);
    let (second, _) = search.asked();
    assert_eq!(search.dial.ipv6(second), Some(Ipv6Evidence::Lost));
    // Where only one family is there, nothing is learnt of the other.
    let mut search = Search::new(Kind::Stream, &["192.0.2.1:1"]);
    search.advance(0, &mut Anywhere);
    let (only, _) = search.asked();
    assert_eq!(search.dial.ipv6(only), None);
}

/// Forbids loopback and knows one name.
struct Strict(Vec<SocketAddr>);

impl Judge for Strict {
    fn known(&self, name: &Name) -> Option<Known> {
        let addresses = vec!["192.0.2.77".parse().unwrap()];
        (name.as_str() == "known.example").then_some(Known { addresses, refresh: Refresh::Never })
    }

    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault> {
        self.0.push(address);
        match address.ip().is_loopback() {
            true => Err(Denied::Own.into()),
            false => Ok(()),
        }
    }
}

#[test]
fn forbidden_addresses_are_skipped_and_every_address_is_judged_once() {
    let mut judge = Strict(Vec::new());
    let mut search = Search::new(Kind::Stream, &["a.example:1"]);
    search.advance(0, &mut judge);
    let (lookup, _) = search.asked();
    search.resolved(0, lookup, &["127.0.0.1", "192.0.2.1", "::1"], &mut judge);
    let (attempt, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.1:1");
    assert_eq!(judge.0.len(), 3);
    search.advance(300, &mut judge);
    search.quiet();
    search.fail(301, attempt);
    assert!(search.dial.is_exhausted());
    assert!(matches!(search.dial.faults(), [(0, Fault::Io(_))]));
}

#[test]
fn only_forbidden_addresses_are_the_fault_of_their_target() {
    let mut judge = Strict(Vec::new());
    let mut search = Search::new(Kind::Stream, &["127.0.0.1:1", "known.example:2"]);
    search.advance(0, &mut judge);
    assert_eq!(search.asked().1, "tcp 192.0.2.77:2", "a known name needs no look-up");
    assert!(matches!(search.dial.faults(), [(0, Fault::Denied(_))]));
}

#[test]
fn a_name_that_is_unknown_is_asked_for_no_longer() {
    let mut search = Search::new(Kind::Stream, &["nowhere.example:443"]);
    search.advance(0, &mut Anywhere);
    let Some(Output::Resolve { id, .. }) = search.outputs.pop_front() else { panic!("no look-up") };
    let unknown = Err(IoFailed::new(IoFailure::NameUnknown));
    search.dial.handle_resolved(at(10), id, Families::V4, unknown);
    search.advance(10, &mut Anywhere);
    // The half for IPv6 is still under way at the adapter.
    assert_eq!(search.outputs.pop_front(), Some(Output::Close { id, reset: false }));
    assert!(search.dial.is_exhausted());
}

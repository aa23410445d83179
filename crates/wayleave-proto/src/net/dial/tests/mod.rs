mod model;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use super::{Anywhere, Dial, DialConfig, Fault, Judge};
use crate::base::{Instant, Kind, Name};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Output, Requests, SocketId};
use crate::policy::Denied;

const CONFIG: DialConfig =
    DialConfig { stagger: Duration::from_millis(250), timeout: Duration::from_secs(10) };

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
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
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.dial.handle_resolved(at(now), &mut self.requests, id, Ok(&addresses), judge);
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
            Some(Output::Bind { id, address }) => (id, format!("udp {address}")),
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
            (1, io(IoFailure::NameUnknown)),
            (2, io(IoFailure::ConnectionRefused)),
        ]
    );
}

#[test]
fn look_ups_and_attempts_end_after_their_timeout() {
    let mut search = Search::new(Kind::Stream, &["a.example:1", "192.0.2.2:2"]);
    search.advance(0, &mut Anywhere);
    let (lookup, _) = search.asked();
    search.advance(9_999, &mut Anywhere);
    search.quiet();
    search.advance(10_000, &mut Anywhere);
    assert_eq!(search.outputs.pop_front(), Some(Output::Close { id: lookup, reset: false }));
    let (attempt, address) = search.asked();
    assert_eq!(address, "tcp 192.0.2.2:2");
    search.advance(20_000, &mut Anywhere);
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

/// Forbids loopback and knows one name.
struct Strict(Vec<SocketAddr>);

impl Judge for Strict {
    fn known(&self, name: &Name) -> Option<Vec<IpAddr>> {
        (name.as_str() == "known.example").then(|| vec!["192.0.2.77".parse().unwrap()])
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

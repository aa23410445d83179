//! A second reading of the search, written tick by tick, must ask for the same things at the same moments.

use core::net::IpAddr;
use core::time::Duration;

use proptest::prelude::*;

use super::super::{Dial, DialConfig};
use super::Anywhere;
use crate::base::{Families, Instant, Kind};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Output, Requests, SocketId};
use crate::testing::cases;

/// What the world will do with one target, in ticks.
#[derive(Clone, Debug)]
struct Plan {
    /// How long its look-up takes; an address needs none, and an answer may never come.
    lookup: Lookup,
    /// How long each attempt at its addresses takes to fail; `None` hangs.
    attempts: Vec<Option<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Address,
    Answered(u64),
    Silent,
}

/// The search in the words of its documentation: a list of what waits, a list of what runs, and a clock.
#[derive(Default)]
struct Naive {
    next: usize,
    lookups: Vec<(usize, u64)>,
    waiting: Vec<(usize, usize)>,
    running: Vec<(usize, usize, u64)>,
    /// No attempt before.
    gate: u64,
    /// When the last attempt began, or addresses came.
    last: u64,
    trace: Vec<(u64, String)>,
}

impl Naive {
    fn advance(&mut self, tick: u64, plans: &[Plan]) {
        self.lookups.retain(|(_, began)| tick < began + TIMEOUT);
        let late = |(_, _, began): &(usize, usize, u64)| tick >= began + TIMEOUT;
        if self.running.iter().any(late) {
            self.gate = self.gate.min(tick);
        }
        self.running.retain(|attempt| !late(attempt));
        loop {
            while !self.waiting.is_empty() && tick >= self.gate {
                let (target, address) = self.waiting.remove(0);
                self.trace.push((tick, format!("dial {}", ip(target, address))));
                self.running.push((target, address, tick));
                (self.gate, self.last) = (tick + STAGGER, tick);
            }
            let is_idle = self.running.is_empty() && self.lookups.is_empty();
            let is_turn = is_idle || tick >= self.last + STAGGER;
            if !self.waiting.is_empty() || !is_turn || self.next == plans.len() {
                return;
            }
            let target = self.next;
            self.next += 1;
            if plans[target].lookup == Lookup::Address {
                self.waiting.push((target, 0));
                self.last = tick;
            } else {
                self.trace.push((tick, format!("resolve t{target}.example")));
                self.lookups.push((target, tick));
                self.last = tick;
            }
        }
    }

    /// What happens at `tick` because the plans say so.
    fn live(&mut self, tick: u64, plans: &[Plan]) {
        let answers = |(target, began): &(usize, u64)| {
            plans[*target].lookup == Lookup::Answered(tick - began) && tick < began + TIMEOUT
        };
        while let Some(place) = self.lookups.iter().position(answers) {
            let (target, _) = self.lookups.remove(place);
            let mut old = core::mem::take(&mut self.waiting).into_iter();
            for address in 0..plans[target].attempts.len() {
                self.waiting.push((target, address));
                self.waiting.extend(old.next());
            }
            self.waiting.extend(old);
            if !plans[target].attempts.is_empty() {
                self.last = tick;
            }
            self.advance(tick, plans);
        }
        let fails = |(target, address, began): &(usize, usize, u64)| {
            plans[*target].attempts[*address] == Some(tick - began)
        };
        while let Some(place) = self.running.iter().position(fails) {
            self.running.remove(place);
            self.gate = self.gate.min(tick);
            self.advance(tick, plans);
        }
        self.advance(tick, plans);
    }

    fn is_exhausted(&self, plans: &[Plan]) -> bool {
        self.lookups.is_empty()
            && self.next == plans.len()
            && self.waiting.is_empty()
            && self.running.is_empty()
    }
}

/// The search itself in the same world.
struct Real {
    dial: Dial,
    requests: Requests<(), ()>,
    open: Vec<(SocketId, usize, Option<usize>, u64)>,
    trace: Vec<(u64, String)>,
}

impl Real {
    fn advance(&mut self, tick: u64) {
        self.dial.advance(moment(tick), &mut self.requests, (), &mut Anywhere);
        while let Some(output) = self.requests.poll() {
            match output {
                Output::Resolve { id, name } => {
                    self.trace.push((tick, format!("resolve {name}")));
                    let target =
                        name.as_str().trim_start_matches('t').split('.').next().unwrap().parse().unwrap();
                    self.open.push((id, target, None, tick));
                }
                Output::Dial { id, address } => {
                    self.trace.push((tick, format!("dial {}", address.ip())));
                    let IpAddr::V4(address) = address.ip() else { panic!("{address}") };
                    let [_, _, target, address] = address.octets();
                    self.open.push((id, target.into(), Some(address.into()), tick));
                }
                Output::Close { id, .. } => self.open.retain(|(open, ..)| *open != id),
                other => panic!("{other:?}"),
            }
        }
    }

    fn live(&mut self, tick: u64, plans: &[Plan]) {
        let answers = |(_, target, address, began): &(SocketId, usize, Option<usize>, u64)| {
            address.is_none()
                && plans[*target].lookup == Lookup::Answered(tick - began)
                && tick < began + TIMEOUT
        };
        while let Some(place) = self.open.iter().position(answers) {
            let (id, target, ..) = self.open.remove(place);
            let addresses: Vec<IpAddr> =
                (0..plans[target].attempts.len()).map(|address| ip(target, address)).collect();
            self.dial.handle_resolved(moment(tick), id, Families::Both, Ok(&addresses));
            self.advance(tick);
        }
        let fails = |(_, target, address, began): &(SocketId, usize, Option<usize>, u64)| {
            address.is_some_and(|address| plans[*target].attempts[address] == Some(tick - began))
        };
        while let Some(place) = self.open.iter().position(fails) {
            let (id, ..) = self.open.remove(place);
            self.requests.forget(id);
            self.dial.handle_failed(moment(tick), id, IoFailed::new(IoFailure::ConnectionRefused).into());
            self.advance(tick);
        }
        // An adapter wakes it when it asked for that, and not otherwise.
        if self.dial.poll_timeout().is_some_and(|due| due <= moment(tick)) {
            self.advance(tick);
        }
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let lookup = prop_oneof![
        2 => Just(Lookup::Address),
        4 => (0_u64..60).prop_map(Lookup::Answered),
        1 => Just(Lookup::Silent),
    ];
    let attempt = prop_oneof![2 => (0_u64..60).prop_map(Some), 1 => Just(None)];
    (lookup, proptest::collection::vec(attempt, 0..4)).prop_map(|(lookup, mut attempts)| {
        if lookup == Lookup::Address {
            attempts.resize(1, None);
        }
        Plan { lookup, attempts }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(400) })]

    #[test]
    fn the_search_asks_for_what_is_prescribed_when_it_is_prescribed(
        plans in proptest::collection::vec(plan(), 1..5),
    ) {
        let text = |(number, plan): (usize, &Plan)| match plan.lookup {
            Lookup::Address => format!("{}:1", ip(number, 0)),
            Lookup::Answered(_) | Lookup::Silent => format!("t{number}.example:1"),
        };
        let targets: Vec<_> = plans.iter().enumerate().map(text).map(|text| text.parse().unwrap()).collect();
        let config = DialConfig { stagger: TICK * STAGGER as u32, timeout: TICK * TIMEOUT as u32, fragments: true };
        let dial = Dial::new(Kind::Stream, targets, config, Instant::ZERO);
        let mut real = Real { dial, requests: Requests::new(), open: Vec::new(), trace: Vec::new() };
        let mut naive = Naive::default();
        naive.advance(0, &plans);
        real.advance(0);
        for tick in 0..MOST_TICKS {
            naive.live(tick, &plans);
            real.live(tick, &plans);
            prop_assert_eq!(&real.trace, &naive.trace, "at tick {}", tick);
            prop_assert_eq!(real.dial.is_exhausted(), naive.is_exhausted(&plans), "at tick {}", tick);
            if real.dial.is_exhausted() {
                break;
            }
        }
        prop_assert!(real.dial.is_exhausted(), "it goes on for ever");
        prop_assert_eq!(real.dial.faults().len(), plans.len(), "each target says once why it failed");
        prop_assert_eq!(real.dial.poll_timeout(), None);
        prop_assert!(real.requests.is_empty());
    }
}

fn ip(target: usize, address: usize) -> IpAddr {
    [10, 0, target as u8, address as u8].into()
}

fn moment(tick: u64) -> Instant {
    Instant::from_millis(tick * 10)
}

const TICK: Duration = Duration::from_millis(10);
/// In ticks.
const STAGGER: u64 = 25;
const TIMEOUT: u64 = 100;
const MOST_TICKS: u64 = 4_000;

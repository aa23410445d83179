//! A second reading of the rules, written without phases, must prescribe the same route at every moment.

use core::time::Duration;

use proptest::prelude::*;

use super::super::{Probed, Proof, RouteEvent, Routes};
use super::{KINDS, events};
use crate::base::{Instant, Kind, Link, Network, Route};
use crate::config::{DoubtConfig, RouteConfig, Scope};
use crate::testing::cases;

#[derive(Clone, Copy, Debug)]
enum Input {
    Broken(Kind),
    Flow(Kind),
    Heard(Kind),
    Network(Network),
    Proven(Kind),
    Retry(Option<Kind>),
    Sent(Kind),
    Time,
}

/// What the rules say of one decision.
#[derive(Clone, Debug, Default)]
struct Prescribed {
    probed: bool,
    /// Rule 1 has been applied, or something was proven, since the decision last started again.
    begun: bool,
    /// A trial is to begin when the network comes up.
    wanted: bool,
    /// The last moment of the trial that runs, and whether a relay follows it.
    trial: Option<(Instant, bool)>,
    proxied: bool,
    /// Something was proven since the decision last started again.
    proven: bool,
    /// Failures and sends since something was last heard (rule 10).
    failures: Vec<Instant>,
    sends: Vec<Instant>,
    /// When the decision last started again by itself, and how often it did on this network.
    gave_up: Option<Instant>,
    times: u32,
}

impl Prescribed {
    fn pass(&mut self, now: Instant, network: Network) {
        self.doubt_silence(now, network);
        if let Some((last, relay_follows)) = self.trial
            && now > last
        {
            self.trial = None;
            self.proxied = relay_follows;
        }
    }

    fn doubt_silence(&mut self, now: Instant, network: Network) {
        let silent = self.sends.first().filter(|_| self.sends.len() >= 3);
        if silent.is_some_and(|first| now.since(*first) >= WINDOW) && self.may_give_up(now, network) {
            self.give_up(now, network);
        }
    }

    fn try_direct(&mut self, now: Instant, network: Network) {
        let trial = (now + Duration::from_secs(1), network.link != Link::Cellular);
        self.begun = true;
        self.wanted = !network.up;
        self.trial = network.up.then_some(trial);
    }

    /// A proof is at stake, and the last time is long enough ago: 5 s, then twice as long each time, at most 20 s.
    fn may_give_up(&self, now: Instant, network: Network) -> bool {
        let pause = Duration::from_secs([0, 5, 10, 20][self.times.min(3) as usize]);
        self.proven
            && network.link != Link::Cellular
            && self.gave_up.is_none_or(|last| now.since(last) >= pause)
    }

    fn give_up(&mut self, now: Instant, network: Network) {
        (self.gave_up, self.times) = (Some(now), self.times + 1);
        self.start_again(now, network);
    }

    fn start_again(&mut self, now: Instant, network: Network) {
        let Self { probed, gave_up, times, .. } = *self;
        *self = Self { probed, gave_up, times, ..Self::default() };
        if self.probed {
            self.try_direct(now, network);
        }
    }

    fn happen(&mut self, now: Instant, input: Input, network: Network, return_to_direct: bool) {
        let counts = self.proven && network.link != Link::Cellular;
        if matches!(input, Input::Network(_)) || (matches!(input, Input::Retry(_))) {
            (self.gave_up, self.times) = (None, 0);
            self.failures.clear();
            self.sends.clear();
        }
        match input {
            Input::Heard(_) => {
                self.failures.clear();
                self.sends.clear();
            }
            Input::Sent(_) if counts => {
                self.sends.push(now);
                self.doubt_silence(now, network);
            }
            Input::Broken(_) if counts => {
                // A window begins with its first failure.
                if self.failures.first().is_some_and(|first| now.since(*first) > WINDOW) {
                    self.failures.clear();
                }
                self.failures.push(now);
                if self.failures.len() >= 3 && self.may_give_up(now, network) {
                    self.give_up(now, network);
                }
            }
            Input::Flow(_) if !self.begun => self.try_direct(now, network),
            Input::Proven(_) if !self.proxied && network.up => {
                if !self.proven {
                    self.failures.clear();
                    self.sends.clear();
                }
                self.begun = true;
                self.proven = true;
                self.trial = None;
            }
            Input::Network(_) if self.wanted => self.try_direct(now, network),
            Input::Network(_) if self.begun && (!self.proxied || (return_to_direct && network.up)) => {
                self.start_again(now, network);
            }
            Input::Retry(_) if self.begun && !self.wanted => self.start_again(now, network),
            _ => {}
        }
    }
}

fn concerns(input: Input, kind: Kind, scope: Scope) -> bool {
    let named = match input {
        Input::Broken(named)
        | Input::Flow(named)
        | Input::Heard(named)
        | Input::Proven(named)
        | Input::Sent(named) => Some(named),
        Input::Retry(named) => named,
        Input::Network(_) | Input::Time => None,
    };
    scope == Scope::Session || named.is_none_or(|named| named == kind)
}

fn apply(routes: &mut Routes, now: Instant, input: Input) {
    match input {
        Input::Broken(kind) => routes.handle_broken(now, kind),
        Input::Flow(kind) => routes.handle_flow(now, kind),
        Input::Heard(kind) => routes.handle_heard(now, kind),
        Input::Network(network) => routes.handle_network(now, network),
        Input::Proven(kind) => routes.handle_proven(now, kind, Proof::Stream),
        Input::Retry(kind) => routes.retry(now, kind),
        Input::Sent(kind) => routes.handle_sent(now, kind),
        Input::Time => routes.handle_timeout(now),
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Datagram), Just(Kind::Stream)]
}

fn network() -> impl Strategy<Value = Network> {
    let link = prop_oneof![Just(Link::Cellular), Just(Link::Ethernet), Just(Link::Unknown), Just(Link::Wifi)];
    (link, prop::bool::weighted(0.7)).prop_map(|(link, up)| Network { link, up, fingerprint: None })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => kind().prop_map(Input::Flow),
        2 => network().prop_map(Input::Network),
        2 => kind().prop_map(Input::Proven),
        1 => prop::option::of(kind()).prop_map(Input::Retry),
        4 => kind().prop_map(Input::Sent),
        4 => kind().prop_map(Input::Broken),
        1 => kind().prop_map(Input::Heard),
        3 => Just(Input::Time),
    ]
}

/// Steps that often meet the deadline itself, its neighbours, or the same moment.
fn pass() -> impl Strategy<Value = Duration> {
    let second = 1_000_000_000_u64;
    prop_oneof![
        Just(0),
        Just(1),
        Just(second),
        Just(second - 1),
        Just(second + 1),
        Just(second / 2),
        0..2 * second
    ]
    .prop_map(Duration::from_nanos)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(400) })]

    #[test]
    fn the_route_is_the_prescribed_one_at_every_moment(
        session in any::<bool>(),
        return_to_direct in any::<bool>(),
        punctual in any::<bool>(),
        probes in any::<(bool, bool)>(),
        first in network(),
        steps in proptest::collection::vec((pass(), input()), 0..40),
    ) {
        let scope = if session { Scope::Session } else { Scope::Kind };
        let doubt = DoubtConfig {
            window: WINDOW,
            pause: Duration::from_secs(5),
            pause_most: Duration::from_secs(20),
            ..DoubtConfig::default()
        };
        let config = RouteConfig { scope, return_to_direct, doubt, ..RouteConfig::default() };
        let probed = Probed { datagram: probes.0, stream: probes.1 };
        let mut now = Instant::from_millis(5);
        let mut network = first;
        let mut routes = Routes::new(config, now, network, probed);
        let mut told = [Route::Direct; 2];
        let mut prescribed = [Prescribed::default(), Prescribed::default()];
        for (mine, has) in [(0, probes.0), (1, probes.1)] {
            prescribed[mine].probed = has || (session && (probes.0 || probes.1));
            prescribed[mine].start_again(now, network);
        }
        for (pass, input) in steps {
            now = now + pass;
            if punctual {
                while let Some(due) = routes.poll_timeout().filter(|due| *due <= now) {
                    routes.handle_timeout(due);
                    prescribed.iter_mut().for_each(|rules| rules.pass(due, network));
                    prop_assert!(routes.poll_timeout() > Some(due) || routes.poll_timeout().is_none(), "no progress");
                }
            }
            prescribed.iter_mut().for_each(|rules| rules.pass(now, network));
            apply(&mut routes, now, input);
            if let Input::Network(changed) = input {
                network = changed;
            }
            let news = events(&mut routes);
            for (mine, kind) in KINDS.into_iter().enumerate() {
                let rules = &mut prescribed[mine];
                if concerns(input, kind, scope) {
                    rules.happen(now, input, network, return_to_direct);
                }
                let expected = if rules.proxied { Route::Proxied } else { Route::Direct };
                prop_assert_eq!(routes.route(kind), expected, "{} after {:?} at {}", kind, input, now);
                prop_assert_eq!(routes.can_dial_direct(kind), network.up && !rules.proxied);
                prop_assert_eq!(routes.is_trial(kind), rules.trial.is_some(), "{} after {:?} at {}", kind, input, now);
                prop_assert!(routes.poll_timeout().is_none_or(|due| due > now));
                told[mine] = follow(told[mine], &news, kind)?;
                prop_assert_eq!(told[mine], expected, "the events tell another story");
            }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_events(
        first in network(),
        steps in proptest::collection::vec((pass(), input()), 0..40),
    ) {
        let run = || {
            let probed = Probed { datagram: true, stream: false };
            let mut routes = Routes::new(RouteConfig::default(), Instant::ZERO, first, probed);
            let mut now = Instant::ZERO;
            let mut trace = Vec::new();
            for (pass, input) in &steps {
                now = now + *pass;
                apply(&mut routes, now, *input);
                trace.extend(events(&mut routes).into_iter().map(|event| format!("{event:?}")));
                trace.push(format!("{:?}", routes.poll_timeout()));
            }
            trace
        };
        prop_assert_eq!(run(), run());
    }
}

/// The route that an embedder knows who only listens to the events.
fn follow(before: Route, news: &[RouteEvent], of: Kind) -> Result<Route, TestCaseError> {
    let mut route = before;
    for event in news {
        if let RouteEvent::RouteChanged { kind, from, to, .. } = event
            && kind.is_none_or(|kind| kind == of)
        {
            prop_assert_eq!(*from, route);
            prop_assert_ne!(*from, *to);
            route = *to;
        }
    }
    Ok(route)
}

/// How long silence lasts, and over what time failures count, where the model is tried.
const WINDOW: Duration = Duration::from_secs(3);

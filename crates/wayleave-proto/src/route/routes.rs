//! The decisions about both kinds of flow.

use core::slice;
use core::time::Duration;

use super::event::{Events, Proof, RouteEvent};
use super::grounds::{Cause, Grounds};
use super::judge::{Judge, Moment};
use super::phase::Phase;
use super::ports::{Block, Blocked, Ports};
use crate::base::{Instant, Kind, Link, Network, Route, Target};
use crate::config::{AtDeadline, Canary, Mode, RouteConfig, Scope};

/// Which kinds of flow have probes, so that their trials need no flow to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// There are datagram probes.
    pub datagram: bool,
    /// There are stream probes.
    pub stream: bool,
}

/// Where flows go, now and after whatever happens.
///
/// After each input take the events with [`poll_event`](Self::poll_event); at most 64 are kept, the oldest go first.
/// Call [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so. A `now` that is
/// older than an earlier one counts as the latest. [Modes](Mode) other than smart decide once and for all, and make
/// neither events nor timeouts.
#[derive(Clone, Debug)]
pub struct Routes {
    config: RouteConfig,
    network: Network,
    began: Instant,
    now: Instant,
    judged: Judged,
    ports: Ports,
    events: Events,
}

#[derive(Clone, Debug)]
enum Judged {
    /// Nothing: everything goes one way.
    Fixed(Route),
    /// Datagrams and streams, each by itself.
    Kinds([Judge; 2]),
    /// Both kinds together.
    Session(Judge),
}

impl Routes {
    /// The routes of a client that starts at `now` on `network`.
    ///
    /// The trial of what is `probed` begins here (rule 1), or when the network comes up.
    pub fn new(config: RouteConfig, now: Instant, network: Network, probed: Probed) -> Self {
        let judged = match (config.mode, config.scope) {
            (Mode::Normal, _) => Judged::Fixed(Route::Proxied),
            (Mode::Off, _) => Judged::Fixed(Route::Direct),
            (Mode::Smart, Scope::Kind) => Judged::Kinds([
                Judge::new(now, Some(Kind::Datagram), probed.datagram),
                Judge::new(now, Some(Kind::Stream), probed.stream),
            ]),
            (Mode::Smart, Scope::Session) => {
                Judged::Session(Judge::new(now, None, probed.datagram || probed.stream))
            }
        };
        let mut routes = Self {
            config,
            network,
            began: now,
            now,
            judged,
            ports: Ports::default(),
            events: Events::default(),
        };
        routes.each(None, Judge::start);
        routes
    }

    /// A flow looks for its way: the first one, and the first after what starts again, begins the trial of what has
    /// no probes. Further calls do nothing.
    pub fn handle_flow(&mut self, now: Instant, kind: Kind) {
        self.handle_timeout(now);
        self.each(Some(kind), Judge::handle_flow);
    }

    /// Direct is proven for `kind`, on the present network; what an earlier network proved must not be told here.
    ///
    /// A stream that stands and over which nothing was sent yet proves it at the deadline, not before: tell that with
    /// `now` being the deadline, at the first input past it.
    ///
    /// Counts at or before the deadline of a trial and while direct is held; changes nothing once the route is
    /// proxied (rule 6) or while the network is down.
    pub fn handle_proven(&mut self, now: Instant, kind: Kind, proof: Proof) {
        self.handle_timeout(now);
        self.each(Some(kind), |judge, moment| judge.handle_proven(moment, proof));
    }

    /// The network changed: other link, other address, up or down. Call it only when something did.
    ///
    /// What is direct starts again (rule 4); what is proxied stays so (rule 5), unless the configuration says to
    /// return to direct. To start again is to begin a trial at once where there are probes, or when the network is
    /// up; without probes it begins with the next [`handle_flow`](Self::handle_flow), so call that for every flow that
    /// still looks for its way.
    pub fn handle_network(&mut self, now: Instant, network: Network) {
        self.handle_timeout(now);
        self.network = network;
        self.ports.forget(None);
        self.each(None, Judge::handle_network);
    }

    /// Starts a new trial of `kind`, or of both with `None`, because the embedder asks for it (rule 7).
    ///
    /// In session scope the one decision starts again whatever the kind. What has no probes waits for the next
    /// [`handle_flow`](Self::handle_flow), as after [`handle_network`](Self::handle_network).
    pub fn retry(&mut self, now: Instant, kind: Option<Kind>) {
        self.handle_timeout(now);
        self.ports.forget(kind);
        self.each(kind, Judge::retry);
    }

    /// The first answer came back over a direct flow to `target`: it proves the path (rule 2), and its port is open.
    pub fn handle_answered(&mut self, now: Instant, kind: Kind, target: &Target) {
        self.handle_heard(now, kind);
        if self.config.mode == Mode::Smart {
            self.ports.handle_answered(self.now, kind, target, &self.config.rescue);
        }
        let proof = match kind {
            Kind::Datagram => Proof::Datagram,
            Kind::Stream => Proof::Stream,
        };
        self.handle_proven(now, kind, proof);
    }

    /// Something came back over a direct flow, or went out that shows that earlier bytes arrived.
    pub fn handle_heard(&mut self, now: Instant, kind: Kind) {
        self.handle_timeout(now);
        self.each(Some(kind), Judge::handle_heard);
    }

    /// Something was sent over a direct flow that had been answered before (rule 10).
    pub fn handle_sent(&mut self, now: Instant, kind: Kind) {
        self.handle_timeout(now);
        self.each(Some(kind), Judge::handle_sent);
    }

    /// A direct stream that had been answered broke off (rule 10).
    pub fn handle_broken(&mut self, now: Instant, kind: Kind) {
        self.handle_timeout(now);
        self.each(Some(kind), Judge::handle_broken);
    }

    /// Whether a direct flow of `kind` that has not come through is taken to a relay now (rule 9). Its own clock is the
    /// flow's: the length of a trial from when it was tried, or from the first bytes that were not answered.
    ///
    /// For datagrams see [`Self::is_answered`] too.
    pub fn can_rescue(&self, kind: Kind) -> bool {
        let link = self.network.link;
        self.config.rescue.on
            && !self.config.breaks(Canary::NotRescued)
            && self.phase(kind) == Phase::Direct
            && (self.config.breaks(Canary::CellularRescued)
                || (link != Link::Cellular && self.config.treatment.of(link) == AtDeadline::Proxied))
    }

    /// Whether another direct flow to that port was answered on this network, since the last one that was not: then a
    /// datagram flow without an answer may just have nobody at its other end.
    pub fn is_answered(&self, kind: Kind, target: &Target) -> bool {
        self.ports.is_answered(kind, target)
    }

    /// Whether a new flow to `target` goes through a relay although the route is direct, because its port is blocked on
    /// this network. One flow in a while is told no.
    pub fn is_blocked(&mut self, now: Instant, kind: Kind, target: &Target) -> bool {
        self.handle_timeout(now);
        self.can_rescue(kind) && self.ports.is_blocked(self.now, kind, target)
    }

    /// Whether a port of that kind is blocked, so that a relay will be wanted soon.
    pub fn has_blocked(&self, kind: Kind) -> bool {
        self.can_rescue(kind) && self.ports.has_blocked(kind)
    }

    /// A relay serves a flow that did not come through directly. Says what is remembered as blocked, and after what time
    /// one flow tries directly again.
    pub fn handle_rescued(
        &mut self,
        now: Instant,
        kind: Kind,
        target: &Target,
    ) -> Option<(Blocked, Duration)> {
        self.handle_timeout(now);
        if !self.can_rescue(kind) {
            return None;
        }
        let was_answered = self.ports.is_answered(kind, target);
        let blocked = self.ports.block(self.now, kind, target, &self.config.rescue);
        if was_answered {
            self.each(Some(kind), Judge::handle_broken);
        }
        Some(blocked)
    }

    /// A flow did not come through directly, and what it had sent must not be sent again, so that no relay can say whether
    /// the path or the target is at fault. As for [`Self::handle_rescued`]; where others were answered on that port nothing
    /// is remembered.
    pub fn handle_lost(&mut self, now: Instant, kind: Kind, target: &Target) -> Option<(Blocked, Duration)> {
        self.handle_timeout(now);
        if !self.can_rescue(kind) {
            return None;
        }
        if self.ports.is_answered(kind, target) {
            self.each(Some(kind), Judge::handle_broken);
            return None;
        }
        Some(self.ports.block(self.now, kind, target, &self.config.rescue))
    }

    /// This machine itself lacked what a direct attempt of `kind` needs, a descriptor say. That says nothing about the path, so a
    /// trial is none: it begins anew, at once where there are probes or `others` that still try, else with the next flow.
    pub fn handle_lack(&mut self, now: Instant, kind: Kind, others: bool) {
        self.handle_timeout(now);
        self.each(Some(kind), |judge, moment| judge.handle_lack(moment, others));
    }

    /// Lets time pass. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.each(None, Judge::handle_timeout);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.judged {
            Judged::Fixed(_) => None,
            Judged::Kinds(both) => both.iter().filter_map(|judge| judge.poll_timeout(&self.config)).min(),
            Judged::Session(judge) => judge.poll_timeout(&self.config),
        }
    }

    /// The next event, `None` when there is nothing more to tell.
    pub fn poll_event(&mut self) -> Option<RouteEvent> {
        self.events.pop()
    }

    /// Whether there is an event to tell.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Where a new flow of `kind` goes now.
    pub fn route(&self, kind: Kind) -> Route {
        self.phase(kind).route()
    }

    /// Whether a trial runs for `kind`.
    pub fn is_trial(&self, kind: Kind) -> bool {
        matches!(self.phase(kind), Phase::Trial { .. })
    }

    /// Whether flows and probes of `kind` may be dialled directly now.
    ///
    /// `false` while the route is proxied, and in smart mode while the network is down: then what is pending waits.
    pub fn can_dial_direct(&self, kind: Kind) -> bool {
        match self.phase(kind) {
            Phase::Fixed(route) => route == Route::Direct,
            phase => self.network.up && phase.route() == Route::Direct,
        }
    }

    /// Where the decision about `kind` stands.
    pub fn phase(&self, kind: Kind) -> Phase {
        match (&self.judged, kind) {
            (Judged::Fixed(route), _) => Phase::Fixed(*route),
            (Judged::Kinds([judge, _]), Kind::Datagram) | (Judged::Kinds([_, judge]), Kind::Stream) => {
                judge.phase()
            }
            (Judged::Session(judge), _) => judge.phase(),
        }
    }

    /// Where the decision about `kind` stands at `now`, and why.
    pub fn grounds(&self, now: Instant, kind: Kind) -> Grounds {
        match (&self.judged, kind) {
            (Judged::Fixed(route), _) => Grounds {
                phase: Phase::Fixed(*route),
                since: self.began,
                cause: Cause::Mode,
                trial: None,
                failures: 0,
            },
            (Judged::Kinds([judge, _]), Kind::Datagram)
            | (Judged::Kinds([_, judge]), Kind::Stream)
            | (Judged::Session(judge), _) => judge.grounds(now, &self.config),
        }
    }

    /// What is blocked for `kind` on this network while the route is direct, in the order of the ports.
    pub fn blocks(&self, kind: Kind) -> impl Iterator<Item = Block> {
        let counts = self.can_rescue(kind);
        self.ports.blocks(kind).filter(move |_| counts)
    }

    /// Ports and hosts of which something is known.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.ports.len()
    }

    /// Lets `act` happen to the decision about `kind`, or to every one with `None`.
    fn each(&mut self, kind: Option<Kind>, act: impl Fn(&mut Judge, &mut Moment<'_>)) {
        let judges = match (&mut self.judged, kind) {
            (Judged::Fixed(_), _) => &mut [],
            (Judged::Kinds(both), None) => both.as_mut_slice(),
            (Judged::Kinds([judge, _]), Some(Kind::Datagram)) => slice::from_mut(judge),
            (Judged::Kinds([_, judge]), Some(Kind::Stream)) => slice::from_mut(judge),
            (Judged::Session(judge), _) => slice::from_mut(judge),
        };
        let (config, events) = (&self.config, &mut self.events);
        let mut moment = Moment { config, network: self.network, now: self.now, events };
        for judge in judges {
            act(judge, &mut moment);
        }
    }
}

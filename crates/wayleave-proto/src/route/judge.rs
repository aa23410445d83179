//! One decision between direct and proxied, in smart mode.

use core::time::Duration;

use super::Phase;
use super::doubt::{Doubt, Failure};
use super::event::{Events, Proof, RouteEvent, RouteReason};
use super::grounds::{Cause, Grounds, LastTrial};
use crate::base::{Instant, Kind, Network, Route};
use crate::config::{AtDeadline, Canary, RouteConfig};

/// What a judge sees of the world when something happens.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    pub(super) config: &'a RouteConfig,
    pub(super) network: Network,
    pub(super) now: Instant,
    pub(super) events: &'a mut Events,
}

/// The machine of one decision: for one kind of flow, or for both (`kind` is `None`).
#[derive(Clone, Debug)]
pub(super) struct Judge {
    kind: Option<Kind>,
    phase: Phase,
    /// Since when it stands there, and why.
    since: Instant,
    cause: Cause,
    trial: Option<LastTrial>,
    /// There are probes, so that a trial needs no flow to begin.
    probed: bool,
    doubt: Doubt,
}

impl Judge {
    pub(super) fn new(now: Instant, kind: Option<Kind>, probed: bool) -> Self {
        Self {
            kind,
            phase: Phase::Idle,
            since: now,
            cause: Cause::Started,
            trial: None,
            probed,
            doubt: Doubt::default(),
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Where the decision stands at `now`, and why.
    pub(super) fn grounds(&self, now: Instant, config: &RouteConfig) -> Grounds {
        let failures = self.doubt.failures(now, &config.doubt);
        Grounds { phase: self.phase, since: self.since, cause: self.cause, trial: self.trial, failures }
    }

    /// Moves to `phase`, because of `cause`.
    const fn turn(&mut self, now: Instant, phase: Phase, cause: Cause) {
        (self.phase, self.since, self.cause) = (phase, now, cause);
    }

    /// Probes begin the first trial at the start (rule 1).
    pub(super) fn start(&mut self, moment: &mut Moment<'_>) {
        if self.probed {
            self.begin(moment);
        }
    }

    /// The first flow begins the trial of what has no probes (rule 1).
    pub(super) fn handle_flow(&mut self, moment: &mut Moment<'_>) {
        if self.phase == Phase::Idle {
            self.begin(moment);
        }
    }

    /// A proof counts on a network that is up, unless the route has become proxied (rules 2 and 6).
    pub(super) fn handle_proven(&mut self, moment: &mut Moment<'_>, proof: Proof) {
        let elapsed = match self.phase {
            Phase::Held { started } | Phase::Trial { started, .. } => moment.now.since(started),
            Phase::Idle if moment.network.up => Duration::ZERO,
            Phase::Proxied if moment.network.up && moment.config.breaks(Canary::LateSuccessCounts) => {
                self.tell_change(moment, Route::Proxied, Route::Direct, RouteReason::NewTrialAsked);
                Duration::ZERO
            }
            Phase::Direct | Phase::Fixed(_) | Phase::Idle | Phase::Proxied | Phase::Waiting => return,
        };
        self.turn(moment.now, Phase::Direct, Cause::Proven { proof, elapsed });
        self.doubt.calm();
        moment.events.push(RouteEvent::DirectProven { kind: self.kind, proof, elapsed });
    }

    /// A direct route starts again, one that waits for the network begins, a proxied one stays (rules 4 and 5).
    pub(super) fn handle_network(&mut self, moment: &mut Moment<'_>) {
        self.doubt = Doubt::default();
        let returns = moment.config.return_to_direct || moment.config.breaks(Canary::NetworkReturns);
        match self.phase {
            Phase::Direct if moment.config.breaks(Canary::NetworkNotTried) => {}
            Phase::Direct | Phase::Held { .. } | Phase::Trial { .. } => {
                self.restart(moment, RouteReason::NetworkChanged);
            }
            Phase::Waiting => {
                self.cause = Cause::NetworkChanged;
                self.begin(moment);
            }
            // While the network is down a relay is as far away as anything else: there is no reason to leave it yet.
            Phase::Proxied if returns && moment.network.up => {
                self.restart(moment, RouteReason::NetworkChanged);
            }
            Phase::Fixed(_) | Phase::Idle | Phase::Proxied => {}
        }
    }

    /// The embedder asks for a new trial (rule 7); one that has not begun still waits for its flow or its network.
    pub(super) fn retry(&mut self, moment: &mut Moment<'_>) {
        self.doubt = Doubt::default();
        match self.phase {
            Phase::Proxied if moment.config.breaks(Canary::RetryNotHeard) => {}
            Phase::Direct | Phase::Held { .. } | Phase::Proxied | Phase::Trial { .. } => {
                self.restart(moment, RouteReason::NewTrialAsked);
            }
            Phase::Fixed(_) | Phase::Idle | Phase::Waiting => {}
        }
    }

    /// This machine lacked what an attempt needs, so that nothing was tried: a trial begins anew without a word where `others`
    /// still try, and else with the next flow.
    pub(super) fn handle_lack(&mut self, moment: &mut Moment<'_>, others: bool) {
        if let Phase::Trial { started, link, .. } = self.phase {
            if others || self.probed {
                self.phase = Phase::Trial { started, deadline: moment.now + moment.config.trial, link };
            } else {
                self.turn(moment.now, Phase::Idle, Cause::SystemLacked);
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, moment: &mut Moment<'_>) {
        if let Phase::Trial { started, deadline, .. } = self.phase
            && moment.now > deadline
        {
            self.end(moment, started);
        }
        if self.phase == Phase::Direct {
            let failure = self.doubt.handle_timeout(moment.now, &moment.config.doubt);
            self.give_up(moment, failure);
        }
    }

    pub(super) fn poll_timeout(&self, config: &RouteConfig) -> Option<Instant> {
        match self.phase {
            // A proof at the deadline itself counts, so the trial ends only after it.
            Phase::Trial { deadline, .. } => Some(deadline + Duration::from_nanos(1)),
            Phase::Direct => self.doubt.poll_timeout(&config.doubt),
            _ => None,
        }
    }

    /// Something came back over a direct flow.
    pub(super) fn handle_heard(&mut self, _: &mut Moment<'_>) {
        self.doubt.handle_heard();
    }

    /// Something was sent over a direct flow that had been answered; it is evidence where the route is at stake.
    pub(super) fn handle_sent(&mut self, moment: &mut Moment<'_>) {
        if self.phase == Phase::Direct && can_turn(moment) {
            self.doubt.handle_sent(moment.now);
            let failure = self.doubt.handle_timeout(moment.now, &moment.config.doubt);
            self.give_up(moment, failure);
        }
    }

    /// A direct flow that had been answered broke off, or one did not come through where others had been answered.
    pub(super) fn handle_broken(&mut self, moment: &mut Moment<'_>) {
        if self.phase == Phase::Direct && can_turn(moment) {
            let failure = self.doubt.handle_failed(moment.now, &moment.config.doubt);
            self.give_up(moment, failure);
        }
    }

    /// The proof counts no longer: again from rule 1 (rule 10).
    fn give_up(&mut self, moment: &mut Moment<'_>, failure: Option<Failure>) {
        if let Some(failure) = failure {
            if moment.config.breaks(Canary::DoubtWithoutPause) {
                self.doubt = Doubt::default();
            }
            moment.events.push(RouteEvent::ProofFailed { kind: self.kind, failure });
            self.turn(moment.now, Phase::Idle, Cause::ProofFailed(failure));
            self.start(moment);
        }
    }

    /// Starts again at rule 1: what has no probes waits for the next flow, because until then nothing is tried.
    fn restart(&mut self, moment: &mut Moment<'_>, reason: RouteReason) {
        if self.phase == Phase::Proxied {
            self.tell_change(moment, Route::Proxied, Route::Direct, reason);
        }
        let cause = match reason {
            RouteReason::NetworkChanged => Cause::NetworkChanged,
            RouteReason::NewTrialAsked => Cause::NewTrialAsked,
            RouteReason::NothingProven(trial) => Cause::NothingProven { trial, link: moment.network.link },
        };
        self.turn(moment.now, Phase::Idle, cause);
        self.start(moment);
    }

    /// Begins a trial, or waits for the network to come up.
    fn begin(&mut self, moment: &mut Moment<'_>) {
        let Moment { network, now, config, .. } = *moment;
        if !network.up {
            self.turn(now, Phase::Waiting, self.cause);
            return;
        }
        let length = config.trial * if config.breaks(Canary::TrialTooLong) { 2 } else { 1 };
        let (link, deadline) = (network.link, now + length);
        self.turn(now, Phase::Trial { started: now, deadline, link }, self.cause);
        self.trial = Some(LastTrial { began: now, link, cause: self.cause });
        moment.events.push(RouteEvent::TrialStarted { kind: self.kind, link, deadline });
    }

    /// Ends a trial in which nothing was proven (rule 3).
    fn end(&mut self, moment: &mut Moment<'_>, started: Instant) {
        let link = moment.network.link;
        let switches = moment.config.breaks(Canary::CellularSwitches);
        let cause = Cause::NothingProven { trial: moment.config.trial, link };
        match moment.config.treatment.of(link) {
            AtDeadline::StayDirect if !switches => {
                self.turn(moment.now, Phase::Held { started }, cause);
                moment.events.push(RouteEvent::Held { kind: self.kind, link });
            }
            AtDeadline::Proxied | AtDeadline::StayDirect => {
                self.turn(moment.now, Phase::Proxied, cause);
                let reason = RouteReason::NothingProven(moment.config.trial);
                self.tell_change(moment, Route::Direct, Route::Proxied, reason);
            }
        }
    }

    fn tell_change(&self, moment: &mut Moment<'_>, from: Route, to: Route, reason: RouteReason) {
        let link = moment.network.link;
        moment.events.push(RouteEvent::RouteChanged { kind: self.kind, from, to, reason, link });
    }
}

/// Whether a trial on the present link could end with a relay.
pub(super) fn can_turn(moment: &Moment<'_>) -> bool {
    moment.config.treatment.of(moment.network.link) == AtDeadline::Proxied
}

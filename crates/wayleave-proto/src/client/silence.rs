//! Relays and connections that fall silent: an unanswered request is hedged, a silent relay is doubted, asked, and left.
//!
//! A relay whose host loses its power sends nothing more, not even a reset. So silence has to be judged, and silence alone
//! proves nothing: media may flow one way for hours, and an upload is acknowledged by the kernel, which does not tell. What is
//! judged is therefore the relay and the way there, and never the target:
//!
//! 1. A connection on which something was sent and nothing came for [`silence`](crate::config::ClientLimits::silence) makes
//!    its relay *doubtful*, unless the relay was heard on any other connection meanwhile.
//! 2. A doubtful relay is *asked*: by a connection of its own, which is kept ready if it is answered. Any answer ends the
//!    doubt, a refusal too: whoever refuses is there, and its kernel would reset what it does not know. The next doubt comes
//!    later each time, so that one-way media costs one handshake a minute.
//! 3. A question that is not answered within the time of a [`hedge`](crate::config::ClientLimits::hedge) makes the relay
//!    *silent*. Its datagram flows look for another connection, to whichever relay answers, and keep the old one until they
//!    have it; what is heard on the old one ends that. So a false alarm costs nothing but a search. Requests that it owes an
//!    answer are asked elsewhere, and connections that were kept ready go.
//! 4. A stream cannot move. It is told that it broke when its relay stayed silent for three seconds while another relay
//!    answered: then it is not our own network that is away, which may come back before anybody notices. Where no other
//!    relay answers, it is told after the user timeout.
//!
//! A connection that a translator of addresses forgot, while its relay answers others, is the kernel's to notice: see
//! [`Liveness`](crate::config::Liveness).

use core::time::Duration;

use super::flow::{Asked, State};
use super::proxied::{DialId, Lead, ProxyDial};
use super::{CarrierId, Client, FlowError, FlowId, ProxyFault, Timer};
use crate::base::{Instant, Kind};
use crate::config::{BackoffConfig, Canary};
use crate::error::IoFailure;
use crate::net::{Backoff, Fault};

/// What is thought of one relay.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// When anything last came from it, on any connection.
    heard: Instant,
    doubt: Doubt,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, Default)]
enum Doubt {
    /// There is none, and will be none before that moment.
    None(Instant),
    /// It is asked since then.
    Asked { since: Instant },
    /// It was asked first and last at these moments, and did not answer in time.
    Silent { since: Instant, asked: Instant },
    #[default]
    New,
}

impl Client {
    /// Something was written to a carrier that is in use.
    pub(super) fn on_carrier_sent(&mut self, id: CarrierId) {
        let due = self.now + self.config.limits.silence;
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        if carrier.flow.is_none() || carrier.unheard.is_some() {
            return;
        }
        carrier.unheard = Some(self.now);
        if !core::mem::replace(&mut carrier.watched, true) {
            self.timers.set(Timer::Carrier(id), Some(due));
        }
    }

    /// Something came on a carrier: its relay is there, and a flow that was about to leave it stays.
    pub(super) fn on_carrier_heard(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        carrier.unheard = None;
        let (proxy, flow) = (carrier.proxy, carrier.flow.filter(|_| carrier.leaving));
        carrier.leaving = false;
        if let Some(flow) = flow {
            self.waiting.retain(|waiting| *waiting != flow);
        }
        self.on_proxy_heard(proxy);
    }

    /// Something came from a relay, or a connection to it stands.
    pub(super) fn on_proxy_heard(&mut self, proxy: usize) {
        let now = self.now;
        let Some(standing) = self.standings.get_mut(proxy) else { return };
        standing.heard = now;
        if let Doubt::None(_) | Doubt::New = standing.doubt {
            return;
        }
        let after = standing.backoff.next(&DOUBT_AGAIN, &mut self.rng);
        standing.doubt = Doubt::None(now + after);
        self.timers.set(Timer::Doubt(proxy), None);
        self.drop_questions(proxy);
    }

    fn drop_questions(&mut self, proxy: usize) {
        let asks = |search: &ProxyDial| search.lead == Lead::Question(proxy);
        let questions: Vec<DialId> =
            self.dials.iter().filter(|(_, search)| asks(search)).map(|(id, _)| id).collect();
        for id in questions {
            self.drop_dial(id);
        }
    }

    /// A question was taken back before it could be answered.
    pub(super) fn forget_question(&mut self, proxy: usize) {
        if let Some(standing) = self.standings.get_mut(proxy)
            && let Doubt::Asked { .. } = standing.doubt
        {
            standing.doubt = Doubt::New;
            self.timers.set(Timer::Doubt(proxy), None);
        }
    }

    /// The network is another one: what was silent may speak again.
    pub(super) fn forget_doubts(&mut self) {
        for proxy in 0..self.standings.len() {
            self.drop_questions(proxy);
            self.timers.set(Timer::Doubt(proxy), None);
        }
        self.standings.fill_with(Standing::default);
    }

    /// A carrier has been waited on for a while: is its relay still there?
    pub(super) fn look_at_carrier(&mut self, id: CarrierId) {
        let (now, patience) = (self.now, self.config.limits.silence);
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        carrier.watched = false;
        let Some(unheard) = carrier.unheard else { return };
        let proxy = carrier.proxy;
        let due = if unheard + patience > now { unheard + patience } else { now + patience };
        carrier.watched = true;
        self.timers.set(Timer::Carrier(id), Some(due));
        if unheard + patience <= now {
            self.doubt(proxy);
        }
    }

    /// Asks a relay whether it is there.
    fn doubt(&mut self, proxy: usize) {
        let (now, patience) = (self.now, self.config.limits.silence);
        let Some(standing) = self.standings.get(proxy) else { return };
        let is_free = match standing.doubt {
            Doubt::New => true,
            Doubt::None(until) => until <= now,
            Doubt::Asked { .. } | Doubt::Silent { .. } => false,
        };
        if !is_free || standing.heard + patience > now || !self.network.up || !self.uses_proxies() {
            return;
        }
        if let Some(standing) = self.standings.get_mut(proxy) {
            standing.doubt = Doubt::Asked { since: now };
        }
        self.timers.set(Timer::Doubt(proxy), Some(now + self.config.limits.hedge));
        self.start_dial(Lead::Question(proxy));
    }

    /// The question came to nothing. A refusal is an answer.
    pub(super) fn on_question_failed(&mut self, proxy: usize, faults: &[Fault]) {
        let is_answer = |fault: &Fault| match fault {
            Fault::Io(failed) => {
                matches!(failed.failure, IoFailure::ConnectionRefused | IoFailure::ConnectionReset)
            }
            _ => true,
        };
        if faults.iter().any(is_answer) {
            self.on_proxy_heard(proxy);
        } else {
            self.on_question_unanswered(proxy);
        }
    }

    fn on_question_unanswered(&mut self, proxy: usize) {
        let Some(standing) = self.standings.get_mut(proxy) else { return };
        let Doubt::Asked { since } = standing.doubt else { return };
        standing.doubt = Doubt::Silent { since, asked: since };
        self.on_proxy_failed(proxy, ProxyFault::Silent, None);
        let of_proxy = |id: &CarrierId| self.carriers.get(*id).is_some_and(|carrier| carrier.proxy == proxy);
        let ready: Vec<CarrierId> = self.ready.iter().copied().filter(of_proxy).collect();
        for id in ready {
            self.close_carrier(id, false);
        }
        self.leave_silent(proxy);
    }

    pub(super) fn on_doubt_timeout(&mut self, proxy: usize) {
        match self.standings.get(proxy).map(|standing| &standing.doubt) {
            Some(Doubt::Asked { .. }) => self.on_question_unanswered(proxy),
            Some(Doubt::Silent { .. }) => self.leave_silent(proxy),
            Some(Doubt::None(_) | Doubt::New) | None => {}
        }
    }

    /// Takes from a silent relay what can go, and tells what cannot; again every while, until it is heard.
    fn leave_silent(&mut self, proxy: usize) {
        let now = self.now;
        let Some(&Standing { doubt: Doubt::Silent { since, asked }, .. }) = self.standings.get(proxy) else {
            return;
        };
        let used = self.carriers.iter().filter(|(_, carrier)| carrier.proxy == proxy);
        let used: Vec<_> = used.filter_map(|(id, it)| Some((id, it.flow?, it.unheard))).collect();
        if used.is_empty() {
            if let Some(standing) = self.standings.get_mut(proxy) {
                standing.doubt = Doubt::New;
            }
            return self.drop_questions(proxy);
        }
        let others = self.standings.iter().enumerate().filter(|(index, _)| *index != proxy);
        let is_alone = !others.map(|(_, other)| other.heard).any(|heard| heard > since);
        let is_fresh = now >= since + CERTAIN && now >= asked + LOOK;
        for (carrier, flow, unheard) in used {
            let Some(unheard) = unheard else { continue };
            let is_certain = if is_alone {
                now >= unheard + self.config.limits.user_timeout
            } else {
                is_fresh && now >= unheard + LOOK && asked + CERTAIN >= unheard
            };
            match self.flows.get(flow).map(|flow| (&flow.state, flow.kind)) {
                Some((State::Asking(_), _)) => self.hedge(flow),
                Some((State::Tunnel { .. }, Kind::Datagram)) => self.move_away(flow, carrier),
                Some((State::Tunnel { .. }, Kind::Stream)) if is_certain => self.fail(flow, FlowError::Reset),
                _ => {}
            }
            self.ask_once_more(proxy);
        }
        self.timers.set(Timer::Doubt(proxy), Some(now + LOOK));
        self.supply();
    }

    /// Somebody sends to a silent relay: a question that was asked long ago says nothing of now.
    fn ask_once_more(&mut self, proxy: usize) {
        let now = self.now;
        let Some(Standing { doubt: Doubt::Silent { asked, .. }, .. }) = self.standings.get_mut(proxy) else {
            return;
        };
        if now >= *asked + CERTAIN && self.network.up {
            *asked = now;
            self.drop_questions(proxy);
            self.start_dial(Lead::Question(proxy));
        }
    }

    /// Lets a datagram flow look for another connection while it keeps the one that it has.
    fn move_away(&mut self, flow: FlowId, carrier: CarrierId) {
        let Some(carrier) = self.carriers.get_mut(carrier) else { return };
        if !core::mem::replace(&mut carrier.leaving, true) {
            self.waiting.push_back(flow);
        }
    }

    /// An answer is overdue: another relay is asked as well, or this one over a fresh connection, and the first to answer
    /// has the flow. Nothing of the application was sent.
    pub(super) fn hedge(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::Asking(asked) = &mut flow.state else { return };
        if asked.hedge_at.take().is_some() {
            self.waiting.push_back(id);
        }
        self.arm_flow(id);
        self.supply();
    }

    /// Whether a ready connection will do for a flow: not for one that is already on its way over a connection of the same
    /// relay and no younger.
    pub(super) fn suits(&self, flow: FlowId, carrier: CarrierId) -> bool {
        let (Some(flow), Some(carrier)) = (self.flows.get(flow), self.carriers.get(carrier)) else {
            return true;
        };
        let is_better = |known: &CarrierId, since: Instant| {
            self.carriers.get(*known).is_none_or(|known| known.proxy != carrier.proxy) || carrier.made > since
        };
        match &flow.state {
            State::Asking(Asked { carriers, since, .. }) => carriers.iter().all(|it| is_better(it, *since)),
            State::Tunnel { carrier: old, .. } => {
                let unheard = self.carriers.get(*old).and_then(|old| old.unheard);
                unheard.is_none_or(|unheard| is_better(old, unheard))
            }
            _ => true,
        }
    }

    /// Where the next search had better not lead: to the relay that the first of those who wait is leaving.
    pub(super) fn lead(&self) -> Lead {
        let first = self.waiting.front().and_then(|flow| self.flows.get(*flow));
        let carrier = match first.map(|flow| &flow.state) {
            Some(State::Asking(asked)) => asked.carriers.first().copied(),
            Some(State::Tunnel { carrier, .. }) => Some(*carrier),
            _ => None,
        };
        match carrier.and_then(|carrier| self.carriers.get(carrier)) {
            Some(carrier) => Lead::RatherNot(carrier.proxy),
            None => Lead::Anywhere,
        }
    }

    /// Takes a connection that gave no good answer from a flow that asked over it; says whether no other is left.
    pub(super) fn unask(&mut self, id: FlowId, carrier: CarrierId, reset: bool) -> bool {
        self.close_carrier(carrier, reset);
        let Some(flow) = self.flows.get_mut(id) else { return false };
        let State::Asking(asked) = &mut flow.state else { return false };
        asked.carriers.retain(|other| *other != carrier);
        if !asked.carriers.is_empty() {
            return false;
        }
        flow.state = State::Waiting(None);
        self.waiting.retain(|waiting| *waiting != id);
        true
    }

    /// Lets a datagram flow be without a way until its application sends.
    pub(super) fn rest(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = core::mem::replace(&mut flow.state, State::Resting(self.now));
        self.drop_path(id, state, true);
        self.arm_flow(id);
    }

    /// A flow that asked over connections of a network or a route that is no more asks again.
    pub(super) fn ask_again(&mut self, id: FlowId) {
        if self.config.route.breaks(Canary::AskedForgotten) {
            return;
        }
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = core::mem::replace(&mut flow.state, State::Waiting(None));
        self.drop_path(id, state, true);
        self.place(id);
    }
}

/// A relay that stayed silent for so long while another answered is gone; and how long a question counts.
const CERTAIN: Duration = Duration::from_secs(3);
/// How often a silent relay is looked at, and how long whoever spoke to it is let wait for an answer.
const LOOK: Duration = Duration::from_secs(1);
/// How soon a relay that answered is doubted again.
const DOUBT_AGAIN: BackoffConfig =
    BackoffConfig { first: Duration::from_secs(5), most: Duration::from_secs(60), factor: 2, jitter: 20 };

//! Relays and connections that fall silent: an unanswered request is hedged, a silent relay is doubted, asked, and left.
//!
//! A relay whose host loses its power sends nothing more, not even a reset. So silence has to be judged, and silence alone
//! proves nothing: media may flow one way for hours, and an upload is acknowledged by the kernel, which does not tell. What is
//! judged is therefore the relay and the way there, and never the target:
//!
//! 1. A connection on which something was sent and nothing came for [`silence`](crate::config::ClientLimits::silence) makes
//!    its relay *doubtful*, unless the relay was heard on any other connection meanwhile.
//! 2. A doubtful relay is *asked*: by a connection of its own, which is kept ready if it is answered. Any answer ends the
//!    doubt, a refusal too: whoever refuses is there, and its kernel would reset what it does not know. The
//!    connection that was the reason is one for the next doubt later each time, so that one-way media costs one handshake a
//!    minute; the silence of any other counts as before.
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

use super::connection::{Connection, Stage, TunnelRef};
use super::search::Lead;
use super::{Beside, CarrierId, Decision, FlowId, Pool, ProxyFault, Want};
use crate::base::Instant;
use crate::client::io::{Io, Timer};
use crate::config::{BackoffConfig, Canary, Mode};
use crate::error::IoFailure;
use crate::net::{Backoff, Fault};

/// What is thought of one relay.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// When anything last came from it, on any connection.
    heard: Instant,
    doubt: Doubt,
}

impl Standing {
    /// When anything last came from it, on any connection.
    pub(super) const fn heard(&self) -> Instant {
        self.heard
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Doubt {
    #[default]
    None,
    /// It is asked since then.
    Asked { since: Instant },
    /// It was asked first and last at these moments, and did not answer in time.
    Silent { since: Instant, asked: Instant },
}

/// A connection whose silence was found to mean nothing, since its relay answered a question: media that goes one way. It is no
/// reason for another doubt before that moment, which is later each time.
#[derive(Debug, Default)]
pub(super) struct Excuse {
    until: Instant,
    backoff: Backoff,
}

/// Whether something comes on a connection in use. Its timer is set in all cases but the first, and not anew with every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing was sent since it was last looked at.
    Quiet,
    /// Something came after what was sent.
    Heard,
    /// Something was sent then, and nothing has come since.
    Since(Instant),
}

impl Silence {
    pub(super) const fn since(self) -> Option<Instant> {
        match self {
            Self::Since(since) => Some(since),
            Self::Heard | Self::Quiet => None,
        }
    }
}

impl Pool {
    /// Something was written to a connection.
    pub(in crate::client) fn on_sent(&mut self, io: &mut Io, id: CarrierId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.flows().next().is_none() {
            return;
        }
        match connection.silence {
            Silence::Since(_) => return,
            Silence::Heard => {}
            Silence::Quiet => io.timers.set(Timer::Silence(id), Some(io.now + io.config.limits.silence)),
        }
        connection.silence = Silence::Since(io.now);
    }

    /// Something came on a connection: its relay is there, and flows that were about to leave it stay.
    pub(super) fn on_heard(&mut self, io: &mut Io, id: CarrierId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Silence::Since(_) = connection.silence {
            connection.silence = Silence::Heard;
        }
        let proxy = connection.proxy;
        for tunnel in connection.tunnels.values_mut() {
            if let Stage::Leaves(flow) = tunnel.stage {
                tunnel.stage = Stage::Carries(flow);
                self.stirred |= self.line.leave(flow);
            }
        }
        self.on_proxy_heard(io, proxy);
    }

    /// Something came from a relay, or a connection to it stands.
    pub(super) fn on_proxy_heard(&mut self, io: &mut Io, proxy: usize) {
        let Some(standing) = self.standings.get_mut(proxy) else { return };
        standing.heard = io.now;
        if let Doubt::None = standing.doubt {
            return;
        }
        standing.doubt = Doubt::None;
        for id in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            if connection.proxy == proxy && connection.silence.since().is_some() {
                let after = connection.excuse.backoff.next(&DOUBT_AGAIN, &mut io.rng);
                connection.excuse.until = io.now + after;
            }
        }
        io.timers.set(Timer::Doubt(proxy), None);
        self.drop_questions(io, proxy);
    }

    fn drop_questions(&mut self, io: &mut Io, proxy: usize) {
        self.questions.remove(&proxy);
        self.drop_searches(io, |search| search.lead == Lead::Question(proxy));
        self.stirred = true;
    }

    /// A question was taken back before it could be answered.
    pub(super) fn forget_question(&mut self, io: &mut Io, proxy: usize) {
        if let Some(standing) = self.standings.get_mut(proxy)
            && let Doubt::Asked { .. } = standing.doubt
        {
            standing.doubt = Doubt::None;
            io.timers.set(Timer::Doubt(proxy), None);
        }
    }

    /// The network is another one: what was silent may speak again.
    pub(super) fn forget_doubts(&mut self, io: &mut Io) {
        for proxy in 0..self.standings.len() {
            self.drop_questions(io, proxy);
            io.timers.set(Timer::Doubt(proxy), None);
        }
        self.standings.fill_with(Standing::default);
    }

    /// A connection has been waited on for a while: is its relay still there?
    pub(in crate::client) fn on_silence_timeout(&mut self, io: &mut Io, id: CarrierId) {
        let (now, patience) = (io.now, io.config.limits.silence);
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Silence::Since(since) = connection.silence else {
            connection.silence = Silence::Quiet;
            return;
        };
        let (proxy, due, is_excused) = (connection.proxy, since + patience, connection.excuse.until > now);
        io.timers.set(Timer::Silence(id), Some(if due > now { due } else { now + patience }));
        if due <= now && !is_excused {
            self.doubt(io, proxy);
        }
    }

    /// Asks a relay whether it is there.
    fn doubt(&mut self, io: &mut Io, proxy: usize) {
        let (now, patience) = (io.now, io.config.limits.silence);
        let Some(standing) = self.standings.get_mut(proxy) else { return };
        let is_free = matches!(standing.doubt, Doubt::None);
        let can_ask = io.network.up
            && io.config.route.mode != Mode::Off
            && !io.config.route.breaks(Canary::SilenceTrusted);
        if is_free && standing.heard + patience <= now && can_ask {
            standing.doubt = Doubt::Asked { since: now };
            io.timers.set(Timer::Doubt(proxy), Some(now + io.config.limits.hedge));
            self.questions.insert(proxy);
            self.stirred = true;
        }
    }

    /// The question came to nothing. A refusal is an answer.
    pub(super) fn on_question_failed(&mut self, io: &mut Io, proxy: usize, faults: &[(usize, Fault)]) {
        let is_answer = |(_, fault): &(usize, Fault)| match fault {
            Fault::Io(failed) => {
                matches!(failed.failure, IoFailure::ConnectionRefused | IoFailure::ConnectionReset)
            }
            // It speaks for the way, and not for the relay.
            Fault::Via(_) => false,
            _ => true,
        };
        if faults.iter().any(is_answer) {
            self.on_proxy_heard(io, proxy);
        } else {
            self.on_question_unanswered(io, proxy);
        }
    }

    fn on_question_unanswered(&mut self, io: &mut Io, proxy: usize) {
        let Some(standing) = self.standings.get_mut(proxy) else { return };
        let Doubt::Asked { since } = standing.doubt else { return };
        standing.doubt = Doubt::Silent { since, asked: since };
        self.on_proxy_failed(io, proxy, ProxyFault::Silent, None);
        let is_idle = |it: &Connection| it.proxy == proxy && it.count == 0;
        let is_it = |id: &CarrierId| self.connections.get(*id).is_some_and(is_idle);
        let idle: Vec<CarrierId> = self.ready.iter().copied().filter(is_it).collect();
        for id in idle {
            self.close(io, id, false);
        }
        self.leave_silent(io, proxy);
    }

    pub(in crate::client) fn on_doubt_timeout(&mut self, io: &mut Io, proxy: usize) {
        match self.standings.get(proxy).map(|standing| &standing.doubt) {
            Some(Doubt::Asked { .. }) => self.on_question_unanswered(io, proxy),
            Some(Doubt::Silent { .. }) => self.leave_silent(io, proxy),
            Some(Doubt::None) | None => {}
        }
    }

    /// Takes from a silent relay what can go, and tells what cannot; again every while, until it is heard.
    fn leave_silent(&mut self, io: &mut Io, proxy: usize) {
        let now = io.now;
        let Some(&Standing { doubt: Doubt::Silent { since, asked }, .. }) = self.standings.get(proxy) else {
            return;
        };
        let used = self.connections.iter().filter(|(_, connection)| connection.proxy == proxy);
        let used: Vec<_> =
            used.flat_map(|(_, it)| it.flows().map(|flow| (flow, it.silence.since()))).collect();
        if used.is_empty() {
            if let Some(standing) = self.standings.get_mut(proxy) {
                standing.doubt = Doubt::None;
            }
            return self.drop_questions(io, proxy);
        }
        let others = self.standings.iter().enumerate().filter(|(index, _)| *index != proxy);
        let is_alone = !others.map(|(_, other)| other.heard).any(|heard| heard > since);
        let is_fresh = now >= since + CERTAIN && now >= asked + LOOK;
        for (flow, unheard) in used {
            let Some(unheard) = unheard else { continue };
            let is_certain = if is_alone {
                now >= unheard + io.config.limits.user_timeout
            } else {
                is_fresh && now >= unheard + LOOK && asked + CERTAIN >= unheard
            };
            self.decide(Decision::Silent { flow, is_certain });
            self.ask_once_more(io, proxy);
        }
        io.timers.set(Timer::Doubt(proxy), Some(now + LOOK));
    }

    /// Somebody sends to a silent relay: a question that was asked long ago says nothing of now.
    fn ask_once_more(&mut self, io: &mut Io, proxy: usize) {
        let now = io.now;
        let Some(Standing { doubt: Doubt::Silent { asked, .. }, .. }) = self.standings.get_mut(proxy) else {
            return;
        };
        if now >= *asked + CERTAIN && io.network.up {
            *asked = now;
            self.drop_questions(io, proxy);
            self.questions.insert(proxy);
        }
    }

    /// Lets a flow look for another connection while it keeps the tunnel that it has.
    pub(in crate::client) fn leave(&mut self, tunnel: TunnelRef) {
        let Some(connection) = self.connections.get_mut(tunnel.carrier) else { return };
        let since = connection.silence.since();
        let beside = since.map(|since| Beside { proxy: connection.proxy, since });
        let Some(found) = connection.tunnels.get_mut(tunnel.key) else { return };
        if let Stage::Carries(flow) = found.stage {
            found.stage = Stage::Leaves(flow);
            self.line.join(Want { flow, beside: beside.into_iter().collect(), leaves: true });
            self.stirred = true;
        }
    }

    /// A flow that looked for another connection finds none, and keeps its tunnel.
    pub(super) fn stay(&mut self, flow: FlowId) {
        for id in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let left = connection.tunnels.values_mut().find(|tunnel| tunnel.stage == Stage::Leaves(flow));
            if let Some(tunnel) = left {
                tunnel.stage = Stage::Carries(flow);
                return;
            }
        }
    }
}

/// A relay that stayed silent for so long while another answered is gone; and how long a question counts.
const CERTAIN: Duration = Duration::from_secs(3);
/// How often a silent relay is looked at, and how long whoever spoke to it is let wait for an answer.
const LOOK: Duration = Duration::from_secs(1);
/// How soon a connection that stays silent is a reason to doubt its relay again.
const DOUBT_AGAIN: BackoffConfig =
    BackoffConfig { first: Duration::from_secs(5), most: Duration::from_secs(60), factor: 2, jitter: 20 };

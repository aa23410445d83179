//! Probes: targets that prove the direct path while a trial runs.

use core::net::IpAddr;
use core::time::Duration;

use super::direct::QUICK_RETRY;
use super::io::{Role, Timer};
use super::{Client, ProbeStory, What};
use crate::base::{Families, Instant, Kind, Rng};
use crate::config::Probe;
use crate::error::{IoFailed, IoFailure};
use crate::net::{Backoff, Dial, DialConfig, Fault, Recall, SocketId, Transmit};
use crate::route::{Probed, Proof};

/// One probe and what it is doing.
#[derive(Debug)]
pub(super) struct Probing {
    probe: Probe,
    backoff: Backoff,
    stage: Stage,
    /// What it did since the latest trial began.
    story: ProbeStory,
}

#[derive(Debug)]
enum Stage {
    Resting,
    Dialling(Box<Dial>),
    /// A datagram probe that has asked, or is about to where `due`, and asks again then.
    Asking {
        socket: SocketId,
        again: Instant,
        question: [u8; 20],
        due: bool,
    },
    Retry(Instant),
}

impl Probing {
    pub(super) fn new(probe: Probe) -> Self {
        let story = ProbeStory {
            kind: probe.kind,
            target: probe.target.clone(),
            attempts: 0,
            answered: false,
            fault: None,
        };
        Self { probe, backoff: Backoff::new(), stage: Stage::Resting, story }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Resting => None,
            Stage::Dialling(dial) => dial.poll_timeout(),
            Stage::Asking { again, .. } => Some(*again),
            Stage::Retry(at) => Some(*at),
        }
    }
}

/// Which kinds of flow have a probe.
pub(super) fn probed(probes: &[Probe]) -> Probed {
    let of = |kind| probes.iter().any(|probe| probe.kind == kind);
    Probed { datagram: of(Kind::Datagram), stream: of(Kind::Stream) }
}

impl Client {
    /// Starts the probes of the decisions that are open, and stops those of the others. Says whether there were any.
    pub(super) fn run_probes(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.probes.len() {
            let Some(probing) = self.probes.get(index) else { break };
            let kind = probing.probe.kind;
            let wanted = self.wants_proof(kind) && self.routes.can_dial_direct(kind) && self.is_open();
            match (matches!(probing.stage, Stage::Resting), wanted) {
                (true, true) => self.start_probe(index),
                (false, false) => self.stop_probe(index),
                _ => continue,
            }
            any = true;
        }
        any
    }

    /// Ends what a probe is doing, so that [`Self::run_probes`] can begin it anew.
    pub(super) fn stop_probe(&mut self, index: usize) {
        let Some(probing) = self.probes.get_mut(index) else { return };
        match core::mem::replace(&mut probing.stage, Stage::Resting) {
            Stage::Dialling(mut dial) => dial.end(&mut self.io.requests, None),
            Stage::Asking { socket, .. } => self.io.requests.close(socket, false),
            Stage::Resting | Stage::Retry(_) => {}
        }
        probing.backoff = Backoff::new();
        self.io.timers.set(Timer::Probe(index), None);
    }

    /// The probes of a decision that begins anew.
    pub(super) fn renew_probes_of(&mut self, kind: Option<Kind>) {
        for index in 0..self.probes.len() {
            let concerned = |probing: &Probing| kind.is_none_or(|kind| kind == probing.probe.kind);
            if self.probes.get(index).is_some_and(concerned) {
                self.stop_probe(index);
                if let Some(Probing { story, .. }) = self.probes.get_mut(index) {
                    (story.attempts, story.answered, story.fault) = (0, false, None);
                }
            }
        }
    }

    /// What the probes of this kind did since the latest trial began.
    pub(super) fn probe_stories(&self, kind: Kind) -> impl Iterator<Item = ProbeStory> {
        self.probes.iter().map(|probing| &probing.story).filter(move |story| story.kind == kind).cloned()
    }

    /// The probes of a decision that is held: they begin the slower schedule at its beginning.
    pub(super) fn hold_probes(&mut self, kind: Option<Kind>) {
        for index in 0..self.probes.len() {
            let Some(probing) = self.probes.get_mut(index) else { return };
            if kind.is_some_and(|kind| kind != probing.probe.kind) {
                continue;
            }
            probing.backoff.reset();
            if let Stage::Dialling(dial) = &mut probing.stage {
                dial.end(&mut self.io.requests, None);
                self.retry_probe(index, Some(IoFailed::new(IoFailure::TimedOut).into()));
            }
        }
    }

    fn start_probe(&mut self, index: usize) {
        let Some(kind) = self.probes.get(index).map(|probing| probing.probe.kind) else { return };
        let config = self.dial_config(kind);
        let Some(probing) = self.probes.get_mut(index) else { return };
        probing.story.attempts = probing.story.attempts.saturating_add(1);
        let dial = Dial::new(probing.probe.kind, [probing.probe.target.clone()], config, self.io.now);
        probing.stage = Stage::Dialling(Box::new(dial));
        self.advance_probe(index);
    }

    fn advance_probe(&mut self, index: usize) {
        let Some(probing) = self.probes.get_mut(index) else { return };
        if let Stage::Dialling(dial) = &mut probing.stage {
            let mut recall = Recall::targets(&self.io.memory, self.io.now);
            dial.advance(self.io.now, &mut self.io.requests, Role::Probe(index), &mut recall);
            if dial.is_exhausted() {
                let fault = dial.faults().last().map(|(_, fault)| fault.clone());
                self.retry_probe(index, fault);
                return;
            }
        }
        let due = probing.poll_timeout();
        self.io.timers.set(Timer::Probe(index), due);
    }

    fn retry_probe(&mut self, index: usize, fault: Option<Fault>) {
        let lacked = fault.as_ref().and_then(Fault::lacked);
        let Some(probing) = self.probes.get_mut(index) else { return };
        let schedule =
            if self.routes.is_trial(probing.probe.kind) { &QUICK_RETRY } else { &self.io.config.route.retry };
        let after = probing.backoff.next(schedule, &mut self.io.rng);
        probing.stage = Stage::Retry(self.io.now + after);
        self.io.timers.set(Timer::Probe(index), Some(self.io.now + after));
        let Probe { kind, target } = probing.probe.clone();
        if let Some(resource) = lacked {
            self.io.on_lack(resource);
            self.void_trial(kind);
        } else if let Some(error) = fault {
            probing.story.fault = Some(error.clone());
            self.io.tell(What::Retrying { flow: None, kind, target, after, error });
        }
    }

    pub(super) fn on_probe_timeout(&mut self, index: usize) {
        let Some(probing) = self.probes.get_mut(index) else { return };
        match &mut probing.stage {
            Stage::Resting => {}
            Stage::Dialling(_) => self.advance_probe(index),
            Stage::Asking { socket, again, due, .. } => {
                *due = true;
                probing.story.attempts = probing.story.attempts.saturating_add(1);
                let held = !self.routes.is_trial(Kind::Datagram);
                let after = if held {
                    probing.backoff.next(&self.io.config.route.retry, &mut self.io.rng)
                } else {
                    ASK_AGAIN
                };
                *again = self.io.now + after;
                self.io.requests.pending(*socket);
                self.io.timers.set(Timer::Probe(index), Some(*again));
            }
            Stage::Retry(_) => self.start_probe(index),
        }
    }

    pub(super) fn on_probe_resolved(
        &mut self,
        index: usize,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(Probing { stage: Stage::Dialling(dial), .. }) = self.probes.get_mut(index) else { return };
        dial.handle_resolved(self.io.now, id, families, answer);
        self.advance_probe(index);
    }

    pub(super) fn on_probe_opened(&mut self, index: usize, id: SocketId) {
        let question = stun_binding_request(&mut self.io.rng);
        let Some(probing) = self.probes.get_mut(index) else { return };
        let Stage::Dialling(dial) = &mut probing.stage else { return };
        if dial.attempt(id).is_none() {
            return;
        }
        dial.end(&mut self.io.requests, Some(id));
        match probing.probe.kind {
            Kind::Stream => {
                self.io.requests.close(id, false);
                probing.stage = Stage::Resting;
                probing.story.answered = true;
                self.prove(Kind::Stream, Proof::Probe);
            }
            Kind::Datagram => {
                let again = self.io.now + ASK_AGAIN;
                probing.stage = Stage::Asking { socket: id, again, question, due: true };
                self.io.requests.pending(id);
                self.io.timers.set(Timer::Probe(index), Some(again));
            }
        }
    }

    pub(super) fn on_probe_failed(&mut self, index: usize, id: SocketId, error: IoFailed) {
        let Some(probing) = self.probes.get_mut(index) else { return };
        // A refused datagram proves nothing; the question is asked again.
        if let Stage::Dialling(dial) = &mut probing.stage {
            self.io.requests.forget(id);
            dial.handle_failed(self.io.now, id, error.into());
            self.advance_probe(index);
        }
    }

    pub(super) fn on_probe_answer(&mut self, index: usize) {
        let Some(Probing { probe, stage: Stage::Asking { .. }, story, .. }) = self.probes.get_mut(index)
        else {
            return;
        };
        story.answered = true;
        let kind = probe.kind;
        self.stop_probe(index);
        self.prove(kind, Proof::Probe);
    }

    pub(super) fn transmit_of_probe(&mut self, index: usize, id: SocketId) -> Option<Transmit<'_>> {
        let probing = self.probes.get(index)?;
        match &probing.stage {
            Stage::Asking { question, due: true, .. } => Some(Transmit::one(question)),
            _ => {
                self.io.requests.settle(id);
                None
            }
        }
    }

    pub(super) fn on_probe_sent(&mut self, index: usize) {
        if let Some(Probing { stage: Stage::Asking { due, .. }, .. }) = self.probes.get_mut(index) {
            *due = false;
        }
    }

    /// How direct attempts are timed: on a link that stays direct a new attempt is better than a long wait for an old one.
    pub(super) fn dial_config(&self, kind: Kind) -> DialConfig {
        let limits = &self.io.config.limits;
        let is_held = self.wants_proof(kind) && !self.routes.is_trial(kind);
        let timeout = if is_held { HELD_TIMEOUT.min(limits.open_timeout) } else { limits.open_timeout };
        // On the direct way a datagram is treated as that of any plain socket.
        DialConfig { stagger: limits.stagger, timeout, fragments: true }
    }

    pub(super) fn prove(&mut self, kind: Kind, proof: Proof) {
        self.routes.handle_proven(self.io.now, kind, proof);
    }
}

/// A STUN Binding request without attributes: RFC 8489 §5. Any STUN or TURN server answers it.
fn stun_binding_request(rng: &mut Rng) -> [u8; 20] {
    let mut request = [0; 20];
    let (head, transaction) = request.split_at_mut(8);
    head.copy_from_slice(&[0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42]);
    rng.fill(transaction);
    request
}

/// How long one attempt may take on a link that stays direct.
const HELD_TIMEOUT: Duration = Duration::from_secs(5);
/// How soon an unanswered question is asked again: a lost datagram must not cost the trial.
const ASK_AGAIN: Duration = Duration::from_millis(200);

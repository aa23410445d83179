//! One flow of an application: what it writes, what it expects, and how it ends.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Route};
use wayleave_proto::client::{FlowError, FlowId, FlowStatus, Incoming};
use wayleave_proto::testing::client_hello;

use super::kernel::Simulated;
use crate::laws::{Delivery, datagram, key_of, pattern};
use crate::scenario::{Ending, FlowPlan};

type Client = wayleave_drive::Client<Simulated>;

/// A flow and its application.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) number: u64,
    pub(super) plan: FlowPlan,
    pub(super) opened: Instant,
    /// How long its client had slept until then.
    pub(super) slept: Duration,
    /// When the application wants to act again by itself.
    pub(super) due: Option<Instant>,
    pub(super) outcome: Outcome,
    /// Bytes of the stream that were written, header included; datagrams that were sent.
    written: u64,
    /// What it is about to write.
    draft: Vec<u8>,
    received: u64,
    finished: bool,
    ended: bool,
    /// What came may be somebody else's: a captive portal answers.
    pub(super) tainted: bool,
}

/// How far a flow came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// When it was last seen to be open, and over which route.
    pub connected: Option<(Instant, Route)>,
    /// When the first byte or datagram came back.
    pub answered: Option<Instant>,
    /// When the latest one did.
    pub latest: Option<Instant>,
    /// Since when a datagram flow has sent and nothing has come back.
    pub unanswered: Option<Instant>,
    /// The longest such time that an answer ended.
    pub quiet: Duration,
    /// How many datagrams had been sent when the first answer came.
    pub before: u64,
    /// Answers to datagrams that came.
    pub came: u64,
    /// The longest that one of them took, from what it answers.
    pub slowest: Duration,
    /// When and why it failed.
    pub error: Option<(Instant, FlowError)>,
    /// When both halves had ended, or all datagrams were sent.
    pub done: Option<Instant>,
    /// Whether the application gave it back.
    pub released: bool,
}

impl Outcome {
    /// Something came back.
    fn answer(&mut self, now: Instant) {
        self.answered.get_or_insert(now);
        self.latest = Some(now);
        if let Some(since) = self.unanswered.take() {
            self.quiet = self.quiet.max(now.since(since));
        }
    }
}

impl Flow {
    pub(super) fn new(number: u64, plan: FlowPlan, now: Instant) -> Self {
        Self {
            number,
            plan,
            opened: now,
            slept: Duration::ZERO,
            due: Some(now),
            outcome: Outcome::default(),
            written: 0,
            draft: Vec::new(),
            received: 0,
            finished: false,
            ended: false,
            tainted: false,
        }
    }

    /// Lets the application act; says whether it gave the flow back.
    ///
    /// # Errors
    /// What arrived is not what was sent.
    pub(super) fn act(
        &mut self,
        now: Instant,
        client: &Client,
        id: FlowId,
        delivery: &mut Delivery,
    ) -> Result<bool, String> {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
        }
        match client.look(|machine| machine.status(id)) {
            FlowStatus::Failed(error) => {
                self.outcome.error.get_or_insert((now, error));
                client.tell(|machine, now| machine.release(now, id));
                return Ok(true);
            }
            FlowStatus::Open(route) => {
                if self.outcome.connected.is_none_or(|(_, known)| known != route) {
                    self.outcome.connected = Some((now, route));
                }
            }
            FlowStatus::Pending if self.plan.kind == Kind::Stream => return Ok(false),
            FlowStatus::Pending => {}
        }
        match self.plan.kind {
            Kind::Datagram => self.act_on_datagrams(now, client, id, delivery),
            Kind::Stream => self.act_on_stream(now, client, id, delivery),
        }
    }

    fn act_on_stream(
        &mut self,
        now: Instant,
        client: &Client,
        id: FlowId,
        delivery: &mut Delivery,
    ) -> Result<bool, String> {
        self.write(now, client, id, delivery);
        self.read(now, client, id, delivery)?;
        if self.plan.tls {
            self.write(now, client, id, delivery);
        }
        let all = self.all();
        if self.written == all && self.plan.ending == Ending::Reset {
            client.tell(|machine, now| machine.reset(now, id));
            self.outcome.done = Some(now);
            return Ok(true);
        }
        let wants_end = match self.plan.ending {
            Ending::ClientFirst => true,
            Ending::ServerFirst => self.ended,
            Ending::Released | Ending::Reset | Ending::Open => false,
        };
        if self.written == all && wants_end && !self.finished {
            self.finished = true;
            delivery.ended(self.number, true);
            client.tell(|machine, now| machine.finish(now, id));
        }
        let is_released = self.written == all && self.plan.ending == Ending::Released;
        if is_released || (self.finished && self.ended) {
            delivery.ended(self.number, true);
            self.outcome.done = Some(now);
            client.tell(|machine, now| machine.release(now, id));
            return Ok(true);
        }
        Ok(false)
    }

    fn write(&mut self, now: Instant, client: &Client, id: FlowId, delivery: &mut Delivery) {
        // Who speaks TLS waits for an answer to its ClientHello, where the server is going to say anything.
        let waits = self.plan.tls && self.received == 0 && self.plan.down > 0;
        let all = if waits { self.head().len() as u64 } else { self.all() };
        while self.written < all {
            if self.draft.is_empty() {
                let amount = usize::try_from(all - self.written).unwrap_or(usize::MAX).min(8 * 1024);
                self.draft = self.bytes(self.written, amount);
            }
            // Counted before, since the other side may see bytes within this very call.
            match client.tell(|machine, now| machine.write(now, id, &self.draft)) {
                Ok(0) => return,
                Err(error) => {
                    self.outcome.error.get_or_insert((now, error));
                    return;
                }
                Ok(taken) => {
                    self.draft.drain(..taken);
                    self.written += taken as u64;
                    delivery.sent(self.number, true, self.written);
                }
            }
        }
    }

    fn read(
        &mut self,
        now: Instant,
        client: &Client,
        id: FlowId,
        delivery: &mut Delivery,
    ) -> Result<(), String> {
        if self.due.is_some() {
            return Ok(());
        }
        loop {
            let slow = !self.plan.pace.is_zero();
            let tainted = self.tainted;
            let read = client.tell(|machine, now| {
                let amount = match machine.read(id) {
                    Ok(Incoming::Bytes(bytes)) => {
                        let bytes = &bytes[..if slow { bytes.len().min(2_048) } else { bytes.len() }];
                        if !tainted {
                            delivery.arrived(self.number, false, bytes)?;
                        }
                        bytes.len()
                    }
                    Ok(Incoming::End) => return Ok(Read::End),
                    Ok(Incoming::Nothing) => return Ok(Read::Nothing),
                    Err(error) => return Ok(Read::Failed(error)),
                };
                machine.consume(now, id, amount);
                Ok::<_, String>(Read::Bytes(amount))
            })?;
            match read {
                Read::Bytes(amount) => self.received += amount as u64,
                Read::Nothing => return Ok(()),
                Read::End => {
                    if !core::mem::replace(&mut self.ended, true) && !self.tainted {
                        delivery.finished(self.number, false)?;
                    }
                    return Ok(());
                }
                Read::Failed(error) => {
                    self.outcome.error.get_or_insert((now, error));
                    return Ok(());
                }
            }
            self.outcome.answer(now);
            if slow {
                self.due = Some(now + self.plan.pace);
                return Ok(());
            }
        }
    }

    fn act_on_datagrams(
        &mut self,
        now: Instant,
        client: &Client,
        id: FlowId,
        delivery: &mut Delivery,
    ) -> Result<bool, String> {
        let next = || {
            client.tell(|machine, _| {
                let answer = machine.datagram(id).ok().flatten().map(<[u8]>::to_vec);
                if answer.is_some() {
                    machine.take_datagram(id);
                }
                answer
            })
        };
        while let Some(answer) = next() {
            if !self.tainted {
                if key_of(&answer).is_none_or(|(flow, ..)| flow != self.number) {
                    return Err(format!("flow {}: a datagram of another flow arrived", self.number));
                }
                let age = delivery.datagram_arrived(now, &answer)?;
                self.outcome.slowest = self.outcome.slowest.max(age);
            }
            self.received += 1;
            if self.outcome.answered.is_none() {
                self.outcome.before = self.written;
            }
            self.outcome.came += 1;
            self.outcome.answer(now);
        }
        if self.due.is_none() && self.written < u64::from(self.plan.up) {
            let index = u32::try_from(self.written).unwrap_or(u32::MAX);
            let payload = datagram(self.number, true, index, self.plan.down as usize);
            delivery.datagram_sent(now, &payload);
            self.outcome.unanswered.get_or_insert(now);
            let _ = client.tell(|machine, now| machine.send_datagram(now, id, &payload));
            self.written += 1;
            self.due = Some(now + self.plan.pace.max(Duration::from_millis(1)));
        }
        if self.written >= u64::from(self.plan.up) && self.due.is_none() && self.plan.ending != Ending::Open {
            self.outcome.done = Some(now);
            client.tell(|machine, now| machine.release(now, id));
            return Ok(true);
        }
        Ok(false)
    }

    /// The `amount` bytes from `index` on that the application writes: the header first.
    fn bytes(&self, index: u64, amount: usize) -> Vec<u8> {
        let mut bytes = pattern(self.number, true, index, amount);
        let header = self.head();
        let rest = usize::try_from(index).ok().and_then(|index| header.get(index..)).unwrap_or_default();
        for (byte, of_header) in bytes.iter_mut().zip(rest) {
            *byte = *of_header;
        }
        bytes
    }

    /// All that the stream writes.
    fn all(&self) -> u64 {
        u64::from(self.plan.up) + self.head().len() as u64
    }

    /// The first bytes of the stream: its header, which over TLS is the session id of a ClientHello.
    fn head(&self) -> Vec<u8> {
        if self.plan.tls { client_hello(&self.header(), false) } else { self.header().to_vec() }
    }

    /// What a stream begins with, so that its server knows what to do: the flow, how much is to come and to be sent, and
    /// who ends.
    fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&self.number.to_be_bytes());
        header[8..12].copy_from_slice(&self.plan.up.to_be_bytes());
        header[12..16].copy_from_slice(&self.plan.down.to_be_bytes());
        header[16] = u8::from(self.plan.ending == Ending::ServerFirst);
        header
    }
}

/// What a read came to.
enum Read {
    Bytes(usize),
    Nothing,
    End,
    Failed(FlowError),
}

/// Bytes of the header of a stream.
pub(super) const HEADER: usize = 17;

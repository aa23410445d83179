//! One TCP connection, either side.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use wayleave_proto::base::Instant;
use wayleave_proto::config::{Liveness, Peer};
use wayleave_proto::error::IoFailure;

use crate::network::{Body, Flags, Packet, Segment};

/// What a connection has to say to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Accepted,
    Connected,
    Failed(IoFailure),
    Readable,
    Writable,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) told: Vec<Told>,
    /// When to call [`Self::on_timeout`].
    pub(super) due: Option<Instant>,
    stage: Stage,
    /// Somebody has opened it, or accepted it.
    taken: bool,
    /// The owner has given it back.
    orphan: bool,
    /// An acknowledgement is owed.
    owes: bool,
    /// Questions in a row whether the other side is still there that it has not answered.
    unanswered: u32,
    /// Such a question is to be sent.
    asks: bool,
    /// How the owner wants it to be watched; not at all where it said nothing.
    liveness: Option<Liveness>,
    sending: Sending,
    receiving: Receiving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Our SYN is out.
    Asking,
    /// Their SYN came, ours is out.
    Answering,
    Open,
    /// To be broken off: a reset is still to be sent.
    Breaking,
    Over,
}

#[derive(Debug)]
struct Sending {
    /// Bytes from position `first` on that are not acknowledged, or not yet sent.
    bytes: VecDeque<u8>,
    first: u64,
    /// The next position to send.
    next: u64,
    /// The first position that the other side does not take yet.
    limit: u64,
    /// Segments that may be out at once.
    window: u64,
    /// The owner ended this half.
    finished: bool,
    /// The other side has our FIN.
    ended: bool,
    /// Acknowledgements in a row that acknowledged nothing new.
    repeated: u8,
    tries: u32,
    /// The timer runs for what is out. It is not wound up again by what is sent behind that, RFC 6298 §5.
    timed: bool,
    /// Since when the other side, asked whether its window has opened, has had no room after the owner gave the connection back.
    starved: Option<Instant>,
    /// A write was cut short.
    full: bool,
}

#[derive(Debug)]
struct Receiving {
    bytes: VecDeque<u8>,
    /// The next position that is expected.
    expected: u64,
    early: BTreeMap<u64, Vec<u8>>,
    /// The position of the other side's FIN.
    end: Option<u64>,
    /// The window that was last told.
    told: u32,
}

impl Tcp {
    pub(super) fn connect(now: Instant, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { taken: true, ..Self::new(now, local, remote, Stage::Asking, 1) }
    }

    /// The side that got a SYN.
    pub(super) fn accept(now: Instant, local: SocketAddr, remote: SocketAddr, window: u32) -> Self {
        let mut tcp = Self::new(now, local, remote, Stage::Answering, 1 + u64::from(window));
        tcp.receiving.expected = 1;
        tcp
    }

    fn new(now: Instant, local: SocketAddr, remote: SocketAddr, stage: Stage, limit: u64) -> Self {
        let sending = Sending {
            bytes: VecDeque::new(),
            first: 1,
            next: 0,
            limit,
            window: 10,
            finished: false,
            ended: false,
            repeated: 0,
            tries: 0,
            timed: false,
            starved: None,
            full: false,
        };
        let receiving =
            Receiving { bytes: VecDeque::new(), expected: 0, early: BTreeMap::new(), end: None, told: 0 };
        let due = Some(now);
        Self {
            local,
            remote,
            told: Vec::new(),
            due,
            stage,
            taken: false,
            orphan: false,
            owes: false,
            unanswered: 0,
            asks: false,
            liveness: None,
            sending,
            receiving,
        }
    }

    pub(super) const fn is_orphan(&self) -> bool {
        self.orphan
    }

    /// Whether it is a process's now.
    pub(super) const fn is_owned(&self) -> bool {
        self.taken && !self.orphan
    }

    /// A process takes it.
    pub(super) const fn accepted(&mut self) {
        self.taken = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn is_finished(&self) -> bool {
        self.receiving.bytes.is_empty() && self.receiving.end.is_some_and(|end| self.receiving.expected > end)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        if self.sending.finished || !matches!(self.stage, Stage::Open) {
            return 0;
        }
        let room = BUFFER.saturating_sub(self.sending.bytes.len());
        let taken = &bytes[..bytes.len().min(room)];
        self.sending.bytes.extend(taken);
        self.sending.full |= taken.len() < bytes.len();
        taken.len()
    }

    pub(super) fn read(&mut self, most: usize) -> Vec<u8> {
        let amount = most.min(self.receiving.bytes.len());
        let bytes = copy(&self.receiving.bytes, 0, amount);
        self.receiving.bytes.drain(..amount);
        // A window that opens again is told, or the other side would wait for ever.
        if self.receiving.told < SEGMENT as u32 && self.receiving.window() >= 2 * SEGMENT as u32 {
            self.owes = true;
        }
        bytes
    }

    pub(super) const fn watch(&mut self, liveness: Liveness) {
        self.liveness = Some(liveness);
    }

    pub(super) const fn finish(&mut self) {
        self.sending.finished = true;
    }

    pub(super) fn close(&mut self, reset: bool) {
        self.orphan = true;
        let unread = !self.receiving.bytes.is_empty();
        if matches!(self.stage, Stage::Asking | Stage::Over) {
            self.stage = Stage::Over;
        } else if reset || unread {
            self.stage = Stage::Breaking;
        } else {
            self.sending.finished = true;
        }
    }

    pub(super) fn on_segment(&mut self, now: Instant, segment: Segment) {
        let Segment { flags, position, expected, window, bytes } = segment;
        self.unanswered = 0;
        if flags.rst {
            let failure = match self.stage {
                Stage::Asking => IoFailure::ConnectionRefused,
                _ => IoFailure::ConnectionReset,
            };
            self.end(Told::Failed(failure));
            return;
        }
        match self.stage {
            Stage::Asking if flags.syn && flags.ack => {
                self.receiving.expected = 1;
                self.stage = Stage::Open;
                self.sending.limit = 1 + u64::from(window);
                self.settle(now, 1);
                self.owes = true;
                self.told.push(Told::Connected);
                return;
            }
            Stage::Answering if flags.ack && !flags.syn && expected >= 1 => {
                self.stage = Stage::Open;
                self.told.push(Told::Accepted);
            }
            Stage::Open if flags.syn => {
                // Our acknowledgement of their SYN was lost.
                self.owes = true;
                return;
            }
            Stage::Open => {}
            Stage::Answering | Stage::Asking | Stage::Breaking | Stage::Over => return,
        }
        self.on_acknowledged(now, expected, window, bytes.is_empty() && !flags.fin);
        if flags.fin {
            self.receiving.end = Some(position + bytes.len() as u64);
        }
        if !bytes.is_empty() || flags.fin {
            self.owes = true;
            self.on_bytes(position, bytes);
        } else if position < self.receiving.expected && self.receiving.end.is_none() {
            // Somebody asks whether we are still there.
            self.owes = true;
        }
    }

    fn on_acknowledged(&mut self, now: Instant, expected: u64, window: u32, is_pure: bool) {
        let sending = &mut self.sending;
        let limit = expected + u64::from(window);
        let had_room = sending.limit > sending.next;
        sending.limit = sending.limit.max(limit);
        if window > 0 {
            sending.starved = None;
        } else {
            // Who has no room and says so is there.
            sending.tries = 0;
        }
        if expected > sending.first || (expected > 0 && sending.next == 0) {
            self.settle(now, expected);
        } else if is_pure && sending.next > sending.first && had_room {
            sending.repeated = sending.repeated.saturating_add(1);
            if sending.repeated == 3 {
                sending.next = sending.first;
                sending.window = (sending.window / 2).max(2);
                sending.timed = false;
            }
        }
    }

    /// The other side has everything before `expected`.
    fn settle(&mut self, now: Instant, expected: u64) {
        let sending = &mut self.sending;
        sending.ended |= sending.finished && expected > sending.first + sending.bytes.len() as u64;
        let bytes = usize::try_from(expected.saturating_sub(sending.first)).unwrap_or(usize::MAX);
        let bytes = bytes.min(sending.bytes.len());
        sending.bytes.drain(..bytes);
        sending.first = sending.first.max(expected);
        sending.next = sending.next.max(expected);
        sending.window = (sending.window + 1).min(64);
        sending.repeated = 0;
        sending.tries = 0;
        sending.timed = sending.is_waiting();
        self.due = sending.timed.then(|| now + RETRANSMIT);
        if sending.full && sending.bytes.len() <= BUFFER / 2 {
            sending.full = false;
            self.told.push(Told::Writable);
        }
    }

    fn on_bytes(&mut self, position: u64, bytes: Vec<u8>) {
        if self.orphan && !bytes.is_empty() && position + bytes.len() as u64 > self.receiving.expected {
            // Nobody is there any more to read it.
            self.stage = Stage::Breaking;
            return;
        }
        let receiving = &mut self.receiving;
        if !bytes.is_empty() && position < receiving.expected + u64::from(receiving.window()) {
            receiving.early.insert(position, bytes);
        }
        let mut news = false;
        while let Some(entry) = receiving.early.first_entry() {
            if *entry.key() > receiving.expected {
                break;
            }
            let (position, bytes) = entry.remove_entry();
            let known = usize::try_from(receiving.expected - position).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(known..).filter(|fresh| !fresh.is_empty()) {
                receiving.bytes.extend(fresh);
                receiving.expected += fresh.len() as u64;
                news = true;
            }
        }
        if receiving.end == Some(receiving.expected) {
            receiving.expected += 1;
            news = true;
        }
        if news {
            self.told.push(Told::Readable);
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) || self.sending.next == 0 {
            return;
        }
        if self.orphan && self.sending.ended {
            self.stage = Stage::Over;
            return;
        }
        if self.stage == Stage::Open && !self.sending.is_waiting() {
            self.ask();
            return;
        }
        let is_opening = matches!(self.stage, Stage::Asking | Stage::Answering);
        // A question that was not taken leaves one byte of room.
        let is_probing = !is_opening && self.sending.limit <= self.sending.first + 1;
        if self.sending.tries >= if is_opening { SYN_TRIES } else { self.tries() } {
            self.end(Told::Failed(IoFailure::TimedOut));
            return;
        }
        if self.orphan && is_probing {
            let since = *self.sending.starved.get_or_insert(now);
            if now.since(since) >= LONGEST_STARVING {
                self.end(Told::Failed(IoFailure::TimedOut));
                return;
            }
        }
        self.sending.tries += 1;
        self.sending.window = 2;
        self.sending.timed = false;
        self.sending.next = if is_opening { 0 } else { self.sending.first };
        if is_probing {
            // One byte beyond the window asks whether it has opened; the answer tells.
            self.sending.limit = self.sending.first + 1;
        }
        self.due = Some(now);
    }

    /// How long after each other something is sent again that was sent `tries` times.
    fn pause(&self) -> Duration {
        let pause = RETRANSMIT * (1 << self.sending.tries.min(6));
        match self.liveness {
            Some(Liveness { timeout, peer: Peer::Pausing | Peer::Reading, .. }) => {
                pause.min((timeout / WATCHED_TRIES).max(LEAST_PAUSE))
            }
            Some(Liveness { peer: Peer::Foreign, .. }) | None => pause,
        }
    }

    /// How often something is sent again before the connection is given up.
    const fn tries(&self) -> u32 {
        match self.liveness {
            Some(Liveness { peer: Peer::Pausing | Peer::Reading, .. }) => WATCHED_TRIES,
            Some(Liveness { peer: Peer::Foreign, .. }) | None => TRIES,
        }
    }

    /// Asks whether the other side is still there, RFC 9293 §3.8.4.
    fn ask(&mut self) {
        if self.unanswered >= Liveness::QUESTIONS {
            self.end(Told::Failed(IoFailure::TimedOut));
            return;
        }
        self.unanswered += 1;
        self.asks = true;
    }

    /// Puts what there is to send into packets.
    pub(super) fn poll_segments(&mut self, now: Instant, packets: &mut VecDeque<Packet>) {
        match self.stage {
            Stage::Asking | Stage::Answering if self.sending.next == 0 => {
                let ack = self.stage == Stage::Answering;
                self.emit(packets, Flags { syn: true, ack, ..Flags::default() }, 0, Vec::new());
                self.sending.next = 1;
                self.due = Some(now + Duration::from_secs(1 << self.sending.tries.min(5)));
            }
            Stage::Open => self.poll_payload(now, packets),
            Stage::Breaking => {
                self.emit(
                    packets,
                    Flags { rst: true, ack: true, ..Flags::default() },
                    self.sending.next,
                    Vec::new(),
                );
                self.stage = Stage::Over;
            }
            Stage::Asking | Stage::Answering | Stage::Over => {}
        }
    }

    fn poll_payload(&mut self, now: Instant, packets: &mut VecDeque<Packet>) {
        let mut sent = false;
        loop {
            let sending = &self.sending;
            let end = sending.first + sending.bytes.len() as u64;
            let out = sending.next.saturating_sub(sending.first).div_ceil(SEGMENT as u64);
            let fin = sending.finished && !sending.ended && sending.next <= end;
            if out >= sending.window || sending.next >= end + u64::from(fin) {
                break;
            }
            let most = end.min(sending.limit).saturating_sub(sending.next).min(SEGMENT as u64);
            if most == 0 && sending.next < end {
                break;
            }
            let from = usize::try_from(sending.next - sending.first).unwrap_or(usize::MAX);
            let bytes = copy(&sending.bytes, from, most as usize);
            let position = sending.next;
            let fin = fin && position + most == end;
            self.sending.next += most + u64::from(fin);
            self.emit(packets, Flags { fin, ack: true, ..Flags::default() }, position, bytes);
            sent = true;
        }
        if self.owes && !sent {
            self.emit(packets, Flags { ack: true, ..Flags::default() }, self.sending.next, Vec::new());
        }
        self.owes = false;
        if core::mem::take(&mut self.asks) {
            self.emit(packets, Flags { ack: true, ..Flags::default() }, self.sending.next - 1, Vec::new());
        }
        if self.sending.is_waiting() {
            if !core::mem::replace(&mut self.sending.timed, true) || self.due.is_none_or(|due| due <= now) {
                self.due = Some(now + self.pause());
            }
        } else if self.orphan && self.sending.ended {
            // RFC 9293 §3.6: the last acknowledgement may have to be repeated; and the other half may still be open.
            let theirs = self.receiving.end.is_some_and(|end| self.receiving.expected > end);
            let until = now + if theirs { TIME_WAIT } else { FIN_WAIT };
            self.due = Some(self.due.map_or(until, |due| if theirs { due.min(until) } else { due }));
        } else {
            let pause =
                |liveness: Liveness| if self.unanswered == 0 { liveness.idle } else { liveness.interval() };
            self.due = self.liveness.map(|liveness| now + pause(liveness));
        }
    }

    fn emit(&mut self, packets: &mut VecDeque<Packet>, flags: Flags, position: u64, bytes: Vec<u8>) {
        let window = self.receiving.window();
        self.receiving.told = window;
        let segment = Segment { flags, position, expected: self.receiving.expected, window, bytes };
        packets.push_back(Packet { source: self.local, destination: self.remote, body: Body::Tcp(segment) });
    }

    fn end(&mut self, told: Told) {
        self.stage = Stage::Over;
        self.due = None;
        self.told.push(told);
    }
}

impl Sending {
    /// Whether something is sent and not acknowledged, or waits for the window.
    fn is_waiting(&self) -> bool {
        self.next > self.first || !self.bytes.is_empty() || (self.finished && !self.ended)
    }
}

impl Receiving {
    fn window(&self) -> u32 {
        BUFFER.saturating_sub(self.bytes.len()) as u32
    }
}

/// `amount` bytes from `from` on.
fn copy(bytes: &VecDeque<u8>, from: usize, amount: usize) -> Vec<u8> {
    let (front, back) = bytes.as_slices();
    let first = front.get(from..).unwrap_or_default();
    let second = back.get(from.saturating_sub(front.len())..).unwrap_or_default();
    let of_first = amount.min(first.len());
    let mut copied = Vec::with_capacity(amount);
    copied.extend_from_slice(&first[..of_first]);
    copied.extend_from_slice(&second[..(amount - of_first).min(second.len())]);
    copied
}

/// Bytes that wait on each side.
const BUFFER: usize = 64 * 1024;
/// Payload of a segment.
const SEGMENT: usize = 1_400;
const RETRANSMIT: Duration = Duration::from_millis(500);
/// How long a connection stays that both sides have ended.
const TIME_WAIT: Duration = Duration::from_secs(5);
/// How long the other side may take to end its half of a connection that was given back.
const FIN_WAIT: Duration = Duration::from_secs(60);
/// How long a connection that was given back stays while the other side has no room for what is left: RFC 6429 lets the
/// system end it, and Linux does so when its questions are two minutes apart.
const LONGEST_STARVING: Duration = Duration::from_secs(200);
/// How often a SYN is repeated: a minute in all.
const SYN_TRIES: u32 = 5;
/// How often anything else is: a minute and a half.
const TRIES: u32 = 9;
/// The same where the owner watches over it: in all as long as its timeout.
const WATCHED_TRIES: u32 = 15;
/// No pause between two tries is shorter than this.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

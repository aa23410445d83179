//! One tunnel of a connection, as either side sees it: two halves, each with a window.

use super::frame::{CREDIT, DATA};
use super::wire::Wire;
use crate::base::Kind;
use crate::queue::ByteQueue;

/// One tunnel.
#[derive(Debug)]
pub(super) struct Tunnel {
    /// Its number on the wire, chosen by the client.
    pub(super) number: u32,
    /// What it carries; `None` where it is only asked whether credentials are good.
    pub(super) kind: Option<Kind>,
    /// The relay has accepted it.
    pub(super) is_open: bool,
    /// Bytes of a stream that came and wait, and how many more may come.
    pub(super) received: ByteQueue,
    window: usize,
    /// Bytes that were taken, and that the other side has not been told of.
    owed: usize,
    pub(super) paused: bool,
    /// The other side has ended its half, and what it sent is whole.
    pub(super) ended: bool,
    /// It was broken off, by either side.
    pub(super) lost: bool,
    /// Bytes that wait for credit, and how many may go.
    pub(super) waiting: ByteQueue,
    pub(super) credit: usize,
    pub(super) finish: Finish,
    /// How many bytes of the connection have left when all of this tunnel that was put into frames has.
    leaves: u64,
}

/// How our half of a tunnel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Not yet.
    No,
    /// With this frame behind what waits; it is over then, or only our half is.
    With { tag: u8, is_over: bool },
    /// It has.
    Done,
}

/// What came of putting a tunnel into frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flushed {
    /// Bytes of its stream.
    pub(super) bytes: usize,
    /// Nothing more will be said in it.
    pub(super) is_over: bool,
}

impl Tunnel {
    pub(super) const fn new(number: u32, kind: Option<Kind>) -> Self {
        Self {
            number,
            kind,
            is_open: false,
            received: ByteQueue::new(),
            window: WINDOW,
            owed: 0,
            paused: false,
            ended: false,
            lost: false,
            waiting: ByteQueue::new(),
            credit: WINDOW,
            finish: Finish::No,
            leaves: 0,
        }
    }

    /// Counts bytes of a stream that came; `false` where the other side had no right to send them.
    pub(super) const fn admit(&mut self, bytes: usize) -> bool {
        let is_allowed = bytes <= self.window;
        self.window = self.window.saturating_sub(bytes);
        is_allowed
    }

    /// Bytes of a stream that came were taken: as many may come again.
    pub(super) const fn owe(&mut self, bytes: usize) {
        self.owed = self.owed.saturating_add(bytes);
    }

    /// Takes bytes that wait away.
    pub(super) fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.received.len());
        self.received.consume(amount);
        self.owe(amount);
    }

    /// Bytes of our half that have not left; those of other tunnels that leave before them count as well.
    pub(super) fn unsent(&self, wire: &Wire) -> usize {
        self.waiting.len().saturating_add(wire.until(self.leaves))
    }

    /// Puts into frames what may go.
    pub(super) fn flush(&mut self, wire: &mut Wire) -> Flushed {
        let mut flushed = Flushed::default();
        if self.owed > 0 && !self.paused {
            let owed = core::mem::take(&mut self.owed);
            self.window = self.window.saturating_add(owed);
            wire.put(CREDIT, self.number, &u32::try_from(owed).unwrap_or(u32::MAX).to_be_bytes());
        }
        while wire.has_room() {
            let payload = self.waiting.as_slice();
            let payload = payload.get(..payload.len().min(self.credit).min(PIECE)).unwrap_or_default();
            let length = payload.len();
            if length == 0 {
                break;
            }
            wire.put(DATA, self.number, payload);
            self.leaves = wire.end();
            self.waiting.consume(length);
            self.credit -= length;
            flushed.bytes += length;
        }
        if let Finish::With { tag, is_over } = self.finish
            && self.waiting.is_empty()
        {
            wire.put(tag, self.number, &[]);
            self.leaves = wire.end();
            (self.finish, flushed.is_over) = (Finish::Done, is_over);
        }
        flushed
    }
}

/// Bytes of a stream that may be on their way, each way.
pub(crate) const WINDOW: usize = 16 * 1024;
/// Bytes of a stream in one frame.
const PIECE: usize = 8 * 1024;

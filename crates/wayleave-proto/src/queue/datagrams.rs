//! Datagrams that wait, short and never old.

use core::time::Duration;
use std::collections::VecDeque;

use crate::base::Instant;

/// What a [`DatagramQueue`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramLimits {
    /// How many datagrams; 256 by default.
    pub count: usize,
    /// How many bytes of payload together; 256 KiB by default.
    pub bytes: usize,
    /// How long one may wait; 500 ms by default, because late media is worthless.
    pub age: Duration,
}

impl Default for DatagramLimits {
    fn default() -> Self {
        Self { count: 256, bytes: 256 * 1024, age: Duration::from_millis(500) }
    }
}

/// Datagrams that were dropped instead of being handed on, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// They waited for longer than one may.
    pub aged: u64,
    /// Newer ones needed their place, or one was larger than all may be together.
    pub crowded: u64,
}

impl Drops {
    /// How many those are together.
    pub const fn total(self) -> u64 {
        self.aged.saturating_add(self.crowded)
    }

    /// These and `other` together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            aged: self.aged.saturating_add(other.aged),
            crowded: self.crowded.saturating_add(other.crowded),
        }
    }
}

/// Datagrams in the order they came, bounded by count, bytes and age; the oldest make room for the new.
///
/// The payloads lie one after the other in one buffer, so a datagram costs no allocation in the steady state and is
/// lent as it lies. The buffer grows to at most twice the limit of bytes and is given back when the queue is empty,
/// but for two kilobytes.
#[derive(Clone, Debug)]
pub struct DatagramQueue {
    limits: DatagramLimits,
    entries: VecDeque<Entry>,
    bytes: Vec<u8>,
    /// How many bytes at the front of `bytes` are gone.
    start: usize,
    drops: Drops,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    came: Instant,
    len: usize,
}

impl DatagramQueue {
    /// An empty queue.
    pub const fn new(limits: DatagramLimits) -> Self {
        Self {
            limits,
            entries: VecDeque::new(),
            bytes: Vec::new(),
            start: 0,
            drops: Drops { aged: 0, crowded: 0 },
        }
    }

    /// Puts a datagram at the end. What is too old goes first, then the oldest until there is room; a payload that
    /// is larger than the whole queue may be is dropped itself.
    pub fn push(&mut self, now: Instant, payload: &[u8]) {
        self.push_joined(now, [payload, &[]]);
    }

    /// [`push`](Self::push) of two pieces as one.
    pub fn push_joined(&mut self, now: Instant, pieces: [&[u8]; 2]) {
        let [first, second] = pieces;
        let len = first.len().saturating_add(second.len());
        self.expire(now);
        if self.limits.count == 0 || len > self.limits.bytes {
            self.drops.crowded = self.drops.crowded.saturating_add(1);
            return;
        }
        while !self.fits(len) {
            self.pop();
            self.drops.crowded = self.drops.crowded.saturating_add(1);
        }
        self.make_room(len);
        self.bytes.extend_from_slice(first);
        self.bytes.extend_from_slice(second);
        self.entries.push_back(Entry { came: now, len });
    }

    /// The oldest datagram that is not too old; the ones that are go, and count as dropped.
    pub fn front(&mut self, now: Instant) -> Option<&[u8]> {
        self.expire(now);
        self.iter().next()
    }

    /// Takes the oldest datagram away because it was sent.
    pub fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.start = self.start.saturating_add(entry.len);
        if self.entries.is_empty() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.entries.shrink_to(KEPT_ENTRIES);
        }
    }

    /// Makes the last datagram young again at `now` where it is no older than `most`: it waited for its path, and nothing has
    /// come after it that would be worth more.
    pub fn renew_last(&mut self, now: Instant, most: Duration) {
        if let Some(last) = self.entries.back_mut().filter(|last| now.since(last.came) <= most) {
            last.came = now;
        }
    }

    /// Drops what is too old at `now`.
    pub fn expire(&mut self, now: Instant) {
        while self.entries.front().is_some_and(|entry| now.since(entry.came) > self.limits.age) {
            self.pop();
            self.drops.aged = self.drops.aged.saturating_add(1);
        }
    }

    /// Whether a datagram of `len` bytes finds room at `now` without another one making it, or none waits that could.
    pub fn has_room(&mut self, now: Instant, len: usize) -> bool {
        self.expire(now);
        self.is_empty() || self.fits(len)
    }

    fn fits(&self, len: usize) -> bool {
        self.entries.len() < self.limits.count && self.live().saturating_add(len) <= self.limits.bytes
    }

    /// The datagrams, the oldest first, the ones that are too old included.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.get(self.start..).unwrap_or_default();
        self.entries.iter().map_while(move |entry| {
            let (payload, behind) = rest.split_at_checked(entry.len)?;
            rest = behind;
            Some(payload)
        })
    }

    /// The datagrams from the front that together make at most `most_bytes` and `most_count`, for one record. None
    /// where already the first is too large. Call [`expire`](Self::expire) before, and [`pop`](Self::pop) once for
    /// each that was sent.
    pub fn gather(&self, most_bytes: usize, most_count: usize) -> impl Iterator<Item = &[u8]> {
        let mut left = most_bytes;
        self.iter().take(most_count).map_while(move |payload| {
            left = left.checked_sub(payload.len())?;
            Some(payload)
        })
    }

    /// The datagrams from the front that are of one size, and that size: all but the last, which may be shorter. Together they make
    /// at most `most_bytes` and `most_count`; the first is among them whatever its size. Those that are too old go before.
    pub fn alike(&mut self, now: Instant, most_bytes: usize, most_count: usize) -> Option<(&[u8], usize)> {
        self.expire(now);
        let mut entries = self.entries.iter().take(most_count.max(1)).map(|entry| entry.len);
        let size = entries.next()?;
        let mut end = size;
        for len in entries {
            // One that is empty does not show between two others.
            if len == 0 || len > size || end.saturating_add(len) > most_bytes {
                break;
            }
            end = end.saturating_add(len);
            if len < size {
                break;
            }
        }
        let live = self.bytes.get(self.start..)?;
        Some((live.get(..end)?, size))
    }

    /// How many datagrams wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many datagrams were dropped since the queue was made, for any reason.
    pub const fn dropped(&self) -> u64 {
        self.drops.total()
    }

    /// What was dropped since the queue was made, by reason.
    pub const fn drops(&self) -> Drops {
        self.drops
    }

    /// Bytes of memory held, used or not.
    pub fn held(&self) -> usize {
        self.bytes.capacity().saturating_add(self.entries.capacity().saturating_mul(size_of::<Entry>()))
    }

    /// Bytes of payload that wait.
    fn live(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Makes room for `more` bytes. The payloads move to the front only when at least as many bytes are gone as wait,
    /// so each byte moves once on average; otherwise the buffer doubles, up to twice the limit.
    fn make_room(&mut self, more: usize) {
        let fits = |bytes: &Vec<u8>| bytes.len().saturating_add(more) <= bytes.capacity();
        if !fits(&self.bytes) && self.start >= self.live() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        if fits(&self.bytes) {
            return;
        }
        let most = self.limits.bytes.saturating_mul(2);
        let needed = self.bytes.len().saturating_add(more);
        let wanted = self.bytes.capacity().saturating_mul(2).min(most).max(needed);
        self.bytes.reserve_exact(wanted.saturating_sub(self.bytes.len()));
    }
}

impl Default for DatagramQueue {
    fn default() -> Self {
        Self::new(DatagramLimits::default())
    }
}

/// What an empty queue keeps, so that a quiet flow of media allocates nothing.
const KEPT_BYTES: usize = 2 * 1024;
const KEPT_ENTRIES: usize = 16;

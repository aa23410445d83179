//! One queue of deadlines for a whole machine.

use std::collections::{BTreeMap, BTreeSet};

use super::Instant;

/// Deadlines by key, the earliest first. Setting, clearing and asking cost O(log n); nobody scans.
#[derive(Clone, Debug, Default)]
pub struct Timers<K> {
    queue: BTreeSet<(Instant, K)>,
    deadlines: BTreeMap<K, Instant>,
}

impl<K: Copy + Ord> Timers<K> {
    /// No deadlines.
    pub const fn new() -> Self {
        Self { queue: BTreeSet::new(), deadlines: BTreeMap::new() }
    }

    /// Sets the deadline of `key`, or clears it with `None`; a deadline that was set before is replaced.
    pub fn set(&mut self, key: K, deadline: Option<Instant>) {
        let before = match deadline {
            Some(at) => self.deadlines.insert(key, at),
            None => self.deadlines.remove(&key),
        };
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.queue.remove(&(at, key));
        }
        if let Some(at) = deadline {
            self.queue.insert((at, key));
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the earliest key whose deadline has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.deadlines.remove(&key);
        Some(key)
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no deadline is set.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

//! Flows that wait for a connection to a proxy, in the order in which they get one.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::base::Instant;
use crate::client::FlowId;

/// A flow that waits, and what it waits for.
#[derive(Clone, Debug)]
pub(in crate::client) struct Want {
    pub(in crate::client) flow: FlowId,
    /// Where it is on its way already, and gets no answer: another connection there will do only where it is younger.
    pub(in crate::client) beside: SmallVec<[Beside; 2]>,
    /// It has a tunnel, and leaves that for another.
    pub(super) leaves: bool,
}

/// A proxy that owes an answer since then.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Beside {
    pub(in crate::client) proxy: usize,
    pub(in crate::client) since: Instant,
}

/// Those who wait, each once, the first first. Joining and leaving cost O(log n).
#[derive(Debug, Default)]
pub(super) struct Line {
    next: u64,
    places: BTreeMap<FlowId, u64>,
    wants: BTreeMap<u64, Want>,
}

impl Line {
    /// Puts a flow at the end; one that waits already keeps its place.
    pub(super) fn join(&mut self, want: Want) {
        if self.places.contains_key(&want.flow) {
            return;
        }
        self.places.insert(want.flow, self.next);
        self.wants.insert(self.next, want);
        self.next += 1;
    }

    pub(super) fn leave(&mut self, flow: FlowId) -> bool {
        let place = self.places.remove(&flow);
        place.is_some_and(|place| self.wants.remove(&place).is_some())
    }

    pub(super) fn front(&self) -> Option<&Want> {
        self.wants.values().next()
    }

    pub(super) fn pop(&mut self) -> Option<Want> {
        let (_, want) = self.wants.pop_first()?;
        self.places.remove(&want.flow);
        Some(want)
    }

    /// Takes the first flow for which `find` has something, with that; so many are looked at.
    pub(super) fn take<T>(&mut self, most: usize, find: impl Fn(&Want) -> Option<T>) -> Option<(Want, T)> {
        let found = self.wants.values().take(most).find_map(|want| Some((want.flow, find(want)?)));
        let (flow, found) = found?;
        let place = self.places.remove(&flow)?;
        Some((self.wants.remove(&place)?, found))
    }

    pub(super) fn len(&self) -> usize {
        self.wants.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.wants.clear();
    }
}

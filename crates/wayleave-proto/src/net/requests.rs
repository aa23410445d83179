//! The sockets that a machine has asked for, and what it still has to say to its adapter.

use core::net::SocketAddr;
use std::collections::VecDeque;

use super::{Output, Remote, SocketId};
use crate::base::{Name, Slots};
use crate::config::Liveness;

/// The table of sockets of a top machine, with the queue of its outputs.
///
/// `R` says what each socket is for; `E` is what the machine tells its embedder.
#[derive(Debug)]
pub struct Requests<R, E> {
    sockets: Slots<SocketId, Entry<R>>,
    outputs: VecDeque<Output<E>>,
}

#[derive(Debug)]
struct Entry<R> {
    role: R,
    /// `Output::Pending` was said, and the adapter has not yet seen the end of what is pending.
    pending: bool,
    paused: bool,
    finished: bool,
    /// Nothing can be written any more.
    broken: bool,
}

impl<R: Copy, E> Requests<R, E> {
    /// No sockets and nothing to say.
    pub const fn new() -> Self {
        Self { sockets: Slots::new(), outputs: VecDeque::new() }
    }

    /// How many sockets and look-ups are open.
    pub const fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether no socket or look-up is open.
    pub const fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output<E>> {
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() && self.outputs.capacity() > KEPT_OUTPUTS {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// What socket `id` is for; `None` when it is closed.
    pub fn role(&self, id: SocketId) -> Option<R> {
        self.sockets.get(id).map(|entry| entry.role)
    }

    /// Gives socket `id` another purpose.
    pub fn reassign(&mut self, id: SocketId, role: R) {
        if let Some(entry) = self.sockets.get_mut(id) {
            entry.role = role;
        }
    }

    /// Tells the embedder.
    pub fn event(&mut self, event: E) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Takes a socket that the adapter opened by itself: an accepted connection.
    pub fn accept(&mut self, role: R) -> SocketId {
        self.insert(role)
    }

    /// Asks for the addresses of `name`.
    pub fn resolve(&mut self, role: R, name: Name) -> SocketId {
        let id = self.insert(role);
        self.outputs.push_back(Output::Resolve { id, name });
        id
    }

    /// Asks for a TCP connection.
    pub fn dial(&mut self, role: R, address: SocketAddr) -> SocketId {
        let id = self.insert(role);
        self.outputs.push_back(Output::Dial { id, address });
        id
    }

    /// Asks for a UDP socket, which may cut what is too large into `fragments`.
    pub fn bind(&mut self, role: R, remote: Remote, fragments: bool) -> SocketId {
        let id = self.insert(role);
        self.outputs.push_back(Output::Bind { id, remote, fragments });
        id
    }

    /// Says, once until [`Self::settle`], that socket `id` has something to send.
    pub fn pending(&mut self, id: SocketId) {
        if let Some(entry) = self.sockets.get_mut(id)
            && !entry.pending
        {
            entry.pending = true;
            self.outputs.push_back(Output::Pending(id));
        }
    }

    /// Whether socket `id` has something to send, as far as the adapter knows.
    pub fn is_pending(&self, id: SocketId) -> bool {
        self.sockets.get(id).is_some_and(|entry| entry.pending)
    }

    /// The adapter has seen that nothing is pending on socket `id`.
    pub fn settle(&mut self, id: SocketId) {
        if let Some(entry) = self.sockets.get_mut(id) {
            entry.pending = false;
        }
    }

    /// Stops or starts reading from socket `id`.
    pub fn pause(&mut self, id: SocketId, paused: bool) {
        if let Some(entry) = self.sockets.get_mut(id)
            && entry.paused != paused
        {
            entry.paused = paused;
            self.outputs.push_back(if paused { Output::ReadPause(id) } else { Output::ReadResume(id) });
        }
    }

    /// Nothing can be written to socket `id` any more; what it received may still be read.
    pub fn break_off(&mut self, id: SocketId) {
        if let Some(entry) = self.sockets.get_mut(id) {
            entry.broken = true;
        }
    }

    /// Whether nothing can be written to socket `id` any more: it is broken, or closed already.
    pub fn is_broken(&self, id: SocketId) -> bool {
        self.sockets.get(id).is_none_or(|entry| entry.broken)
    }

    /// Wishes for fewer acknowledgements on socket `id`.
    pub fn delay_acks(&mut self, id: SocketId) {
        self.outputs.push_back(Output::DelayAcks(id));
    }

    /// Lets the platform watch over socket `id`.
    pub fn watch(&mut self, id: SocketId, liveness: Liveness) {
        self.outputs.push_back(Output::Watch { id, liveness });
    }

    /// Ends the sending half of socket `id`, once.
    pub fn finish(&mut self, id: SocketId) {
        if let Some(entry) = self.sockets.get_mut(id)
            && !entry.finished
        {
            entry.finished = true;
            self.outputs.push_back(Output::Finish(id));
        }
    }

    /// Closes socket `id`, or forgets that look-up.
    pub fn close(&mut self, id: SocketId, reset: bool) {
        if self.sockets.remove(id).is_some() {
            self.outputs.push_back(Output::Close { id, reset });
        }
    }

    /// Forgets socket `id`, which the adapter has closed or answered.
    pub fn forget(&mut self, id: SocketId) {
        self.sockets.remove(id);
    }

    fn insert(&mut self, role: R) -> SocketId {
        self.sockets.insert(Entry { role, pending: false, paused: false, finished: false, broken: false })
    }
}

impl<R: Copy, E> Default for Requests<R, E> {
    fn default() -> Self {
        Self::new()
    }
}

/// A queue that once grew beyond this gives its memory back.
const KEPT_OUTPUTS: usize = 1_024;

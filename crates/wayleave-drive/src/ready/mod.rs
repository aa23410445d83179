//! The sockets that something happened to.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use wayleave_proto::net::SocketId;

/// The sockets that something happened to, and the task that looks after them.
#[derive(Default)]
pub(crate) struct Ready(Mutex<(Vec<SocketId>, Option<Waker>)>);

impl Ready {
    /// Names the task to wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut ready.1 {
            Some(known) if known.will_wake(waker) => {}
            known => *known = Some(waker.clone()),
        }
    }

    /// Wakes the task.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Notes that something happened to `id`; the answer is whom to wake for it.
    fn note(&self, id: SocketId) -> Option<Waker> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.0.push(id);
        // Whoever finds sockets already waiting knows that the task has been woken for them.
        if ready.0.len() == 1 { ready.1.clone() } else { None }
    }

    /// Moves the sockets that something happened to behind those in `into`.
    pub(crate) fn take(&self, into: &mut Vec<SocketId>) {
        into.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0);
    }
}

/// The waker of one socket: it notes which one it was, so that a wake-up costs the same whether there are ten sockets or
/// ten thousand.
pub(crate) struct SocketWaker {
    id: SocketId,
    noted: AtomicBool,
    ready: Arc<Ready>,
}

impl SocketWaker {
    pub(crate) fn new(id: SocketId, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { id, noted: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// The task is about to look at the socket; the next wake-up counts again.
    pub(crate) fn clear(&self) {
        self.noted.store(false, Ordering::Release);
    }
}

impl SocketWaker {
    /// Whether this wake-up is the first since the task last looked.
    fn is_first(&self) -> bool {
        !self.noted.swap(true, Ordering::AcqRel)
    }
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_first()
            && let Some(waker) = self.ready.note(self.id)
        {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;

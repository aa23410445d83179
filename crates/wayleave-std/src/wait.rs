//! Threads that wait for a future.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// The threads that wait for the same thing, such as bytes of one stream; all are woken together, and look again.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Vec<Thread>>);

impl Waiters {
    /// Blocks the calling thread until `poll` is ready; `None` when that takes longer than `limit`.
    pub(crate) fn wait<T>(
        self: &Arc<Self>,
        limit: Option<Duration>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let answer = loop {
            // Before the question, so that no answer is missed.
            self.enter();
            if let Poll::Ready(answer) = poll(&mut cx) {
                break Some(answer);
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => break None,
                Some(left) => thread::park_timeout(left),
            }
        };
        self.leave();
        answer
    }

    /// Lets all of them look again.
    pub(crate) fn wake_all(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        threads.iter().for_each(Thread::unpark);
    }

    fn enter(&self) {
        let thread = thread::current();
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.iter().all(|known| known.id() != thread.id()) {
            threads.push(thread);
        }
    }

    fn leave(&self) {
        let id = thread::current().id();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known.id() != id);
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

/// How long a read or a write may take, as [`std::net::TcpStream`] understands it.
#[derive(Debug, Default)]
pub(crate) struct Limit(Mutex<Option<Duration>>);

impl Limit {
    pub(crate) fn get(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `limit` is zero, which would be no time at all.
    pub(crate) fn set(&self, limit: Option<Duration>) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout"));
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = limit;
        Ok(())
    }
}

/// What the standard library says of a socket that took too long, on this platform.
pub(crate) fn took_too_long() -> io::Error {
    if cfg!(windows) { io::ErrorKind::TimedOut.into() } else { io::ErrorKind::WouldBlock.into() }
}

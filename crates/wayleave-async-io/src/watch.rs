//! Connections from which nobody reads, and whose break is noticed all the same.
//!
//! async-io waits for two things only, and a connection that is paused may be ready for both for as long as it lasts. A poller
//! that is asked for neither still reports errors; that poller is itself something that async-io can wait for.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_io::Async;
use polling::{Event, Events, PollMode, Poller};

/// The connections of one machine that are watched.
pub(crate) struct Watch {
    poller: Async<Poller>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    wakers: BTreeMap<usize, Waker>,
    next: usize,
}

impl Watch {
    /// # Errors
    /// The system has no descriptor to wait with.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let watch = Arc::new(Self { poller: Async::new(Poller::new()?)?, table: Mutex::default() });
        watch.listen();
        Ok(watch)
    }

    /// Watches `stream` until [`Self::forget`]; the answer is its key. A break that is there already is one.
    pub(crate) fn add(&self, stream: &Async<TcpStream>, waker: &Waker) -> io::Result<usize> {
        let mut table = self.lock();
        let key = table.next;
        table.next += 1;
        // SAFETY: the poller must forget the socket before it is closed. `Connection` owns both, and forgets in its `drop`,
        // which runs before its fields are dropped.
        unsafe { self.poller.get_ref().add_with_mode(stream.get_ref(), Event::none(key), PollMode::Edge)? };
        table.wakers.insert(key, waker.clone());
        Ok(key)
    }

    /// Names another task to wake.
    pub(crate) fn rename(&self, key: usize, waker: &Waker) {
        if let Some(known) = self.lock().wakers.get_mut(&key)
            && !known.will_wake(waker)
        {
            known.clone_from(waker);
        }
    }

    pub(crate) fn forget(&self, key: usize, stream: &Async<TcpStream>) {
        self.lock().wakers.remove(&key);
        let _ = self.poller.get_ref().delete(stream.get_ref());
    }

    /// Wakes those whose connections broke, and has itself woken for the next.
    fn listen(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut events = Events::new();
        while let Poll::Ready(Ok(())) = self.poller.poll_readable(&mut Context::from_waker(&waker)) {
            events.clear();
            if self.poller.get_ref().wait(&mut events, Some(Duration::ZERO)).is_err() {
                return;
            }
            let wakers: Vec<_> = {
                let table = self.lock();
                events.iter().filter_map(|event| table.wakers.get(&event.key).cloned()).collect()
            };
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reactor of async-io wakes it up when there is something to report, behind its own locks.
impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.listen();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.listen();
    }
}

//! The facts that a client tells, one after another.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wayleave_proto::client::Event;

/// What a client tells its embedder. A reader that falls 4,096 events behind loses the oldest.
pub struct Events(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    reader: Option<Waker>,
    lost: u64,
    closed: bool,
}

impl Events {
    /// The next event; `None` when the client is closed. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`Self::recv`] for those who poll.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.closed => Poll::Ready(None),
            None => {
                let stale = queue.reader.replace(cx.waker().clone());
                drop(queue);
                drop(stale);
                Poll::Pending
            }
        }
    }

    /// How many events were lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost
    }
}

impl core::fmt::Debug for Events {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// Those who listen.
pub(crate) struct Listeners {
    /// Takes the events that come before anybody has asked for them.
    first: Option<Events>,
    queues: Vec<Weak<Mutex<Queue>>>,
}

impl Listeners {
    pub(crate) fn new() -> Self {
        let mut listeners = Self { first: None, queues: Vec::new() };
        listeners.first = Some(listeners.subscribe());
        listeners
    }

    pub(crate) fn subscribe(&mut self) -> Events {
        self.first.take().unwrap_or_else(|| {
            let queue = Arc::default();
            self.queues.push(Arc::downgrade(&queue));
            Events(queue)
        })
    }

    pub(crate) fn tell(&mut self, event: &Event, wakers: &mut impl Extend<Waker>) {
        self.each(wakers, |queue| {
            if queue.events.len() >= MOST_EVENTS {
                queue.events.pop_front();
                queue.lost += 1;
            }
            queue.events.push_back(event.clone());
        });
    }

    pub(crate) fn close(&mut self, wakers: &mut impl Extend<Waker>) {
        self.each(wakers, |queue| queue.closed = true);
    }

    fn each(&mut self, wakers: &mut impl Extend<Waker>, act: impl Fn(&mut Queue)) {
        self.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut queue);
            wakers.extend(queue.reader.take());
            true
        });
    }
}

const MOST_EVENTS: usize = 4_096;

//! The facts that a client or a relay tells, one after another.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_core::Stream;
use wayleave_proto::client;

/// What a client tells its embedder, or a relay its operator; a [`Stream`] that ends with it. A reader of a client that falls 4,096
/// events behind loses the oldest, one of a relay when it falls 65,536 behind.
#[must_use = "events that nobody reads are kept until there are too many"]
pub struct Events<E = client::Event>(Arc<Mutex<Queue<E>>>);

struct Queue<E> {
    events: VecDeque<E>,
    most: usize,
    reader: Option<Waker>,
    lost: u64,
    closed: bool,
}

impl<E> Events<E> {
    /// The next event; `None` when the client is closed, or the relay serves no more. Cancel safe.
    pub async fn recv(&mut self) -> Option<E> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`Self::recv`] for those who poll.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let mut queue = self.lock();
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

    /// The next event, where it has happened already.
    ///
    /// # Errors
    /// Nothing has happened yet, or nothing will any more.
    pub fn try_recv(&mut self) -> Result<E, TryRecvError> {
        let mut queue = self.lock();
        let none = if queue.closed { TryRecvError::Disconnected } else { TryRecvError::Empty };
        queue.events.pop_front().ok_or(none)
    }

    /// How many events were lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    fn lock(&self) -> MutexGuard<'_, Queue<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Stream for Events<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        self.poll_recv(cx)
    }
}

impl<E> core::fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// Those who listen.
pub(crate) struct Listeners<E> {
    /// Takes the events that come before anybody has asked for them.
    first: Option<Events<E>>,
    queues: Vec<Weak<Mutex<Queue<E>>>>,
    /// How many events one may be behind.
    most: usize,
}

impl<E: Clone> Listeners<E> {
    /// Nobody yet, and whoever comes hears of what happens from then on.
    pub(crate) const fn new(most: usize) -> Self {
        Self { first: None, queues: Vec::new(), most }
    }

    /// The same; the first who comes hears of what happened before, too.
    pub(crate) fn remembering(most: usize) -> Self {
        let mut listeners = Self::new(most);
        listeners.first = Some(listeners.subscribe());
        listeners
    }

    pub(crate) fn subscribe(&mut self) -> Events<E> {
        self.first.take().unwrap_or_else(|| {
            let (events, most) = (VecDeque::new(), self.most);
            let queue = Arc::new(Mutex::new(Queue { events, most, reader: None, lost: 0, closed: false }));
            self.queues.push(Arc::downgrade(&queue));
            Events(queue)
        })
    }

    pub(crate) fn tell(&mut self, event: &E, wakers: &mut impl Extend<Waker>) {
        self.each(wakers, |queue| {
            if queue.events.len() >= queue.most {
                queue.events.pop_front();
                queue.lost += 1;
            }
            queue.events.push_back(event.clone());
        });
    }

    pub(crate) fn close(&mut self, wakers: &mut impl Extend<Waker>) {
        self.each(wakers, |queue| queue.closed = true);
    }

    fn each(&mut self, wakers: &mut impl Extend<Waker>, act: impl Fn(&mut Queue<E>)) {
        self.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut queue);
            wakers.extend(queue.reader.take());
            true
        });
    }
}

//! Look-ups, which only the system's blocking resolver can do.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::thread;

use wayleave_drive::Lookup;

/// The look-ups of one machine: each on a thread that ends with it, [`MOST_THREADS`] at once, the rest in a queue.
#[derive(Default)]
pub(crate) struct Lookups(Mutex<State>);

#[derive(Default)]
struct State {
    threads: usize,
    queue: VecDeque<Job>,
}

struct Job {
    name: String,
    /// Gone when nobody waits for it any more.
    answer: Weak<Mutex<Answer>>,
}

#[derive(Default)]
struct Answer {
    result: Option<io::Result<Vec<IpAddr>>>,
    waker: Option<Waker>,
}

impl Lookups {
    /// Looks up the addresses of `name`. A look-up that is dropped while it waits for a thread is not begun.
    pub(crate) fn begin(self: &Arc<Self>, name: &str) -> Lookup {
        let answer = Arc::new(Mutex::new(Answer::default()));
        let job = Job { name: name.to_owned(), answer: Arc::downgrade(&answer) };
        if let Err(error) = self.add(job) {
            lock(&answer).result = Some(Err(error));
        }
        Box::pin(poll_fn(move |cx| {
            let mut answer = lock(&answer);
            match answer.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    answer.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }

    #[cfg(test)]
    pub(crate) fn thread_count(&self) -> usize {
        lock(&self.0).threads
    }

    fn add(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let mut state = lock(&self.0);
        if state.threads >= MOST_THREADS {
            state.queue.retain(|job| job.answer.strong_count() > 0);
            state.queue.push_back(job);
            return Ok(());
        }
        let lookups = Arc::clone(self);
        thread::Builder::new().name("wayleave-lookup".into()).spawn(move || lookups.work(job))?;
        state.threads += 1;
        Ok(())
    }

    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            job.run();
            let mut state = lock(&self.0);
            next = state.queue.pop_front();
            if next.is_none() {
                state.threads -= 1;
            }
        }
    }
}

impl Job {
    fn run(self) {
        if self.answer.strong_count() == 0 {
            return;
        }
        let addresses = (self.name.as_str(), 0).to_socket_addrs();
        let Some(answer) = self.answer.upgrade() else { return };
        let mut answer = lock(&answer);
        answer.result = Some(addresses.map(|found| found.map(|address| address.ip()).collect()));
        let waker = answer.waker.take();
        drop(answer);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names looked up at once. More would only wait for the same name server.
pub(crate) const MOST_THREADS: usize = 8;

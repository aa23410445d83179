//! Look-ups by the platform's own resolver, which can only block.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::thread;

use wayleave_proto::base::Name;
use wayleave_proto::error::{IoFailed, IoFailure, Resource};

use crate::hosts;
use crate::sockets::lacking;

/// The look-ups of one machine: each on a thread that ends with it, 64 at once, the rest in a queue of 4,096.
///
/// The threads belong to no runtime, so that nothing has to wait for one when a runtime ends.
#[derive(Debug, Default)]
pub struct Lookups(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    threads: usize,
    queue: VecDeque<Job>,
}

#[derive(Debug)]
struct Job {
    name: Name,
    /// Gone when nobody waits for it any more.
    answer: Weak<Mutex<Answer>>,
}

#[derive(Debug, Default)]
struct Answer {
    result: Option<Result<Vec<IpAddr>, IoFailed>>,
    waker: Option<Waker>,
}

impl Lookups {
    /// Looks up the addresses of `name`. A look-up that is dropped while it waits for a thread is not begun.
    ///
    /// # Errors
    /// What the platform said; [`IoFailure::Exhausted`] where there is no thread, or no place in the queue.
    pub fn begin(
        self: &Arc<Self>,
        name: &Name,
    ) -> impl Future<Output = Result<Vec<IpAddr>, IoFailed>> + Send + use<> {
        let answer = Arc::new(Mutex::new(Answer::default()));
        let job = Job { name: name.clone(), answer: Arc::downgrade(&answer) };
        if let Err(error) = self.add(job) {
            lock(&answer).result = Some(Err(error));
        }
        poll_fn(move |cx| {
            let mut answer = lock(&answer);
            match answer.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    answer.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }

    /// Threads that run now.
    pub fn thread_count(&self) -> usize {
        lock(&self.0).threads
    }

    fn add(self: &Arc<Self>, job: Job) -> Result<(), IoFailed> {
        let mut state = lock(&self.0);
        if state.threads >= MOST_THREADS {
            if state.queue.len() >= MOST_WAITING {
                state.queue.retain(|job| job.answer.strong_count() > 0);
            }
            if state.queue.len() >= MOST_WAITING {
                return Err(IoFailed::with_detail(
                    IoFailure::Exhausted(Resource::Lookups),
                    "too many names wait to be looked up",
                ));
            }
            state.queue.push_back(job);
            return Ok(());
        }
        let lookups = Arc::clone(self);
        let thread = thread::Builder::new().name("wayleave-lookup".into());
        thread.spawn(move || lookups.work(job)).map_err(|error| {
            IoFailed::with_detail(IoFailure::Exhausted(Resource::Threads), &error.to_string())
        })?;
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
        let addresses = look_up(&self.name);
        let Some(answer) = self.answer.upgrade() else { return };
        let mut answer = lock(&answer);
        answer.result = Some(addresses);
        let waker = answer.waker.take();
        drop(answer);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Asks the platform for `name`; the calling thread waits for the answer.
///
/// # Errors
/// What the platform said.
pub fn look_up(name: &Name) -> Result<Vec<IpAddr>, IoFailed> {
    // Resolvers look a name with its final dot up absolutely, and do not find it in the hosts file then.
    if let Some(addresses) = hosts::of_platform(name) {
        return Ok(addresses);
    }
    // Windows completes single labels only, and knows no final dot in its own names.
    let question = if cfg!(windows) { name.as_str().to_owned() } else { name.question() };
    // A resolver that can open neither its configuration nor a socket calls that a failure of the name.
    let failed = |error| lacking().unwrap_or_else(|| IoFailed::name(&error));
    let addresses = (question.as_str(), 0).to_socket_addrs().map_err(failed)?;
    Ok(addresses.map(|address| address.ip()).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names looked up at once. Each waits for a name server, mostly, and costs a sleeping thread.
const MOST_THREADS: usize = 64;
/// Names that wait for a thread; one more fails at once.
const MOST_WAITING: usize = 4_096;

#[cfg(test)]
#[path = "lookups_tests.rs"]
mod tests;

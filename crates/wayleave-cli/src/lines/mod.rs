//! Lines that leave the process on a thread of their own, so that nobody waits for whoever reads them.
//!
//! Whoever writes a log, a journal or a usage record to a pipe or a disk depends on a stranger: the reader stands still,
//! is gone, or the disk is full. [`Lines::push`] never waits for that and cannot fail. What does not fit into the queue, and
//! what could not be written, is left out and counted, and a line says so at its place as soon as lines are taken again.

mod writer;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use writer::Writer;

/// Where lines go. All of it is used on the thread of its [`Lines`] alone, and may block there.
pub(crate) trait Outlet: Send + 'static {
    /// Opens it, at the start and when it is to be opened anew.
    ///
    /// # Errors
    /// It cannot be written to.
    fn open(&mut self) -> io::Result<Box<dyn Write + Send>>;

    /// The line, with its end, that stands where `count` lines were left out.
    fn left_out(&self, count: u64) -> String;

    /// Lines cannot be written, or can again after that was told.
    fn trouble(&self, _trouble: Trouble<'_>) {}
}

/// What happened to an outlet, for those who are told of it elsewhere.
#[derive(Debug)]
pub(crate) enum Trouble<'a> {
    /// It cannot be opened anew; the old one stays.
    Kept(&'a io::Error),
    /// It can be written to again, after so many lines were left out.
    Over(u64),
    /// It cannot be written to, for the first time since it could.
    Unwritten(&'a io::Error),
}

/// A queue of lines and the thread that writes them. The thread ends with the process.
#[derive(Debug)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to do.
    wanted: Condvar,
    /// Everything is done.
    done: Condvar,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Entry>,
    /// Bytes in the queue, with what an entry costs.
    held: usize,
    most: usize,
    /// The thread is busy with what it took.
    busy: bool,
    /// The thread waits for something to do, and has to be woken.
    sleeps: bool,
    /// Somebody waits until everything is written.
    hurries: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    /// So many lines were left out here.
    Gap(u64),
    Line(Vec<u8>),
    /// What follows goes to the outlet that is opened here.
    Reopen,
}

impl Lines {
    /// Starts the thread, named `name`, that writes to `outlet`; at most `most` bytes wait.
    ///
    /// # Errors
    /// The outlet cannot be opened, or there are no more threads. An outlet that takes longer to open than a moment (a FIFO
    /// without a reader) is no error: lines wait for it.
    pub(crate) fn start(name: &str, mut outlet: impl Outlet, most: usize) -> io::Result<Self> {
        let state =
            State { queue: VecDeque::new(), held: 0, most, busy: true, sleeps: false, hurries: false };
        let (wanted, done) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { state: Mutex::new(state), wanted, done });
        let (tell, told) = sync_channel(1);
        let served = Arc::clone(&shared);
        thread::Builder::new().name(name.into()).spawn(move || {
            let out = match outlet.open() {
                Ok(out) => {
                    let _ = tell.try_send(Ok(()));
                    Some(out)
                }
                Err(error) => match tell.try_send(Err(error)) {
                    // Nobody waits any more: it is tried again with each line.
                    Err(TrySendError::Disconnected(Err(error))) => {
                        outlet.trouble(Trouble::Unwritten(&error));
                        None
                    }
                    _ => return,
                },
            };
            served.idle();
            let mut writer = Writer::new(outlet, out);
            loop {
                writer.take(served.next());
                served.idle();
            }
        })?;
        match told.recv_timeout(OPENING) {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => Ok(Self(shared)),
        }
    }

    /// Puts a line, with its end, behind those that wait. Never blocks.
    pub(crate) fn push(&self, line: Vec<u8>) {
        let mut state = self.0.lock();
        let cost = line.len() + COST;
        if state.held + cost > state.most {
            match state.queue.back_mut() {
                Some(Entry::Gap(count)) => *count += 1,
                _ => state.queue.push_back(Entry::Gap(1)),
            }
        } else {
            state.held += cost;
            state.queue.push_back(Entry::Line(line));
        }
        self.0.wake(state);
    }

    /// Opens the outlet anew behind what waits: a file that was renamed is left to whoever did it.
    pub(crate) fn reopen(&self) {
        let mut state = self.0.lock();
        if state.queue.back() != Some(&Entry::Reopen) {
            state.queue.push_back(Entry::Reopen);
        }
        self.0.wake(state);
    }

    /// Waits until everything is written, at most until `until`; whether it is.
    pub(crate) fn flush(&self, until: Instant) -> bool {
        let mut state = self.0.lock();
        loop {
            if state.is_done() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state.hurries = true;
            self.0.wanted.notify_one();
            state = self.0.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread where it waits for something to do.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let sleeps = core::mem::take(&mut state.sleeps);
        drop(state);
        if sleeps {
            self.wanted.notify_one();
        }
    }

    /// Waits for something to do. Who was woken lets more gather, so that many lines in a row cost one wake-up and not each its
    /// own, unless somebody waits for them.
    fn next(&self) -> Entry {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.take() {
                state.busy = true;
                return entry;
            }
            state.hurries = false;
            state.sleeps = true;
            while state.sleeps && !state.hurries {
                state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let gathering = |state: &mut State| !state.hurries;
            let waited = self.wanted.wait_timeout_while(state, GATHERING, gathering);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What was taken is done.
    fn idle(&self) {
        let mut state = self.lock();
        state.busy = false;
        if state.is_done() {
            self.done.notify_all();
        }
    }
}

impl State {
    fn take(&mut self) -> Option<Entry> {
        let entry = self.queue.pop_front()?;
        if let Entry::Line(line) = &entry {
            self.held = self.held.saturating_sub(line.len() + COST);
        }
        Some(entry)
    }

    fn is_done(&self) -> bool {
        self.queue.is_empty() && !self.busy
    }
}

/// What a line costs beside its bytes, about.
const COST: usize = 64;
/// How long lines gather before they are written.
const GATHERING: Duration = Duration::from_millis(10);
/// How long to wait for whether an outlet can be opened.
const OPENING: Duration = Duration::from_secs(2);

//! The books of a relay, for one machine or for several.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::lock;
use crate::Ready;
use wayleave_proto::relay::{Books, Ledger};

/// How a machine reaches the books of its relay: they are its own where it is alone, and under a lock else.
#[derive(Debug)]
pub struct Common(Kept);

#[derive(Debug)]
enum Kept {
    Alone(Box<Books>),
    Shared(Arc<Board>),
}

/// The books of several machines, and how each of them is called.
pub(super) struct Board {
    books: Mutex<Books>,
    bells: Box<[Bell]>,
}

/// How a machine is called to hear of the others.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    task: OnceLock<Arc<Ready>>,
}

impl Common {
    pub(super) fn alone(books: Books) -> Self {
        Self(Kept::Alone(Box::new(books)))
    }

    pub(super) const fn shared(board: Arc<Board>) -> Self {
        Self(Kept::Shared(board))
    }
}

impl Ledger for Common {
    fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        match &self.0 {
            Kept::Alone(books) => look(books),
            Kept::Shared(board) => look(&lock(&board.books)),
        }
    }

    fn write<T>(&mut self, act: impl FnOnce(&mut Books) -> T) -> T {
        match &mut self.0 {
            Kept::Alone(books) => act(books),
            Kept::Shared(board) => board.write(act),
        }
    }
}

impl Board {
    pub(super) fn new(books: Books, machines: usize) -> Self {
        Self { books: Mutex::new(books), bells: (0..machines).map(|_| Bell::default()).collect() }
    }

    /// Wakes the task behind `ready` where machine `shard` has to hear something.
    pub(super) fn call_by(&self, shard: usize, ready: &Arc<Ready>) {
        if let Some(bell) = self.bells.get(shard) {
            let _ = bell.task.set(Arc::clone(ready));
        }
    }

    /// Whether a machine has been called.
    pub(super) fn is_called(&self, shard: usize) -> bool {
        self.bells.get(shard).is_some_and(|bell| bell.rung.load(Ordering::Acquire))
    }

    /// The same; from then on it counts as having heard.
    pub(super) fn take_call(&self, shard: usize) -> bool {
        self.is_called(shard)
            && self.bells.get(shard).is_some_and(|bell| bell.rung.swap(false, Ordering::AcqRel))
    }

    fn write<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = lock(&self.books);
        let answer = act(&mut books);
        let called = books.take_called();
        drop(books);
        if !called.is_empty() {
            for bell in called.iter().filter_map(|shard| self.bells.get(shard)) {
                bell.rung.store(true, Ordering::Release);
                bell.task.get().into_iter().for_each(|task| task.wake());
            }
        }
        answer
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("books", &self.books).finish_non_exhaustive()
    }
}

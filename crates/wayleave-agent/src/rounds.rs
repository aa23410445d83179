//! Notices a forward that leads back to itself over something that only the network knows: a name, a relay, another agent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The same datagram comes again and again, each time from somebody new. To drop it once ends the loop.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    payload: Vec<u8>,
    rounds: usize,
    began: Option<Instant>,
}

impl Datagrams {
    /// Takes what a new sender sent first; whether it has come round too often.
    pub(crate) fn go_round(&mut self, payload: &[u8]) -> bool {
        let is_next = self.payload == payload && self.began.is_some_and(|began| began.elapsed() < WITHIN);
        if !is_next {
            self.payload.clear();
            self.payload.extend_from_slice(payload);
            self.began = Some(Instant::now());
            self.rounds = 0;
        }
        self.rounds += 1;
        self.rounds > ROUNDS
    }
}

/// One connection leads to the next, few at a time, while no target says a word and none of them ends. To break one off breaks
/// off all of them, for each is the target of the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    rounds: usize,
    began: Option<Instant>,
    /// Connections whose stream is being opened.
    opening: usize,
}

impl Streams {
    /// A connection came and its stream is going to be opened; `None` where it has come round too often.
    pub(crate) fn begin(&self) -> Option<Opening> {
        let mut books = self.lock();
        let is_next = books.opening <= AHEAD && books.began.is_some_and(|began| began.elapsed() < WITHIN);
        if !is_next {
            books.began = Some(Instant::now());
            books.rounds = 0;
        }
        books.rounds += 1;
        if books.rounds > ROUNDS {
            return None;
        }
        books.opening += 1;
        Some(Opening(self.clone()))
    }

    /// A target has spoken, or a connection has ended: nothing goes round.
    pub(crate) fn clear(&self) {
        self.lock().rounds = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lives while a stream is being opened.
#[derive(Debug)]
pub(crate) struct Opening(Streams);

impl Drop for Opening {
    fn drop(&mut self) {
        let mut books = self.0.lock();
        books.opening = books.opening.saturating_sub(1);
    }
}

/// How often something may come round, and in which time that counts.
const ROUNDS: usize = 64;
const WITHIN: Duration = Duration::from_secs(10);
/// How far the next connection may be ahead of the news that the one before stands.
const AHEAD: usize = 4;

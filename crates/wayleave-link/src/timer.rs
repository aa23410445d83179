//! Where the system does not tell of changes: a look every two seconds.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What a watching thread waits for.
pub(crate) struct Bell(Receiver<()>);

/// The end of it stops the thread.
#[derive(Debug)]
pub(crate) struct Stop(#[expect(dead_code, reason = "its end is the signal")] Sender<()>);

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    /// The time for a look has come.
    Look,
    /// Nobody wants to know any more.
    Stop,
}

impl Bell {
    pub(crate) fn new() -> io::Result<(Self, Stop)> {
        let (stop, stopped) = channel();
        Ok((Self(stopped), Stop(stop)))
    }

    /// Waits until it is time to look.
    pub(crate) fn wait(&mut self) -> Rung {
        match self.0.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => Rung::Look,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Rung::Stop,
        }
    }
}

/// How often the network is looked at.
const EVERY: Duration = Duration::from_secs(2);

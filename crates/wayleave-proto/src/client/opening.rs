//! What went out on a direct stream before anything came back, and whether it may go out once more.

use core::time::Duration;

use crate::base::Instant;
use crate::codec::client_hello::{self, HelloError};

/// The beginning of a direct stream, until its first answer.
#[derive(Debug)]
pub(super) struct Opening {
    /// After how many new beginnings of the client the connection stood.
    epoch: u64,
    /// When the first byte went out; until then, when the connection stood.
    since: Instant,
    progress: Progress,
    /// The socket took less than there was; what it takes after that shows that the other side took the rest.
    full: bool,
}

#[derive(Debug)]
enum Progress {
    /// Something came back.
    Answered,
    /// These bytes went out, and may be a ClientHello or its beginning.
    Asked(Vec<u8>),
    /// Something went out that must not go out twice.
    Committed,
    /// The same, and that nothing came back has been noted.
    Noted,
    /// Nothing went out.
    Quiet,
}

impl Opening {
    pub(super) const fn new(now: Instant, epoch: u64) -> Self {
        Self { epoch, since: now, progress: Progress::Quiet, full: false }
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) const fn is_answered(&self) -> bool {
        matches!(self.progress, Progress::Answered)
    }

    /// Whether the application has sent nothing yet, and nothing came either.
    pub(super) const fn is_quiet(&self) -> bool {
        matches!(self.progress, Progress::Quiet)
    }

    /// Something came back; says whether it was the first time.
    pub(super) fn handle_answered(&mut self) -> bool {
        !matches!(core::mem::replace(&mut self.progress, Progress::Answered), Progress::Answered)
    }

    /// The socket took `bytes`, and `left` more wait. Says whether that shows that the other side took earlier ones.
    pub(super) fn handle_written(&mut self, now: Instant, bytes: &[u8], left: usize) -> bool {
        if bytes.is_empty() {
            return false;
        }
        match &mut self.progress {
            Progress::Quiet => {
                self.since = now;
                self.progress = Progress::Asked(bytes.to_vec());
                self.judge();
            }
            Progress::Asked(sent) => {
                sent.extend_from_slice(bytes);
                self.judge();
            }
            Progress::Answered | Progress::Committed | Progress::Noted => {}
        }
        core::mem::replace(&mut self.full, left > 0)
    }

    /// When an answer is overdue that has `length` of time to come; nothing is where nothing was asked.
    pub(super) fn overdue(&self, length: Duration) -> Option<Instant> {
        matches!(self.progress, Progress::Asked(_) | Progress::Committed).then(|| self.since + length)
    }

    /// That nothing came back in time has been noted, and nothing can be done for the stream.
    pub(super) fn give_up(&mut self) {
        if !self.is_answered() {
            self.progress = Progress::Noted;
        }
    }

    /// Whether the stream broke off within `length` of time since it stood or asked.
    pub(super) fn is_young(&self, now: Instant, length: Duration) -> bool {
        now.since(self.since) <= length
    }

    /// Whether the stream may begin once more elsewhere, where `pending` has not gone out yet: nothing went out, or no more
    /// than a ClientHello that announces no early data.
    pub(super) fn is_repeatable(&self, pending: &[u8]) -> bool {
        match &self.progress {
            Progress::Quiet => true,
            Progress::Asked(sent) => {
                let whole = client_hello::decode(&[sent, pending].concat());
                whole.is_ok_and(|hello| !hello.early_data && hello.length >= sent.len())
            }
            Progress::Answered | Progress::Committed | Progress::Noted => false,
        }
    }

    /// What the stream begins with elsewhere: what went out, and what is `pending`.
    pub(super) fn into_bytes(self, pending: &[u8]) -> Vec<u8> {
        let mut bytes = if let Progress::Asked(sent) = self.progress { sent } else { Vec::new() };
        bytes.extend_from_slice(pending);
        bytes
    }

    /// Keeps nothing that will never go out twice.
    fn judge(&mut self) {
        let Progress::Asked(sent) = &self.progress else { return };
        let is_hello = match client_hello::decode(sent) {
            Ok(hello) => !hello.early_data && hello.length >= sent.len(),
            Err(error) => error == HelloError::Incomplete,
        };
        if !is_hello {
            self.progress = Progress::Committed;
        }
    }
}

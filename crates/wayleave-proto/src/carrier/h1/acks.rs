//! How often to ask for fewer acknowledgements.

/// Says of each read of a tunnel of datagrams whether to wish, now, for acknowledgements with every second segment.
///
/// A platform acknowledges each small segment by itself when the reader has nothing to answer, which costs as much as
/// receiving it. It returns to that after a pause, so the wish is repeated, but not so often that its own cost counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acks {
    reads: u8,
}

impl Acks {
    /// Counts a read.
    pub(super) const fn is_due(&mut self) -> bool {
        let is_due = self.reads == 0;
        self.reads = (self.reads + 1) % EVERY;
        is_due
    }
}

/// Reads from one wish to the next.
const EVERY: u8 = 32;

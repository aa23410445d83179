//! Bytes of a stream that wait, in one piece.

/// Bytes in the order they came, always lent as one slice.
///
/// It sets no bound of its own: whoever fills it asks [`len`](Self::len) first. A byte is moved a few times at most on
/// average, an empty queue holds little memory, and a full one a quarter more than what waits in it.
#[derive(Clone, Debug, Default)]
pub struct ByteQueue {
    bytes: Vec<u8>,
    /// How many bytes at the front of `bytes` are gone.
    start: usize,
}

impl ByteQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0 }
    }

    /// Puts `bytes` at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.end(bytes.len()).extend_from_slice(bytes);
    }

    /// The end of the queue, with room for `additional` bytes, for those who make there what they put in; only what is
    /// added may be changed.
    pub(crate) fn end(&mut self, additional: usize) -> &mut Vec<u8> {
        if self.bytes.len().saturating_add(additional) > self.bytes.capacity() {
            self.bytes.drain(..self.start);
            self.start = 0;
            // A quarter of what waits beyond what is needed, so that the next bytes move nothing.
            let room = additional.saturating_add(self.bytes.len() / 4);
            if self.bytes.len().saturating_add(additional) <= DOUBLED {
                self.bytes.reserve(room);
            } else {
                // Not twice as much as there is: a stream whose reader is slow holds it for long.
                self.bytes.reserve_exact(room);
            }
        }
        &mut self.bytes
    }

    /// All bytes that wait.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Takes `amount` bytes from the front; more than there are means all.
    pub fn consume(&mut self, amount: usize) {
        self.start = self.start.saturating_add(amount);
        if self.start >= self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT {
                self.bytes = Vec::new();
            }
        }
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held, used or not; the little that an empty queue keeps does not count.
    pub fn held(&self) -> usize {
        if self.is_empty() { 0 } else { self.bytes.capacity() }
    }
}

/// What an empty queue keeps if it never held more, so that records of media cost no allocation.
const KEPT: usize = 2 * 1024;
/// Up to here a queue grows by doubling.
const DOUBLED: usize = 16 * 1024;

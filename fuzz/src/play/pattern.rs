//! Bytes that tell where in which stream they belong.

/// One direction of one stream: an endless text that is like no other, written or read from its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    stream: u64,
    at: u64,
}

impl Pattern {
    pub(crate) fn new(stream: usize, is_down: bool) -> Self {
        Self { stream: stream as u64 * 2 + u64::from(is_down), at: 0 }
    }

    /// How many bytes have been written or read.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The next `amount` bytes; [`Self::advance`] says how many of them were taken.
    pub(crate) fn lend(&self, amount: usize) -> Vec<u8> {
        (0..amount as u64).map(|offset| self.byte(self.at + offset)).collect()
    }

    pub(crate) fn advance(&mut self, amount: usize) {
        self.at += amount as u64;
    }

    /// Reads on.
    ///
    /// # Panics
    /// Where `bytes` are not the next ones.
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        for byte in bytes {
            assert_eq!(*byte, self.byte(self.at), "stream {} at {}", self.stream, self.at);
            self.at += 1;
        }
    }

    fn byte(&self, at: u64) -> u8 {
        let mixed = (at ^ self.stream << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as u8
    }
}

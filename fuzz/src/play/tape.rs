//! A finite tape of choices.

use core::time::Duration;

/// Bytes that are read as choices; behind its end a tape says zero for ever.
#[derive(Clone, Debug)]
pub(crate) struct Tape<'a> {
    rest: &'a [u8],
}

impl<'a> Tape<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number in `0..bound`; zero where `bound` is zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()).checked_rem(bound).unwrap_or(0)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// One of `choices`, which is not empty.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The next bytes themselves, at most `most` of them and at most 255.
    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most + 1).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// A number of bytes: often few, sometimes many.
    pub(crate) fn size(&mut self) -> usize {
        self.pick(&SIZES)
    }

    /// A span of time: often one of those that rules speak of, or its neighbour.
    pub(crate) fn span(&mut self) -> Duration {
        let whole = Duration::from_millis(self.pick(&MILLIS));
        match self.byte() % 4 {
            0 | 1 => whole,
            2 => whole.saturating_sub(Duration::from_nanos(1)),
            _ => whole + Duration::from_nanos(1),
        }
    }
}

const SIZES: [usize; 12] = [1, 2, 3, 5, 16, 17, 64, 300, 1_200, 4_096, 16_384, 65_536];
const MILLIS: [u64; 15] =
    [0, 1, 10, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 25_000, 30_000, 60_000, 300_000, 3_600_000];

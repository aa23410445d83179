//! Sets of machines.

/// Some of the machines of one relay, each by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shards(u128);

impl Shards {
    /// As many machines one relay may have.
    pub const MOST: usize = 128;

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds one.
    pub const fn insert(&mut self, shard: usize) {
        self.0 |= bit(shard);
    }

    /// Takes one out.
    pub const fn remove(&mut self, shard: usize) {
        self.0 &= !bit(shard);
    }

    /// Each, in the order of the numbers.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST).filter(move |shard| self.0 & bit(*shard) != 0)
    }
}

const fn bit(shard: usize) -> u128 {
    if shard < Shards::MOST { 1 << shard } else { 0 }
}

//! What a system chooses at random, without end.

use wayleave_proto::base::Seed;

/// How a system deals with a process.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::world) struct Temper {
    /// Bytes that one read takes at most; 0 to choose anew for each.
    pub(in crate::world) chunk: usize,
    /// Of 256 calls, so many meet what is allowed and seldom happens: a part is written, nothing is done although it could be
    /// and the process is woken at once, a socket is woken for nothing, wake-ups come in another order.
    pub(in crate::world) odd: u8,
}

/// Choices that follow from a seed: by the tape's digest, because a process calls its system too often for a finite tape.
#[derive(Debug)]
pub(super) struct Choices {
    temper: Temper,
    state: u64,
    /// Whether processes keep a descriptor to refuse with when they have no other.
    pub(super) has_spare: bool,
}

impl Choices {
    pub(super) fn new(temper: Temper, seed: &Seed) -> Self {
        let mut bytes = [0; 8];
        seed.stream("what the system chooses").fill(&mut bytes);
        Self { temper, state: u64::from_be_bytes(bytes), has_spare: bytes[0].is_multiple_of(2) }
    }

    /// A number below `bound`, which is not 0. Steele, Lea and Flood: Fast splittable pseudorandom number generators, 2014.
    pub(super) const fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    /// Whether now is one of the moments at which something unusual happens.
    pub(super) const fn is_odd(&mut self) -> bool {
        self.temper.odd > 0 && self.below(256) < self.temper.odd as usize
    }

    /// Whether it tells that the address of a connection is gone: a runtime need not be able to, and an odd one is not.
    pub(super) const fn tells_addresses(&self) -> bool {
        self.temper.odd == 0
    }

    /// How many bytes a read takes at most.
    pub(super) const fn chunk(&mut self) -> usize {
        if self.temper.chunk > 0 {
            return self.temper.chunk;
        }
        let most = [16 * 1024, 2_000, 20, 16 * 1024][self.below(4)];
        most - self.below(most)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

//! Where all choices of a run come from: a finite tape of bytes.
//!
//! A seed expands to a tape, a fuzzer supplies one, a failure is saved as one, and shrinking shortens it. Zero is the
//! harmless choice everywhere (nothing is lost, the first of a list, no more of something), and a tape that is used up
//! reads as zeros for ever: a shorter tape is a calmer world.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use wayleave_proto::base::Seed;

/// A finite tape of choices.
#[derive(Clone, Debug)]
pub struct Tape {
    bytes: Vec<u8>,
    position: usize,
}

impl Tape {
    /// The tape that `bytes` are.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, position: 0 }
    }

    /// The tape of a seed: 8 KiB.
    pub fn from_seed(seed: u64) -> Self {
        let mut bytes = vec![0; LENGTH];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        Self::new(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The seed of the machines and of their cryptography: a digest of the tape.
    pub fn seed(&self) -> Seed {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.bytes);
        let mut seed = [0; 32];
        seed.copy_from_slice(digest.as_ref());
        Seed::new(seed)
    }

    /// How many bytes were read so far; beyond the end no more are counted.
    pub fn used(&self) -> usize {
        self.position.min(self.bytes.len())
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.position).copied().unwrap_or_default();
        self.position = self.position.saturating_add(1);
        byte
    }

    /// A number below `bound`; 0 where `bound` is 0. Takes one byte for bounds up to 256, four beyond.
    pub fn below(&mut self, bound: u32) -> u32 {
        let (value, range) = if bound <= 256 {
            (u64::from(self.byte()), 1 << 8)
        } else {
            let four = [self.byte(), self.byte(), self.byte(), self.byte()];
            (u64::from(u32::from_be_bytes(four)), 1 << 32)
        };
        u32::try_from(value * u64::from(bound) / range).unwrap_or_default()
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: u32, most: u32) -> u32 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// `true` about `share` times in 256.
    pub fn chance(&mut self, share: u8) -> bool {
        share > 0 && self.byte() >= 255 - (share - 1)
    }

    /// One of `choices`, which are not empty; the first is the harmless one.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let bound = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        &choices[self.below(bound) as usize]
    }
}

/// Bytes of the tape that a seed expands to.
const LENGTH: usize = 8 * 1024;

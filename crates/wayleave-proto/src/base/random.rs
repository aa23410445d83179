//! Randomness from a seed, and from nowhere else.

use core::fmt;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};
use ring::hmac;

/// Thirty-two bytes from which a machine draws all its randomness.
///
/// An adapter takes them from the operating system; a simulation counts them up.
#[derive(Clone, Copy)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes `bytes` as the seed.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The stream for one purpose.
    ///
    /// Streams with different labels are independent, so that a new draw in one machine does not shift another.
    pub fn stream(&self, label: &str) -> Rng {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, label.as_bytes());
        let mut child = [0; 32];
        for (to, from) in child.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        Rng(ChaCha12Rng::from_seed(child))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed([secret])")
    }
}

/// A cryptographically strong stream of numbers, repeatable from its [`Seed`].
#[derive(Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number in `0..bound`; zero where `bound` is zero. The bias is below 2^-32 for bounds under 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

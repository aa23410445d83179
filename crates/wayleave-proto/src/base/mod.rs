//! What every machine stands on: time, randomness, identities, secrets, timers, and the first words of the field.

mod clock;
mod families;
mod link;
mod random;
mod secret;
mod slots;
mod target;
mod timers;

#[cfg(test)]
mod tests;

pub use clock::{Clock, Instant, UnixTime};
pub use families::Families;
pub use link::{Kind, Link, Network, Route};
pub use random::{Rng, Seed};
pub use secret::{Secret, same_secret};
pub use slots::{Beside, Key, Slots};
pub use target::{Host, Name, Target, TargetError};
pub use timers::Timers;

pub(crate) use slots::key;

//! Many datagram flows at once, and their far end, on one thread.

mod capsule;
mod flows;
mod link;
mod pace;
mod turn;

pub use flows::{Counts, Flows, Way};
pub use link::Link;
pub use pace::Pace;

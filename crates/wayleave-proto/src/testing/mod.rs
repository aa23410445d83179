//! A small world for the tests of the two top machines: one client, some relays, echoing targets, one virtual clock.
//!
//! Every byte takes one latency to arrive, nothing is lost unless the direct path is closed, and time jumps from one
//! happening to the next. Names are answered from a table.

#[cfg(test)]
mod cases;
mod hello;
mod keys;
mod world;

pub use crate::carrier::mux::stranger as stranger_over_mux;
#[cfg(test)]
pub(crate) use crate::carrier::mux::suite::{On, carrier, is_over_mux, over_mux};
#[cfg(test)]
pub(crate) use cases::cases;
pub use hello::client_hello;
pub use keys::{relay_config, signing_key, token};
pub use world::{Direct, End, World};

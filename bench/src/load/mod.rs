//! The load generator: clients and far ends for every kind of relay, on one thread.

pub mod datagrams;
pub mod door;
pub mod histogram;
pub mod poll;
pub mod streams;
pub mod tap;
pub mod target;
pub mod tunnel;
pub mod wire;

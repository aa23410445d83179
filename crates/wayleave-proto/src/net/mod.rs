//! What a machine and its adapter say to each other, and the choices among addresses and proxies.

mod machine;

pub use machine::{Machine, Output, SocketId};

//! What can go wrong, by fault: the outside world, the peer, the operator's policy, the configuration, the embedder.

mod io;

pub use io::{IoFailed, IoFailure, Resource};

//! The wire formats, each a pure function of bytes. Nothing here knows a state or a clock.

pub mod socks;

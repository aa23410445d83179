//! The transport between client and relay.

pub mod tls;

//! The transport between client and relay.

//! A carrier for tests: many tunnels on one connection, each with a window of its own, which all end with it.
//!
//! It exists to show that nothing outside of [`carrier`](crate::carrier) knows what carries a tunnel. Frames run over TLS over
//! TCP. A connection takes no new tunnels once the relay has said that it leaves; the client ends it when it carries none.

mod downlink;
mod frame;
#[cfg(test)]
pub(crate) mod suite;
mod tunnel;
mod uplink;
mod wire;

pub(crate) use downlink::Downlink;
pub use frame::stranger;
pub(crate) use uplink::Uplink;

#[cfg(test)]
pub(crate) use frame::{ABORT, ANSWER, ASK, CREDIT, DATA, END, Frame, GONE, LEAVING, RESET, asking};
#[cfg(test)]
pub(crate) use tunnel::WINDOW;

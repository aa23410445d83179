//! The rules of routing: where new flows go, and when that changes.
//!
//! In mode **off** everything is direct, in mode **normal** everything is proxied, for ever. In **smart** mode each
//! kind of flow, or the whole session, is judged by a machine of its own:
//!
//! ```text
//!                    first flow, or probes            proven at or before the deadline
//!        ┌────────┐ at the start  ┌─────────────────┐                  ┌────────────────┐
//!  ────► │  idle  ├──────────────►│      trial      ├─────────────────►│     direct     │
//!        │(direct)│               │ (direct, 1 s)   │◄─────────────────┤   (proven)     │
//!        └───┬────┘               └┬──▲─┬──▲────┬─▲─┘ network changed, └──┬─────────▲───┘
//!            │                     │  │ │  │    │ │   new trial asked     │         │
//!            │                     │  │ │  │    │ └──────────────┐        │         │
//!            │        network down │  │ │  │    │ deadline,      │        │         │
//!            │  ┌──────────────────┘  │ │  │    │ other links    │ new    │         │
//!            │  │  ┌──────────────────┘ │  │    ▼                │ trial  │         │
//!            │  │  │ network up         │  │  ┌───────────────┐  │ asked  │         │
//!            ▼  ▼  │                    │  │  │    proxied    ├──┘        │         │
//!        ┌─────────┴┐  network down     │  │  └───────────────┘           │         │
//!        │ waiting  │◄──────────────────┼──┼──────────────────────────────┘         │
//!        │ (direct, │                   │  │ backoff ended, network changed,        │
//!        │ no dial) │         deadline, │  │ new trial asked                        │
//!        └────▲─────┘         cellular  ▼  │                                        │
//!             │                   ┌────────┴────────┐   proven                      │
//!             └───────────────────┤      held       ├───────────────────────────────┘
//!               network down      │ (direct, tried  │
//!                                 │ again later)    │
//!                                 └─────────────────┘
//! ```
//!
//! [`EDGES`] lists every arrow, also the rare ones that the picture leaves out. A proxied route stays proxied when
//! the network changes, unless the embedder opted in to
//! [`return_to_direct`](crate::config::RouteConfig::return_to_direct).
//!
//! **The deadline.** A proof at the very moment of the deadline still counts, whichever call comes first at that
//! moment: a trial ends only when time is *past* its deadline, so [`Routes::poll_timeout`] asks to be called one
//! nanosecond after it. A proof past the deadline first ends the trial and then changes nothing.

mod event;
mod judge;
mod phase;
mod routes;

#[cfg(test)]
mod tests;

pub use event::{Proof, RouteEvent, RouteReason};
pub use phase::{EDGES, Edge, Phase};
pub use routes::{Probed, Routes};

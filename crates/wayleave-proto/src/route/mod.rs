//! The rules of routing: where new flows go, and when that changes.
//!
//! In mode **off** everything is direct, in mode **normal** everything is proxied, for ever. In **smart** mode each
//! kind of flow, or the whole session, is judged by a machine of its own:
//!
//! ```text
//!                 first flow                 proven at or before the deadline
//!     ┌──────────┐          ┌───────────────┐                   ┌──────────┐
//! ┌──►│   idle   ├─────────►│     trial     ├──────────────────►│  direct  │
//! │   │ (direct) │       ┌─►│ (direct, 1 s) │                   │ (proven) │
//! │   └────┬─────┘       │  └─▲────┬─────┬──┘                   └─▲─────┬──┘
//! │        │ first flow, │    │    │     │ deadline,              │     │
//! │        │ network     │    │    │     │ cellular  ┌──────────┐ │     │
//! │        │ down        │    │    │     └──────────►│   held   ├─┘     │
//! │   ┌────▼─────┐       │    │    │                 │ (direct) │ proven│
//! │   │ waiting  │network│    │    │ deadline,       └────┬─────┘       │
//! │   │ (direct, ├───────┘    │    │ other links          │             │
//! │   │ no dial) │  up        │    │    ┌─────────┐       │             │
//! │   └────▲─────┘            │    └───►│ proxied │       │             │
//! │        │                  │         └────┬────┘       │ network     │ network
//! │        │ probes,          │              │ new trial  │ changed,    │ changed,
//! │        │ network down     │ probes       │ asked      │ new trial   │ new trial
//! │        │                  │              ▼            ▼             ▼
//! └────────┴──────────────────┴───────────────── start again ────────────
//!  no probes
//! ```
//!
//! To **start again** is to be at rule 1 once more: what has probes begins a trial at once, and everything else with
//! the first flow after that, so that nobody is sent to a relay for a second in which nothing was tried. A trial
//! starts again too when the network changes or a new trial is asked for. A proxied route stays proxied when the
//! network changes, unless the embedder opted in to
//! [`return_to_direct`](crate::config::RouteConfig::return_to_direct). [`EDGES`] lists every arrow, also the rare
//! ones that the picture leaves out.
//!
//! While a route is **held** direct, flows and probes try again, each by its own schedule; the machine of the route
//! only waits for a proof.
//!
//! **The deadline.** A proof at the very moment of the deadline still counts, whichever call comes first at that
//! moment: a trial ends only when time is *past* its deadline, so [`Routes::poll_timeout`] asks to be called one
//! nanosecond after it. A proof past the deadline first ends the trial and then changes nothing.
//!
//! **Rescue and doubt.** Around a proof in phase **direct** stand two more: `Ports` remembers which ports of the present
//! network were answered and which are blocked, so that a flow that does not come through is taken to a relay although the
//! route is direct (rule 9), and `Doubt` counts what speaks against the proof until the route starts again by itself
//! (rule 10).

mod doubt;
mod event;
mod grounds;
mod judge;
mod phase;
mod ports;
mod routes;

#[cfg(test)]
mod tests;

pub use doubt::Failure;
pub use event::{Proof, RouteEvent, RouteReason};
pub use grounds::{Cause, Grounds, LastTrial};
pub use phase::{EDGES, Edge, Phase};
pub use ports::{Block, Blocked};
pub use routes::{Probed, Routes};

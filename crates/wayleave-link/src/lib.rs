//! Which network is underneath, and when it changes.
//!
//! Optional: every client takes what its embedder knows (`network_changed`), and platforms such as Android and iOS tell
//! their applications better than any look at the system. Where nobody tells, this crate looks: on Linux at the default
//! route and the kind of its interface, elsewhere only at the address that a socket to the outside gets, and then the link
//! is [`Link::Unknown`](wayleave_proto::base::Link::Unknown). Linux says when something changes (netlink, `rtnetlink(7)`),
//! which is noticed within a tenth of a second; elsewhere a look every two seconds has to do.
//!
//! ```no_run
//! # struct Client; impl Client { fn network_changed(&self, _: wayleave_proto::base::Network) {} }
//! # let client = Client;
//! let seen = wayleave_link::Underlay::look(); // seen.network() belongs into ClientConfig::network
//! let watching = wayleave_link::watch(seen, move |network| client.network_changed(network))?;
//! // ... until `watching` is dropped
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(any(target_os = "android", target_os = "linux"))]
#[path = "netlink.rs"]
mod bell;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
#[path = "timer.rs"]
mod bell;
mod underlay;
mod watching;

pub use underlay::{Underlay, Watch};
pub use watching::{Watching, watch};

//! What every adapter of Wayleave needs of the platform in the same way: sockets, trust, randomness and the civil clock.

mod crew;
mod environment;
mod hosts;
mod liveness;
mod lookups;
mod offload;
mod origin;
mod overflow;
mod sockets;
mod spare;
mod trust;

pub use crew::Crew;
pub use environment::system_via;
pub use hosts::{hosts_file, in_hosts, loopback};
pub use liveness::watch;
pub use lookups::{Lookups, look_up};
pub use offload::{Offload, Received};
pub use origin::{clock_at, seed, unix_now};
pub use overflow::overflowed;
pub use sockets::{
    bind, broken, connected, delay_acks, dial, finish, has_lost_address, listen, listen_beside, prepare,
    read_rest, set_reset, threads,
};
pub use spare::Spare;
pub use trust::{connector_with_ca, platform_connector, platform_verifier, verifier_with_ca};

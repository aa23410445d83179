//! A forwarder that does nothing but forward: the limit that no relay here can undercut.

mod tcp;
mod udp;

use std::net::SocketAddr;

pub use tcp::Medium;

/// Forwards both kinds from `listen` to `target` until the process ends.
///
/// # Errors
/// A socket cannot be had.
pub fn run(
    medium: Medium,
    listen: SocketAddr,
    target: SocketAddr,
    datagrams: SocketAddr,
) -> anyhow::Result<()> {
    // The one that has nothing to do sleeps.
    std::thread::scope(|scope| {
        let udp = scope.spawn(move || udp::Forwarder::new(listen, datagrams)?.run());
        tcp::run(medium, listen, target)?;
        udp.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the forwarder of datagrams broke down")))
    })
}

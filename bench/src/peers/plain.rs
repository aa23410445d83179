//! The obvious way to write a relay: tokio, rustls and copy loops. Its source is in `peers/plain`.

use std::process::Command;

use super::{Kind, Peer, Process, install};
use crate::lab::Lab;
use crate::load::door::{Door, Entrance};

/// Starts it, with `engine` (`aws-lc-rs` or `ring`) for cryptography.
///
/// # Errors
/// It cannot be built or does not start.
pub(super) fn start(lab: &Lab, engine: &str) -> anyhow::Result<Peer> {
    let target = lab.tool(&format!("plain-{engine}"));
    let program = target.join("release/plain-relay");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--no-default-features", "--features", engine]);
    build.arg("--target-dir").arg(&target).current_dir(lab.source.join("peers/plain"));
    install::run(lab, &format!("plain-{engine}-build"), build)?;
    let name = format!("plain tokio, {engine}");
    let address = lab.free_address()?;
    let mut command = Command::new(program);
    command.arg(address.to_string()).arg(&lab.chain).arg(&lab.key);
    let mut process = Process::start(lab, &format!("plain-{engine}"), command)?;
    process.until_it_listens(address)?;
    let entrance = |door| Entrance { address, door, tls: Some(lab.tls.clone()) };
    Ok(Peer::new(
        &name,
        Kind::Peer,
        Some(entrance(Door::Connect(String::new()))),
        Some(entrance(Door::ConnectUdp(String::new()))),
        Some(process),
    ))
}

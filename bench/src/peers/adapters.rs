//! Our relay on each adapter.

use std::env;
use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum as _;

use super::{Kind, Peer, Process};
use crate::adapter::{Runtime, authorization};
use crate::lab::Lab;
use crate::load::door::{Door, Entrance};

pub(super) fn start(lab: &Lab, runtime: Runtime) -> anyhow::Result<Peer> {
    let word = runtime.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let address = lab.free_address()?;
    let mut command = Command::new(env::current_exe().context("this program does not know where it is")?);
    command.args(["adapter", &word, &address.to_string()]).arg(&lab.chain).arg(&lab.key);
    let mut process = Process::start(lab, &format!("adapter-{word}"), command)?;
    process.until_it_listens(address)?;
    let field = authorization()?;
    let entrance = |door| Entrance { address, door, tls: Some(lab.tls.clone()) };
    Ok(Peer::new(
        &format!("adapter: {word}"),
        Kind::Adapter,
        Some(entrance(Door::Connect(field.clone()))),
        Some(entrance(Door::ConnectUdp(field))),
        Some(process),
    ))
}

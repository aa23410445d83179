//! Our relay, of this revision or of another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::{Kind, Peer, Process};
use crate::lab::Lab;
use crate::load::door::{Door, Entrance};

/// Starts `wayleave relay` from the binary at `program`; it checks a token for every tunnel. As [`Kind::Gathering`] it lets
/// packets gather for half a millisecond.
///
/// # Errors
/// It does not start.
pub fn start(lab: &Lab, name: &str, program: &Path, kind: Kind) -> anyhow::Result<Peer> {
    let keys = lab.folder.join(format!("{name}-keys.toml"));
    let public = lab.folder.join(format!("{name}-relay-keys.toml"));
    for file in [&keys, &public] {
        // The command makes no file anew that is there.
        let _ = fs::remove_file(file);
    }
    let (keys, public) = (keys.display().to_string(), public.display().to_string());
    say(program, &["token", "keygen", "--out", &keys, "--public-out", &public])?;
    let mint = ["token", "mint", "--keys", &keys, "--app-id", "1001", "--user", "bench", "--ttl", "2h"];
    let token = say(program, &mint)?;
    let address = lab.free_address()?;
    let mut command = Command::new(program);
    command.args(["relay", "--listen", &address.to_string(), "--allow-target", "127.0.0.0/8"]);
    command.args(["--log", "error", "--token-keys", &public]);
    command.arg("--cert").arg(&lab.chain).arg("--key").arg(&lab.key);
    command.env("TOKIO_WORKER_THREADS", "1");
    if kind == Kind::Gathering {
        command.args(["--gather", "0.5ms"]);
    }
    let mut process = Process::start(lab, name, command)?;
    process.until_it_listens(address)?;
    let field = format!("Proxy-Authorization: Bearer {}\r\n", token.trim());
    let entrance = |door| Entrance { address, door, tls: Some(lab.tls.clone()) };
    Ok(Peer::new(
        name,
        kind,
        Some(entrance(Door::Connect(field.clone()))),
        Some(entrance(Door::ConnectUdp(field))),
        Some(process),
    ))
}

/// A relay of ours: what it is called in the table, and its binary.
#[derive(Clone, Debug)]
pub struct Binary {
    /// What it is called in the table.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl std::str::FromStr for Binary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text.split_once('=').ok_or("give NAME=PATH")?;
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

fn say(program: &Path, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(words).output();
    let output = output.with_context(|| format!("{} cannot be started", program.display()))?;
    if !output.status.success() {
        bail!("`wayleave {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

//! Brings what is missing, through the ordinary package clients.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::lab::Lab;
use crate::stop;

/// Runs a package client to its end; what it says goes to the log `name`.
///
/// # Errors
/// It cannot be started, fails, or takes longer than [`PATIENCE`].
pub fn run(lab: &Lab, name: &str, mut command: Command) -> anyhow::Result<()> {
    let log = lab.log(name);
    let file = File::create(&log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    for (variable, _) in std::env::vars_os() {
        // What cargo told this program about its own package would make others build anew.
        if variable.to_string_lossy().starts_with("CARGO_") && variable != "CARGO_HOME" {
            command.env_remove(&variable);
        }
    }
    let mut child =
        command.spawn().with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            let text = fs::read_to_string(&log).unwrap_or_default();
            bail!("{name} failed ({status}): {}", text.lines().last().unwrap_or_default());
        }
        let stopped = stop::check();
        if stopped.is_err() || Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            stopped?;
            bail!("{name} was not done within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

const PATIENCE: Duration = Duration::from_secs(900);

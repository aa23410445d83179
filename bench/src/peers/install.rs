//! Brings what is missing, through the ordinary package clients.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
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
pub(super) fn run(lab: &Lab, name: &str, mut command: Command) -> anyhow::Result<()> {
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

/// Brings a program of Debian's, if it is not there.
///
/// # Errors
/// It cannot be had, or only in another version than `version`, which is the beginning of one.
pub(super) fn package(lab: &Lab, name: &str, version: &str, program: &str) -> anyhow::Result<()> {
    if !Path::new(program).exists() {
        let mut command = Command::new("apt-get");
        command.args(["install", "-y", "--no-install-recommends", name]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run(lab, &format!("{name}-install"), command)?;
    }
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Version}", name]);
    let output = query.output().context("dpkg-query cannot be started")?;
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    if !found.starts_with(version) {
        bail!("{name} is there in version {found}, and compared in {version}");
    }
    Ok(())
}

/// Brings a program that a Python wheel has in it, into a virtual environment at `venv`; gives its path.
///
/// # Errors
/// It cannot be had.
pub(super) fn wheel(
    lab: &Lab,
    venv: &Path,
    name: &str,
    version: &str,
    program: &str,
) -> anyhow::Result<PathBuf> {
    let found = || {
        let libraries = fs::read_dir(venv.join("lib")).ok()?.flatten();
        libraries.map(|python| python.path().join("site-packages").join(program)).find(|path| path.exists())
    };
    let there = venv.join(format!("{name}-{version}"));
    if !there.exists() {
        let mut create = Command::new("python3");
        create.args(["-m", "venv"]).arg(venv);
        run(lab, &format!("{name}-venv"), create)?;
        let mut install = Command::new(venv.join("bin/pip"));
        install.args(["install", "--no-deps", &format!("{name}=={version}")]);
        run(lab, &format!("{name}-install"), install)?;
        fs::write(&there, "")?;
    }
    found().with_context(|| format!("{name} {version} has no {program} in it"))
}

const PATIENCE: Duration = Duration::from_secs(900);

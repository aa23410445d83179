//! `cargo xtask fuzz`: lists, replays and runs the fuzz targets.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::shell::{cargo, check, root, target_dir, without_own_environment};

/// Prints the name of each target with the size of its corpus.
///
/// # Errors
/// The corpora cannot be read.
pub(crate) fn list() -> anyhow::Result<()> {
    for name in names()? {
        println!("{name} ({} inputs)", fs::read_dir(corpora().join(&name))?.count());
    }
    Ok(())
}

/// Runs each target over its corpus.
///
/// # Errors
/// A target fails on one of its inputs.
pub(crate) fn replay() -> anyhow::Result<()> {
    check(cargo(&["test", "--package", "wayleave-fuzz"]))
}

/// Lets cargo-fuzz search for inputs on which the target fails. What it finds stays in the folder for build output
/// until somebody moves it to the corpus.
///
/// # Errors
/// There is no such target, cargo-fuzz or nightly Rust is missing, or the target fails.
pub(crate) fn run(name: &str, seconds: Option<&str>) -> anyhow::Result<()> {
    if !names()?.iter().any(|known| known == name) {
        bail!("there is no fuzz target `{name}`; `cargo xtask fuzz list` names them");
    }
    let seconds: u64 = seconds.unwrap_or("60").parse().context("--time takes a number of seconds")?;
    let has_cargo_fuzz = nightly(&["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_cargo_fuzz.is_ok_and(|status| status.success()) {
        bail!(
            "cargo-fuzz on nightly Rust is missing: `rustup toolchain install nightly`, `cargo install cargo-fuzz`"
        );
    }
    let found = target_dir().join("fuzz-corpus").join(name);
    let artifacts = root().join("fuzz/artifacts").join(name);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let mut command = nightly(&["fuzz", "run", "--fuzz-dir", "fuzz/libfuzzer", "--target-dir"]);
    command.arg(target_dir().join("fuzz")).arg(name).arg(found).arg(corpora().join(name));
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    check(command)
}

fn nightly(words: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).args(words).current_dir(root()).env_remove("RUSTUP_TOOLCHAIN");
    command.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTDOC");
    without_own_environment(&mut command);
    command
}

/// The names of the targets, which are those of the corpora: the replay fails where they differ.
fn names() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(corpora()).context("the corpora cannot be read")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn corpora() -> PathBuf {
    root().join("fuzz/corpus")
}

//! `cargo xtask fuzz`: lists, replays, runs and minimises the fuzz targets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::shell::{cargo, check, nightly, root, target_dir};

/// Prints the name of each target with the size of its corpus.
///
/// # Errors
/// The corpora cannot be read.
pub(crate) fn list() -> anyhow::Result<()> {
    for name in names()? {
        let inputs = inputs(&corpora().join(&name))?;
        let bytes: u64 = inputs.iter().map(|(_, bytes)| bytes).sum();
        println!("{name} ({} inputs, {bytes} bytes)", inputs.len());
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

/// Lets cargo-fuzz search for inputs on which the target fails, for the whole time, whatever it finds on the way. What
/// reaches something new stays in the folder for build output until [`minimise`] brings it to the corpus; each input on
/// which the target fails is named at the end.
///
/// # Errors
/// There is no such target, cargo-fuzz or nightly Rust is missing, or the target fails.
pub(crate) fn run(name: &str, seconds: Option<&str>) -> anyhow::Result<()> {
    let seconds: u64 = seconds.unwrap_or("60").parse().context("--time takes a number of seconds")?;
    let mut command = cargo_fuzz(name)?;
    let artifacts = root().join("fuzz/artifacts").join(name);
    fs::create_dir_all(found(name))?;
    fs::create_dir_all(&artifacts)?;
    let known = inputs(&artifacts)?;
    command.arg(found(name)).arg(corpora().join(name));
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-print_final_stats=1", "-timeout=10"]);
    // The target runs in a process of its own, so that the search outlives what it finds.
    command.args(["-fork=1", "-ignore_crashes=1", "-ignore_timeouts=1", "-ignore_ooms=1"]);
    let dictionary = root().join("fuzz/dictionaries").join(format!("{name}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    check(command)?;
    let failing = fresh(&known, inputs(&artifacts)?);
    for path in &failing {
        println!("{name} fails on {}", path.display());
    }
    if !failing.is_empty() {
        bail!("{} inputs were found on which {name} fails; many may have one cause", failing.len());
    }
    Ok(())
}

/// The inputs that were not there before.
fn fresh(known: &[(PathBuf, u64)], now: Vec<(PathBuf, u64)>) -> Vec<PathBuf> {
    let paths = now.into_iter().map(|(path, _)| path);
    paths.filter(|path| known.iter().all(|(known, _)| known != path)).collect()
}

/// Makes the corpus of a target the smallest inputs that reach everything that it and what was found reach. Inputs that
/// somebody gave a name stay whatever they reach.
///
/// # Errors
/// As [`run`].
pub(crate) fn minimise(name: &str) -> anyhow::Result<()> {
    let mut command = cargo_fuzz(name)?;
    let corpus = corpora().join(name);
    let before = inputs(&corpus)?;
    let kept = target_dir().join("fuzz-minimised").join(name);
    if kept.exists() {
        fs::remove_dir_all(&kept)?;
    }
    fs::create_dir_all(&kept)?;
    fs::create_dir_all(found(name))?;
    for (path, _) in before.iter().filter(|(path, _)| !is_found(path)) {
        fs::copy(path, kept.join(path.file_name().unwrap_or_default()))?;
    }
    command.arg(&kept).arg(&corpus).arg(found(name));
    // One input for each branch is enough here: how often it is taken tells the search where to go on, no more.
    command.args(["--", "-merge=1", "-set_cover_merge=1", "-use_counters=0", "-timeout=10"]);
    command.arg(format!("-max_len={MOST_BYTES}"));
    check(command)?;

    let mut room = MOST_BYTES_IN_ALL;
    let (mut after, mut left) = (0, 0);
    for (path, _) in before.iter().filter(|(path, _)| is_found(path)) {
        fs::remove_file(path)?;
    }
    for (path, bytes) in inputs(&kept)? {
        if is_found(&path) && bytes > room {
            left += 1;
            continue;
        }
        room = room.saturating_sub(bytes);
        after += 1;
        fs::copy(&path, corpus.join(path.file_name().unwrap_or_default()))?;
    }
    println!("{name}: {} inputs before, {after} now, {left} left out for their size", before.len());
    Ok(())
}

/// `cargo fuzz run NAME`. The core has no unsafe code, so no sanitizer is needed: panics and broken laws are looked for.
fn cargo_fuzz(name: &str) -> anyhow::Result<Command> {
    if !names()?.iter().any(|known| known == name) {
        bail!("there is no fuzz target `{name}`; `cargo xtask fuzz list` names them");
    }
    let has_cargo_fuzz = nightly(&["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_cargo_fuzz.is_ok_and(|status| status.success()) {
        bail!(
            "cargo-fuzz on nightly Rust is missing: `rustup toolchain install nightly`, `cargo install cargo-fuzz`"
        );
    }
    let mut command =
        nightly(&["fuzz", "run", "--fuzz-dir", "fuzz/libfuzzer", "--release", "--sanitizer", "none"]);
    command.arg("--target-dir").arg(target_dir().join("fuzz")).arg(name);
    Ok(command)
}

/// The inputs in a folder with their sizes, the smallest first.
fn inputs(folder: &Path) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        inputs.push((entry.path(), entry.metadata()?.len()));
    }
    inputs.sort_by(|(path, bytes), (other, others)| bytes.cmp(others).then_with(|| path.cmp(other)));
    Ok(inputs)
}

/// Whether the fuzzer gave this input its name, which is a digest.
fn is_found(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
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

/// Where the inputs stay that a run finds.
fn found(name: &str) -> PathBuf {
    target_dir().join("fuzz-corpus").join(name)
}

/// The longest input that comes to a corpus.
const MOST_BYTES: u64 = 4 * 1024;
/// What a corpus may hold beside the inputs with a name: all of them replay within seconds.
const MOST_BYTES_IN_ALL: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_search_has_found_is_what_was_not_there_before() {
        let input = |name: &str| (PathBuf::from(name), 1);
        let known = [input("crash-1"), input("oom-1")];
        let now = vec![input("crash-1"), input("crash-2"), input("oom-1"), input("timeout-1")];
        assert_eq!(fresh(&known, now), [PathBuf::from("crash-2"), PathBuf::from("timeout-1")]);
    }
}

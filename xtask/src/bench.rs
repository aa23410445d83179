//! `cargo xtask bench`: builds the relays of this project and the benchmark, and runs it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell::{cargo, check, read, root, target_dir};

/// Measures; `words` are the options of the benchmark itself, but for `--against REVISION`, which adds our relay as it was
/// then.
///
/// # Errors
/// A build fails, or the benchmark does.
pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    let folder = target_dir().join("bench");
    fs::create_dir_all(&folder)?;
    let (revisions, words) = split(words)?;
    check(cargo(&["build", "--release", "--package", "wayleave-bench"]))?;
    // On its own, so that no feature comes to it from another package.
    check(cargo(&["build", "--release", "--package", "wayleave-cli", "--bins"]))?;
    let mut command = Command::new(target_dir().join("release/wayleave-bench"));
    command.args(words).current_dir(root());
    command.arg("--folder").arg(&folder).arg("--source").arg(root().join("bench"));
    command.arg("--ours").arg(named("wayleave", &target_dir().join("release/wayleave")));
    for revision in revisions {
        let binary = build(&folder, revision)?;
        command.arg("--ours").arg(named(&format!("wayleave at {revision}"), &binary));
    }
    check(command)
}

/// The revisions to compare with, and what is left.
fn split<'a>(words: &[&'a str]) -> anyhow::Result<(Vec<&'a str>, Vec<&'a str>)> {
    let (mut revisions, mut rest) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--against" {
            revisions.push(*words.next().context("--against takes a revision")?);
        } else {
            rest.push(*word);
        }
    }
    Ok((revisions, rest))
}

/// The command as it was at `revision`, built in a work tree of its own.
fn build(folder: &Path, revision: &str) -> anyhow::Result<PathBuf> {
    let mut parse = git();
    parse.args(["rev-parse", "--verify", "--short=12"]).arg(format!("{revision}^{{commit}}"));
    let commit = read(parse).with_context(|| format!("`{revision}` is no revision"))?.trim().to_owned();
    let tree = folder.join("against").join(&commit);
    let target = folder.join("against").join(format!("{commit}-target"));
    if !tree.exists() {
        let mut add = git();
        add.args(["worktree", "add", "--detach"]).arg(&tree).arg(&commit);
        check(add)?;
    }
    let mut command = cargo(&["build", "--release", "--package", "wayleave-cli", "--bins"]);
    command.arg("--target-dir").arg(&target).current_dir(&tree);
    let built = check(command);
    let mut remove = git();
    remove.args(["worktree", "remove", "--force"]).arg(&tree);
    check(remove)?;
    built?;
    let binary = target.join("release/wayleave");
    if !binary.exists() {
        bail!("{revision} has no relay to compare with");
    }
    Ok(binary)
}

fn git() -> Command {
    let mut command = Command::new("git");
    command.current_dir(root());
    command
}

fn named(name: &str, path: &Path) -> OsString {
    let mut word = OsString::from(format!("{name}="));
    word.push(path);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_taken_out_of_the_options() {
        let words = ["--only", "setup", "--against", "main", "--quick"];
        assert_eq!(split(&words).unwrap(), (vec!["main"], vec!["--only", "setup", "--quick"]));
        assert!(split(&["--against"]).is_err());
    }
}

//! Runs other programs from the root of the workspace.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::{env, iter};

use anyhow::{Context as _, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(xtask).parent().map(PathBuf::from).unwrap_or_default()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Cargo with `words` as its arguments.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(words).current_dir(root());
    without_own_environment(&mut command);
    command
}

/// Cargo of nightly Rust with `words` as its arguments.
pub(crate) fn nightly(words: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).args(words).current_dir(root()).env_remove("RUSTUP_TOOLCHAIN");
    command.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTDOC");
    without_own_environment(&mut command);
    command
}

/// Takes away what cargo told this very program about its package: build scripts that watch those variables would run
/// again, and half of the dependencies with them.
pub(crate) fn without_own_environment(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// What to type to run the command again.
pub(crate) fn repeat(command: &Command) -> String {
    let settings = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let settings =
        settings.map(|(name, value)| format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
    let program = PathBuf::from(command.get_program());
    let program = program.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    settings.chain(iter::once(program)).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Runs the command; its output goes where ours goes.
///
/// # Errors
/// It cannot be started, or it fails.
pub(crate) fn check(mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", repeat(&command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", repeat(&command));
    }
    Ok(())
}

/// Runs the command and gives back what it prints.
///
/// # Errors
/// It cannot be started, or it fails.
pub(crate) fn read(mut command: Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", repeat(&command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", repeat(&command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn quoted(text: &str) -> String {
    if text.contains([' ', '\t', '{']) { format!("'{text}'") } else { text.to_owned() }
}

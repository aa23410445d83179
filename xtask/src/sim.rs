//! `cargo xtask sim`: builds the simulator and runs it where the caller stands.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::shell::{cargo, check, repeat, target_dir};

/// Runs the simulator; `words` are its own options, and its exit code is passed on: 0 where every law held, 1 where one was
/// broken, 2 where it could not run, be it that it does not build.
pub(crate) fn run(words: &[&str]) -> ExitCode {
    match simulate(words) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The exit code of the simulator, which ran with `words`.
pub(crate) fn simulate(words: &[&str]) -> anyhow::Result<u8> {
    // On its own, so that no feature comes to it from another package.
    check(cargo(&["build", "--quiet", "--profile", PROFILE, "--package", "wayleave-sim", "--bins"]))?;
    // Not in the root: the files that its options name are relative to where the caller stands.
    let mut command = Command::new(target_dir().join(PROFILE).join("wayleave-sim"));
    command.args(words);
    let status = command.status().with_context(|| format!("cannot start `{}`", repeat(&command)))?;
    Ok(passed_on(status.code()))
}

/// The exit code to end with; a signal leaves none behind.
fn passed_on(code: Option<i32>) -> u8 {
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(COULD_NOT_RUN)
}

/// Optimised, with every assertion on.
pub(crate) const PROFILE: &str = "swarm";
const COULD_NOT_RUN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_the_simulator_is_passed_on() {
        let codes = [Some(0), Some(1), Some(2), Some(101), None].map(passed_on);
        assert_eq!(codes, [0, 1, 2, 101, 2]);
    }
}

//! `cargo xtask canary`: the simulation has to see what is broken on purpose.

use crate::shell::{cargo, check, target_dir};
use crate::sim::PROFILE;

/// Builds the simulation over a core that can break its rules and promises, and has it break each of them.
///
/// # Errors
/// It does not build, or the law that is about a break did not see it.
pub(crate) fn run() -> anyhow::Result<()> {
    let words = ["run", "--quiet", "--profile", PROFILE, "--package", "wayleave-sim", "--features", "canary"];
    let mut command = cargo(&words);
    // A folder of its own, so that the broken core never takes the place of the good one.
    command.arg("--target-dir").arg(target_dir().join("canary")).args(["--", "--canary", "all"]);
    check(command)
}

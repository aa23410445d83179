//! `cargo xtask canary`: the simulation has to see a rule that is broken on purpose.

use std::process::Stdio;

use anyhow::{Context as _, bail};

use crate::shell::{cargo, repeat, target_dir};
use crate::sim::PROFILE;

/// Builds the simulation over a core that breaks rule 6 of routing, and runs seeds until one shows it.
///
/// # Errors
/// It does not build, no seed shows it, or the first that fails shows something else.
pub(crate) fn run() -> anyhow::Result<()> {
    let seeds = SEEDS.to_string();
    let words = ["run", "--quiet", "--profile", PROFILE, "--package", "wayleave-sim", "--features", "canary"];
    let mut command = cargo(&words);
    // A folder of its own, so that the broken core never takes the place of the good one.
    let folder = target_dir().join("canary");
    command.arg("--target-dir").arg(&folder).args([
        "--",
        "--from",
        "1",
        "--seeds",
        &seeds,
        "--jobs",
        "1",
        "--no-shrink",
        "--canary",
    ]);
    command.arg("--save").arg(folder.join("sim")).stdin(Stdio::null()).stderr(Stdio::inherit());
    let again = repeat(&command);
    let output = command.output().with_context(|| format!("cannot start `{again}`"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find(|line| line.starts_with("seed "));
    match found {
        Some(line) if line.contains("law 2 (route) broken") => {
            println!("the broken rule was seen within {SEEDS} seeds: {line}");
            Ok(())
        }
        Some(line) => bail!("the first seed that fails shows another law: {line}; `{again}`"),
        None if output.status.success() => {
            bail!("{SEEDS} seeds see nothing of a rule that is broken; `{again}`")
        }
        None => bail!("the simulation did not run ({}); `{again}`", output.status),
    }
}

/// Within so many seeds the broken rule has to be seen.
const SEEDS: u32 = 500;

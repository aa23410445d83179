//! `cargo xtask test`: the one test command.

use std::io::{BufRead as _, BufReader, IsTerminal as _, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};

use crate::not_run::NotRun;
use crate::shell::{cargo, check, repeat};
use crate::tally::Tally;
use crate::{canary, licences, purity, sim, tidy};

/// Runs every check and every test, up to the first step that fails. The summary of the tests is the last line. The
/// status tells whether they passed and, with `require_all`, whether all of them could run.
///
/// # Errors
/// The step before the tests that failed, with the command that repeats it.
pub(crate) fn run(require_all: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    step("format", "cargo fmt --all --check", || check(cargo(&["fmt", "--all", "--check"])))?;
    let mut clippy =
        cargo(&["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--", "-D", "warnings"]);
    clippy.stdin(Stdio::null());
    step("clippy", &repeat(&clippy), || check(clippy))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--features", FEATURES]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    step("docs", &repeat(&docs), || check(docs))?;
    step("tidy", "cargo xtask tidy", tidy::run)?;
    step("purity", "cargo xtask purity", purity::run)?;
    step("licences", "cargo xtask licences", licences::run)?;
    // The end-to-end tests start the binaries.
    let build = cargo(&["build", "--workspace", "--bins", "--features", FEATURES]);
    step("build", &repeat(&build), || check(build))?;

    let not_run = NotRun::empty()?;
    let mut command = cargo(&["test", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
    command.env(NotRun::VARIABLE, not_run.path());
    let mut tally = Tally::default();
    let tests = step("tests", &repeat(&command), || count(command, &mut tally));
    let missing = not_run.read()?;
    // Behind the tests, which name what is wrong more closely; a failure is told with them.
    let worlds = tests.and_then(|()| step("simulation", "cargo xtask sim --from 1", simulation));
    let tests = worlds.and_then(|()| step("canary", "cargo xtask canary", canary::run));
    println!("\nwhole run: {}", shown(started.elapsed()));
    print!("{missing}");
    let is_complete = missing.is_empty() || !require_all;
    if let Err(error) = &tests {
        println!("{error:#}");
    } else if !is_complete {
        println!("with --require-all every test has to run; install what the list above names");
    }
    println!("{}", tally.summary(missing.tests()));
    Ok(if tests.is_ok() && is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs seeds that are always the same, and as many that nobody has seen before; with cryptography, and many more without.
fn simulation() -> anyhow::Result<()> {
    let fresh = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for from in [1, fresh] {
        let from = from.to_string();
        // The simulator prints the seed that it begins with, and for a failure how to replay it.
        let code = sim::simulate(&["--from", &from, "--seeds", SEEDS])?.max(sim::simulate(&[
            "--fast",
            "--reach-all",
            "--from",
            &from,
            "--seeds",
            FAST_SEEDS,
        ])?);
        if code != 0 {
            bail!("a law was broken, or the simulator could not run; the seeds from {from} are told above");
        }
    }
    Ok(())
}

/// Runs one step and says its name, whether it passed and how long it took.
fn step(name: &str, again: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    heading(name);
    let started = Instant::now();
    let result = work();
    let word = if result.is_ok() { "passed" } else { "FAILED" };
    println!("[{name}] {word} in {}", shown(started.elapsed()));
    result.with_context(|| format!("step {name} failed; repeat it by `{again}`"))
}

/// Runs the tests, passes on what they print and counts their results.
fn count(mut command: Command, tally: &mut Tally) -> anyhow::Result<()> {
    if stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child =
        command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        tally.add(&line);
        println!("{line}");
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("a test failed or did not compile ({status})");
    }
    Ok(())
}

fn heading(name: &str) {
    println!("\n[{name}]");
}

fn shown(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Every feature but the canary, which is a fault on purpose.
const FEATURES: &str = "wayleave-proto/testing";
/// Seeds of the simulation, twice: a quarter of a minute on two cores.
const SEEDS: &str = "300";
/// And without cryptography: another quarter. So many reach everything that a swarm can.
const FAST_SEEDS: &str = "6000";

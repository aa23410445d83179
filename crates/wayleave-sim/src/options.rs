//! The words of the command line.

use core::time::Duration;
use std::path::PathBuf;

use clap::Parser;

/// Runs the client and the relay of Wayleave in simulated worlds and checks the laws at every step.
///
/// Without --scenario or --tape it runs a swarm: one random world for each seed. Every failure is printed with the law that
/// it broke and the command that replays it. Exit code 0: every law held; 1: one was broken; 2: it could not run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", max_term_width = 100)]
pub(crate) struct Options {
    /// How many seeds to run.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// The first seed; by default one that the clock gives, which is printed.
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<u64>,
    /// Threads; by default one for each core.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Stop after that long, whatever --seeds says: 90s, 10m, 1h.
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) time: Option<Duration>,
    /// Stop at that many failures.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) failures: usize,
    /// Do not make failing tapes smaller.
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Run the tape in this file, as a failure leaves it.
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub(crate) tape: Option<PathBuf>,
    /// Run the scenario of that name; `all` runs every one.
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
    /// Write a picture of the run into this file; with --scenario, --tape, or one seed.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print everything that happened; with --scenario, --tape, or one seed.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Break a rule or a promise on purpose, or one after the other with `all`: the law that is about it must see it within a
    /// stated number of seeds from --from, which is 1 by default. Needs a build with the feature `canary`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scenario", "tape"])]
    pub(crate) canary: Option<String>,
    /// Fail where the worlds have never seen something that a swarm can reach.
    #[arg(long, conflicts_with_all = ["scenario", "tape"])]
    pub(crate) reach_all: bool,
    /// Leave cryptography and text out: many more worlds in the same time, without law 8, and only one in 16 runs twice.
    #[arg(long)]
    pub(crate) fast: bool,
    /// List the named scenarios.
    #[arg(long)]
    pub(crate) list: bool,
    /// Where failing tapes are saved.
    #[arg(long, value_name = "FOLDER", default_value = "target/sim")]
    pub(crate) save: PathBuf,
}

fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write 90s, 10m or 1h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let number =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(wrong)?;
    Ok(Duration::from_secs(number))
}

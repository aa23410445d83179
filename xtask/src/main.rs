//! Every chore of this repository: `cargo xtask help`.

mod bench;
mod canary;
mod fuzz;
mod licences;
mod miri;
mod not_run;
mod publish;
mod purity;
mod shell;
mod sim;
mod size;
mod tally;
mod test;
mod tidy;
mod twice;

use std::process::ExitCode;

use anyhow::bail;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    match words {
        ["test"] => return test::run(false),
        ["test", "--require-all"] => return test::run(true),
        ["tidy"] => tidy::run(),
        ["purity"] => purity::run(),
        ["licences"] => licences::run(),
        ["fuzz", "list"] => fuzz::list(),
        ["fuzz", "replay"] => fuzz::replay(),
        ["fuzz", "minimise", name] => fuzz::minimise(name),
        ["fuzz", name] => fuzz::run(name, None),
        ["fuzz", name, "--time", seconds] => fuzz::run(name, Some(seconds)),
        ["miri"] => miri::run(),
        ["publish", "--dry-run"] => publish::dry_run(),
        ["bench", options @ ..] => bench::run(options),
        ["canary"] => canary::run(),
        ["size"] => size::run(),
        ["sim", options @ ..] => return Ok(sim::run(options)),
        ["help" | "--help" | "-h"] | [] => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("`{}` is no command; `cargo xtask help` lists them", words.join(" ")),
    }
    .map(|()| ExitCode::SUCCESS)
}

const HELP: &str = "\
cargo xtask COMMAND

  test [--require-all]         everything: format, clippy, docs, tidy, purity, licences, every test.
                               With --require-all it fails if a test could not run here
  tidy                         the house rules that no other tool knows
  purity                       the core depends on no runtime
  licences                     every dependency has a licence that is allowed, and none comes twice without a reason
  fuzz list                    the fuzz targets
  fuzz replay                  every target over its corpus, on stable Rust
  fuzz NAME [--time SECS]      search on with cargo-fuzz on nightly Rust; 60 seconds by default
  fuzz minimise NAME           bring what was found to the corpus, as few and as small inputs as do
  miri                         the core's tests that need no cryptography, under Miri on nightly Rust
  publish --dry-run            the crates as they would go to a registry, packed in the order of their arrows; nothing is sent
  bench [OPTIONS] [--against REV]  relays side by side on this machine; `cargo xtask bench --help` lists the options.
                               With --against our relay as it was at that revision takes part too
  sim [OPTIONS]                simulated worlds from seeds, and the laws checked at every step: a swarm, one named scenario
                               or a saved tape, with a picture; `cargo xtask sim --help` lists the options. Exit code 0:
                               every law held; 1: one was broken; 2: it could not run
  size                         how large the least program is that embeds a client, stripped; it fails beyond 2.7 MB
  canary                       the simulation has to see each rule and promise that is broken on purpose, within a stated number of seeds
  help                         this text
";

//! `wayleave-bench`, which `cargo xtask bench` builds and runs.

use std::process::ExitCode;

use clap::Parser as _;
use wayleave_bench::machines::Counting;
use wayleave_bench::options::Options;
use wayleave_bench::run;

fn main() -> ExitCode {
    match run::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wayleave-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

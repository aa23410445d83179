//! The `wayleave` command as a library, so that tests can call what the command calls.

// These panic where nobody reads. `stdout` and `log` do not.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod admin;
mod agent;
mod allowlist;
pub mod check;
mod demo;
mod descriptors;
mod doctor;
mod failure;
mod lines;
mod log;
mod relay;
mod signals;
mod stdout;
mod token;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

pub use failure::Failure;

/// Real-time traffic through networks that block it.
#[derive(Debug, Parser)]
#[command(name = "wayleave", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Admin(admin::AdminArgs),
    Agent(Box<agent::AgentArgs>),
    Allowlist(allowlist::AllowlistArgs),
    Check(Box<doctor::CheckArgs>),
    /// Show all of it on this machine: two relays, a client behind a black hole, a stop-watch.
    Demo,
    Relay(Box<relay::RelayArgs>),
    Token(token::TokenArgs),
}

/// Runs the command with the arguments of this process.
///
/// The exit status is 0 when all went well, 2 for a wrong argument or configuration, 1 for a failure at run time.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::end_at_panics();
    let done = |()| ExitCode::SUCCESS;
    let judged = |is_good| if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let result = match cli.command {
        Command::Admin(args) => run(admin::run(args)).map(done),
        Command::Agent(args) => run(agent::run(*args)).map(done),
        Command::Allowlist(args) => run(allowlist::run(args)).map(judged),
        Command::Check(args) => run(doctor::run(*args)).map(judged),
        Command::Demo => run(demo::run()).map(done),
        Command::Relay(args) => relay::main(*args).map(done),
        Command::Token(args) => token::main(args).map(done),
    };
    let code = match result {
        Ok(code) => code,
        Err(failure) => {
            log::say("ERROR", &format!("wayleave: {failure}"));
            failure.exit_code()
        }
    };
    log::finish();
    code
}

/// Runs a command on a runtime of its own.
fn run<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    on(tokio::runtime::Builder::new_multi_thread().enable_all().build(), command)
}

/// Runs a command on `runtime`. When it is over nobody waits for threads that still do something, a look-up perhaps: they
/// end with the process.
fn on<T>(
    runtime: io::Result<Runtime>,
    command: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = runtime.map_err(|error| Failure::run(format!("cannot start: {error}")))?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

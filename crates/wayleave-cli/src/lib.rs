//! The `wayleave` command as a library, so that tests can call what the command calls.

mod admin;
mod agent;
pub mod check;
mod demo;
mod duration;
mod failure;
mod files;
mod keys;
mod log;
mod options;
mod relay;
mod signals;
#[cfg(test)]
mod testing;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    let result = match cli.command {
        Command::Admin(args) => run(admin::run(args)),
        Command::Agent(args) => run(agent::run(*args)),
        Command::Demo => run(demo::run()),
        Command::Relay(args) => relay::main(*args),
        Command::Token(args) => token::main(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wayleave: {failure}");
            failure.exit_code()
        }
    }
}

/// Runs a command on a runtime of its own.
fn run(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::run(format!("cannot start: {error}")))?.block_on(command)
}

//! `wayleave token`: keys and tokens.

mod inspect;
mod keygen;
mod mint;

#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};

use crate::Failure;

/// Make keys, mint tokens, and look into them.
///
/// A token says which application and which user its bearer is, and until when. Your application's server mints them with
/// a key that it keeps; relays check them with the public key that belongs to it.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, after_help = "`wayleave token --help` shows examples.")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::InspectArgs),
    Keygen(keygen::KeygenArgs),
    Mint(mint::MintArgs),
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the arguments or the files, or that a token is not valid.
pub(crate) fn main(args: TokenArgs) -> Result<(), Failure> {
    match args.command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Mint(args) => mint::run(&args),
    }
}

const EXAMPLES: &str = "\
Examples:
  wayleave token keygen --out keys.toml --public-out relay-keys.toml
  wayleave token mint --keys keys.toml --app-id 1001 --user alice --ttl 1h
  wayleave token inspect \"$TOKEN\" --keys relay-keys.toml && echo valid

Several keys can be in force at once, told apart by their names (kid): give a relay --token-keys several times, or write
one file behind the other. To change keys, add the new public key to every relay first, then mint with the new key, then
take the old one away when its last token has expired.";

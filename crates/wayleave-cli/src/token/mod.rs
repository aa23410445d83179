//! `wayleave token`: keys and tokens.

mod app_sign;
mod inspect;
mod keygen;
mod mint;
mod scope;

#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};
use wayleave_proto::base::Secret;

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
    AppSign(app_sign::AppSignArgs),
    Inspect(inspect::InspectArgs),
    Keygen(keygen::KeygenArgs),
    Mint(Box<mint::MintArgs>),
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the arguments or the files, or that a token is not valid.
pub(crate) fn main(args: TokenArgs) -> Result<(), Failure> {
    match args.command {
        Command::AppSign(args) => app_sign::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Mint(args) => mint::run(&args),
    }
}

/// Random bytes of the operating system.
fn random<const N: usize>() -> Result<Secret<[u8; N]>, Failure> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| Failure::run(format!("the system has no random numbers: {error}")))?;
    Ok(Secret::new(bytes))
}

const EXAMPLES: &str = "\
Examples:
  wayleave token keygen --out keys.toml --public-out relay-keys.toml
  wayleave token mint --keys keys.toml --app-id 1001 --user alice --ttl 1h
  wayleave token inspect \"$TOKEN\" --keys relay-keys.toml && echo valid

A token that allows one service and little of it, and is closed half a minute after it expires:
  wayleave token mint --keys keys.toml --app-id 1001 --user alice --ttl 10m --allow-host '*.media.example' \\
                      --allow-port 5000-5999 --allow-kind datagrams --tunnels 4 --on-expiry close-after=30s

A Token04, where keys.toml has a [[token04]] table with app_id and secret; and an app sign, which is made first:
  wayleave token mint --keys keys.toml --app-id 1001 --user alice --ttl 1h --format token04
  openssl rand -hex 32 > sign.txt
  wayleave token app-sign --app-id 1001 --sign-file sign.txt >> relay-keys.toml

Several keys can be in force at once, told apart by their names (kid): give a relay --token-keys several times, or write
one file behind the other. To change keys, add the new public key to every relay first, then mint with the new key, then
take the old one away when its last token has expired.";

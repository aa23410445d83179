//! `wayleave token keygen`.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use wayleave_proto::auth::{Algorithm, SigningKey};
use wayleave_proto::base::Secret;
use wayleave_settings::files::{self, Readers};
use wayleave_settings::keys;
use wayleave_settings::options::read;

use super::random;
use crate::Failure;
use crate::log::say;

/// Make a key that mints tokens, and the one that checks them
#[derive(Debug, Args)]
pub(super) struct KeygenArgs {
    /// Write the key that mints here, readable by its owner alone; it is for your application's server
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Write the key that checks here; it is for relays (--token-keys)
    #[arg(long, value_name = "FILE")]
    public_out: PathBuf,

    /// How tokens are signed: EdDSA, with which a relay cannot mint, or HS256, one secret for both
    #[arg(long, value_name = "EdDSA|HS256", default_value = "EdDSA", value_parser = read::<Algorithm>)]
    alg: Algorithm,

    /// The name of the key, by which tokens choose it [default: a random one]
    #[arg(long, value_name = "ID")]
    kid: Option<String>,

    /// Put the new files in the place of old ones
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &KeygenArgs) -> Result<(), Failure> {
    if args.out == args.public_out {
        return Err(Failure::usage("--out and --public-out are one file; give each its own"));
    }
    if !args.force {
        // Checked for both before the first is written.
        [&args.out, &args.public_out]
            .into_iter()
            .filter(|path| path.exists())
            .try_for_each(|path| Err(exists(path)))?;
    }
    let kid = match &args.kid {
        Some(kid) => kid.clone(),
        None => random::<4>()?.expose().iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let key = SigningKey::generate(args.alg, &kid, random()?.expose()).map_err(Failure::usage)?;
    let checking = key.verifying();
    let shared = checking.public_key().is_none();
    let readers = if shared { Readers::Owner } else { Readers::Everybody };
    write(args, &args.out, &keys::minting_file(&key), Readers::Owner)?;
    write(args, &args.public_out, &keys::relay_file(&checking), readers).inspect_err(|_| {
        // Half of a pair is of no use, and would be in the way of the next attempt.
        if !args.force {
            let _ = fs::remove_file(&args.out);
        }
    })?;
    let (out, public) = (args.out.display(), args.public_out.display());
    say(
        "INFO",
        &format!(
            "key {kid}: {out} mints tokens, keep it on your application's server; {public} is for relays"
        ),
    );
    if shared {
        say(
            "INFO",
            &format!("HS256 has one secret for both: {public} can mint too, keep it as secret as {out}"),
        );
    }
    Ok(())
}

fn write(args: &KeygenArgs, path: &Path, text: &Secret<String>, readers: Readers) -> Result<(), Failure> {
    let write = if args.force { files::replace } else { files::create };
    write(path, text.expose(), readers).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::run(format!("{} cannot be written: {error}", path.display())),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} is there already; choose another name, or replace it with --force",
        path.display()
    ))
}

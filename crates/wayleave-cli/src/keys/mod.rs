//! Key files: what mints tokens, and what checks them.
//!
//! Both are TOML with a `[[jwt]]` table for each key, so that two files become one by writing one behind the other.

mod entry;

#[cfg(test)]
mod tests;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use toml::Spanned;
use wayleave_proto::auth::{Algorithm, SigningKey, VerifyingKey};
use wayleave_proto::base::Secret;

use crate::Failure;
use crate::options::{parse, place, text_of};

use entry::Entry;

/// The keys in the file of a relay.
///
/// # Errors
/// What is wrong with the file, with its line. A key that can mint and need not is refused: a relay should not hold it.
pub(crate) fn for_relay(path: &Path) -> Result<Vec<VerifyingKey>, Failure> {
    read(path, Entry::for_relay)
}

/// The keys in either file, to check tokens with.
///
/// # Errors
/// What is wrong with the file, with its line.
pub(crate) fn for_checking(path: &Path) -> Result<Vec<VerifyingKey>, Failure> {
    read(path, Entry::for_checking)
}

/// The keys in the file of an application's server.
///
/// # Errors
/// What is wrong with the file, with its line; public keys are refused, since they cannot mint.
pub(crate) fn for_minting(path: &Path) -> Result<Vec<SigningKey>, Failure> {
    read(path, Entry::for_minting)
}

/// The file that [`for_minting`] reads.
pub(crate) fn minting_file(key: &SigningKey) -> Secret<String> {
    let name = match key.algorithm() {
        Algorithm::Hs256 => "secret",
        _ => "private_key",
    };
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(key.secret().expose()));
    Secret::new(format!("{MINTS}{}", table(key.kid(), key.algorithm(), name, secret.expose())))
}

/// The file that [`for_relay`] reads.
pub(crate) fn relay_file(key: &VerifyingKey) -> Secret<String> {
    let (head, name, value) = match (key.public_key(), key.secret()) {
        (Some(public), _) => (CHECKS, "public_key", Secret::new(URL_SAFE_NO_PAD.encode(public))),
        (None, secret) => {
            let bytes = secret.map(Secret::expose).map(Vec::as_slice).unwrap_or_default();
            (SHARES, "secret", Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
        }
    };
    Secret::new(format!("{head}{}", table(key.kid(), key.algorithm(), name, value.expose())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    jwt: Vec<Spanned<Entry>>,
}

fn read<T>(path: &Path, take: impl Fn(Entry) -> Result<T, String>) -> Result<Vec<T>, Failure> {
    let text = Secret::new(text_of(path)?);
    let text = text.expose();
    if text.trim_start().starts_with("-----BEGIN") {
        return Err(Failure::usage(format!(
            "{}: this is a PEM file, and keys for tokens stand in a TOML file; make one with `wayleave token keygen`",
            path.display()
        )));
    }
    let file: File = parse(path, text)?;
    if file.jwt.is_empty() {
        return Err(Failure::usage(format!(
            "{}: there is no [[jwt]] key in this file; make one with `wayleave token keygen`",
            path.display()
        )));
    }
    let key = |entry: Spanned<Entry>| {
        let span = entry.span();
        take(entry.into_inner())
            .map_err(|what| Failure::usage(format!("{}: {what}", place(path, text, Some(span)))))
    };
    file.jwt.into_iter().map(key).collect()
}

fn table(kid: &str, algorithm: Algorithm, name: &str, value: &str) -> String {
    // A kid has printable characters only, and these are the two that a TOML string gives a meaning to.
    let kid = kid.replace('\\', "\\\\").replace('"', "\\\"");
    format!("[[jwt]]\nkid = \"{kid}\"\nalg = \"{algorithm}\"\n{name} = \"{value}\"\n")
}

const CHECKS: &str = "# Checks tokens and cannot mint them. For relays: --token-keys.\n";
const MINTS: &str = "# Mints tokens. For your application's server only; keep it secret.\n";
const SHARES: &str =
    "# Checks tokens and can mint them too, as HS256 has one secret for both. Keep it secret.\n";

//! What the files of the command mean, from their text alone: for tests that have no disk.
//!
//! What is returned can be looked at by its `Debug`, and shows no secret.

use std::fmt::Debug;
use std::path::Path;

use wayleave_proto::auth::{Algorithm, Keys, SigningKey};
use wayleave_settings::keys;

use crate::agent::AgentArgs;
use crate::{Failure, relay};

/// What a key file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// To check credentials, with what a relay has or what an application's server has.
    Check,
    /// To mint tokens, on an application's server.
    Mint,
    /// To check credentials, on a relay.
    Relay,
}

/// Reads the text of a file for `wayleave agent --config`.
///
/// # Errors
/// What is wrong in it, with the line.
pub fn agent_file(text: &str) -> Result<impl Debug + use<>, Failure> {
    AgentArgs::from_text(Path::new("agent.toml"), text)
}

/// Reads the text of a key file. Sets of keys in other files are not looked for.
///
/// # Errors
/// What is wrong in it, with the line.
pub fn key_file(text: &str, purpose: KeyUse) -> Result<impl Debug + use<>, Failure> {
    let path = Path::new("keys.toml");
    let read: Box<dyn Debug> = match purpose {
        KeyUse::Check => Box::new(keys::in_text(path, text, true)?),
        KeyUse::Mint => Box::new(keys::minting_in_text(path, text)?),
        KeyUse::Relay => Box::new(keys::in_text(path, text, false)?),
    };
    Ok(read)
}

/// Reads the text of a file for `wayleave relay --config`, up to what the relay's machine takes.
///
/// # Errors
/// What is wrong in it, with the line where the text itself is at fault.
pub fn relay_file(text: &str) -> Result<impl Debug + use<>, Failure> {
    let key = SigningKey::generate(Algorithm::EdDsa, "check", &[1; 32]).map_err(Failure::run)?;
    let keys = Keys::new(vec![key.verifying()]).map_err(Failure::run)?;
    relay::config_in_text(Path::new("relay.toml"), text, keys)
}

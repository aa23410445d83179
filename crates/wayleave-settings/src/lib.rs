//! The files of Wayleave, read: what the command `wayleave` knows of keys, tokens and the settings of a relay, for programs
//! that embed a relay, check credentials, or mint them.
//!
//! A relay as its operator configured it in a file, with the certificate and the keys that the file names:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use wayleave_settings::relay::{Opened, RelaySettings};
//!
//! let settings = RelaySettings::read(Path::new("relay.toml"))?;
//! let listen = settings.listen_or_default();
//! let Opened { keys, certificate, files, .. } = settings.open()?;
//! let config = settings.config(certificate.clone(), keys, [listen])?;
//! // An adapter's `Relay::bind(config, listen)` serves it. What changes in `files` goes to the relay's handle
//! // (`renew_keys`) and to `certificate.renew`.
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | to | take |
//! |---|---|
//! | read what an operator says to a relay | [`relay::RelaySettings`] |
//! | have keys and certificate read again when they change | [`relay::RelayFiles`] with [`files::Follower`] |
//! | read key files, to check credentials or to mint tokens; write them | [`keys`] |
//! | read a token that a person gave | [`token`] |
//! | read a file that may be none, or hang | [`files::read`] |
//! | read words, and TOML with the line of a mistake, in the same way | [`options`] |
//!
//! Where something is wrong, a [`SettingsError`] says what, in which file and line, and how to mend it; no secret is shown.
//! Options are named as on the command line (`--self-signed`); in a file the same stand without the dashes.

pub mod duration;
mod error;
pub mod files;
pub mod keys;
pub mod options;
pub mod relay;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;

pub use error::SettingsError;

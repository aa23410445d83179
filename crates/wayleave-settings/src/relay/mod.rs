//! What an operator says to a relay, and the files that it names.

mod config;
mod files;
mod identity;
mod key_files;
mod limits;
mod log;
mod options;
mod place;

#[cfg(test)]
mod tests;

pub use files::{RelayFiles, RelayNews};
pub use identity::{Identity, IdentityFiles, Renewable};
pub use key_files::KeyFiles;
pub use limits::LimitsTable;
pub use log::{LogFormat, LogUsers};
pub use options::{Opened, RelaySettings};
pub use place::Place;

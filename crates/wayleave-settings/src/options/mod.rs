//! What a user writes, on the command line and in TOML files alike.

mod field;
mod file;
mod punycode;
mod target;
mod word;

#[cfg(test)]
mod tests;

pub use field::Setting;
pub(crate) use file::{At, one_at, place};
pub use file::{many, one, parse, secret_of, text_of};
pub use word::{Bytes, Count, LookUp, NameServer, Rate, Resolve, Word, read};

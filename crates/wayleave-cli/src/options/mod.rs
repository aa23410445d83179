//! What a user writes, on the command line and in TOML files alike.

mod file;
mod punycode;
mod target;
mod word;

#[cfg(test)]
mod tests;

pub(crate) use file::{At, many, one, one_at, parse, place, secret_of, text_of};
pub(crate) use word::{Bytes, Count, LookUp, NameServer, Rate, Resolve, Word, read};

//! Tokens of the form `04...`, which servers of applications mint with a secret that they share with the relay.
//!
//! `04`, then in base64: the expiry in seconds (8 bytes, big-endian), the length of the IV (2) and the IV, the length of
//! the ciphertext (2) and the ciphertext, and in the GCM form a final byte 1. Neither the expiry in the clear nor that
//! byte is authenticated, so the expiry inside counts and the one outside has to be the same. The token names no key:
//! every secret is tried, and there are at most [`MOST_SECRETS`].

mod body;
mod key;
mod payload;
mod seal;
mod wire;

#[cfg(test)]
mod tests;

pub use body::Token04Claims;
pub use key::{Token04Key, Token04KeyError};
pub use payload::{Payload, Privilege, Room};
pub use wire::Token04Mode;
pub(super) use wire::is_token04;

use super::{Claims, TokenError};
use crate::base::UnixTime;
use wire::Wire;

/// What a token of this form turned out to say.
pub(super) struct Opened {
    pub(super) claims: Claims,
    pub(super) payload: Option<Payload>,
    /// The place among the keys of the one that fits.
    pub(super) place: usize,
}

/// Finds the key of `keys` that made `token`.
pub(super) fn open(keys: &[Token04Key], token: &str) -> Result<Opened, TokenError> {
    let wire = Wire::read(token)?;
    let found = keys.iter().enumerate().find_map(|(place, key)| key.open(&wire).map(|body| (place, body)));
    let (place, body) = found.ok_or(TokenError::NotDecrypted)?;
    let body = body?;
    Ok(Opened { claims: body.claims, payload: body.payload, place })
}

/// The mode and the expiry that a Token04 shows without its secret, for people to look at; nobody vouches for them.
///
/// # Errors
/// [`TokenError::Malformed`] and [`TokenError::TooLong`].
pub fn inspect_token04(token: &str) -> Result<(Token04Mode, Option<UnixTime>), TokenError> {
    let wire = Wire::read(token)?;
    Ok((wire.mode, u64::try_from(wire.expires).ok().map(UnixTime::from_secs)))
}

/// So many secrets of Token04 a relay tries for each token.
pub const MOST_SECRETS: usize = 64;

//! The text of a token, whatever its kind.

use core::str::FromStr;

use super::token04::is_token04;
use super::{inspect, inspect_token04};
use crate::base::{Secret, UnixTime};

/// A token as it travels: at most 4,096 characters of [RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1).
///
/// It never shows itself in `Debug` and is cleared from memory when dropped.
#[derive(Clone, Debug)]
pub struct Token(Secret<String>);

impl Token {
    /// Takes `text` as a token.
    ///
    /// # Errors
    /// [`TokenTextError`], which never shows the text.
    pub fn new(text: &str) -> Result<Self, TokenTextError> {
        if text.is_empty() {
            return Err(TokenTextError::Empty);
        }
        if text.len() > MAX_TOKEN_LENGTH {
            return Err(TokenTextError::TooLong { length: text.len() });
        }
        let body = text.trim_end_matches('=').bytes();
        let length = body.len();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
        match body.enumerate().find(|(_, byte)| !allowed(*byte)) {
            Some((position, _)) => Err(TokenTextError::Character { position }),
            None if length == 0 => Err(TokenTextError::Character { position: 0 }),
            None => Ok(Self(Secret::new(text.to_owned()))),
        }
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// When the token expires by its own word, not verified: the `exp` of a JWT, or what a Token04 shows outside.
    ///
    /// Good for a warning, never for a decision.
    pub fn expires(&self) -> Option<UnixTime> {
        if is_token04(self.expose()) {
            return inspect_token04(self.expose()).ok().and_then(|(_, expires)| expires);
        }
        inspect(self.expose()).ok().and_then(|(_, claims)| claims.expires)
    }

    /// From when on the token is good by its own word, not verified: the `nbf` of a JWT. A Token04 does not say.
    ///
    /// Good for a message, never for a decision.
    pub fn not_before(&self) -> Option<UnixTime> {
        inspect(self.expose()).ok().and_then(|(_, claims)| claims.not_before)
    }
}

impl FromStr for Token {
    type Err = TokenTextError;

    fn from_str(text: &str) -> Result<Self, TokenTextError> {
        Self::new(text)
    }
}

/// Why a text cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenTextError {
    /// A character that no token has; white space and line ends are such.
    #[error(
        "the token has a character that no token can have, at byte {position}; a token has no spaces or line ends"
    )]
    Character {
        /// Where it stands, in bytes from zero.
        position: usize,
    },
    /// There is no token.
    #[error("the token is empty")]
    Empty,
    /// It has more than 4,096 characters.
    #[error("the token has {length} characters, and at most 4096 are allowed")]
    TooLong {
        /// How many it has.
        length: usize,
    },
}

pub(super) const MAX_TOKEN_LENGTH: usize = 4_096;

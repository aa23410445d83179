//! A token as text, and why one is refused.

use core::fmt;
use core::str::FromStr;

use super::jws;
use crate::base::{Secret, UnixTime};

/// A bearer token: the characters of [RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1), at most 4,096
/// of them. It never shows itself.
#[derive(Clone)]
pub struct Token(Secret<String>);

impl Token {
    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// When the token says that it expires; `None` where it is not a JWT or does not say.
    pub fn expires(&self) -> Option<UnixTime> {
        jws::inspect(self.expose()).ok()?.1.expires
    }
}

impl FromStr for Token {
    type Err = TokenTextError;

    fn from_str(text: &str) -> Result<Self, TokenTextError> {
        if text.is_empty() {
            return Err(TokenTextError::Empty);
        }
        if text.len() > MOST_TOKEN {
            return Err(TokenTextError::TooLong);
        }
        let body = text.trim_end_matches('=');
        let is_legal =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        if body.is_empty() || !body.bytes().all(is_legal) {
            return Err(TokenTextError::Character);
        }
        Ok(Self(Secret::new(text.into())))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([secret])")
    }
}

/// Why a text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenTextError {
    /// It has a character that a token cannot have.
    #[error("the token contains a character that a token cannot have; is it cut, quoted, or several lines?")]
    Character,
    /// It is empty.
    #[error("the token is empty; give one that your application's server has minted")]
    Empty,
    /// It is too long.
    #[error("the token is longer than 4,096 characters")]
    TooLong,
}

/// Why a token is not accepted. For the relay's log; the client gets one and the same answer for all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The signature does not belong to the token.
    #[error("token: wrong signature")]
    BadSignature,
    /// Its time is over.
    #[error("token: expired {} s ago", .since.as_secs())]
    Expired {
        /// For how long.
        since: core::time::Duration,
    },
    /// It is not a compact JWS with a JSON header and JSON claims.
    #[error("token: malformed, {0}")]
    Malformed(&'static str),
    /// It does not say when it expires.
    #[error("token: no expiry")]
    NoExpiry,
    /// Its time has not come.
    #[error("token: not valid for another {} s", .wait.as_secs())]
    NotYetValid {
        /// For how long.
        wait: core::time::Duration,
    },
    /// No key has the id that it names, or it names none and there are several keys.
    #[error("token: unknown key")]
    UnknownKey,
    /// Its header names another algorithm than its key has.
    #[error("token: the algorithm is not the key's")]
    WrongAlgorithm,
    /// Its key belongs to another application.
    #[error("token: the key belongs to another application")]
    WrongApp,
    /// It is meant for somebody else.
    #[error("token: wrong audience")]
    WrongAudience,
}

/// The longest token.
pub(super) const MOST_TOKEN: usize = 4_096;

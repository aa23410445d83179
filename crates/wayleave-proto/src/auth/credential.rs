//! How a client proves who it is.

use super::Token;
use crate::base::{Secret, UnixTime};

/// How a client proves who it is.
///
/// A token is the one way yet; the other, an application's own signing key
/// ([RFC 9729](https://www.rfc-editor.org/rfc/rfc9729)), has its place here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A token that the application's server has minted.
    Token(Token),
}

impl Credential {
    /// When it expires, where it says so.
    pub fn expires(&self) -> Option<UnixTime> {
        match self {
            Self::Token(token) => token.expires(),
        }
    }

    /// The value of `Proxy-Authorization`.
    pub fn authorization_value(&self) -> Secret<String> {
        match self {
            Self::Token(token) => Secret::new(format!("Bearer {}", token.expose())),
        }
    }
}

impl From<Token> for Credential {
    fn from(token: Token) -> Self {
        Self::Token(token)
    }
}

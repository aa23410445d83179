//! How a client proves who it is.

use core::fmt;

use super::Token;
use crate::base::{Secret, UnixTime};

/// What a client shows to a relay.
///
/// A token is one way. The app sign will be the other: an application id and the application's own signing key, proven
/// on each TLS connection by [RFC 9729 §3](https://www.rfc-editor.org/rfc/rfc9729#section-3), with which the token may be empty.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A token that the application's server minted.
    Token(Token),
}

impl Credential {
    /// The value of `Proxy-Authorization` ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    pub fn authorization_value(&self) -> Secret<String> {
        match self {
            Self::Token(token) => Secret::new(format!("Bearer {}", token.expose())),
        }
    }

    /// When it expires by its own word, if it says so.
    pub fn expires(&self) -> Option<UnixTime> {
        match self {
            Self::Token(token) => token.expires(),
        }
    }
}

impl From<Token> for Credential {
    fn from(token: Token) -> Self {
        Self::Token(token)
    }
}

/// The kinds of credential that a relay takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// An application's own key, proven on this connection.
    AppSign,
    /// A signed token.
    Jwt,
    /// An encrypted token of the form `04...`.
    Token04,
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AppSign => "app sign",
            Self::Jwt => "JWT",
            Self::Token04 => "Token04",
        })
    }
}

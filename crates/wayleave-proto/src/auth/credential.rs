//! How a client proves who it is.

use core::fmt;

use super::{AppSign, Token};
use crate::base::{Secret, Target, UnixTime};

/// What a client shows to a relay: a token, or an app sign, with which no token is needed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// The application's own key, proven on each TLS connection
    /// ([RFC 9729](https://www.rfc-editor.org/rfc/rfc9729)).
    AppSign(AppSign),
    /// A token that the application's server minted.
    Token(Token),
}

impl Credential {
    /// The value of `Proxy-Authorization` ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1), and
    /// [RFC 9729 §4](https://www.rfc-editor.org/rfc/rfc9729#section-4) for an app sign).
    ///
    /// `authority` is the target of a CONNECT, or the authority in the URI of any other request. `export` takes label
    /// and context to the exporter of the TLS connection; where that gives nothing, an app sign has no value.
    pub fn authorization_value(
        &self,
        authority: &Target,
        export: impl FnOnce(&[u8], &[u8]) -> Option<[u8; 48]>,
    ) -> Option<Secret<String>> {
        match self {
            Self::AppSign(sign) => sign.authorization_value(authority, export),
            Self::Token(token) => Some(Secret::new(format!("Bearer {}", token.expose()))),
        }
    }

    /// When it expires by its own word, if it says so. An app sign never expires.
    pub fn expires(&self) -> Option<UnixTime> {
        match self {
            Self::AppSign(_) => None,
            Self::Token(token) => token.expires(),
        }
    }

    /// From when on it is good by its own word, if it says so.
    pub fn not_before(&self) -> Option<UnixTime> {
        match self {
            Self::AppSign(_) => None,
            Self::Token(token) => token.not_before(),
        }
    }
}

impl From<AppSign> for Credential {
    fn from(sign: AppSign) -> Self {
        Self::AppSign(sign)
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

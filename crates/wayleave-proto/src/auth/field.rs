//! The header fields in which credentials are asked for and shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Concealed, Token, TokenTextError};

/// What a client showed in `Proxy-Authorization`; nothing of it is judged yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Authorization {
    /// The parameters of an app sign.
    Concealed(Concealed),
    /// A token of any kind.
    Token(Token),
}

/// Reads the value of `Proxy-Authorization`: `Bearer TOKEN`, `Basic` with the token as password, or `Concealed` with its
/// parameters.
///
/// The scheme may be in any case ([RFC 9110 §11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)). The user name of
/// [RFC 7617 §2](https://www.rfc-editor.org/rfc/rfc7617#section-2) says nothing here; the token alone counts.
///
/// # Errors
/// [`AuthorizationError`], which never shows the value.
pub fn authorization(value: &str) -> Result<Authorization, AuthorizationError> {
    if value.len() > MAX_VALUE_LENGTH {
        return Err(AuthorizationError::TooLong);
    }
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    // RFC 9110 §11.4 separates the two by one space or more.
    let credentials = credentials.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Ok(Authorization::Token(Token::new(credentials)?));
    }
    if scheme.eq_ignore_ascii_case("Concealed") {
        let read = Concealed::read(credentials);
        return read.map(Authorization::Concealed).ok_or(AuthorizationError::Concealed);
    }
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(AuthorizationError::Scheme);
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials).map_err(|_| AuthorizationError::Basic)?);
    let text = core::str::from_utf8(&decoded).map_err(|_| AuthorizationError::Basic)?;
    let (_, password) = text.split_once(':').ok_or(AuthorizationError::Basic)?;
    Ok(Authorization::Token(Token::new(password)?))
}

/// Why the value of `Proxy-Authorization` holds no credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// What follows `Basic` is not a user name and a password in base64.
    #[error("the Basic credentials are not a user name and a password in base64")]
    Basic,
    /// What follows `Concealed` is not its five parameters.
    #[error("the Concealed credentials are not the parameters k, a, p, s and v, each once")]
    Concealed,
    /// The scheme is none of `Bearer`, `Basic` and `Concealed`.
    #[error("the scheme of the credentials is none of Bearer, Basic and Concealed")]
    Scheme,
    /// The scheme is right and what follows is no token.
    #[error(transparent)]
    Token(#[from] TokenTextError),
    /// The value is longer than any token needs.
    #[error("the credentials are longer than any token needs")]
    TooLong,
}

/// How a relay asks for credentials.
///
/// Whatever was wrong with credentials that came, the words are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// Credentials came and were not accepted.
    Invalid,
    /// No credentials came, and so no error is named ([RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    Missing,
}

impl Challenge {
    /// The values of `Proxy-Authenticate`, one for each line: Bearer, and Basic for clients that know only that.
    ///
    /// Characters that a quoted string cannot have are left out of `realm`; the usual one is [`Self::REALM`].
    pub fn field_values(self, realm: &str) -> [String; 2] {
        let mut quoted = String::with_capacity(realm.len());
        for char in realm.chars().filter(|char| *char == ' ' || char.is_ascii_graphic()) {
            if matches!(char, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(char);
        }
        let error = match self {
            Self::Invalid => r#", error="invalid_token""#,
            Self::Missing => "",
        };
        [format!(r#"Bearer realm="{quoted}"{error}"#), format!(r#"Basic realm="{quoted}", charset="UTF-8""#)]
    }

    /// The realm of a relay whose operator gave it none.
    pub const REALM: &'static str = "wayleave";
}

/// A token of the greatest length with a user name beside it, in base64.
const MAX_VALUE_LENGTH: usize = 6_144;

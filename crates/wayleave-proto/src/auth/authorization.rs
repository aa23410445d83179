//! Credentials in a `Proxy-Authorization` field, and the challenge that asks for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::token::MOST_TOKEN;
use crate::base::Secret;

/// The token in the value of a `Proxy-Authorization` field: `Bearer TOKEN`
/// ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)), or `Basic` with the token as the password and any
/// user name ([RFC 7617 §2](https://www.rfc-editor.org/rfc/rfc7617#section-2)).
///
/// # Errors
/// Why there is none to be found.
pub fn authorization(value: &str) -> Result<Secret<String>, AuthorizationError> {
    let (scheme, rest) = value.trim().split_once(' ').ok_or(AuthorizationError::Malformed)?;
    let rest = rest.trim_start_matches(' ');
    if rest.is_empty() || rest.contains([' ', '\t', ',']) {
        return Err(AuthorizationError::Malformed);
    }
    if rest.len() > 2 * MOST_TOKEN {
        return Err(AuthorizationError::TooLong);
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Secret::new(rest.into()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(AuthorizationError::Scheme);
    }
    let pair = Secret::new(STANDARD.decode(rest).map_err(|_| AuthorizationError::Malformed)?);
    let pair = core::str::from_utf8(pair.expose()).map_err(|_| AuthorizationError::Malformed)?;
    let (_, password) = pair.split_once(':').ok_or(AuthorizationError::Malformed)?;
    if password.is_empty() { Err(AuthorizationError::Malformed) } else { Ok(Secret::new(password.into())) }
}

/// The value of `Proxy-Authenticate`. `refused` says that credentials came and were not accepted, whatever the reason
/// ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
pub const fn challenge(refused: bool) -> &'static str {
    if refused {
        r#"Bearer realm="wayleave", error="invalid_token", Basic realm="wayleave", charset="UTF-8""#
    } else {
        r#"Bearer realm="wayleave", Basic realm="wayleave", charset="UTF-8""#
    }
}

/// Why no token could be found in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    /// It is not of the form that its scheme asks for.
    #[error("Proxy-Authorization: malformed")]
    Malformed,
    /// The scheme is neither Bearer nor Basic.
    #[error("Proxy-Authorization: neither Bearer nor Basic")]
    Scheme,
    /// It is too long.
    #[error("Proxy-Authorization: too long")]
    TooLong,
}

//! The compact form of a signed token ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)), read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::token::MAX_TOKEN_LENGTH;
use super::{AppSignError, Claims, json};

/// What a token says of its own signature; nobody has to believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`: the algorithm.
    pub algorithm: String,
    /// `kid`: the name of the key.
    pub kid: Option<String>,
}

/// Reads a token without verifying it, for people to look at.
///
/// # Errors
/// [`TokenError::Malformed`] and [`TokenError::TooLong`].
pub fn inspect(token: &str) -> Result<(Header, Claims), TokenError> {
    let jws = Jws::read(token)?;
    let claims = jws.claims()?;
    Ok((jws.header, claims))
}

/// Why a token is not good.
///
/// For the relay's own log: whatever it is, the client hears one and the same answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// An app sign was not proven.
    #[error(transparent)]
    AppSign(#[from] AppSignError),
    /// The signature does not fit.
    #[error("the signature of the token does not fit")]
    BadSignature,
    /// A Token04 in the CBC form, which the operator forbade for its application.
    #[error("the Token04 is in the CBC form, which is forbidden for its application (allow_cbc)")]
    CbcForbidden,
    /// The embedder, whom the relay asked, said no.
    #[error("the embedder refused the credential")]
    Denied,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It is not a signed token in the compact form, or what it says cannot be read.
    #[error("the token is malformed: {fault}")]
    Malformed {
        /// What is wrong.
        fault: &'static str,
    },
    /// It does not say when it expires.
    #[error("the token does not say when it expires (exp)")]
    NoExpiry,
    /// It does not name its key, and there are several.
    #[error("the token names no key (kid), and there are several")]
    NoKeyId,
    /// No secret decrypts the Token04.
    #[error("no secret decrypts the Token04, or it was changed on its way")]
    NotDecrypted,
    /// It will be good later.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token, its user or its application is revoked.
    #[error("the token, its user or its application is revoked")]
    Revoked,
    /// It has more than 4,096 characters.
    #[error("the token has more than 4096 characters")]
    TooLong,
    /// Nobody gave the key that it names.
    #[error("the token names a key (kid) that is not known")]
    UnknownKey,
    /// It names another algorithm than its key has, or none.
    #[error("the algorithm of the token (alg) is not that of its key")]
    WrongAlgorithm,
    /// Its key belongs to another application.
    #[error("the key of the token belongs to another application")]
    WrongApp,
    /// It is meant for somebody else.
    #[error("the audience of the token (aud) is another")]
    WrongAudience,
}

impl TokenError {
    /// Whether whoever shows such a credential may be guessing. It is none where the signature fits and only the time, the
    /// audience or a revocation stands against it: somebody who had a key made it.
    pub const fn is_guess(&self) -> bool {
        !matches!(
            self,
            Self::Expired | Self::NoExpiry | Self::NotYetValid | Self::Revoked | Self::WrongAudience
        )
    }
}

/// A token taken apart; its claims stay unread until the signature is known to fit.
pub(super) struct Jws<'a> {
    pub(super) header: Header,
    /// What the signature covers.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Jws<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(TokenError::TooLong);
        }
        let parts = TokenError::Malformed { fault: "it is not made of three parts" };
        let (signed, signature) = token.rsplit_once('.').ok_or(parts.clone())?;
        let (header, claims) = signed.split_once('.').ok_or(parts.clone())?;
        if claims.contains('.') {
            return Err(parts);
        }
        let header = decode(header, "its header is not base64url")?;
        let header = object(&header, "its header is not a JSON object with each name once")?;
        let signature = decode(signature, "its signature is not base64url")?;
        Ok(Self { header: Header::from_json(&header)?, signed, signature, claims })
    }

    pub(super) fn claims(&self) -> Result<Claims, TokenError> {
        let claims = decode(self.claims, "its claims are not base64url")?;
        Claims::from_json(&object(&claims, "its claims are not a JSON object with each name once")?)
    }
}

impl Header {
    fn from_json(members: &Map<String, Value>) -> Result<Self, TokenError> {
        // RFC 7515 §4.1.11: whoever does not understand each listed extension must refuse; we know none.
        if members.contains_key("crit") {
            return Err(TokenError::Malformed { fault: "its header has critical extensions (crit)" });
        }
        let text = |name, fault| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(TokenError::Malformed { fault }),
        };
        let algorithm = text("alg", "alg is not a string")?;
        let kind = text("typ", "typ is not a string")?;
        // RFC 8725 §3.11: a signed thing of another type must not pass for a token.
        if !kind.is_none_or(|kind| TYPES.iter().any(|known| known.eq_ignore_ascii_case(&kind))) {
            return Err(TokenError::Malformed { fault: "its type (typ) is not JWT" });
        }
        Ok(Self {
            algorithm: algorithm.ok_or(TokenError::Malformed { fault: "its header has no alg" })?,
            kid: text("kid", "kid is not a string")?,
        })
    }

    pub(super) fn to_json(&self) -> String {
        let mut members = Map::new();
        members.insert("alg".to_owned(), self.algorithm.as_str().into());
        if let Some(kid) = &self.kid {
            members.insert("kid".to_owned(), kid.as_str().into());
        }
        members.insert("typ".to_owned(), "JWT".into());
        Value::Object(members).to_string()
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Takes the one canonical form: no padding, no bits behind the last byte.
fn decode(text: &str, fault: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed { fault })
}

fn object(bytes: &[u8], fault: &'static str) -> Result<Map<String, Value>, TokenError> {
    json::object(bytes).ok_or(TokenError::Malformed { fault })
}

const TYPES: [&str; 4] = ["JWT", "application/jwt", "at+jwt", "application/at+jwt"];

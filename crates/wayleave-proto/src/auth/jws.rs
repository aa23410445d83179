//! The compact form of a signed token: [RFC 7515 §3.1](https://www.rfc-editor.org/rfc/rfc7515#section-3.1).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserializer as _;
use serde::de::{self, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::token::MOST_TOKEN;
use super::{Claims, TokenError};

/// What the header of a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`: the algorithm that its maker claims to have used. A verifier goes by its key instead.
    pub algorithm: String,
    /// `kid`: the key.
    pub key_id: Option<String>,
}

/// Reads a token without checking its signature, for showing it.
///
/// # Errors
/// [`TokenError::Malformed`].
pub fn inspect(token: &str) -> Result<(Header, Claims), TokenError> {
    let parts = split(token)?;
    Ok((header(parts.header)?, claims(parts.claims)?))
}

/// The parts of a token.
pub(super) struct Parts<'a> {
    pub(super) header: &'a str,
    pub(super) claims: &'a str,
    /// What is signed: the first two parts with the dot between them.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

pub(super) fn split(token: &str) -> Result<Parts<'_>, TokenError> {
    if token.len() > MOST_TOKEN {
        return Err(TokenError::Malformed("longer than 4,096 characters"));
    }
    let parts = TokenError::Malformed("three parts are needed");
    let (signed, signature) = token.rsplit_once('.').ok_or(parts.clone())?;
    let (header, claims) = signed.split_once('.').ok_or(parts.clone())?;
    if claims.contains('.') {
        return Err(parts);
    }
    Ok(Parts { header, claims, signed, signature: decode(signature)? })
}

pub(super) fn header(part: &str) -> Result<Header, TokenError> {
    let json = object(&decode(part)?)?;
    // RFC 7515 §4.1.11: what a critical extension demands has to be understood, and none is.
    if json.contains_key("crit") {
        return Err(TokenError::Malformed("critical extensions are not understood"));
    }
    let text = |name| match json.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::Malformed("a field of the header is no text")),
    };
    let algorithm = text("alg")?.ok_or(TokenError::Malformed("the header names no algorithm"))?;
    Ok(Header { algorithm, key_id: text("kid")? })
}

pub(super) fn claims(part: &str) -> Result<Claims, TokenError> {
    Claims::from_json(&object(&decode(part)?)?)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes what has no padding and no stray bits, so that one token has one text.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("base64url"))
}

/// Reads a JSON object in which no name stands twice: two readers must not see two tokens.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, TokenError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let malformed = |_| TokenError::Malformed("a JSON object without repeated names is needed");
    let map = reader.deserialize_map(UniqueNames).map_err(malformed)?;
    reader.end().map_err(malformed)?;
    Ok(map)
}

struct UniqueNames;

impl<'de> Visitor<'de> for UniqueNames {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("a name stands twice"));
            }
        }
        Ok(map)
    }
}

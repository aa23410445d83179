//! Sets of keys as other software writes them ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{VerifyingKey, json};

/// What a set of keys held.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Jwks {
    /// The keys that verify tokens.
    pub keys: Vec<VerifyingKey>,
    /// The entries that were passed over: which, counted from one, and why.
    pub skipped: Vec<(usize, &'static str)>,
}

impl Jwks {
    /// Reads a set: Ed25519 keys (`OKP`, RFC 8037) and secrets for HS256 (`oct`), each with a `kid`. Entries of other
    /// kinds, for other uses or algorithms, or without a name, are passed over.
    ///
    /// # Errors
    /// [`JwksError`] where the text is no set, or an entry of a kind that is known is broken.
    pub fn read(text: &[u8]) -> Result<Self, JwksError> {
        let set = json::object(text).ok_or(JwksError::NoSet)?;
        let entries = set.get("keys").and_then(Value::as_array).ok_or(JwksError::NoSet)?;
        if entries.len() > MOST_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut jwks = Self::default();
        for (number, entry) in (1..).zip(entries) {
            let entry = entry.as_object().ok_or(JwksError::Broken { number, fault: "it is no object" })?;
            match one(entry).map_err(|fault| JwksError::Broken { number, fault })? {
                Ok(key) => jwks.keys.push(key),
                Err(reason) => jwks.skipped.push((number, reason)),
            }
        }
        Ok(jwks)
    }
}

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// An entry that should be good is not.
    #[error("key {number} of the set is broken: {fault}")]
    Broken {
        /// Which one, counted from one.
        number: usize,
        /// What is wrong.
        fault: &'static str,
    },
    /// It is no JSON object with a list `keys`, or a name stands twice.
    #[error("it is not a JSON Web Key Set: an object with a list of \"keys\" and each name once")]
    NoSet,
    /// There are more than 256 keys.
    #[error("the set has more than 256 keys")]
    TooMany,
}

/// The key of one entry, or why it is passed over.
fn one(entry: &Map<String, Value>) -> Result<Result<VerifyingKey, &'static str>, &'static str> {
    let text = |name| match entry.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or("a member that has to be a string is none"),
    };
    let (kind, curve, algorithm) = (text("kty")?, text("crv")?, text("alg")?);
    let algorithms: &[&str] = match (kind, curve) {
        (Some("OKP"), Some("Ed25519")) => &["EdDSA", "Ed25519"],
        (Some("oct"), _) => &["HS256"],
        _ => return Ok(Err("its type (kty, crv) is not one that verifies tokens here")),
    };
    if algorithm.is_some_and(|algorithm| !algorithms.contains(&algorithm)) {
        return Ok(Err("its algorithm (alg) is neither EdDSA nor HS256"));
    }
    if text("use")?.is_some_and(|usage| usage != "sig") {
        return Ok(Err("it is not for signatures (use)"));
    }
    let operations =
        entry.get("key_ops").map(|list| list.as_array().ok_or("key_ops is no list")).transpose()?;
    if operations.is_some_and(|list| !list.iter().any(|operation| operation == "verify")) {
        return Ok(Err("it is not for verifying (key_ops)"));
    }
    if kind == Some("OKP") && entry.contains_key("d") {
        return Err("it has a private key (d), which mints tokens and is not for whoever only checks them");
    }
    let Some(kid) = text("kid")? else { return Ok(Err("it has no name (kid)")) };
    let member = if kind == Some("oct") { "k" } else { "x" };
    let bits = URL_SAFE_NO_PAD.decode(text(member)?.ok_or("its key (x or k) is missing")?);
    let bits = Zeroizing::new(bits.map_err(|_| "its key is not base64url without padding")?);
    let key = match member {
        "k" => VerifyingKey::hs256(kid, &bits),
        _ => VerifyingKey::ed25519(kid, bits.as_slice().try_into().map_err(|_| "its key has not 32 bytes")?),
    };
    key.map(Ok).map_err(|_| "its name is too long or has spaces, or its secret has not 32 to 1024 bytes")
}

const MOST_KEYS: usize = 256;

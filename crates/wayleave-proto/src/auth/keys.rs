//! Keys that mint and keys that check.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::{AppId, Claims, Token, TokenError, jws};
use crate::base::{Secret, UnixTime};

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 ([RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)): who checks cannot mint.
    EdDsa,
    /// HMAC with SHA-256 ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)): one secret for both.
    Hs256,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        })
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text {
            "EdDSA" => Ok(Self::EdDsa),
            "HS256" => Ok(Self::Hs256),
            _ => Err(KeyError::Algorithm),
        }
    }
}

/// A key that mints tokens.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    secret: Secret<Vec<u8>>,
}

impl SigningKey {
    /// A new key from 32 random bytes.
    pub fn generate(algorithm: Algorithm, kid: &str, random: &[u8; 32]) -> Self {
        Self { kid: kid.into(), algorithm, secret: Secret::new(random.to_vec()) }
    }

    /// The key `kid` from its secret: the 32 bytes of the seed for EdDSA, at least 32 bytes for HS256.
    ///
    /// # Errors
    /// The secret has the wrong length, or the id is not one.
    pub fn new(algorithm: Algorithm, kid: &str, secret: &[u8]) -> Result<Self, KeyError> {
        check_kid(kid)?;
        match algorithm {
            Algorithm::EdDsa if secret.len() != 32 => Err(KeyError::Length { needed: "32 bytes" }),
            Algorithm::Hs256 if secret.len() < 32 => Err(KeyError::Length { needed: "at least 32 bytes" }),
            _ => Ok(Self { kid: kid.into(), algorithm, secret: Secret::new(secret.to_vec()) }),
        }
    }

    /// The id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The secret, for writing it to its file.
    pub const fn secret(&self) -> &Secret<Vec<u8>> {
        &self.secret
    }

    /// The key that checks what this one mints.
    pub fn verifying(&self) -> VerifyingKey {
        let material = match (self.algorithm, self.pair()) {
            (Algorithm::EdDsa, Some(pair)) => Material::Ed25519(pair.public_key().as_ref().to_vec()),
            (Algorithm::EdDsa, None) => Material::Ed25519(Vec::new()),
            (Algorithm::Hs256, _) => Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose())),
        };
        VerifyingKey { kid: self.kid.clone(), material, app_id: None }
    }

    /// Mints a token with these claims.
    ///
    /// # Errors
    /// [`KeyError::ClaimsTooLong`].
    pub fn mint(&self, claims: &Claims) -> Result<Token, KeyError> {
        let header = serde_json::json!({ "alg": self.algorithm.to_string(), "kid": self.kid, "typ": "JWT" });
        let mut text = jws::encode(header.to_string().as_bytes());
        text.push('.');
        text.push_str(&jws::encode(claims.to_json().to_string().as_bytes()));
        let signature = match (self.algorithm, self.pair()) {
            (Algorithm::EdDsa, Some(pair)) => jws::encode(pair.sign(text.as_bytes()).as_ref()),
            (Algorithm::EdDsa, None) => return Err(KeyError::Length { needed: "32 bytes" }),
            (Algorithm::Hs256, _) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose());
                jws::encode(hmac::sign(&key, text.as_bytes()).as_ref())
            }
        };
        text.push('.');
        text.push_str(&signature);
        text.parse().map_err(|_| KeyError::ClaimsTooLong)
    }

    fn pair(&self) -> Option<Ed25519KeyPair> {
        Ed25519KeyPair::from_seed_unchecked(self.secret.expose()).ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.kid, self.algorithm)
    }
}

/// A key that checks tokens.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    material: Material,
    app_id: Option<AppId>,
}

#[derive(Clone)]
enum Material {
    Ed25519(Vec<u8>),
    Hs256(hmac::Key),
}

impl VerifyingKey {
    /// The key `kid`: the public key for EdDSA, the secret for HS256.
    ///
    /// # Errors
    /// The material has the wrong length, or the id is not one.
    pub fn new(algorithm: Algorithm, kid: &str, material: &[u8]) -> Result<Self, KeyError> {
        check_kid(kid)?;
        let material = match algorithm {
            Algorithm::EdDsa if material.len() == 32 => Material::Ed25519(material.to_vec()),
            Algorithm::EdDsa => return Err(KeyError::Length { needed: "32 bytes" }),
            Algorithm::Hs256 if material.len() >= 32 => {
                Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, material))
            }
            Algorithm::Hs256 => return Err(KeyError::Length { needed: "at least 32 bytes" }),
        };
        Ok(Self { kid: kid.into(), material, app_id: None })
    }

    /// The same key, accepted for tokens of one application only.
    #[must_use]
    pub fn for_app(self, app_id: AppId) -> Self {
        Self { app_id: Some(app_id), ..self }
    }

    /// The id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Hs256(_) => Algorithm::Hs256,
        }
    }

    /// The public key, where there is one to be public.
    pub fn public(&self) -> Option<&[u8]> {
        match &self.material {
            Material::Ed25519(public) => Some(public),
            Material::Hs256(_) => None,
        }
    }

    fn check(&self, signed: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let is_good = match &self.material {
            Material::Ed25519(public) => {
                UnparsedPublicKey::new(&ED25519, public).verify(signed, signature).is_ok()
            }
            // The comparison takes the same time wherever the first difference is.
            Material::Hs256(key) => hmac::verify(key, signed, signature).is_ok(),
        };
        if is_good { Ok(()) } else { Err(TokenError::BadSignature) }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {})", self.kid, self.algorithm())
    }
}

/// The keys that a relay checks tokens with, by their ids.
#[derive(Clone, Debug)]
pub struct Keys(Vec<VerifyingKey>);

impl Keys {
    /// The keys of a relay, at least one, no two with one id.
    ///
    /// # Errors
    /// [`KeyError::NoKeys`] or [`KeyError::Repeated`].
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKeys);
        }
        for (place, key) in keys.iter().enumerate() {
            if keys.iter().skip(place + 1).any(|other| other.kid == key.kid) {
                return Err(KeyError::Repeated { kid: key.kid.clone() });
            }
        }
        Ok(Self(keys))
    }

    /// Checks a token.
    ///
    /// The algorithm is that of the key, whatever the header says; the signature is checked before a claim is read.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn verify(&self, token: &str, now: UnixTime, rules: &Rules) -> Result<Claims, TokenError> {
        let parts = jws::split(token)?;
        let header = jws::header(parts.header)?;
        let key = match (&header.key_id, self.0.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid == *kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let key = key.ok_or(TokenError::UnknownKey)?;
        if header.algorithm != key.algorithm().to_string() {
            return Err(TokenError::WrongAlgorithm);
        }
        key.check(parts.signed.as_bytes(), &parts.signature)?;
        let claims = jws::claims(parts.claims)?;
        if key.app_id.is_some() && key.app_id != claims.app_id {
            return Err(TokenError::WrongApp);
        }
        rules.check(&claims, now)?;
        Ok(claims)
    }
}

/// What is asked of claims beside a good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How far clocks may differ. Default 30 s.
    pub leeway: Duration,
    /// Who the token must be meant for. A token that names an audience is refused where this names another or none.
    pub audience: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { leeway: Duration::from_secs(30), audience: None }
    }
}

impl Rules {
    /// Whether the claims hold at `now`.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self, claims: &Claims, now: UnixTime) -> Result<(), TokenError> {
        let expires = claims.expires.ok_or(TokenError::NoExpiry)?;
        let since = now.since(expires);
        if since > self.leeway || (now >= expires && self.leeway.is_zero()) {
            return Err(TokenError::Expired { since });
        }
        let wait = claims.not_before.map_or(Duration::ZERO, |from| from.since(now));
        if wait > self.leeway {
            return Err(TokenError::NotYetValid { wait });
        }
        let is_meant = match &self.audience {
            Some(wanted) => claims.audience.contains(wanted),
            None => claims.audience.is_empty(),
        };
        if is_meant { Ok(()) } else { Err(TokenError::WrongAudience) }
    }
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The algorithm is not known.
    #[error("the algorithm must be EdDSA or HS256")]
    Algorithm,
    /// The claims make a token that is too long to be one.
    #[error("the claims are too long for a token of 4,096 characters")]
    ClaimsTooLong,
    /// The id is not one.
    #[error("a key id has 1 to 64 letters, digits, '-', '_' or '.'")]
    Kid,
    /// The key has the wrong length.
    #[error("the key must have {needed}")]
    Length {
        /// The right one.
        needed: &'static str,
    },
    /// There are none.
    #[error("there is no key; make one with: wayleave token keygen")]
    NoKeys,
    /// Two have the same id.
    #[error("two keys have the id {kid}")]
    Repeated {
        /// The id.
        kid: String,
    },
}

fn check_kid(kid: &str) -> Result<(), KeyError> {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=64).contains(&kid.len()) && kid.bytes().all(is_legal) { Ok(()) } else { Err(KeyError::Kid) }
}

//! The keys of a relay, and what they make of a token.

use core::time::Duration;
use std::collections::BTreeMap;

use super::jws::Jws;
use super::key::sha256;
use super::{AccountId, Claims, TokenError, VerifyingKey};
use crate::base::UnixTime;

/// The verifying keys of a relay, each with a name of its own.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: BTreeMap<String, VerifyingKey>,
    fingerprint: [u8; 32],
}

impl Keys {
    /// Takes `keys` together.
    ///
    /// # Errors
    /// [`KeysError`] where there is none, or two have one name.
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeysError> {
        let mut named = BTreeMap::new();
        for key in keys {
            if let Some(twin) = named.insert(key.kid().to_owned(), key) {
                return Err(KeysError::Duplicate { kid: twin.kid().to_owned() });
            }
        }
        if named.is_empty() {
            return Err(KeysError::Empty);
        }
        let fingerprint = sha256(|digest| named.values().for_each(|key| key.digest(digest)));
        Ok(Self { keys: named, fingerprint })
    }

    /// The keys, by name.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.values()
    }

    /// Says what `token` is worth at `now`.
    ///
    /// The key is the one that the token names, or the only one there is; its algorithm alone counts. Nothing of the
    /// claims is read before the signature fits.
    ///
    /// # Errors
    /// [`TokenError`] with the reason, which is for the log and not for the client.
    pub fn verify(&self, token: &str, now: UnixTime, rules: &Rules) -> Result<Verdict, TokenError> {
        let jws = Jws::read(token)?;
        let key = self.key(jws.header.kid.as_deref())?;
        if !key.algorithm().is_named(&jws.header.algorithm) {
            return Err(TokenError::WrongAlgorithm);
        }
        if !key.fits(jws.signed, &jws.signature) {
            return Err(TokenError::BadSignature);
        }
        let claims = jws.claims()?;
        rules.judge(&claims, now)?;
        if key.app_id().is_some_and(|app_id| claims.app_id.as_ref() != Some(app_id)) {
            return Err(TokenError::WrongApp);
        }
        Ok(Verdict { account: AccountId::new(key.kid(), &claims), kid: key.kid().to_owned(), claims })
    }

    pub(super) const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    fn key(&self, kid: Option<&str>) -> Result<&VerifyingKey, TokenError> {
        match kid {
            Some(kid) => self.keys.get(kid).ok_or(TokenError::UnknownKey),
            None if self.keys.len() == 1 => self.keys.values().next().ok_or(TokenError::NoKeyId),
            None => Err(TokenError::NoKeyId),
        }
    }
}

/// What is known of a token that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whose limits it counts against.
    pub account: AccountId,
    /// What it says.
    pub claims: Claims,
    /// The key that signed it.
    pub kid: String,
}

/// What a relay asks of a token beyond its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The name by which tokens know this relay.
    ///
    /// With a name, a token must be meant for it. Without, a token must not say whom it is meant for, because that is
    /// then somebody else ([RFC 7519 §4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3)).
    pub audience: Option<String>,
    /// How far the clock of the issuer may be off, either way; 30 s by default.
    pub leeway: Duration,
}

impl Rules {
    /// A token is good from `nbf` on, and no longer at `exp`, each wider by the leeway.
    pub(super) fn judge(&self, claims: &Claims, now: UnixTime) -> Result<(), TokenError> {
        let expires = claims.expires.ok_or(TokenError::NoExpiry)?;
        if now >= later(expires, self.leeway) {
            return Err(TokenError::Expired);
        }
        if claims.not_before.is_some_and(|from| later(now, self.leeway) < from) {
            return Err(TokenError::NotYetValid);
        }
        let meant = match &self.audience {
            Some(audience) => claims.audience.contains(audience),
            None => claims.audience.is_empty(),
        };
        if meant { Ok(()) } else { Err(TokenError::WrongAudience) }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self { audience: None, leeway: Duration::from_secs(30) }
    }
}

/// Why keys do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// Two keys have one name.
    #[error("two keys have the name (kid) {kid}; give each a name of its own")]
    Duplicate {
        /// The name.
        kid: String,
    },
    /// There is no key.
    #[error("there is no key; a relay without keys would refuse everybody")]
    Empty,
}

pub(super) fn later(time: UnixTime, span: Duration) -> UnixTime {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    UnixTime::from_millis(time.as_millis().saturating_add(span))
}

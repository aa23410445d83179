//! The keys of a relay, and what they make of a token.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use ring::digest::Context;

use super::jws::Jws;
use super::key::{feed, sha256};
use super::token04::{self, MOST_SECRETS, Opened, is_token04};
use super::{
    AccountId, AppId, AppSignKey, Claims, Concealed, CredentialKind, Header, Payload, Revocations,
    Token04Key, TokenError, VerifyingKey,
};
use crate::base::{Target, UnixTime};
use crate::policy::{Grantor, Scope};

/// What a relay is given to check credentials with, and what its operator says of applications and single tokens.
#[derive(Clone, Debug, Default)]
pub struct KeysConfig {
    /// Keys of signed tokens, each with a name of its own.
    pub jwt: Vec<VerifyingKey>,
    /// Secrets of applications, for Token04; several of one application for rotation.
    pub token04: Vec<Token04Key>,
    /// Public keys of applications, for the app sign; several of one application for rotation.
    pub app_sign: Vec<AppSignKey>,
    /// What is no longer accepted, whatever its keys say.
    pub revocations: Revocations,
    /// What the operator allows each application; an application that is not named is not limited by it.
    pub apps: BTreeMap<AppId, Scope>,
}

impl KeysConfig {
    /// Adds what `more` has.
    ///
    /// # Errors
    /// [`KeysError::Duplicate`] where two keys have one name, and [`KeysError::TwiceLimited`] where both say what one
    /// application may do.
    pub fn extend(&mut self, more: Self) -> Result<(), KeysError> {
        let names = self.jwt.iter().map(VerifyingKey::kid).collect::<BTreeSet<_>>();
        if let Some(twin) = more.jwt.iter().find(|key| names.contains(key.kid())) {
            return Err(KeysError::Duplicate { kid: twin.kid().to_owned() });
        }
        if let Some(app_id) = more.apps.keys().find(|app_id| self.apps.contains_key(*app_id)) {
            return Err(KeysError::TwiceLimited { app_id: app_id.clone() });
        }
        self.jwt.extend(more.jwt);
        self.token04.extend(more.token04);
        self.app_sign.extend(more.app_sign);
        self.revocations.extend(more.revocations.iter().cloned());
        self.apps.extend(more.apps);
        Ok(())
    }
}

impl From<Vec<VerifyingKey>> for KeysConfig {
    fn from(jwt: Vec<VerifyingKey>) -> Self {
        Self { jwt, ..Self::default() }
    }
}

/// The keys of a relay, checked to go together.
#[derive(Clone, Debug)]
pub struct Keys {
    jwt: BTreeMap<String, VerifyingKey>,
    token04: Vec<Token04Key>,
    app_sign: Vec<AppSignKey>,
    revocations: Revocations,
    apps: BTreeMap<AppId, Scope>,
    fingerprint: [u8; 32],
}

impl Keys {
    /// Takes the keys of `config` together.
    ///
    /// # Errors
    /// [`KeysError`] where there is no key, or two have one name.
    pub fn new(config: impl Into<KeysConfig>) -> Result<Self, KeysError> {
        let KeysConfig { jwt, token04, app_sign, revocations, apps } = config.into();
        let mut named = BTreeMap::new();
        for key in jwt {
            if let Some(twin) = named.insert(key.kid().to_owned(), key) {
                return Err(KeysError::Duplicate { kid: twin.kid().to_owned() });
            }
        }
        if token04.len() > MOST_SECRETS {
            return Err(KeysError::TooMany { most: MOST_SECRETS });
        }
        if named.is_empty() && token04.is_empty() && app_sign.is_empty() {
            return Err(KeysError::Empty);
        }
        let apps =
            apps.into_iter().map(|(app, scope)| (app, scope.granted_by(Grantor::Application))).collect();
        let fingerprint = sha256(|digest| {
            named.values().for_each(|key| key.digest(digest));
            token04.iter().for_each(|key| key.digest(digest));
            app_sign.iter().for_each(|key| key.digest(digest));
            digest_apps(&apps, digest);
        });
        Ok(Self { jwt: named, token04, app_sign, revocations, apps, fingerprint })
    }

    /// The keys of signed tokens, by name.
    pub fn jwt(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.jwt.values()
    }

    /// How many keys there are, of every kind.
    pub fn len(&self) -> usize {
        self.jwt.len() + self.token04.len() + self.app_sign.len()
    }

    /// Whether there is no key; never so, since [`Self::new`] refuses that.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is revoked.
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// What is revoked, to add to it; it holds for the next tunnel on.
    pub const fn revocations_mut(&mut self) -> &mut Revocations {
        &mut self.revocations
    }

    /// Whether the token, the user or the application behind `verdict` is revoked.
    pub fn is_revoked(&self, verdict: &Verdict) -> bool {
        self.revocations.hold(verdict)
    }

    /// What the operator allows the application `app_id`.
    pub fn scope(&self, app_id: Option<&AppId>) -> Scope {
        app_id.and_then(|app_id| self.apps.get(app_id)).cloned().unwrap_or_default()
    }

    /// Says what `token` is worth at `now`.
    ///
    /// The key is the one that the token names, or the only one there is; its algorithm alone counts. Nothing of the
    /// claims is read before the signature fits, and how long a refusal takes does not tell which keys there are.
    ///
    /// # Errors
    /// [`TokenError`] with the reason, which is for the log and not for the client.
    pub fn verify(&self, token: &str, now: UnixTime, rules: &Rules) -> Result<Verdict, TokenError> {
        let verdict = if is_token04(token) {
            self.verify_token04(token, now, rules)?
        } else {
            self.verify_jwt(token, now, rules)?
        };
        self.judge_revocation(&verdict)?;
        Ok(verdict)
    }

    /// Says whether `concealed` proves the key of an application on the connection that `export` belongs to.
    ///
    /// The work is the same whether there is such a key or not.
    ///
    /// # Errors
    /// [`TokenError`] with the reason, which is for the log and not for the client.
    pub fn verify_app_sign(
        &self,
        concealed: &Concealed,
        authority: Option<&Target>,
        export: impl FnOnce(&[u8], &[u8]) -> Option<[u8; 48]>,
    ) -> Result<Verdict, TokenError> {
        let place = concealed.verify(&self.app_sign, authority, export)?;
        let app_id = self.app_sign.get(place).map(|key| key.app_id().clone());
        let claims = Claims { app_id, ..Claims::default() };
        let verdict = self.verdict(CredentialKind::AppSign, claims, None, place);
        self.judge_revocation(&verdict)?;
        Ok(verdict)
    }

    fn verify_token04(&self, token: &str, now: UnixTime, rules: &Rules) -> Result<Verdict, TokenError> {
        let Opened { claims, payload, place } = token04::open(&self.token04, token)?;
        let verdict = self.verdict(CredentialKind::Token04, claims, payload, place);
        rules.judge(&verdict, now)?;
        Ok(verdict)
    }

    /// The verdict on a credential whose key has no name but its place among all of its kind.
    fn verdict(
        &self,
        credential: CredentialKind,
        claims: Claims,
        payload: Option<Payload>,
        place: usize,
    ) -> Verdict {
        // No name of a key has a space: the accounts are not those of any JWT, and the same under each key.
        let account = AccountId::new(&format!(" {credential}"), &claims);
        let app = claims.app_id.as_ref().map_or("", AppId::as_str);
        let kid = format!("{app}#{}", place.saturating_add(1));
        let scope = self.scope(claims.app_id.as_ref()).intersect(&claims.scope);
        Verdict { account, claims, credential, kid, payload, scope }
    }

    fn verify_jwt(&self, token: &str, now: UnixTime, rules: &Rules) -> Result<Verdict, TokenError> {
        let jws = Jws::read(token)?;
        let key = match self.key(&jws.header) {
            Ok(key) => key,
            Err(error) => {
                // The same work as where the signature does not fit: an unknown key takes no less time.
                if let Some(decoy) = VerifyingKey::decoy(&jws.header.algorithm) {
                    core::hint::black_box(decoy.fits(jws.signed, &jws.signature));
                }
                return Err(error);
            }
        };
        if !key.fits(jws.signed, &jws.signature) {
            return Err(TokenError::BadSignature);
        }
        let claims = jws.claims()?;
        if key.app_id().is_some_and(|app_id| claims.app_id.as_ref() != Some(app_id)) {
            return Err(TokenError::WrongApp);
        }
        // Whoever may mint for an application mints for the same accounts, so that a rotated key changes nobody's.
        let minter = if claims.app_id.is_some() { "" } else { key.kid() };
        let account = AccountId::new(minter, &claims);
        let scope = self.scope(claims.app_id.as_ref()).intersect(&claims.scope);
        let kid = key.kid().to_owned();
        let verdict = Verdict { account, claims, credential: CredentialKind::Jwt, kid, payload: None, scope };
        rules.judge(&verdict, now)?;
        Ok(verdict)
    }

    pub(super) fn judge_revocation(&self, verdict: &Verdict) -> Result<(), TokenError> {
        if self.is_revoked(verdict) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// All but the revocations, which are asked each time.
    pub(super) const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The key that a token names, where the algorithm is that of the key.
    fn key(&self, header: &Header) -> Result<&VerifyingKey, TokenError> {
        let key = match &header.kid {
            Some(kid) => self.jwt.get(kid).ok_or(TokenError::UnknownKey),
            None if self.jwt.len() == 1 => self.jwt.values().next().ok_or(TokenError::NoKeyId),
            None => Err(TokenError::NoKeyId),
        }?;
        if key.algorithm().is_named(&header.algorithm) { Ok(key) } else { Err(TokenError::WrongAlgorithm) }
    }
}

/// What is known of a credential that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whose limits it counts against.
    pub account: AccountId,
    /// What it says of its bearer. An app sign says the application and nothing else: no user and no expiry.
    pub claims: Claims,
    /// Which kind of credential it is.
    pub credential: CredentialKind,
    /// The name of the key that it fits: the `kid` of a JWT, else the application with a running number.
    pub kid: String,
    /// What a Token04 carries for the application.
    pub payload: Option<Payload>,
    /// What the bearer may do: what the operator allows the application, and the credential as well.
    pub scope: Scope,
}

/// What a relay asks of a token beyond its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The name by which tokens know this relay.
    ///
    /// With a name, a token must be meant for it. Without, a token must not say whom it is meant for, because that is
    /// then somebody else ([RFC 7519 §4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3)). It is not empty.
    pub audience: Option<String>,
    /// How far the clock of the issuer may be off, either way; 30 s by default, at most 1 h.
    pub leeway: Duration,
}

impl Rules {
    /// A token is good from `nbf` on, and no longer at `exp`, each wider by the leeway.
    pub(super) fn judge(&self, verdict: &Verdict, now: UnixTime) -> Result<(), TokenError> {
        let claims = &verdict.claims;
        let expires = claims.expires.ok_or(TokenError::NoExpiry)?;
        if now >= expires.after(self.leeway) {
            return Err(TokenError::Expired);
        }
        if claims.not_before.is_some_and(|from| now.after(self.leeway) < from) {
            return Err(TokenError::NotYetValid);
        }
        let meant = match &self.audience {
            // A Token04 has no place for an audience.
            _ if verdict.credential == CredentialKind::Token04 => true,
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
    /// There are more secrets of Token04 than a relay tries for each token.
    #[error(
        "there are more than {most} Token04 secrets, each of which is tried for each token; take old ones away"
    )]
    TooMany {
        /// How many it tries.
        most: usize,
    },
    /// Two entries say what one application may do.
    #[error("two [[app]] entries are about the application {app_id}; make one of them")]
    TwiceLimited {
        /// The application.
        app_id: AppId,
    },
}

fn digest_apps(apps: &BTreeMap<AppId, Scope>, digest: &mut Context) {
    for (app, scope) in apps {
        feed(digest, &[Some(app.as_str().as_bytes()), Some(format!("{scope:?}").as_bytes())]);
    }
}

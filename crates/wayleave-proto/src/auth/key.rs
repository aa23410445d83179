//! Keys that sign and keys that verify.

use core::fmt;
use core::str::FromStr;

use ring::digest::{Context, SHA256};
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::jws::encode;
use super::{AppId, Claims, Header, Token, TokenTextError, json};
use crate::base::Secret;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `EdDSA` with Ed25519 ([RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)): who verifies cannot mint.
    EdDsa,
    /// `HS256` ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)): one secret both mints and verifies.
    Hs256,
}

impl Algorithm {
    /// The name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// Whether a header's `alg` means this algorithm.
    ///
    /// `Ed25519` is the newer name for what `EdDSA` means here ([RFC 9864 §2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2)).
    pub(super) fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        [Self::EdDsa, Self::Hs256].into_iter().find(|known| known.name() == text).ok_or(KeyError::Algorithm)
    }
}

/// A key that mints tokens.
#[derive(Debug)]
pub struct SigningKey {
    kid: String,
    secret: Secret<Vec<u8>>,
    signer: Signer,
}

#[derive(Debug)]
enum Signer {
    EdDsa(Ed25519KeyPair),
    Hs256(hmac::Key),
}

impl SigningKey {
    /// Makes a new key out of 32 random bytes, which the caller draws from its operating system.
    ///
    /// # Errors
    /// [`KeyError::Kid`].
    pub fn generate(algorithm: Algorithm, kid: &str, random: &[u8; 32]) -> Result<Self, KeyError> {
        Self::from_parts(kid, algorithm, random)
    }

    /// The key `kid` with the secret of a file: the 32-byte seed of Ed25519, or 32 to 1,024 bytes for HS256.
    ///
    /// # Errors
    /// [`KeyError`] with what is wrong.
    pub fn from_parts(kid: &str, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let kid = checked_kid(kid)?;
        let signer = match algorithm {
            Algorithm::EdDsa => {
                let seed = KeyError::Seed { length: secret.len() };
                Signer::EdDsa(Ed25519KeyPair::from_seed_unchecked(secret).map_err(|_| seed)?)
            }
            Algorithm::Hs256 => Signer::Hs256(hmac::Key::new(hmac::HMAC_SHA256, checked_secret(secret)?)),
        };
        Ok(Self { kid, secret: Secret::new(secret.to_vec()), signer })
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// How it signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.signer {
            Signer::EdDsa(_) => Algorithm::EdDsa,
            Signer::Hs256(_) => Algorithm::Hs256,
        }
    }

    /// What [`Self::from_parts`] takes.
    pub const fn secret(&self) -> &Secret<Vec<u8>> {
        &self.secret
    }

    /// The key that verifies what this one mints, for any application.
    pub fn verifying(&self) -> VerifyingKey {
        let material = match &self.signer {
            Signer::EdDsa(pair) => Material::Ed25519(array(pair.public_key().as_ref())),
            Signer::Hs256(key) => Material::Hs256(self.secret.clone(), key.clone()),
        };
        VerifyingKey { kid: self.kid.clone(), material, app_id: None }
    }

    /// Mints a token that says `claims`.
    ///
    /// # Errors
    /// [`MintError`] where no relay would accept the token.
    pub fn mint(&self, claims: &Claims) -> Result<Token, MintError> {
        if claims.expires.is_none() {
            return Err(MintError::NoExpiry);
        }
        let header = Header { algorithm: self.algorithm().name().to_owned(), kid: Some(self.kid.clone()) };
        let text = claims.to_json();
        // Whatever a relay would not read as it was meant is not signed in the first place.
        let read = json::object(text.as_bytes()).and_then(|members| Claims::from_json(&members).ok());
        if read.is_none_or(|read| read.scope != claims.scope) {
            return Err(MintError::Unreadable);
        }
        let signed = format!("{}.{}", encode(header.to_json()), encode(text));
        let signature = match &self.signer {
            Signer::EdDsa(pair) => encode(pair.sign(signed.as_bytes())),
            Signer::Hs256(key) => encode(hmac::sign(key, signed.as_bytes())),
        };
        Ok(Token::new(&format!("{signed}.{signature}"))?)
    }
}

/// A key that verifies tokens.
///
/// Its algorithm is fixed: what a token says of its own is compared and never followed.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    kid: String,
    material: Material,
    app_id: Option<AppId>,
}

#[derive(Clone, Debug)]
enum Material {
    Ed25519([u8; 32]),
    Hs256(Secret<Vec<u8>>, hmac::Key),
}

impl VerifyingKey {
    /// The Ed25519 key `kid`.
    ///
    /// # Errors
    /// [`KeyError::Kid`].
    pub fn ed25519(kid: &str, public_key: [u8; 32]) -> Result<Self, KeyError> {
        Ok(Self { kid: checked_kid(kid)?, material: Material::Ed25519(public_key), app_id: None })
    }

    /// The HS256 key `kid`, whose secret has 32 to 1,024 bytes.
    ///
    /// # Errors
    /// [`KeyError::Kid`] and [`KeyError::Secret`].
    pub fn hs256(kid: &str, secret: &[u8]) -> Result<Self, KeyError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, checked_secret(secret)?);
        let material = Material::Hs256(Secret::new(secret.to_vec()), key);
        Ok(Self { kid: checked_kid(kid)?, material, app_id: None })
    }

    /// The same key, good for tokens of `app_id` only.
    #[must_use]
    pub fn for_app(self, app_id: AppId) -> Self {
        Self { app_id: Some(app_id), ..self }
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The application whose tokens it is good for; any where there is none.
    pub const fn app_id(&self) -> Option<&AppId> {
        self.app_id.as_ref()
    }

    /// How it verifies.
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Hs256(..) => Algorithm::Hs256,
        }
    }

    /// The public key; `None` for HS256.
    pub const fn public_key(&self) -> Option<&[u8; 32]> {
        match &self.material {
            Material::Ed25519(key) => Some(key),
            Material::Hs256(..) => None,
        }
    }

    /// The secret; `None` for Ed25519, which needs none to verify.
    pub const fn secret(&self) -> Option<&Secret<Vec<u8>>> {
        match &self.material {
            Material::Ed25519(_) => None,
            Material::Hs256(secret, _) => Some(secret),
        }
    }

    /// Whether `signature` is the one of this key over `signed`, in constant time.
    pub(super) fn fits(&self, signed: &str, signature: &[u8]) -> bool {
        match &self.material {
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), signature).is_ok()
            }
            Material::Hs256(_, key) => hmac::verify(key, signed.as_bytes(), signature).is_ok(),
        }
    }

    /// A key that no signature fits, for the work that is done where a token names no key, if any key signs by
    /// `algorithm`: how long a refusal takes must not tell which keys there are.
    pub(super) fn decoy(algorithm: &str) -> Option<Self> {
        let material = if Algorithm::EdDsa.is_named(algorithm) {
            Material::Ed25519(NOBODY)
        } else if Algorithm::Hs256.is_named(algorithm) {
            let secret = [0; 32];
            Material::Hs256(Secret::new(secret.to_vec()), hmac::Key::new(hmac::HMAC_SHA256, &secret))
        } else {
            return None;
        };
        Some(Self { kid: String::new(), material, app_id: None })
    }

    /// Feeds all that makes up the key into `digest`.
    pub(super) fn digest(&self, digest: &mut Context) {
        let app_id = self.app_id.as_ref().map(|app_id| app_id.as_str().as_bytes());
        let material = match &self.material {
            Material::Ed25519(key) => key.as_slice(),
            Material::Hs256(secret, _) => secret.expose(),
        };
        let fields =
            [Some(self.kid.as_bytes()), Some(self.algorithm().name().as_bytes()), Some(material), app_id];
        feed(digest, &fields);
    }
}

/// Why something is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The algorithm is another.
    #[error("the algorithm must be EdDSA or HS256")]
    Algorithm,
    /// The name of the key is empty, too long, or has spaces.
    #[error("the name of a key (kid) is 1 to 256 printable characters without spaces")]
    Kid,
    /// The secret of HS256 is too short or too long.
    #[error("the secret of an HS256 key has {length} bytes; it needs 32 to 1024")]
    Secret {
        /// How many bytes it has.
        length: usize,
    },
    /// The seed of Ed25519 has another length.
    #[error("the secret of an EdDSA key has {length} bytes; it needs exactly 32")]
    Seed {
        /// How many bytes it has.
        length: usize,
    },
}

/// Why a token cannot be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The claims do not say when the token expires.
    #[error("a token must say when it expires")]
    NoExpiry,
    /// The claims do not name a user, and the token has to.
    #[error("a Token04 must name its user")]
    NoUser,
    /// The claims cannot be written so that they are read again.
    #[error(
        "no relay would read these claims as they are meant: a scope has at most 64 rules of targets, and a close_after in \
         whole seconds, at most 86400"
    )]
    Unreadable,
    /// The claims are too much for one token.
    #[error(transparent)]
    Text(#[from] TokenTextError),
}

/// Feeds `fields` into `digest` so that no two lists of fields look alike.
pub(super) fn feed(digest: &mut Context, fields: &[Option<&[u8]>]) {
    for field in fields {
        let length = field.map_or(u64::MAX, |field| u64::try_from(field.len()).unwrap_or(u64::MAX));
        digest.update(&length.to_be_bytes());
        digest.update(field.unwrap_or_default());
    }
}

/// The SHA-256 that `fill` feeds.
pub(super) fn sha256(fill: impl FnOnce(&mut Context)) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    fill(&mut digest);
    array(digest.finish().as_ref())
}

/// The first `N` of `bytes`; zeros where there are fewer.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

fn checked_kid(kid: &str) -> Result<String, KeyError> {
    let valid = (1..=256).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_graphic());
    if valid { Ok(kid.to_owned()) } else { Err(KeyError::Kid) }
}

/// RFC 7518 §3.2 asks for as many bytes as the hash has, at the least.
fn checked_secret(secret: &[u8]) -> Result<&[u8], KeyError> {
    let length = secret.len();
    if (32..=1_024).contains(&length) { Ok(secret) } else { Err(KeyError::Secret { length }) }
}

/// The base point. What it verifies is refused in any case; it is there so that the work is done where no key is meant.
pub(super) const NOBODY: [u8; 32] = [
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
];

//! One key of a file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use wayleave_proto::auth::{Algorithm, AppId, SigningKey, VerifyingKey};
use wayleave_proto::base::Secret;

use crate::options::{Word, one};

/// A `[[jwt]]` table, as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(deserialize_with = "one")]
    kid: Option<String>,
    #[serde(deserialize_with = "one")]
    alg: Option<Algorithm>,
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
    #[serde(deserialize_with = "one")]
    private_key: Option<Bits>,
    #[serde(deserialize_with = "one")]
    public_key: Option<Bits>,
    #[serde(deserialize_with = "one")]
    secret: Option<Bits>,
}

/// What an [`Entry`] means.
enum Key {
    /// Mints and checks, by one secret.
    Shared(Bits),
    /// Mints.
    Private(Bits),
    /// Checks.
    Public(Bits),
}

/// A key without its name.
pub(super) struct Bits(pub(super) Secret<Vec<u8>>);

impl Entry {
    pub(super) fn for_relay(self) -> Result<VerifyingKey, String> {
        if self.private_key.is_some() {
            return Err("this file can mint tokens, and a relay should only check them; give the relay the file that \
                        `wayleave token keygen` wrote to --public-out"
                .into());
        }
        self.for_checking()
    }

    pub(super) fn for_checking(self) -> Result<VerifyingKey, String> {
        let (kid, app_id, key) = self.read()?;
        let key = match key {
            Key::Private(bits) => {
                SigningKey::from_parts(&kid, Algorithm::EdDsa, bits.0.expose()).map(|key| key.verifying())
            }
            Key::Public(bits) => VerifyingKey::ed25519(&kid, public(&bits)?),
            Key::Shared(bits) => VerifyingKey::hs256(&kid, bits.0.expose()),
        };
        let key = key.map_err(said)?;
        Ok(match app_id {
            Some(app_id) => key.for_app(app_id),
            None => key,
        })
    }

    pub(super) fn for_minting(self) -> Result<(SigningKey, Option<AppId>), String> {
        let (kid, app_id, key) = self.read()?;
        let key = match key {
            Key::Private(bits) => SigningKey::from_parts(&kid, Algorithm::EdDsa, bits.0.expose()),
            Key::Public(_) => {
                return Err(
                    "this is a public key, which checks tokens and cannot mint them; give the file that \
                            `wayleave token keygen` wrote to --out"
                        .into(),
                );
            }
            Key::Shared(bits) => SigningKey::from_parts(&kid, Algorithm::Hs256, bits.0.expose()),
        };
        Ok((key.map_err(said)?, app_id))
    }

    fn read(self) -> Result<(String, Option<AppId>, Key), String> {
        let kid = self.kid.ok_or("kid, the name of the key, is missing")?;
        let alg = self.alg.ok_or("alg is missing; write EdDSA or HS256")?;
        let key = match (alg, self.private_key, self.public_key, self.secret) {
            (Algorithm::EdDsa, Some(private), None, None) => Key::Private(private),
            (Algorithm::EdDsa, None, Some(public), None) => Key::Public(public),
            (Algorithm::EdDsa, ..) => {
                return Err("a key of alg EdDSA has either public_key or private_key, and no other".into());
            }
            (_, None, None, Some(secret)) => Key::Shared(secret),
            _ => return Err("a key of alg HS256 has a secret, and no other".into()),
        };
        Ok((kid, self.app_id, key))
    }
}

impl Word for Bits {
    fn read(text: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text);
        bytes
            .map(|bytes| Self(Secret::new(bytes)))
            .map_err(|_| "a key is written in base64url without padding".into())
    }
}

impl Word for Algorithm {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

impl Word for AppId {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

/// The 32 bytes of a public key.
pub(super) fn public(bits: &Bits) -> Result<[u8; 32], String> {
    let bytes = bits.0.expose().as_slice();
    bytes.try_into().map_err(|_| format!("public_key has {} bytes, not 32", bytes.len()))
}

pub(super) fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

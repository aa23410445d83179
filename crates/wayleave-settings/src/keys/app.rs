//! What a key file says beside signed tokens: secrets, public keys and rules of applications.

use std::path::PathBuf;

use serde::Deserialize;
use wayleave_proto::auth::{AppId, AppSignKey, Revoked, Token04Key};
use wayleave_proto::base::Secret;
use wayleave_proto::policy::{OnExpiry, Rates, Scope, Targets};

use super::entry::{Bits, Wrong, public};
use crate::options::{At, Word, one, one_at};

/// An `[[app]]` table: what the operator allows one application.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct App {
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
    targets: Targets,
    to_target: Rates,
    to_client: Rates,
    volume: Option<u64>,
    tunnels: Option<u32>,
    on_expiry: Option<OnExpiry>,
}

impl App {
    pub(super) fn scope(self) -> Result<(AppId, Scope), Wrong> {
        let Self { app_id, targets, to_target, to_client, volume, tunnels, on_expiry } = self;
        let scope = Scope { targets, to_target, to_client, volume, tunnels, on_expiry };
        Ok((app_id.ok_or("app_id is missing")?, scope))
    }
}

/// An `[[app_sign]]` table: a public key of one application.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AppSignEntry {
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
    #[serde(deserialize_with = "one_at")]
    public_key: Option<At<Bits>>,
}

impl AppSignEntry {
    pub(super) fn key(self) -> Result<AppSignKey, Wrong> {
        let key = self.public_key.ok_or(
            "public_key is missing; `wayleave token app-sign` prints the lines of an application's sign",
        )?;
        Ok(AppSignKey::new(self.app_id.ok_or("app_id is missing")?, public(&key)?))
    }
}

/// A `[[jwks]]` table: a file with a set of keys.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct JwksEntry {
    #[serde(deserialize_with = "one")]
    file: Option<PathBuf>,
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
}

impl JwksEntry {
    pub(super) fn read(self) -> Result<(PathBuf, Option<AppId>), Wrong> {
        Ok((self.file.ok_or("file, the path of the set, is missing")?, self.app_id))
    }
}

/// A `[[revoked]]` table: a token, a user, or an application.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RevokedEntry {
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
    #[serde(deserialize_with = "one")]
    jti: Option<String>,
    #[serde(deserialize_with = "one")]
    user: Option<String>,
}

impl RevokedEntry {
    pub(super) fn revoked(self) -> Result<Revoked, Wrong> {
        match (self.jti, self.user, self.app_id) {
            (Some(jti), None, None) => Ok(Revoked::Token(jti)),
            (None, Some(user), app_id) => Ok(Revoked::User { user, app_id }),
            (None, None, Some(app_id)) => Ok(Revoked::App(app_id)),
            _ => Err("a revocation names a jti, a user (with an app_id or without), or an app_id".into()),
        }
    }
}

/// A `[[token04]]` table: a secret of one application.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Token04Entry {
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
    #[serde(deserialize_with = "one_at")]
    secret: Option<At<Characters>>,
    allow_cbc: Option<bool>,
}

impl Token04Entry {
    pub(super) fn key(self) -> Result<Token04Key, Wrong> {
        let app_id = self.app_id.ok_or("app_id is missing")?;
        // In its plain form: elsewhere in the files it is compared as text.
        let number =
            app_id.as_str().parse().ok().filter(|number: &u32| number.to_string() == app_id.as_str());
        let app_id = number.ok_or("the app_id of a Token04 is a number of 32 bits")?;
        let secret =
            self.secret.ok_or("secret, the 32 characters of the application's secret, is missing")?;
        let key = Token04Key::new(app_id, secret.value.0.expose().as_bytes());
        let key = key.map_err(|error| Wrong::at(&secret, error))?;
        Ok(key.allowing_cbc(self.allow_cbc.unwrap_or(true)))
    }
}

/// A secret as its characters.
struct Characters(Secret<String>);

impl Word for Characters {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(Secret::new(text.to_owned())))
    }
}

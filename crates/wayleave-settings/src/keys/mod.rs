//! Key files: what mints tokens, and what checks credentials.
//!
//! Both are TOML with a table for each key, so that two files become one by writing one behind the other:
//! `[[jwt]]` and `[[jwks]]` for signed tokens, `[[token04]]`, `[[app_sign]]`, and beside the keys `[[app]]`, what an
//! application may do, and `[[revoked]]`, what is no longer accepted. docs/tokens.md says every key of them.

mod app;
mod entry;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use toml::Spanned;
use tracing::warn;
use wayleave_proto::auth::{
    Algorithm, AppId, AppSign, AppSignKey, Jwks, Keys, KeysConfig, SigningKey, Token04Key, VerifyingKey,
};
use wayleave_proto::base::Secret;

use crate::SettingsError;
use crate::files::{self, Unread};
use crate::options::{parse, place, text_of};
use crate::token::is_token;

use app::{App, AppSignEntry, JwksEntry, RevokedEntry, Token04Entry};
use entry::{Entry, Wrong};

/// Adds what is in the file of a relay.
///
/// # Errors
/// What is wrong with the file, with its line, or that it does not go together with what is there. A key that can mint and
/// need not is refused: a relay should not hold it.
pub fn for_relay(all: &mut KeysConfig, path: &Path) -> Result<(), SettingsError> {
    add(all, &Source::open(path)?, Entry::for_relay, &|file| files::read(file, LONGEST))
}

/// Adds what is in either file, to check credentials with.
///
/// # Errors
/// What is wrong with the file, with its line, or that it does not go together with what is there.
pub fn for_checking(all: &mut KeysConfig, path: &Path) -> Result<(), SettingsError> {
    add(all, &Source::open(path)?, Entry::for_checking, &|file| files::read(file, LONGEST))
}

/// The keys of signed tokens in the file of an application's server, each with the application that it is for alone.
///
/// # Errors
/// What is wrong with the file, with its line; public keys are refused, since they cannot mint.
pub fn for_minting(path: &Path) -> Result<Vec<(SigningKey, Option<AppId>)>, SettingsError> {
    signing_keys(&Source::open(path)?)
}

/// What [`for_relay`], or with `checks` [`for_checking`], makes of this text at `path`; no other file is read.
///
/// # Errors
/// As there.
pub fn in_text(path: &Path, text: &str, checks: bool) -> Result<KeysConfig, SettingsError> {
    let mut all = KeysConfig::default();
    let jwt = if checks { Entry::for_checking } else { Entry::for_relay };
    add(&mut all, &Source::new(path, text.to_owned())?, jwt, &|_| Err(Unread::Missing))?;
    Ok(all)
}

/// What [`for_minting`] makes of this text at `path`.
///
/// # Errors
/// As there.
pub fn minting_in_text(path: &Path, text: &str) -> Result<Vec<(SigningKey, Option<AppId>)>, SettingsError> {
    signing_keys(&Source::new(path, text.to_owned())?)
}

/// The secrets of Token04 in the file of an application's server.
///
/// # Errors
/// What is wrong with the file, with its line, or that there is none in it.
pub fn for_minting_token04(path: &Path) -> Result<Vec<Token04Key>, SettingsError> {
    let source = Source::open(path)?;
    let file: File = source.parse()?;
    if file.token04.is_empty() {
        return Err(source.lacks(
            "there is no [[token04]] secret in this file; write the table with app_id and secret, as they were given out",
        ));
    }
    file.token04.into_iter().map(|entry| source.take(entry, Token04Entry::key)).collect()
}

/// What `read` finds in all of `files`, as one.
///
/// # Errors
/// What is wrong with a file, with its line, or that they do not go together.
pub fn together(
    files: &[PathBuf],
    read: fn(&mut KeysConfig, &Path) -> Result<(), SettingsError>,
) -> Result<Keys, SettingsError> {
    let mut all = KeysConfig::default();
    files.iter().try_for_each(|file| read(&mut all, file))?;
    let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    Keys::new(all).map_err(|error| SettingsError::new(format!("{shown}: {error}")))
}

/// The files of `[[jwks]]` tables that the text of a key file at `path` names, as far as it can be read at all.
pub(crate) fn sets_named(path: &Path, text: &str) -> Vec<PathBuf> {
    // Most files name none, and a table of their secrets would be one copy more.
    if !text.contains("jwks") {
        return Vec::new();
    }
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let sets = table.get("jwks").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let files = sets.iter().filter_map(|set| set.get("file")?.as_str());
    files.map(|file| path.parent().unwrap_or(Path::new("")).join(file)).collect()
}

/// The app sign of `app_id` in the file at `path`.
///
/// # Errors
/// The file cannot be read, or holds no app sign.
pub fn app_sign(app_id: &AppId, path: &Path) -> Result<AppSign, SettingsError> {
    let text = Secret::new(text_of(path)?);
    AppSign::new(app_id.clone(), text.expose())
        .map_err(|error| SettingsError::new(format!("{}: {error}", path.display())))
}

/// The lines of a relay's file about an app sign.
pub fn app_sign_lines(key: &AppSignKey) -> String {
    let public = URL_SAFE_NO_PAD.encode(key.public_key());
    format!("[[app_sign]]\napp_id = \"{}\"\npublic_key = \"{public}\"\n", quoted(key.app_id().as_str()))
}

/// The file that [`for_minting`] reads.
pub fn minting_file(key: &SigningKey) -> Secret<String> {
    let name = match key.algorithm() {
        Algorithm::Hs256 => "secret",
        _ => "private_key",
    };
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(key.secret().expose()));
    Secret::new(format!("{MINTS}{}", table(key.kid(), key.algorithm(), name, secret.expose())))
}

/// The file that [`for_relay`] reads.
pub fn relay_file(key: &VerifyingKey) -> Secret<String> {
    let (head, name, value) = match (key.public_key(), key.secret()) {
        (Some(public), _) => (CHECKS, "public_key", Secret::new(URL_SAFE_NO_PAD.encode(public))),
        (None, secret) => {
            let bytes = secret.map(Secret::expose).map(Vec::as_slice).unwrap_or_default();
            (SHARES, "secret", Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
        }
    };
    Secret::new(format!("{head}{}", table(key.kid(), key.algorithm(), name, value.expose())))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    app: Vec<Spanned<App>>,
    app_sign: Vec<Spanned<AppSignEntry>>,
    jwks: Vec<Spanned<JwksEntry>>,
    jwt: Vec<Spanned<Entry>>,
    revoked: Vec<Spanned<RevokedEntry>>,
    token04: Vec<Spanned<Token04Entry>>,
}

/// What reads a file.
type Load<'a> = dyn Fn(&Path) -> Result<Vec<u8>, Unread> + 'a;

/// A file and its text, to say where in it something is wrong.
struct Source<'a> {
    path: &'a Path,
    text: Secret<String>,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Self, SettingsError> {
        Self::new(path, text_of(path)?)
    }

    fn new(path: &'a Path, text: String) -> Result<Self, SettingsError> {
        let text = Secret::new(text);
        if text.expose().trim_start().starts_with("-----BEGIN") {
            return Err(SettingsError::new(format!(
                "{}: this is a PEM file, and keys for tokens stand in a TOML file; make one with `wayleave token keygen`",
                path.display()
            )));
        }
        if is_token(text.expose()) {
            return Err(SettingsError::new(format!(
                "{}: this is a token, and keys are wanted here, which check or mint it",
                path.display()
            )));
        }
        Ok(Self { path, text })
    }

    fn parse(&self) -> Result<File, SettingsError> {
        parse(self.path, self.text.expose())
    }

    /// What `take` makes of one entry.
    fn take<T, U>(
        &self,
        entry: Spanned<T>,
        take: impl FnOnce(T) -> Result<U, Wrong>,
    ) -> Result<U, SettingsError> {
        let whole = entry.span();
        take(entry.into_inner()).map_err(|Wrong { what, at }| {
            let span = at.unwrap_or(whole);
            SettingsError::new(format!("{}: {what}", place(self.path, self.text.expose(), Some(span))))
        })
    }

    fn lacks(&self, what: &str) -> SettingsError {
        SettingsError::new(format!("{}: {what}", self.path.display()))
    }
}

fn signing_keys(source: &Source<'_>) -> Result<Vec<(SigningKey, Option<AppId>)>, SettingsError> {
    let file: File = source.parse()?;
    if file.jwt.is_empty() {
        return Err(
            source.lacks("there is no [[jwt]] key in this file; make one with `wayleave token keygen`")
        );
    }
    file.jwt.into_iter().map(|entry| source.take(entry, Entry::for_minting)).collect()
}

/// Adds everything in `source` that credentials are checked with; `load` reads a set of keys.
fn add(
    all: &mut KeysConfig,
    source: &Source<'_>,
    jwt: fn(Entry) -> Result<VerifyingKey, Wrong>,
    load: &Load<'_>,
) -> Result<(), SettingsError> {
    // Whoever writes a file may have emptied it first. A file that is meant to say nothing has a comment.
    if source.text.expose().trim().is_empty() {
        return Err(source.lacks("the file is empty; keys are made with `wayleave token keygen`"));
    }
    let file: File = source.parse()?;
    for entry in file.jwt {
        source.take(entry, |entry| extend(all, vec![jwt(entry)?].into()))?;
    }
    for entry in file.jwks {
        source.take(entry, |entry| extend(all, jwks(source.path, entry, load)?.into()))?;
    }
    for entry in file.token04 {
        all.token04.push(source.take(entry, Token04Entry::key)?);
    }
    for entry in file.app_sign {
        all.app_sign.push(source.take(entry, AppSignEntry::key)?);
    }
    for entry in file.revoked {
        all.revocations.insert(source.take(entry, RevokedEntry::revoked)?);
    }
    for entry in file.app {
        source.take(entry, |entry| {
            let more = KeysConfig { apps: [entry.scope()?].into(), ..KeysConfig::default() };
            extend(all, more)
        })?;
    }
    Ok(())
}

fn extend(all: &mut KeysConfig, more: KeysConfig) -> Result<(), Wrong> {
    all.extend(more).map_err(|error| entry::said(error).into())
}

/// The keys of the set that an entry names, relative to the file at `path`.
fn jwks(path: &Path, entry: JwksEntry, load: &Load<'_>) -> Result<Vec<VerifyingKey>, Wrong> {
    let (file, app_id) = entry.read()?;
    let file = path.parent().unwrap_or(Path::new("")).join(file);
    let shown = file.display();
    let text = load(&file).map(Secret::new).map_err(|unread| format!("{shown}: {unread}"))?;
    let set = Jwks::read(text.expose()).map_err(|error| format!("{shown}: {error}"))?;
    for (number, reason) in set.skipped {
        warn!("{shown}: key {number} was passed over: {reason}");
    }
    if set.keys.is_empty() {
        return Err(format!(
            "{shown}: the set has no key that verifies tokens here (Ed25519, or oct with HS256)"
        )
        .into());
    }
    let bind = |key: VerifyingKey| match &app_id {
        Some(app_id) => key.for_app(app_id.clone()),
        None => key,
    };
    Ok(set.keys.into_iter().map(bind).collect())
}

fn table(kid: &str, algorithm: Algorithm, name: &str, value: &str) -> String {
    let kid = quoted(kid);
    format!("[[jwt]]\nkid = \"{kid}\"\nalg = \"{algorithm}\"\n{name} = \"{value}\"\n")
}

/// A name as it stands between the quotes of TOML. It has printable characters only, and these are the two that a string
/// gives a meaning to.
fn quoted(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

/// More than any key file or set of keys has.
pub(crate) const LONGEST: u64 = 4 << 20;

const CHECKS: &str = "# Checks tokens and cannot mint them. For relays: --token-keys.\n";
const MINTS: &str = "# Mints tokens. For your application's server only; keep it secret.\n";
const SHARES: &str =
    "# Checks tokens and can mint them too, as HS256 has one secret for both. Keep it secret.\n";

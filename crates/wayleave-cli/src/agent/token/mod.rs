//! The token: where it comes from, and its renewal.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};
use wayleave_proto::auth::{Credential, Token};
use wayleave_proto::base::{Secret, UnixTime};
use wayleave_sockets::unix_now;
use wayleave_tokio::Client;

use crate::Failure;

/// Reads `token` as the credential that it is at `now`.
///
/// # Errors
/// What is wrong with it, and how to mend that.
pub(super) fn given(token: &Secret<String>, now: UnixTime) -> Result<Credential, Failure> {
    credential(token, now).map_err(|what| Failure::usage(format!("the token {what}")))
}

/// A file with a token, and what stood in it when it was last read.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    read: Content,
    /// What stood in it at the last look, where that was something else.
    seen: Option<Content>,
}

type Content = Result<Secret<String>, String>;

impl TokenFile {
    /// Looks at the file at `path`.
    pub(super) fn open(path: PathBuf) -> Self {
        Self { read: read(&path), path, seen: None }
    }

    /// What stands in it, as the credential that it is at `now`.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend that.
    pub(super) fn credential(&self, now: UnixTime) -> Result<Credential, String> {
        let token = self.read.as_ref().map_err(Clone::clone);
        token
            .and_then(|token| credential(token, now))
            .map_err(|what| format!("the token file {} {what}", self.path.display()))
    }

    /// Looks at the file again; `None` where nothing changed. A change counts once it was the same at two looks, so that
    /// nobody is caught in the middle of writing it, or `at_once`.
    fn look(&mut self, now: UnixTime, at_once: bool) -> Option<Result<Credential, String>> {
        let found = read(&self.path);
        if is_same(&found, &self.read) {
            self.seen = None;
            return None;
        }
        if !at_once && !self.seen.as_ref().is_some_and(|seen| is_same(&found, seen)) {
            self.seen = Some(found);
            return None;
        }
        (self.read, self.seen) = (found, None);
        Some(self.credential(now))
    }
}

fn is_same(one: &Content, other: &Content) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.expose() == other.expose(),
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

/// Looks at the token file again and again, and at once when `again` says so, and puts a new token into force. One that
/// is bad is reported, and the one before it stays.
pub(super) async fn watch(mut file: TokenFile, client: Client, again: Arc<Notify>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let at_once = tokio::select! {
            _ = ticks.tick() => false,
            () = again.notified() => true,
        };
        match file.look(unix_now(), at_once) {
            None => {}
            Some(Ok(credential)) => {
                client.renew(credential);
                info!("the token was renewed from {}", file.path.display());
            }
            Some(Err(what)) => warn!("{what}; until then the token before it stays in force"),
        }
    }
}

fn read(path: &Path) -> Content {
    let failed =
        |error| format!("cannot be read ({error}); check the path of --token-file and its permissions");
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)).map_err(failed)?;
    Ok(Secret::new(text.trim().into()))
}

/// The credential of `token`. The error continues a sentence that began with where the token is from.
fn credential(token: &Secret<String>, now: UnixTime) -> Result<Credential, String> {
    let token = token.expose().trim();
    if token.is_empty() {
        return Err("is empty; make one with `wayleave token mint`".into());
    }
    let token: Token = token.parse().map_err(|error| format!("cannot be used: {error}"))?;
    match token.expires() {
        Some(end) if end <= now => {
            Err(format!("has expired at {}; mint a new one with `wayleave token mint`", moment(end)))
        }
        _ => Ok(Credential::Token(token)),
    }
}

fn moment(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok()?.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {}", time.as_secs()))
}

/// How often the token file is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// More than any token has.
const LONGEST: u64 = 64 * 1024;

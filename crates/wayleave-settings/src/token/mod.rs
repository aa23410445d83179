//! Tokens as people give them: as a text, or in a file that is followed.

mod misfit;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wayleave_proto::auth::{Credential, Token};
use wayleave_proto::base::{Secret, UnixTime};
use wayleave_sockets::unix_now;

use crate::SettingsError;
use crate::files::{self, Follower, Look};

pub use misfit::{is_token, misfit};

/// Reads `token` as a credential.
///
/// # Errors
/// What is wrong with it, and how to mend that.
pub fn credential(token: &Secret<String>) -> Result<Credential, SettingsError> {
    read_token(token).map_err(|what| SettingsError::new(format!("the token {what}")))
}

/// What to say of a credential that has expired by the clock of this machine. The clock may be wrong, and the relay goes by
/// its own: that is no reason not to try.
pub fn expired(credential: &Credential, now: UnixTime) -> Option<String> {
    let end = credential.expires().filter(|end| *end <= now)?;
    Some(format!(
        "has expired at {} by the clock of this machine; if the clock is right, relays refuse it: mint a new one with \
         `wayleave token mint`",
        moment(end)
    ))
}

/// A file with a token, and what stood in it when it was last read. What changes is read once it stayed the same for a moment.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    read: Content,
    /// What stood in it at the last look, where that was something else.
    seen: Option<Content>,
    /// When the token in force expires.
    expires: Option<UnixTime>,
}

type Content = Result<Secret<String>, String>;

/// A change of the token file: what came of it, or what is wrong.
pub type TokenChange = Result<Renewed, SettingsError>;

/// A new credential from a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Renewed {
    /// The credential.
    pub credential: Credential,
    /// What to say of it, where it has expired by the clock of this machine.
    pub warning: Option<String>,
}

impl TokenFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend that.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Self, Credential), SettingsError> {
        let path = path.into();
        let mut file = Self { read: read(&path), path, seen: None, expires: None };
        let credential = file.credential()?;
        file.expires = credential.expires();
        Ok((file, credential))
    }

    /// Follows it from now on. What is found is the change, or nothing where somebody asked and nothing had changed.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn follow(self) -> io::Result<Follower<Option<TokenChange>>> {
        Follower::start(self, EVERY)
    }

    /// A sentence about the file.
    pub fn said(&self, what: &str) -> String {
        format!("the token file {}: the token {what}", self.path.display())
    }

    fn credential(&self) -> Result<Credential, SettingsError> {
        let read = match &self.read {
            Ok(token) => read_token(token).map_err(|what| self.said(&what)),
            Err(what) => Err(format!("the token file {}: {what}", self.path.display())),
        };
        read.map_err(SettingsError::new)
    }

    /// Looks at the file again; `None` where nothing changed. A change counts once it was the same at two looks, so that
    /// nobody is caught in the middle of writing it, or `at_once`.
    fn change(&mut self, now: UnixTime, at_once: bool) -> Option<TokenChange> {
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
        Some(self.credential().and_then(|credential| {
            let warning = expired(&credential, now);
            let end = credential.expires();
            // Whatever the clock says, of two tokens the one that is good for longer is the better one.
            if let Some(what) = warning.as_ref().filter(|_| end <= self.expires || self.expires.is_none()) {
                return Err(SettingsError::new(self.said(what)));
            }
            self.expires = end;
            Ok(Renewed { credential, warning: warning.map(|what| self.said(&what)) })
        }))
    }
}

impl Look for TokenFile {
    type Found = Option<TokenChange>;

    fn look(&mut self) -> Option<Option<TokenChange>> {
        self.change(unix_now(), false).map(Some)
    }

    fn read(&mut self) -> Option<TokenChange> {
        self.change(unix_now(), true)
    }
}

fn is_same(one: &Content, other: &Content) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.expose() == other.expose(),
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

fn read(path: &Path) -> Content {
    let bytes = files::read(path, LONGEST).map_err(|unread| unread.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "this is not a text file".to_owned())?;
    Ok(Secret::new(text.trim().into()))
}

/// The credential of `token`. The error continues a sentence that began with the token.
fn read_token(token: &Secret<String>) -> Result<Credential, String> {
    let token = token.expose().trim();
    if token.is_empty() {
        return Err("is empty; make one with `wayleave token mint`".into());
    }
    if let Some(what) = misfit(token) {
        return Err(what.into());
    }
    let token: Token = token.parse().map_err(|error| format!("cannot be used: {error}"))?;
    Ok(Credential::Token(token))
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

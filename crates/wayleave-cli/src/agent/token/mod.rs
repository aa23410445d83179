//! The token: where it comes from, and its renewal.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;
use tracing::{info, warn};
use wayleave_proto::auth::{Credential, Token};
use wayleave_proto::base::{Secret, UnixTime};
use wayleave_sockets::unix_now;
use wayleave_tokio::Client;

use crate::files::{Follower, Look};
use crate::token::misfit;
use crate::{Failure, files};

/// Reads `token` as a credential.
///
/// # Errors
/// What is wrong with it, and how to mend that.
pub(super) fn given(token: &Secret<String>) -> Result<Credential, Failure> {
    credential(token).map_err(|what| Failure::usage(format!("the token {what}")))
}

/// What to say of a credential that has expired by the clock of this machine. The clock may be wrong, and the relay goes by
/// its own: that is no reason not to try.
pub(super) fn expired(credential: &Credential, now: UnixTime) -> Option<String> {
    let end = credential.expires().filter(|end| *end <= now)?;
    Some(format!(
        "has expired at {} by the clock of this machine; if the clock is right, relays refuse it: mint a new one with \
         `wayleave token mint`",
        moment(end)
    ))
}

/// A file with a token, and what stood in it when it was last read.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    read: Content,
    /// What stood in it at the last look, where that was something else.
    seen: Option<Content>,
    /// When the token in force expires.
    expires: Option<UnixTime>,
}

type Content = Result<Secret<String>, String>;

/// A change of the token file: the new credential with what to say of it, or what is wrong.
pub(super) type Change = Result<(Credential, Option<String>), String>;

impl TokenFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend that.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Credential), String> {
        let mut file = Self { read: read(&path), path, seen: None, expires: None };
        let credential = file.credential()?;
        file.expires = credential.expires();
        Ok((file, credential))
    }

    /// Follows it from now on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn follow(self) -> Result<Follower<Option<Change>>, Failure> {
        Follower::start(self, EVERY).map_err(|error| Failure::run(format!("cannot start: {error}")))
    }

    /// A sentence about the file.
    pub(super) fn said(&self, what: &str) -> String {
        format!("the token file {}: the token {what}", self.path.display())
    }

    fn credential(&self) -> Result<Credential, String> {
        match &self.read {
            Ok(token) => credential(token).map_err(|what| self.said(&what)),
            Err(what) => Err(format!("the token file {}: {what}", self.path.display())),
        }
    }

    /// Looks at the file again; `None` where nothing changed. A change counts once it was the same at two looks, so that
    /// nobody is caught in the middle of writing it, or `at_once`.
    fn change(&mut self, now: UnixTime, at_once: bool) -> Option<Change> {
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
                return Err(self.said(what));
            }
            self.expires = end;
            Ok((credential, warning.map(|what| self.said(&what))))
        }))
    }
}

impl Look for TokenFile {
    type Found = Option<Change>;

    fn look(&mut self) -> Option<Option<Change>> {
        self.change(unix_now(), false).map(Some)
    }

    fn read(&mut self) -> Option<Change> {
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

/// Puts every new token of the file into force, and has it read at once when `again` says so. One that is bad is reported,
/// and the one before it stays.
pub(super) async fn watch(mut file: Follower<Option<Change>>, client: Client, again: Arc<Notify>) {
    loop {
        let found = tokio::select! {
            (found, _) = file.next() => found,
            () = again.notified() => {
                file.ask();
                continue;
            }
        };
        match found {
            None => info!("the token is the same as before"),
            Some(Ok((credential, warning))) => {
                client.renew(credential);
                info!("the token was renewed from its file");
                warning.iter().for_each(|warning| warn!("{warning}"));
            }
            Some(Err(what)) => warn!("{what}; until then the token before it stays in force"),
        }
    }
}

fn read(path: &Path) -> Content {
    let bytes = files::read(path, LONGEST).map_err(|unread| unread.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "this is not a text file".to_owned())?;
    Ok(Secret::new(text.trim().into()))
}

/// The credential of `token`. The error continues a sentence that began with the token.
fn credential(token: &Secret<String>) -> Result<Credential, String> {
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

//! `wayleave token inspect`.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wayleave_proto::auth::{
    Claims, Keys, Payload, Privilege, Room, Rules, Token, Token04Mode, TokenError, inspect, inspect_token04,
};
use wayleave_proto::base::UnixTime;
use wayleave_proto::policy::Scope;
use wayleave_settings::duration::words;
use wayleave_settings::keys;
use wayleave_settings::token::{is_token, misfit};
use wayleave_sockets::unix_now;

use crate::Failure;
use crate::stdout::print;

/// Show what a token says, whether it is valid, and for how long; the exit status is 0 where it is, and 1 where not
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The token, or - to read it from standard input
    #[arg(value_name = "TOKEN")]
    token: String,

    /// Check the signature with these keys, of a relay or of a server; can be given several times
    ///
    /// Without them only the times are judged.
    #[arg(long, value_name = "FILE")]
    keys: Vec<PathBuf>,

    /// Whether the token is meant for the relay of this name
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
}

pub(super) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let text = if args.token == "-" { from_input()? } else { args.token.clone() };
    if let Some(what) = misfit(text.trim()) {
        return Err(Failure::run(format!("what was given {what}")));
    }
    if !is_token(&text) && Path::new(&text).is_file() {
        return Err(Failure::usage(format!(
            "{text} is a file; give what stands in it: token inspect - < {text}"
        )));
    }
    let token = Token::new(text.trim()).map_err(Failure::run)?;
    let keys = read_keys(&args.keys)?;
    let report = look(&token, keys.as_ref(), args.audience.as_deref(), unix_now())?;
    print(&report.text)?;
    match report.verdict {
        Ok(sentence) => print(&format!("{:<WIDTH$}{sentence}\n", "valid")),
        Err(sentence) => Err(Failure::run(sentence)),
    }
}

/// What there is to say of a token.
#[derive(Debug)]
pub(super) struct Report {
    /// What it says, a line for each claim.
    pub(super) text: String,
    /// Whether it is valid, in a sentence.
    pub(super) verdict: Result<String, String>,
}

/// Looks into `token` at `now`, with the clock taken at its word.
///
/// # Errors
/// It is no token that can be read.
pub(super) fn look(
    token: &Token,
    keys: Option<&Keys>,
    audience: Option<&str>,
    now: UnixTime,
) -> Result<Report, Failure> {
    if let Ok((mode, outer)) = inspect_token04(token.expose()) {
        return Ok(look_token04(token, mode, outer, keys, now));
    }
    let (header, claims) = inspect(token.expose()).map_err(|error| Failure::run(explained(&error, token)))?;
    let verdict = match keys {
        // A token that is meant for somebody is judged as if by him, unless the user names another.
        Some(keys) => {
            let audience = audience.or(claims.audience.first().map(String::as_str)).map(str::to_owned);
            let rules = Rules { audience, leeway: Duration::ZERO };
            keys.verify(token.expose(), now, &rules)
                .map(|verdict| format!("yes, signed by key {}", shown(&verdict.kid)))
        }
        None => judge(&claims, audience, now)
            .map(|()| "by its times; the signature was not checked (--keys)".into()),
    };
    let verdict =
        verdict.map_err(|error| format!("the token is not valid: {}", sentence(&error, &claims, now)));
    let mut text = String::new();
    line(&mut text, "algorithm", Some(shown(&header.algorithm)));
    line(&mut text, "key (kid)", header.kid.as_deref().map(shown));
    describe(&mut text, &claims, now);
    Ok(Report { text, verdict })
}

/// Looks into a Token04, of which only mode and expiry can be seen without its secret.
fn look_token04(
    token: &Token,
    mode: Token04Mode,
    outer: Option<UnixTime>,
    keys: Option<&Keys>,
    now: UnixTime,
) -> Report {
    let mut text = String::new();
    let mode = match mode {
        Token04Mode::Cbc => "Token04, CBC (no authentication of its own)",
        Token04Mode::Gcm => "Token04, GCM",
    };
    line(&mut text, "format", Some(mode.into()));
    let Some(keys) = keys else {
        line(&mut text, "expires", outer.map(|at| moment(at, now)));
        line(
            &mut text,
            "the rest",
            Some("encrypted; give a key file with its [[token04]] secret (--keys)".into()),
        );
        let verdict = match outer {
            Some(at) if now < at => Ok("by the expiry that it shows, which nobody vouches for".into()),
            _ => Err("the token is not valid: it shows an expiry that is over".into()),
        };
        return Report { text, verdict };
    };
    let rules = Rules { audience: None, leeway: Duration::ZERO };
    let verdict = match keys.verify(token.expose(), now, &rules) {
        Ok(verdict) => {
            describe(&mut text, &verdict.claims, now);
            line(&mut text, "payload", verdict.payload.as_ref().map(payload));
            Ok(format!("yes, by the secret {}", shown(&verdict.kid)))
        }
        Err(error) => {
            let claims = Claims { expires: outer, ..Claims::default() };
            Err(format!("the token is not valid: {}", sentence(&error, &claims, now)))
        }
    };
    Report { text, verdict }
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Room(room) => of_room(room),
        Payload::Text(text) => shown(text),
        // What a later version of the core adds.
        other => shown(&format!("{other:?}")),
    }
}

fn of_room(room: &Room) -> String {
    let may = |what: &str, word: Option<Privilege>| {
        word.map(|word| format!("{what} {}", if word == Privilege::Allowed { "allowed" } else { "denied" }))
    };
    let streams = room
        .stream_ids
        .as_ref()
        .map(|ids| format!("streams {}", ids.iter().map(|id| shown(id)).collect::<Vec<_>>().join(", ")));
    let name =
        room.room_id.as_deref().map_or_else(|| "any room".to_owned(), |id| format!("room {}", shown(id)));
    let parts = [Some(name), may("login", room.login), may("publish", room.publish), streams];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Adds a line for `value`, if there is one.
fn line(text: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<WIDTH$}{value}");
    }
}

fn describe(text: &mut String, claims: &Claims, now: UnixTime) {
    let mut line = |name: &str, value: Option<String>| line(text, name, value);
    let many = |values: &[String]| values.iter().map(|value| shown(value)).collect::<Vec<_>>().join(", ");
    line("app_id", claims.app_id.as_ref().map(|app_id| shown(app_id.as_str())));
    line("user (sub)", claims.subject.as_deref().map(shown));
    line("audience", Some(many(&claims.audience)).filter(|shown| !shown.is_empty()));
    line("token id", claims.token_id.as_deref().map(shown));
    line("issued", claims.issued.map(|at| moment(at, now)));
    line("not before", claims.not_before.map(|at| moment(at, now)));
    line(
        "expires",
        Some(claims.expires.map_or_else(|| "never, so no relay accepts it".into(), |at| moment(at, now))),
    );
    if claims.scope != Scope::default() {
        line("scope", serde_json::to_string(&claims.scope).ok());
    }
}

/// Judges what needs no key.
fn judge(claims: &Claims, audience: Option<&str>, now: UnixTime) -> Result<(), TokenError> {
    let expires = claims.expires.ok_or(TokenError::NoExpiry)?;
    if now >= expires {
        return Err(TokenError::Expired);
    }
    if claims.not_before.is_some_and(|from| now < from) {
        return Err(TokenError::NotYetValid);
    }
    if audience.is_some_and(|audience| !claims.audience.iter().any(|known| known == audience)) {
        return Err(TokenError::WrongAudience);
    }
    Ok(())
}

/// An error, and what is wrong with the scope of the token where that is the reason.
fn explained(error: &TokenError, token: &Token) -> String {
    let claims = token.expose().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    // By the trait: what is derived for the members alone would take a list for an object.
    let scope = claims.as_ref().and_then(|claims| claims.get("wayleave"));
    match scope.map(<Scope as serde::Deserialize>::deserialize) {
        Some(Err(fault)) => format!("{error}: {}", shown(&fault.to_string())),
        _ => error.to_string(),
    }
}

fn sentence(error: &TokenError, claims: &Claims, now: UnixTime) -> String {
    match (error, claims.expires, claims.not_before) {
        (TokenError::Expired, Some(at), _) => {
            format!("it expired {} ago; mint a new one", words(now.since(at)))
        }
        (TokenError::NotYetValid, _, Some(at)) => format!("it becomes valid in {}", words(at.since(now))),
        _ => error.to_string(),
    }
}

/// A moment, and how far away it is.
fn moment(at: UnixTime, now: UnixTime) -> String {
    let date =
        i64::try_from(at.as_secs()).ok().and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok());
    let date = date
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {}", at.as_secs()));
    if at > now {
        format!("{date} (in {})", words(at.since(now)))
    } else {
        format!("{date} ({} ago)", words(now.since(at)))
    }
}

/// Text of whoever made the token, fit for a terminal.
fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

fn read_keys(files: &[PathBuf]) -> Result<Option<Keys>, Failure> {
    if files.is_empty() {
        return Ok(None);
    }
    Ok(Some(keys::together(files, keys::for_checking)?))
}

fn from_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().take(MOST_INPUT).read_to_string(&mut text);
    read.map_err(|error| Failure::run(format!("standard input cannot be read: {error}")))?;
    Ok(text)
}

/// Where the values begin.
const WIDTH: usize = 12;
/// More than any token has.
const MOST_INPUT: u64 = 65_536;

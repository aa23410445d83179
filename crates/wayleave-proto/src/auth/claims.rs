//! What a token says.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::TokenError;
use crate::base::UnixTime;
use crate::policy::Scope;

/// The name of an application: 1 to 64 printable ASCII characters without spaces, in most cases a number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(Arc<str>);

impl AppId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a JSON number where the name is one of 32 bits in its plain form, else as a string.
    fn to_json(&self) -> Value {
        match self.0.parse::<u32>() {
            Ok(number) if number.to_string() == *self.0 => number.into(),
            _ => self.as_str().into(),
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => Some(Self(number.as_u64()?.to_string().into())),
            _ => None,
        }
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(text: &str) -> Result<Self, AppIdError> {
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if valid { Ok(Self(text.into())) } else { Err(AppIdError) }
    }
}

impl From<u32> for AppId {
    fn from(number: u32) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no application id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an application id is a number, or a name of 1 to 64 printable characters without spaces")]
pub struct AppIdError;

/// What a token says of its bearer ([RFC 7519 §4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)).
///
/// Claims that are not listed here are ignored. Strings are as long as the token allows, and hold whatever the issuer
/// wrote: escape them before they reach a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `app_id`: the application, as a number or a string.
    pub app_id: Option<AppId>,
    /// `aud`: whom the token is meant for; empty where it does not say.
    pub audience: Vec<String>,
    /// `exp`: the moment from which the token is no longer good.
    pub expires: Option<UnixTime>,
    /// `iat`: when the token was made.
    pub issued: Option<UnixTime>,
    /// `nbf`: the moment before which the token is not yet good.
    pub not_before: Option<UnixTime>,
    /// `wayleave`: what the bearer may do; everything that the operator allows where it does not say.
    pub scope: Scope,
    /// `sub`: the user.
    pub subject: Option<String>,
    /// `jti`: the name of this one token.
    pub token_id: Option<String>,
}

impl Claims {
    pub(super) fn from_json(members: &Map<String, Value>) -> Result<Self, TokenError> {
        let app_id =
            optional(members, "app_id", "app_id is neither a number nor a short name", AppId::from_json)?;
        let audience = optional(members, "aud", "aud is neither a string nor a list of strings", strings)?;
        Ok(Self {
            app_id,
            audience: audience.unwrap_or_default(),
            expires: optional(members, "exp", "exp is not a number of seconds", seconds)?,
            issued: optional(members, "iat", "iat is not a number of seconds", seconds)?,
            not_before: optional(members, "nbf", "nbf is not a number of seconds", seconds)?,
            scope: optional(members, "wayleave", "wayleave is no scope", scope)?.unwrap_or_default(),
            subject: optional(members, "sub", "sub is not a string", string)?,
            token_id: optional(members, "jti", "jti is not a string", string)?,
        })
    }

    /// As JSON text; times in whole seconds.
    pub(super) fn to_json(&self) -> String {
        let time = |time: &UnixTime| Value::from(time.as_secs());
        let text = |text: &String| Value::from(text.as_str());
        let audience = match self.audience.as_slice() {
            [] => None,
            [one] => Some(text(one)),
            several => Some(several.into()),
        };
        let members: Map<String, Value> = [
            ("app_id", self.app_id.as_ref().map(AppId::to_json)),
            ("aud", audience),
            ("exp", self.expires.as_ref().map(time)),
            ("iat", self.issued.as_ref().map(time)),
            ("nbf", self.not_before.as_ref().map(time)),
            ("sub", self.subject.as_ref().map(text)),
            ("jti", self.token_id.as_ref().map(text)),
            ("wayleave", self.scope_to_json()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
        Value::Object(members).to_string()
    }

    fn scope_to_json(&self) -> Option<Value> {
        if self.scope == Scope::default() {
            return None;
        }
        // What has the word of several sides is never minted; a scope that fails to be written must not widen.
        Some(serde_json::to_value(&self.scope).unwrap_or(Value::Null))
    }
}

fn optional<T>(
    members: &Map<String, Value>,
    name: &str,
    fault: &'static str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, TokenError> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => read(value).map(Some).ok_or(TokenError::Malformed { fault }),
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => several.iter().map(string).collect(),
        _ => None,
    }
}

fn scope(value: &Value) -> Option<Scope> {
    // By the trait: what is derived for the members alone would take a list for an object.
    <Scope as serde::Deserialize>::deserialize(value).ok()
}

/// Seconds since the epoch, with a fraction or without ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
fn seconds(value: &Value) -> Option<UnixTime> {
    if let Some(whole) = value.as_u64() {
        return Some(UnixTime::from_secs(whole));
    }
    let secs = value.as_f64().filter(|secs| *secs >= 0.0)?;
    // The cast saturates.
    Some(UnixTime::from_millis((secs * 1_000.0) as u64))
}

//! What a token says.

use core::fmt;
use core::str::FromStr;

use serde_json::{Map, Value};

use super::{AccountId, TokenError};
use crate::base::UnixTime;

/// The claims of a token ([RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4)) that matter here; others are
/// ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `app_id`: the application.
    pub app_id: Option<AppId>,
    /// `sub`: the user.
    pub subject: Option<String>,
    /// `iat`: when it was minted.
    pub issued: Option<UnixTime>,
    /// `nbf`: from when it is valid.
    pub not_before: Option<UnixTime>,
    /// `exp`: until when it is valid.
    pub expires: Option<UnixTime>,
    /// `aud`: whom it is meant for.
    pub audience: Vec<String>,
    /// `jti`: its own id.
    pub token_id: Option<String>,
}

impl Claims {
    /// Whose limits count for the holder of this token.
    pub fn account(&self) -> AccountId {
        AccountId::new(self.app_id.as_ref(), self.subject.as_deref())
    }

    pub(super) fn from_json(json: &Map<String, Value>) -> Result<Self, TokenError> {
        Ok(Self {
            app_id: json.get("app_id").map(AppId::from_json).transpose()?,
            subject: text(json, "sub")?,
            issued: time(json, "iat")?,
            not_before: time(json, "nbf")?,
            expires: time(json, "exp")?,
            audience: match json.get("aud") {
                None => Vec::new(),
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(many)) => many
                    .iter()
                    .map(|one| one.as_str().map(String::from).ok_or(TokenError::Malformed("aud")))
                    .collect::<Result<_, _>>()?,
                Some(_) => return Err(TokenError::Malformed("aud")),
            },
            token_id: text(json, "jti")?,
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                json.insert(name.into(), value);
            }
        };
        put("app_id", self.app_id.as_ref().map(AppId::to_json));
        put("sub", self.subject.clone().map(Value::from));
        put("iat", self.issued.map(|at| at.as_secs().into()));
        put("nbf", self.not_before.map(|at| at.as_secs().into()));
        put("exp", self.expires.map(|at| at.as_secs().into()));
        put(
            "aud",
            match self.audience.as_slice() {
                [] => None,
                [one] => Some(one.clone().into()),
                many => Some(many.to_vec().into()),
            },
        );
        put("jti", self.token_id.clone().map(Value::from));
        Value::Object(json)
    }
}

fn text(json: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TokenError> {
    match json.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= MOST_TEXT => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::Malformed(name)),
    }
}

/// A NumericDate: seconds, which may have a fraction.
fn time(json: &Map<String, Value>, name: &'static str) -> Result<Option<UnixTime>, TokenError> {
    let Some(value) = json.get(name) else { return Ok(None) };
    if let Some(secs) = value.as_u64() {
        return Ok(Some(UnixTime::from_secs(secs)));
    }
    match value.as_f64() {
        Some(secs) if (0.0..1e15).contains(&secs) => Ok(Some(UnixTime::from_millis((secs * 1_000.0) as u64))),
        _ => Err(TokenError::Malformed(name)),
    }
}

/// The id of an application: 1 to 64 letters, digits, `-`, `_` or `.`. A number and its text are the same id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(String);

impl AppId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_json(value: &Value) -> Result<Self, TokenError> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_u64().ok_or(TokenError::Malformed("app_id"))?.to_string(),
            _ => return Err(TokenError::Malformed("app_id")),
        };
        text.parse().map_err(|_| TokenError::Malformed("app_id"))
    }

    /// A number where the id is one, as other libraries mint it.
    fn to_json(&self) -> Value {
        match self.0.parse::<u32>() {
            Ok(number) if number.to_string() == self.0 => number.into(),
            _ => self.0.clone().into(),
        }
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(text: &str) -> Result<Self, AppIdError> {
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(is_legal) {
            Ok(Self(text.into()))
        } else {
            Err(AppIdError)
        }
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

/// A text is not the id of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an application id has 1 to 64 letters, digits, '-', '_' or '.'")]
pub struct AppIdError;

const MOST_TEXT: usize = 512;

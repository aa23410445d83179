//! What the encrypted part of a Token04 says.

use serde_json::{Map, Value};

use super::super::{AppId, Claims, TokenError, json};
use super::payload::Payload;
use super::wire::malformed;
use crate::base::UnixTime;

/// The members of the JSON object inside.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) claims: Claims,
    /// `expire` as it is written, to compare with the expiry in the clear.
    pub(super) expires: i64,
    pub(super) payload: Option<Payload>,
}

impl Body {
    pub(super) fn read(text: &[u8]) -> Result<Self, TokenError> {
        let members = json::object(text).ok_or(malformed("it holds no JSON object with each name once"))?;
        let app_id =
            members.get("app_id").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let app_id = AppId::from(app_id.ok_or(malformed("app_id is not a number of 32 bits"))?);
        let user = members.get("user_id").and_then(Value::as_str).filter(|user| !user.is_empty());
        let user = user.ok_or(malformed("user_id is not a name"))?;
        let expires = number(&members, "expire").ok_or(malformed("expire is not a number of seconds"))?;
        let created = number(&members, "ctime").ok_or(malformed("ctime is not a number of seconds"))?;
        let _ = number(&members, "nonce").ok_or(malformed("nonce is not a number"))?;
        let payload = match members.get("payload") {
            None => None,
            Some(Value::String(text)) => Payload::read(text),
            Some(_) => return Err(malformed("payload is not a string")),
        };
        let claims = Claims {
            app_id: Some(app_id),
            subject: Some(user.to_owned()),
            issued: time(created),
            expires: Some(time(expires).ok_or(malformed("expire is before 1970"))?),
            ..Claims::default()
        };
        Ok(Self { claims, expires, payload })
    }
}

/// What a Token04 is minted to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token04Claims {
    /// The user; not empty.
    pub user_id: String,
    /// When it is made.
    pub issued: UnixTime,
    /// When it expires, in whole seconds.
    pub expires: UnixTime,
    /// What it carries for the application: empty for a basic token.
    pub payload: String,
}

impl Token04Claims {
    /// In the order in which most generators write it.
    pub(super) fn to_json(&self, app_id: &AppId, nonce: i32) -> String {
        let text = |text: &str| Value::from(text).to_string();
        format!(
            r#"{{"app_id":{app_id},"user_id":{},"nonce":{nonce},"ctime":{},"expire":{},"payload":{}}}"#,
            text(&self.user_id),
            self.issued.as_secs(),
            self.expires.as_secs(),
            text(&self.payload),
        )
    }
}

fn number(members: &Map<String, Value>, name: &str) -> Option<i64> {
    members.get(name).and_then(Value::as_i64)
}

fn time(secs: i64) -> Option<UnixTime> {
    u64::try_from(secs).ok().map(UnixTime::from_secs)
}

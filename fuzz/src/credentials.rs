//! What proves who a client is, beside signed tokens, and what it may do.

use wayleave_proto::auth::{
    AppSign, Authorization, Jwks, Keys, KeysConfig, Rules, Token04Key, authorization, inspect_token04,
};
use wayleave_proto::base::UnixTime;
use wayleave_proto::policy::Scope;

/// No text proves an app sign, whatever it says of its application and its key.
pub(crate) fn concealed(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(Authorization::Concealed(read)) = authorization(text) else { return };
    let (Ok(sign), Ok(authority)) = (AppSign::new(1_001.into(), &"5".repeat(64)), "a.example:443".parse())
    else {
        return;
    };
    let config = KeysConfig { app_sign: vec![sign.public()], ..KeysConfig::default() };
    let Ok(keys) = Keys::new(config) else { return };
    assert!(keys.verify_app_sign(&read, Some(&authority), |_, _| Some([7; 48])).is_err());
}

/// Any set of keys is read or refused.
pub(crate) fn jwks(data: &[u8]) {
    let _ = Jwks::read(data);
}

/// A scope that can be read is written so that it is read again as the same, and is its own intersection.
pub(crate) fn scope(data: &[u8]) {
    let Ok(scope) = serde_json::from_slice::<Scope>(data) else { return };
    assert_eq!(scope.intersect(&scope), scope);
    let text = serde_json::to_string(&scope).expect("what one side says can be written");
    assert_eq!(serde_json::from_str::<Scope>(&text).expect("what was written can be read"), scope);
}

/// No text is a Token04 of the key but one whose expiry agrees inside and outside.
pub(crate) fn token04(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let outer = inspect_token04(text);
    let Ok(key) = Token04Key::new(1_234_567_890, b"0123456789abcdef0123456789abcdef") else { return };
    let Ok(keys) = Keys::new(KeysConfig { token04: vec![key], ..KeysConfig::default() }) else { return };
    if let Ok(verdict) = keys.verify(text, UnixTime::from_secs(1_700_000_000), &Rules::default()) {
        assert_eq!(outer.ok().and_then(|(_, expires)| expires), verdict.claims.expires);
        assert_eq!(verdict.claims.app_id, Some(1_234_567_890.into()));
    }
}

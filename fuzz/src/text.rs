//! What users and peers write as text: targets, templates, tokens.

use wayleave_proto::auth::{Algorithm, Keys, Rules, SigningKey, inspect};
use wayleave_proto::base::{Target, UnixTime};
use wayleave_proto::codec::template::UriTemplate;

/// A target that can be read is written so that it is read again as the same.
pub(crate) fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(target) = text.parse::<Target>() {
        assert_eq!(target.to_string().parse(), Ok(target));
    }
}

/// A template that can be read makes a path that fits on a request line.
pub(crate) fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(template) = UriTemplate::parse(text) else { return };
    for target in ["[2001:db8::42]:443", "192.0.2.6:1", "media.example:65535"] {
        if let Ok(target) = target.parse() {
            let path = template.expand_path(&target);
            assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
        }
    }
}

/// No text verifies but one that the key has signed, and no other than [`SIGNED`] is known to be.
pub(crate) fn token(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = inspect(text);
    let Ok(keys) = Keys::new(vec![key().verifying()]) else { return };
    let verdict = keys.verify(text, UnixTime::from_secs(1_800_000_000), &Rules::default());
    assert_eq!(verdict.is_ok(), text == SIGNED, "{verdict:?}");
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, "fuzz", &[7; 32]).expect("a key id of four letters is allowed")
}

/// Minted by [`key`] for user `alice` of application 1001, valid for a century.
const SIGNED: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImZ1enoiLCJ0eXAiOiJKV1QifQ.eyJhcHBfaWQiOjEwMDEsImV4cCI6NTAwMDAwMDAwMCwic3ViIjoiYWxpY2UifQ.RhPD8Ks-2PRrS3IhAFTKuNCEngr5eyjYrQfuNNdCRdws9TF2gL5yBlRbaY8oDCxqgjYK9nHHrHzDKHiW0JJ4AA";

#[cfg(test)]
mod tests {
    use wayleave_proto::auth::Claims;

    use super::*;

    #[test]
    fn the_signed_token_is_that_of_the_key() {
        let claims = Claims {
            app_id: "1001".parse().ok(),
            subject: Some("alice".into()),
            expires: Some(UnixTime::from_secs(5_000_000_000)),
            ..Claims::default()
        };
        assert_eq!(key().mint(&claims).expect("the claims are few").expose(), SIGNED);
    }
}

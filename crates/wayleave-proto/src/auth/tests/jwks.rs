use proptest::prelude::*;

use crate::auth::{Algorithm, Jwks, JwksError};
use crate::testing::cases;

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

#[test]
fn keys_that_are_known_are_taken_and_others_passed_over() {
    let text = format!(
        r#"{{"extra": 1, "keys": [
            {{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"a","use":"sig","alg":"EdDSA","x5t":"y"}},
            {{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"b"}},
            {{"kty":"oct","k":"{X}","kid":"c"}},
            {{"kty":"oct","k":"{X}","kid":"d","alg":"HS512"}},
            {{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"e","use":"enc"}},
            {{"kty":"OKP","crv":"X25519","x":"{X}","kid":"f"}},
            {{"kty":"OKP","crv":"Ed25519","x":"{X}"}},
            {{"kty":"oct","k":"{X}","kid":"h","key_ops":["sign"]}}
        ]}}"#
    );
    let jwks = Jwks::read(text.as_bytes()).unwrap();
    let found: Vec<_> = jwks.keys.iter().map(|key| (key.kid(), key.algorithm())).collect();
    assert_eq!(found, [("a", Algorithm::EdDsa), ("c", Algorithm::Hs256)]);
    assert_eq!(jwks.skipped.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 4, 5, 6, 7, 8]);
}

#[test]
fn what_is_broken_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys": {}}"#,
        r#"{"keys": [], "keys": []}"#,
        r#"{"keys": [1]}"#,
        r#"{"keys": [{"kty": 1}]}"#,
        r#"{"keys": [{"kty":"OKP","crv":"Ed25519","kid":"a"}]}"#,
        r#"{"keys": [{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}]}"#,
        r#"{"keys": [{"kty":"oct","kid":"a","k":"AAAA"}]}"#,
        r#"{"keys": [{"kty":"oct","kid":"a","k":"AAA="}]}"#,
    ] {
        assert!(Jwks::read(text.as_bytes()).is_err(), "{text}");
    }
    let private = format!(r#"{{"keys": [{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{X}","d":"{X}"}}]}}"#);
    let error = Jwks::read(private.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("private key") && !error.contains(X), "{error}");
    let many = format!(r#"{{"keys": [{}]}}"#, vec!["{}"; 257].join(","));
    assert_eq!(Jwks::read(many.as_bytes()).err(), Some(JwksError::TooMany));
}

proptest! {
    #![proptest_config(cases(256))]

    /// Any text is a set or an error; a set has an entry for each key, taken or passed over.
    #[test]
    fn any_text_is_a_set_or_none(
        text in ".{0,80}",
        entries in proptest::collection::vec(("(OKP|oct|RSA|)", "(HS256|EdDSA|)", "[A-Za-z0-9_-]{0,50}", "[a-c]{0,1}"), 0..6),
    ) {
        let _ = Jwks::read(text.as_bytes());
        let one = |(kty, alg, key, kid): &(String, String, String, String)| {
            format!(r#"{{"kty":"{kty}","crv":"Ed25519","alg":"{alg}","x":"{key}","k":"{key}","kid":"{kid}"}}"#)
        };
        let text = format!(r#"{{"keys":[{}]}}"#, entries.iter().map(one).collect::<Vec<_>>().join(","));
        if let Ok(set) = Jwks::read(text.as_bytes()) {
            prop_assert_eq!(set.keys.len() + set.skipped.len(), entries.len());
        }
    }
}

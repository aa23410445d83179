use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;
use crate::base::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn claims() -> Claims {
    Claims {
        app_id: "1001".parse().ok(),
        subject: Some("alice".into()),
        expires: Some(UnixTime::from_secs(NOW.as_secs() + 3_600)),
        ..Claims::default()
    }
}

fn key(algorithm: Algorithm, kid: &str) -> SigningKey {
    SigningKey::generate(algorithm, kid, &[algorithm as u8 + 1; 32])
}

fn check(keys: &Keys, token: &str) -> Result<Claims, TokenError> {
    keys.verify(token, NOW, &Rules::default())
}

fn raw(header: &str, claims: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn what_is_minted_is_accepted_and_chosen_by_its_key_id() {
    let (first, second) = (key(Algorithm::EdDsa, "a"), key(Algorithm::Hs256, "b"));
    let keys = Keys::new(vec![first.verifying(), second.verifying()]).unwrap();
    for signer in [&first, &second] {
        let token = signer.mint(&claims()).unwrap();
        assert_eq!(check(&keys, token.expose()), Ok(claims()));
        assert_eq!(token.expires(), claims().expires);
    }
    let stranger = SigningKey::generate(Algorithm::EdDsa, "a", &[9; 32]).mint(&claims()).unwrap();
    assert_eq!(check(&keys, stranger.expose()), Err(TokenError::BadSignature));
    let unknown = key(Algorithm::EdDsa, "c").mint(&claims()).unwrap();
    assert_eq!(check(&keys, unknown.expose()), Err(TokenError::UnknownKey));
}

#[test]
fn rfc_7515_a_1_verifies_with_its_key_and_no_other() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let secret = URL_SAFE_NO_PAD.decode(secret).unwrap();
    let verifier = VerifyingKey::new(Algorithm::Hs256, "k", &secret).unwrap();
    let keys = Keys::new(vec![verifier]).unwrap();
    let then = UnixTime::from_secs(1_300_819_000);
    assert!(keys.verify(token, then, &Rules::default()).is_ok());
    assert!(matches!(check(&keys, token), Err(TokenError::Expired { .. })));
}

#[test]
fn no_cut_and_no_flipped_bit_is_accepted() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let signer = key(algorithm, "k");
        let keys = Keys::new(vec![signer.verifying()]).unwrap();
        let token = signer.mint(&claims()).unwrap();
        let text = token.expose();
        for length in 0..text.len() {
            assert!(check(&keys, &text[..length]).is_err(), "{algorithm} cut at {length}");
        }
        for place in 0..text.len() {
            for bit in 0..7 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[place] ^= 1 << bit;
                let Ok(flipped) = String::from_utf8(bytes) else { continue };
                assert!(check(&keys, &flipped).is_err(), "{algorithm} bit {bit} of {place}");
            }
        }
        assert!(check(&keys, &format!("{text}A")).is_err());
        assert!(check(&keys, &format!("{text}.")).is_err());
        assert!(check(&keys, &format!("{text}=")).is_err());
    }
}

#[test]
fn the_key_fixes_the_algorithm_and_not_the_header() {
    let ed = key(Algorithm::EdDsa, "k");
    let keys = Keys::new(vec![ed.verifying()]).unwrap();
    let body = r#"{"exp":1900000000}"#;
    for header in
        [r#"{"alg":"none","kid":"k"}"#, r#"{"alg":"HS256","kid":"k"}"#, r#"{"alg":"eddsa","kid":"k"}"#]
    {
        assert_eq!(check(&keys, &raw(header, body, "AAAA")), Err(TokenError::WrongAlgorithm), "{header}");
    }
    // The public key as an HMAC secret: the classical confusion.
    let public = ed.verifying().public().unwrap().to_vec();
    let forged = SigningKey::new(Algorithm::Hs256, "k", &public).unwrap().mint(&claims()).unwrap();
    assert_eq!(check(&keys, forged.expose()), Err(TokenError::WrongAlgorithm));
}

#[test]
fn malformed_tokens_are_told_apart_from_badly_signed_ones() {
    let keys = Keys::new(vec![key(Algorithm::EdDsa, "k").verifying()]).unwrap();
    let body = r#"{"exp":1900000000}"#;
    for token in [
        String::new(),
        "..".into(),
        "a.b".into(),
        "a.b.c.d".into(),
        raw(r#"{"alg":"EdDSA","alg":"EdDSA"}"#, body, "AAAA"),
        raw(r#"{"alg":"EdDSA","crit":["x"]}"#, body, "AAAA"),
        raw(r#"{"alg":"EdDSA"} {}"#, body, "AAAA"),
        raw(r#"{"alg":5}"#, body, "AAAA"),
        raw("[]", body, "AAAA"),
        raw(r#"{"kid":"k"}"#, body, "AAAA"),
        "x".repeat(5_000),
    ] {
        assert!(matches!(check(&keys, &token), Err(TokenError::Malformed(_))), "{token}");
    }
}

#[test]
fn claims_of_the_wrong_form_are_refused_even_when_signed() {
    let signer = key(Algorithm::Hs256, "k");
    let keys = Keys::new(vec![signer.verifying()]).unwrap();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signer.secret().expose());
    let sign = |claims: &str| {
        let signed = raw(r#"{"alg":"HS256","kid":"k"}"#, claims, "");
        let signed = signed.trim_end_matches('.');
        let tag = ring::hmac::sign(&secret, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    assert!(check(&keys, &sign(r#"{"exp":1900000000.5,"app_id":"1001"}"#)).is_ok());
    for claims in [
        r#"{"exp":"1900000000"}"#,
        r#"{"exp":-1}"#,
        r#"{"exp":1e300}"#,
        r#"{"exp":1900000000,"exp":1900000001}"#,
        r#"{"exp":1900000000,"sub":7}"#,
        r#"{"exp":1900000000,"aud":[7]}"#,
        r#"{"exp":1900000000,"app_id":"a b"}"#,
        r#"{"exp":1900000000"#,
    ] {
        assert!(matches!(check(&keys, &sign(claims)), Err(TokenError::Malformed(_))), "{claims}");
    }
    assert_eq!(check(&keys, &sign("{}")), Err(TokenError::NoExpiry));
}

#[test]
fn times_audience_and_application_are_checked() {
    let signer = key(Algorithm::EdDsa, "k");
    let keys = Keys::new(vec![signer.verifying()]).unwrap();
    let bound = Keys::new(vec![signer.verifying().for_app("7".parse().unwrap())]).unwrap();
    let at = |offset: i64| Some(UnixTime::from_secs(NOW.as_secs().saturating_add_signed(offset)));
    let mint = |claims: Claims| signer.mint(&claims).unwrap();
    let verdict = |claims: Claims| check(&keys, mint(claims).expose()).map(|_| ());
    assert_eq!(verdict(Claims { expires: at(-30), ..claims() }), Ok(()));
    let since = Duration::from_secs(31);
    assert_eq!(verdict(Claims { expires: at(-31), ..claims() }), Err(TokenError::Expired { since }));
    assert_eq!(verdict(Claims { not_before: at(30), ..claims() }), Ok(()));
    assert_eq!(
        verdict(Claims { not_before: at(31), ..claims() }),
        Err(TokenError::NotYetValid { wait: since })
    );
    let meant = Claims { audience: vec!["relay".into()], ..claims() };
    assert_eq!(verdict(meant.clone()), Err(TokenError::WrongAudience));
    let rules = Rules { audience: Some("relay".into()), ..Rules::default() };
    assert!(keys.verify(mint(meant).expose(), NOW, &rules).is_ok());
    assert_eq!(keys.verify(mint(claims()).expose(), NOW, &rules), Err(TokenError::WrongAudience));
    assert_eq!(check(&bound, mint(claims()).expose()), Err(TokenError::WrongApp));
    assert!(check(&bound, mint(Claims { app_id: "7".parse().ok(), ..claims() }).expose()).is_ok());
}

#[test]
fn a_token_without_a_key_id_needs_a_single_key() {
    let signer = key(Algorithm::Hs256, "k");
    let signed = raw(r#"{"alg":"HS256"}"#, r#"{"exp":1900000000}"#, "");
    let signed = signed.trim_end_matches('.');
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signer.secret().expose());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, signed.as_bytes())));
    let one = Keys::new(vec![signer.verifying()]).unwrap();
    let two = Keys::new(vec![signer.verifying(), key(Algorithm::EdDsa, "e").verifying()]).unwrap();
    assert!(check(&one, &token).is_ok());
    assert_eq!(check(&two, &token), Err(TokenError::UnknownKey));
}

#[test]
fn keys_of_the_wrong_form_are_errors() {
    assert_eq!(Keys::new(Vec::new()).err(), Some(KeyError::NoKeys));
    let twice = vec![key(Algorithm::EdDsa, "k").verifying(), key(Algorithm::Hs256, "k").verifying()];
    assert_eq!(Keys::new(twice).err(), Some(KeyError::Repeated { kid: "k".into() }));
    assert!(matches!(VerifyingKey::new(Algorithm::EdDsa, "k", &[0; 31]), Err(KeyError::Length { .. })));
    assert!(matches!(VerifyingKey::new(Algorithm::Hs256, "k", &[0; 31]), Err(KeyError::Length { .. })));
    assert!(matches!(VerifyingKey::new(Algorithm::Hs256, "a b", &[0; 32]), Err(KeyError::Kid)));
    assert_eq!(format!("{:?}", key(Algorithm::Hs256, "k")), "SigningKey(k, HS256)");
}

#[test]
fn credentials_are_read_from_bearer_and_basic() {
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for (value, token) in [
        ("Bearer abc.def".to_owned(), "abc.def"),
        ("bearer  abc".to_owned(), "abc"),
        (basic("anyone:abc:d"), "abc:d"),
        (basic(":abc"), "abc"),
    ] {
        assert_eq!(authorization(&value).unwrap().expose(), token, "{value}");
    }
    for value in
        ["", "Bearer", "Bearer ", "Bearer a b", "Bearer a, Basic b", "Basic ???", &basic("abc"), &basic("a:")]
    {
        assert_eq!(authorization(value).err(), Some(AuthorizationError::Malformed), "{value}");
    }
    assert_eq!(authorization("Digest abc").err(), Some(AuthorizationError::Scheme));
    assert_eq!(
        authorization(&format!("Bearer {}", "a".repeat(9_000))).err(),
        Some(AuthorizationError::TooLong)
    );
}

#[test]
fn the_text_of_a_token_is_checked_and_never_shown() {
    for (text, error) in [
        ("", TokenTextError::Empty),
        ("a b", TokenTextError::Character),
        ("a\n", TokenTextError::Character),
        ("==", TokenTextError::Character),
        ("a=b", TokenTextError::Character),
    ] {
        assert_eq!(text.parse::<Token>().err(), Some(error), "{text:?}");
    }
    assert_eq!("a".repeat(4_097).parse::<Token>().err(), Some(TokenTextError::TooLong));
    let token: Token = "hunter2==".parse().unwrap();
    assert!(!format!("{token:?} {:?}", Credential::Token(token.clone())).contains("hunter2"));
    assert_eq!(token.expires(), None);
}

#[test]
fn verdicts_are_remembered_but_times_are_checked_anew() {
    let signer = key(Algorithm::EdDsa, "k");
    let keys = Keys::new(vec![signer.verifying()]).unwrap();
    let others = Keys::new(vec![SigningKey::generate(Algorithm::EdDsa, "k", &[9; 32]).verifying()]).unwrap();
    let soon = UnixTime::from_secs(NOW.as_secs() + 10);
    let token = signer.mint(&Claims { expires: Some(soon), ..claims() }).unwrap();
    let (mut verdicts, rules) = (Verdicts::default(), Rules { leeway: Duration::ZERO, audience: None });
    assert!(verdicts.verify(&keys, token.expose(), NOW, &rules).is_ok());
    assert!(verdicts.verify(&others, token.expose(), NOW, &rules).is_ok(), "from memory");
    assert!(matches!(
        verdicts.verify(&others, token.expose(), soon, &rules),
        Err(TokenError::Expired { .. })
    ));
    verdicts.clear();
    assert_eq!(verdicts.verify(&others, token.expose(), NOW, &rules).err(), Some(TokenError::BadSignature));
    assert!(verdicts.is_empty(), "a refusal is not remembered");
}

#[test]
fn the_memory_of_verdicts_is_bounded() {
    let signer = key(Algorithm::Hs256, "k");
    let keys = Keys::new(vec![signer.verifying()]).unwrap();
    let mut verdicts = Verdicts::default();
    for number in 0..5_000 {
        let token = signer.mint(&Claims { token_id: Some(format!("{number}")), ..claims() }).unwrap();
        assert!(verdicts.verify(&keys, token.expose(), NOW, &Rules::default()).is_ok());
        assert!(verdicts.len() <= 4_096);
    }
}

use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::hmac;

use super::{NOW, claims, keys, signing};
use crate::auth::{
    Algorithm, Claims, Keys, KeysConfig, KeysError, Rules, SigningKey, TokenError, VerifyingKey, inspect,
};
use crate::base::{Kind, UnixTime};
use crate::policy::Scope;
use crate::policy::tests::scope::scopes;
use crate::testing::cases;

const SECRET: [u8; 32] = [9; 32];

fn b64(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Signs any header and claims with the secret `SECRET`, as no issuer of ours would.
fn hs256(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", b64(header), b64(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), signed.as_bytes());
    format!("{signed}.{}", b64(tag))
}

fn shared() -> Keys {
    Keys::new(vec![VerifyingKey::hs256("s", &SECRET).unwrap()]).unwrap()
}

fn verify(keys: &Keys, token: &str) -> Result<Claims, TokenError> {
    keys.verify(token, NOW, &Rules::default()).map(|verdict| verdict.claims)
}

/// What the strict reader makes of `claims`, signed as they are.
fn of_claims(claims: &str) -> Result<Claims, TokenError> {
    verify(&shared(), &hs256(r#"{"alg":"HS256"}"#, claims))
}

fn of_header(header: &str) -> Result<Claims, TokenError> {
    verify(&shared(), &hs256(header, r#"{"exp":1800000001}"#))
}

#[track_caller]
fn assert_malformed(result: &Result<Claims, TokenError>, what: &str) {
    assert!(matches!(result, Err(TokenError::Malformed { .. })), "{what}: {result:?}");
}

/// RFC 7515 A.1
#[test]
fn the_hs256_example_of_the_rfc_verifies() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
                 .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
                 .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = VerifyingKey::hs256("joe", &URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap();
    let keys = Keys::new(vec![key]).unwrap();
    let expires = UnixTime::from_secs(1_300_819_380);
    let verdict = keys.verify(token, UnixTime::from_secs(1_300_819_379), &Rules::default()).unwrap();
    assert_eq!(verdict.claims, Claims { expires: Some(expires), ..Claims::default() });
    assert_eq!(verify(&keys, token), Err(TokenError::Expired));
}

/// RFC 8037 A.1 to A.5
#[test]
fn the_ed25519_example_of_the_rfc_verifies() {
    let decode = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
    let seed = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let public = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    let key = SigningKey::from_parts("a", Algorithm::EdDsa, &seed).unwrap().verifying();
    assert_eq!(key.public_key().unwrap().as_slice(), public);
    assert!(key.fits(signed, &signature));
    assert!(!key.fits(&signed.replace('R', "S"), &signature));
    // What it signs is no JSON, so that as a token it is refused after its signature was found to fit.
    let token = format!("{signed}.{}", b64(&signature));
    assert_malformed(&verify(&Keys::new(vec![key]).unwrap(), &token), "payload");
}

#[test]
fn minted_tokens_verify_and_can_be_inspected() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let key = signing(algorithm, "k1");
        let token = key.mint(&claims()).unwrap();
        let verdict = keys(&[&key]).verify(token.expose(), NOW, &Rules::default()).unwrap();
        assert_eq!((verdict.kid.as_str(), &verdict.claims), ("k1", &claims()));
        let (header, read) = inspect(token.expose()).unwrap();
        assert_eq!(
            (header.algorithm.as_str(), header.kid.as_deref(), read),
            (algorithm.name(), Some("k1"), claims())
        );
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let key = signing(algorithm, "k");
        let (keys, token) = (keys(&[&key]), key.mint(&claims()).unwrap());
        let token = token.expose();
        for end in 0..token.len() {
            assert!(verify(&keys, &token[..end]).is_err(), "cut at {end}");
        }
        for start in 1..token.len() {
            assert!(verify(&keys, &token[start..]).is_err(), "cut to {start}");
        }
        for tail in ["=", "A", "AA", ".", ".AA", "\n", " "] {
            assert!(verify(&keys, &format!("{token}{tail}")).is_err(), "{tail:?} behind");
            assert!(verify(&keys, &format!("{tail}{token}")).is_err(), "{tail:?} before");
        }
    }
}

#[test]
fn every_bit_flip_is_refused() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let key = signing(algorithm, "k");
        let (keys, token) = (keys(&[&key]), key.mint(&claims()).unwrap());
        for index in 0..token.expose().len() {
            for bit in 0..8 {
                let mut bytes = token.expose().as_bytes().to_vec();
                bytes[index] ^= 1 << bit;
                if let Ok(flipped) = core::str::from_utf8(&bytes) {
                    assert!(verify(&keys, flipped).is_err(), "bit {bit} of byte {index}");
                }
            }
        }
    }
}

#[test]
fn the_key_fixes_the_algorithm() {
    for name in ["none", "None", "NONE", "nOnE", "HS384", "EdDSA", "hs256", ""] {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        assert_eq!(of_header(&header), Err(TokenError::WrongAlgorithm), "{name}");
        let unsigned = format!("{}.{}.", b64(&header), b64(r#"{"exp":1800000001}"#));
        assert_eq!(verify(&shared(), &unsigned), Err(TokenError::WrongAlgorithm), "{name}");
    }
    let unsigned = format!("{}.{}.", b64(r#"{"alg":"HS256"}"#), b64(r#"{"exp":1800000001}"#));
    assert_eq!(verify(&shared(), &unsigned), Err(TokenError::BadSignature));
    assert_malformed(&of_header("{}"), "no alg");
    assert_malformed(&of_header(r#"{"alg":1}"#), "alg is a number");

    // The classic: the public key, which everybody knows, as the secret of HS256.
    let ed25519 = signing(Algorithm::EdDsa, "k");
    let public = *ed25519.verifying().public_key().unwrap();
    let confused = SigningKey::from_parts("k", Algorithm::Hs256, &public).unwrap().mint(&claims()).unwrap();
    assert_eq!(verify(&keys(&[&ed25519]), confused.expose()), Err(TokenError::WrongAlgorithm));
    // The newer name of the same algorithm.
    let renamed = format!("{}.{}.AA", b64(r#"{"alg":"Ed25519"}"#), b64("{}"));
    assert_eq!(verify(&keys(&[&ed25519]), &renamed), Err(TokenError::BadSignature));
}

#[test]
fn the_key_is_the_one_that_the_token_names() {
    let [a, b] = ["a", "b"].map(|kid| signing(Algorithm::EdDsa, kid));
    let other = SigningKey::generate(Algorithm::EdDsa, "a", &[8; 32]).unwrap();
    let token = a.mint(&claims()).unwrap();
    assert_eq!(verify(&keys(&[&a, &b]), token.expose()), Ok(claims()));
    assert_eq!(verify(&keys(&[&b]), token.expose()), Err(TokenError::UnknownKey));
    assert_eq!(verify(&keys(&[&other, &b]), token.expose()), Err(TokenError::BadSignature));

    let two = vec![VerifyingKey::hs256("s", &SECRET).unwrap(), VerifyingKey::hs256("t", &SECRET).unwrap()];
    let two = Keys::new(two).unwrap();
    let token = |header: &str| hs256(header, r#"{"exp":1800000001}"#);
    assert_eq!(verify(&two, &token(r#"{"alg":"HS256"}"#)), Err(TokenError::NoKeyId));
    assert!(verify(&two, &token(r#"{"alg":"HS256","kid":"t"}"#)).is_ok());
    for kid in ["", "S", "s ", "../s", "s\\u0000", "\\u0000"] {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        assert_eq!(verify(&two, &token(&header)), Err(TokenError::UnknownKey), "{kid:?}");
        assert_eq!(of_header(&header), Err(TokenError::UnknownKey), "{kid:?} with one key");
    }
    assert!(of_header(r#"{"alg":"HS256","kid":"\u0073"}"#).is_ok(), "an escape is the same name");
    for kid in ["1", "null", "[\"s\"]", "{}"] {
        assert_malformed(&of_header(&format!(r#"{{"alg":"HS256","kid":{kid}}}"#)), kid);
    }
}

#[test]
fn keys_have_names_of_their_own() {
    assert_eq!(Keys::new(Vec::new()).err(), Some(KeysError::Empty));
    let twins = [Algorithm::EdDsa, Algorithm::Hs256].map(|algorithm| signing(algorithm, "k").verifying());
    assert_eq!(Keys::new(twins.to_vec()).err(), Some(KeysError::Duplicate { kid: "k".to_owned() }));
}

#[test]
fn headers_are_read_strictly() {
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#" { "alg" : "HS256" , "jwk" : {"kty":"oct","k":"AAAA"}, "jku":"https://evil.example/" } "#,
    ] {
        assert!(of_header(header).is_ok(), "{header}");
    }
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"s","kid":"s"}"#,
        r#"{"alg":"HS256","x":{"y":1,"y":2}}"#,
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","typ":"dpop+jwt"}"#,
        r#"{"alg":"HS256","typ":1}"#,
        r#"{"alg":"HS256"}{}"#,
        r#"{"alg":"HS256"} x"#,
        r#"{"alg":"HS256",}"#,
        "\u{feff}{\"alg\":\"HS256\"}",
        r#"["alg","HS256"]"#,
        r#""HS256""#,
        "null",
        "",
    ] {
        assert_malformed(&of_header(header), header);
    }
}

#[test]
fn claims_are_read_strictly() {
    for (json, expected) in [
        (r#"{"exp":1800000001,"app_id":1001}"#, Some("1001")),
        (r#"{"exp":1800000001,"app_id":"1001"}"#, Some("1001")),
        (r#"{"exp":1800000001,"app_id":"my-app"}"#, Some("my-app")),
        (r#"{"exp":1800000001.5,"other":[{"a":null}]}"#, None),
        (r#"{"exp":1.800000001e9}"#, None),
        (r#"{"exp":18446744073709551615}"#, None),
    ] {
        let app_id = of_claims(json).unwrap().app_id;
        assert_eq!(app_id.as_ref().map(|app_id| app_id.as_str()), expected, "{json}");
    }
    for json in [
        r#"{"exp":1800000001,"exp":9900000001}"#,
        r#"{"exp":1800000001,"e\u0078p":1800000001}"#,
        r#"{"exp":1800000001,"sub":"a","sub":"b"}"#,
        r#"{"exp":1800000001,"x":[{"y":1,"y":1}]}"#,
        r#"{"exp":"1800000001"}"#,
        r#"{"exp":null}"#,
        r#"{"exp":-1}"#,
        r#"{"exp":1e999}"#,
        r#"{"exp":true}"#,
        r#"{"exp":1800000001,"nbf":"x"}"#,
        r#"{"exp":1800000001,"iat":[]}"#,
        r#"{"exp":1800000001,"sub":7}"#,
        r#"{"exp":1800000001,"jti":{}}"#,
        r#"{"exp":1800000001,"aud":1}"#,
        r#"{"exp":1800000001,"aud":["a",1]}"#,
        r#"{"exp":1800000001,"app_id":1.5}"#,
        r#"{"exp":1800000001,"app_id":-1}"#,
        r#"{"exp":1800000001,"app_id":""}"#,
        r#"{"exp":1800000001,"app_id":"a b"}"#,
        r#"[{"exp":1800000001}]"#,
        "",
    ] {
        assert_malformed(&of_claims(json), json);
    }
    assert_malformed(&of_claims(&"[".repeat(3_000)), "deep");
    assert_eq!(of_claims(r#"{"sub":"a"}"#), Err(TokenError::NoExpiry));
}

#[test]
fn the_form_is_read_strictly() {
    let good = hs256(r#"{"alg":"HS256"}"#, r#"{"exp":1800000001}"#);
    assert!(verify(&shared(), &good).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("three parts") };
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}."),
        format!("{header}..{claims}.{signature}"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.{signature}\n"),
        format!(" {header}.{claims}.{signature}"),
        format!("{header}.{claims}.{}+", &signature[..signature.len() - 1]),
    ] {
        assert_malformed(&verify(&shared(), &token), &token);
    }
    // 32 bytes leave two bits in the last of 43 characters: three other characters decode alike where one is lax.
    let last = *signature.as_bytes().last().unwrap();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.iter().position(|byte| *byte == last).unwrap();
    for twin in 1..4 {
        let other = char::from(alphabet[value | twin]);
        let token = format!("{}{other}", &good[..good.len() - 1]);
        assert_malformed(&verify(&shared(), &token), "bits behind the last byte");
    }
    assert_eq!(verify(&shared(), &"a".repeat(4_097)), Err(TokenError::TooLong));
    assert_malformed(&verify(&shared(), &"a".repeat(4_096)), "no parts");
}

#[test]
fn times_are_judged_with_the_leeway() {
    let key = signing(Algorithm::Hs256, "k");
    let keys = keys(&[&key]);
    let secs = NOW.as_secs();
    let check = |not_before: Option<u64>, expires: u64, leeway: u64| {
        let claims = Claims {
            not_before: not_before.map(UnixTime::from_secs),
            expires: Some(UnixTime::from_secs(expires)),
            ..Claims::default()
        };
        let rules = Rules { leeway: Duration::from_secs(leeway), ..Rules::default() };
        keys.verify(key.mint(&claims).unwrap().expose(), NOW, &rules).map(|_| ())
    };
    for (not_before, expires, leeway, expected) in [
        (None, secs + 1, 0, Ok(())),
        (None, secs, 0, Err(TokenError::Expired)),
        (None, secs - 29, 30, Ok(())),
        (None, secs - 30, 30, Err(TokenError::Expired)),
        (None, 0, 30, Err(TokenError::Expired)),
        (Some(secs), secs + 1, 0, Ok(())),
        (Some(secs + 1), secs + 9, 0, Err(TokenError::NotYetValid)),
        (Some(secs + 30), secs + 99, 30, Ok(())),
        (Some(secs + 31), secs + 99, 30, Err(TokenError::NotYetValid)),
        (Some(u64::MAX), u64::MAX, u64::MAX, Ok(())),
    ] {
        assert_eq!(check(not_before, expires, leeway), expected, "{not_before:?} {expires} {leeway}");
    }
    assert_eq!(Rules::default().leeway, Duration::from_secs(30));
}

#[test]
fn the_audience_must_be_this_relay() {
    let key = signing(Algorithm::Hs256, "k");
    let keys = keys(&[&key]);
    for (audience, own, good) in [
        (vec![], None, true),
        (vec!["relay"], Some("relay"), true),
        (vec!["other", "relay"], Some("relay"), true),
        (vec![], Some("relay"), false),
        (vec!["other"], Some("relay"), false),
        (vec!["Relay"], Some("relay"), false),
        (vec!["other"], None, false),
    ] {
        let audience = audience.into_iter().map(str::to_owned).collect();
        let token = key.mint(&Claims { audience, ..claims() }).unwrap();
        let rules = Rules { audience: own.map(str::to_owned), ..Rules::default() };
        let result = keys.verify(token.expose(), NOW, &rules);
        assert_eq!(result.err(), if good { None } else { Some(TokenError::WrongAudience) });
    }
}

#[test]
fn a_key_of_an_application_takes_no_other() {
    let key = signing(Algorithm::EdDsa, "k");
    let keys = Keys::new(vec![key.verifying().for_app(1001.into())]).unwrap();
    for (app_id, expected) in [
        (Some("1001"), Ok(())),
        (Some("1002"), Err(TokenError::WrongApp)),
        (Some("01001"), Err(TokenError::WrongApp)),
        (None, Err(TokenError::WrongApp)),
    ] {
        let app_id = app_id.map(|text| text.parse().unwrap());
        let token = key.mint(&Claims { app_id, ..claims() }).unwrap();
        assert_eq!(verify(&keys, token.expose()).map(|_| ()), expected);
    }
}

#[test]
fn numbers_are_minted_as_numbers() {
    let key = signing(Algorithm::Hs256, "k");
    for (app_id, json) in [
        ("1001", r#""app_id":1001,"#),
        ("4294967295", r#""app_id":4294967295,"#),
        ("4294967296", r#""app_id":"4294967296","#),
        ("01", r#""app_id":"01","#),
        ("+1", r#""app_id":"+1","#),
    ] {
        let token = key.mint(&Claims { app_id: Some(app_id.parse().unwrap()), ..claims() }).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1).unwrap()).unwrap();
        assert!(String::from_utf8(payload).unwrap().contains(json), "{app_id}");
        assert_eq!(verify(&keys(&[&key]), token.expose()).unwrap().app_id, Some(app_id.parse().unwrap()));
    }
}

#[test]
fn a_scope_that_is_not_understood_refuses_the_token() {
    for scope in [
        "[]",
        "null",
        "{\"target\":[]}",
        "{\"targets\":[{\"host\":\"a\"}]}",
        "{\"volume\":1,\"volume\":2}",
        "true",
    ] {
        let claims = format!(r#"{{"exp":1800000001,"wayleave":{scope}}}"#);
        assert!(matches!(of_claims(&claims), Err(TokenError::Malformed { .. })), "{scope}");
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn claims_survive_the_round_trip(
        app_id in prop::option::of("[!-~]{1,64}"),
        subject in prop::option::of(".{0,60}"),
        token_id in prop::option::of(".{0,60}"),
        audience in prop::collection::vec(".{0,20}", 0..4),
        times in (0_u64..=1_800_000_000, 0_u64..1 << 40, 1_800_000_001_u64..1 << 40),
        scope in scopes(),
    ) {
        let time = UnixTime::from_secs;
        let claims = Claims {
            app_id: app_id.map(|text| text.parse().unwrap()),
            audience: audience.clone(),
            expires: Some(time(times.2)),
            issued: Some(time(times.1)),
            not_before: Some(time(times.0)),
            scope,
            subject,
            token_id,
        };
        let key = signing(Algorithm::Hs256, "k");
        let token = key.mint(&claims).unwrap();
        let rules = Rules { audience: audience.first().cloned(), ..Rules::default() };
        let verdict = keys(&[&key]).verify(token.expose(), NOW, &rules).unwrap();
        prop_assert_eq!(verdict.claims, claims);
    }

    #[test]
    fn what_a_verdict_allows_the_operator_and_the_token_allow(
        operator in scopes(),
        token in scopes(),
        app_id in 1_000_u32..1_003,
        host in prop::sample::select(vec!["a.example", "x.b.example", "c.test", "192.0.2.1"]),
        port in 1_u16..9,
        kind in prop::sample::select(vec![Kind::Datagram, Kind::Stream]),
    ) {
        let key = signing(Algorithm::Hs256, "k");
        // Two of the three applications have an entry, one of them as a string of the same digits.
        let apps = [(1_000.into(), operator.clone()), ("1001".parse().unwrap(), operator.clone())].into();
        let keys = Keys::new(KeysConfig { jwt: vec![key.verifying()], apps, ..KeysConfig::default() }).unwrap();
        let claims = Claims { app_id: Some(app_id.into()), scope: token.clone(), ..claims() };
        let verdict = keys.verify(key.mint(&claims).unwrap().expose(), NOW, &Rules::default()).unwrap();
        let operator = if app_id == 1_002 { Scope::default() } else { operator };
        let target = format!("{host}:{port}").parse().unwrap();
        let allows = |scope: &Scope| scope.judge_target(&target, kind).is_ok();
        prop_assert_eq!(allows(&verdict.scope), allows(&operator) && allows(&token));
        for part in [&operator, &token] {
            prop_assert!(part.volume.is_none_or(|most| verdict.scope.volume.is_some_and(|it| it <= most)));
            prop_assert!(part.tunnels.is_none_or(|most| verdict.scope.tunnels.is_some_and(|it| it <= most)));
            prop_assert!(verdict.scope.on_expiry >= part.on_expiry);
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in "[A-Za-z0-9_.=-]{0,80}|.{0,40}") {
        prop_assert!(verify(&shared(), &text).is_err());
        let _ = inspect(&text);
        let _ = of_claims(&text);
        let _ = of_header(&text);
    }
}

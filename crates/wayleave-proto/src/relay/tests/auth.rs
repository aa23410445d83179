//! Who is let in, and what is said to the others (rows 9 to 11, 30 and 36 of the abuse cases).

use super::*;
use crate::auth::{
    Algorithm, AppSign, Credential, Keys, KeysConfig, Revoked, SigningKey, Token04Claims, Token04Key,
    Token04Mode, VerifyingKey,
};
use crate::config::{RelayConfig, Verifier};
use crate::policy::RateLimit;

/// Values of Proxy-Authorization that are all refused: by name, and with what the operator reads.
fn bad_values() -> Vec<(&'static str, String, &'static str)> {
    let mut values: Vec<_> = bad_tokens();
    values.extend(bad_token04());
    for (_, value, _) in &mut values {
        value.insert_str(0, "Bearer ");
    }
    let good = token(START, 3_600 * SECOND).unwrap().expose().to_owned();
    values.push(("another scheme", format!("Digest {good}"), "none of Bearer, Basic"));
    values.push(("two words", format!("Bearer {good} {good}"), "no token can have"));
    values.push(("an empty token", "Bearer ".into(), "is empty"));
    values.push(("no scheme", good, "none of Bearer, Basic"));
    let sign = AppSign::new(1_001.into(), &"5".repeat(64)).unwrap();
    let proven = |sign: AppSign| {
        let target = "a.example:443".parse().unwrap();
        let value = Credential::AppSign(sign).authorization_value(&target, |_, _| Some([7; 48])).unwrap();
        value.expose().clone()
    };
    values.push(("an app sign for another connection", proven(sign.clone()), "another TLS connection"));
    let nobody = AppSign::new(1_001.into(), &"6".repeat(64)).unwrap();
    values.push(("an app sign of nobody", proven(nobody), "public key that is not known"));
    let cut = proven(sign).split(", p=").next().unwrap().to_owned();
    values.push(("an app sign without its proof", cut, "parameters k, a, p, s and v"));
    values.push(("Basic that is none", "Basic !!!".into(), "user name and a password"));
    values
}

/// Signed tokens that are refused, and why.
fn bad_tokens() -> Vec<(&'static str, String, &'static str)> {
    let good = token(START, 3_600 * SECOND).unwrap().expose().to_owned();
    let claims = |change: fn(&mut Claims)| {
        let mut claims = Claims {
            subject: Some("alice".into()),
            expires: Some(UnixTime::from_secs(START.as_secs() + 3_600)),
            ..Claims::default()
        };
        change(&mut claims);
        claims
    };
    let key = signing_key().unwrap();
    let by = |key: &SigningKey, claims: &Claims| key.mint(claims).unwrap().expose().to_owned();
    let minted = |change: fn(&mut Claims)| by(&key, &claims(change));
    let plain = claims(|_| {});
    let other = SigningKey::generate(Algorithm::EdDsa, "test", &[8; 32]).unwrap();
    let stranger = SigningKey::generate(Algorithm::EdDsa, "stranger", &[8; 32]).unwrap();
    let public = *key.verifying().public_key().unwrap();
    let confused = SigningKey::from_parts("test", Algorithm::Hs256, &public).unwrap();
    let bound = SigningKey::generate(Algorithm::Hs256, "bound", &[4; 32]).unwrap();
    vec![
        ("cut", good[..good.len() - 4].to_owned(), "signature"),
        ("lengthened", format!("{good}AAAA"), "does not fit"),
        ("a bit flipped", good.replacen("eyJ", "eyK", 1), "malformed"),
        ("another key", by(&other, &plain), "does not fit"),
        ("an unknown kid", by(&stranger, &plain), "(kid) that is not known"),
        ("not a token", "secret-that-is-no-token".to_owned(), "three parts"),
        ("alg none", "eyJhbGciOiJub25lIiwia2lkIjoidGVzdCJ9.eyJleHAiOjE5MDAwMDAwMDB9.".to_owned(), "(alg)"),
        ("the public key as a secret", by(&confused, &plain), "(alg)"),
        ("a claim twice", raw(r#"{"exp":1900000000,"exp":1900000001,"app_id":1001}"#), "each name once"),
        ("no expiry", raw(r#"{"app_id":1001}"#), "when it expires"),
        ("a scope that nobody knows", raw(r#"{"exp":1900000000,"wayleave":{"x":1}}"#), "no scope"),
        ("another application", by(&bound, &claims(|it| it.app_id = Some(7.into()))), "another application"),
        ("expired", minted(|it| it.expires = Some(UnixTime::from_secs(START.as_secs() - 3_600))), "expired"),
        (
            "not yet",
            minted(|it| it.not_before = Some(UnixTime::from_secs(START.as_secs() + 3_600))),
            "not valid yet",
        ),
        ("another audience", minted(|it| it.audience = vec!["elsewhere".into()]), "(aud)"),
        ("revoked by its name", minted(|it| it.token_id = Some("stolen".into())), "is revoked"),
        ("a revoked user", minted(|it| it.subject = Some("mallory".into())), "is revoked"),
        ("a revoked application", minted(|it| it.app_id = Some(666.into())), "is revoked"),
        ("too long", format!("{good}{}", "A".repeat(4_096)), "4096"),
    ]
}

/// Claims in any text, signed with the key that is bound to application 1001.
fn raw(claims: &str) -> String {
    use base64::Engine as _;
    let b64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", b64(br#"{"alg":"HS256","kid":"bound"}"#), b64(claims.as_bytes()));
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[4; 32]), signed.as_bytes());
    format!("{signed}.{}", b64(tag.as_ref()))
}

fn bad_token04() -> Vec<(&'static str, String, &'static str)> {
    let sealed = |key: u8, app_id, seconds, mode| token04(&[key; 32], app_id, seconds, mode);
    vec![
        ("Token04 of nobody", TOKEN04.into(), "no secret decrypts"),
        ("Token04 that is cut", TOKEN04[..60].into(), "malformed"),
        ("Token04 of another application", sealed(9, 7, 3_600, Token04Mode::Gcm), "another application"),
        ("Token04 of another secret", sealed(9, 1_001, 3_600, Token04Mode::Gcm), "another application"),
        ("Token04 of no secret", sealed(7, 1_001, 3_600, Token04Mode::Cbc), "no secret decrypts"),
        ("Token04 that is over", sealed(8, 1_001, 0, Token04Mode::Gcm), "expired"),
        ("Token04 in a form that is forbidden", sealed(8, 1_001, 3_600, Token04Mode::Cbc), "allow_cbc"),
    ]
}

/// A Token04 that is good for so long, counted from a minute before the start.
fn token04(secret: &[u8], app_id: u32, seconds: u64, mode: Token04Mode) -> String {
    let expires = UnixTime::from_secs(START.as_secs() - 60 + seconds);
    let claims = Token04Claims { user_id: "alice".into(), issued: START, expires, payload: String::new() };
    let key = Token04Key::new(app_id, secret).unwrap();
    key.mint(&claims, mode, &[3; 16]).unwrap().expose().to_owned()
}

/// A relay that knows keys of every kind.
fn rig() -> Rig {
    rig_with(|_| {})
}

/// The same, with something changed.
fn rig_with(change: impl FnOnce(&mut RelayConfig)) -> Rig {
    Rig::with(|config| {
        change(config);
        let sign = AppSign::new(1_001.into(), &"5".repeat(64)).unwrap();
        let bound = VerifyingKey::hs256("bound", &[4; 32]).unwrap().for_app(1_001.into());
        let app = Token04Key::new(1_001, &[8; 32]).unwrap();
        let keys = KeysConfig {
            jwt: vec![signing_key().unwrap().verifying(), bound],
            token04: vec![app.allowing_cbc(false), Token04Key::new(8, &[9; 32]).unwrap()],
            app_sign: vec![sign.public()],
            revocations: [
                Revoked::Token("stolen".into()),
                Revoked::User { user: "mallory".into(), app_id: None },
                Revoked::App(666.into()),
            ]
            .into_iter()
            .collect(),
            ..KeysConfig::default()
        };
        config.verifier = Verifier::Keys(Keys::new(keys).unwrap());
    })
}

const TOKEN04: &str = "04AAAAAGVT/xAADAABAgMEBQYHCAkKCwB2VsfaDKlHu8iK5kCMQvvkMtEwOrcQngH4Ra7k3dwHlqbI2FNseJc7Mv9K1T+/jvkXHce/knzZ+KcKeQV5LCsvTp0yVAEaAT7TLQA6eNtLPQ805/JAd1vV1KySN77bI/w0iLIhqq/Srwiiu2ZGZwYMBtXeu1gMNQE=";

#[test]
fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let mut answers = Vec::new();
    for (name, value, told) in bad_values() {
        let field = format!("Proxy-Authorization: {value}\r\n");
        for request in [connect_with("a.example:443", &field), connect_udp_with("a.example/443", &field)] {
            let mut rig = rig();
            let answer = rig.refused(request);
            assert_eq!(answer.status, 407, "{name}");
            assert!(rig.is_untouched(), "{name}");
            let reason = rig.refuse_reason().to_string();
            assert!(reason.contains(told), "{name}: {reason}");
            let secret = value.rsplit(' ').next().filter(|it| !it.is_empty()).unwrap_or("\0");
            assert!(!answer.text.contains(secret), "{name} is echoed");
            assert!(!format!("{:?}{:?}", rig.events, rig.relay).contains(secret), "{name} is shown");
            rig.assert_clean();
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(answers[0].contains("\r\nProxy-Authenticate: Bearer realm="));
    assert!(answers[0].contains("error=\"invalid_token\""));
}

#[test]
fn credentials_that_are_cut_anywhere_or_changed_in_any_bit_are_refused_alike() {
    let target = "a.example:443".parse().unwrap();
    let sign = AppSign::new(1_001.into(), &"5".repeat(64)).unwrap();
    let proven = Credential::AppSign(sign).authorization_value(&target, |_, _| Some([7; 48])).unwrap();
    let values = [
        format!("Bearer {}", token(START, 3_600 * SECOND).unwrap().expose()),
        format!("Bearer {}", token04(&[8; 32], 1_001, 3_600, Token04Mode::Gcm)),
        format!("Bearer {}", token04(&[9; 32], 8, 3_600, Token04Mode::Cbc)),
        proven.expose().clone(),
    ];
    let mut rig =
        rig_with(|config| config.limits.failures = RateLimit { per_second: 1 << 20, burst: 1 << 20 });
    let mut refused = |value: &[u8]| {
        let mut request = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: ".to_vec();
        request.extend(value);
        request.extend(b"\r\n\r\n");
        let answer = rig.refused(request);
        assert!(rig.is_untouched(), "{}", String::from_utf8_lossy(value));
        answer
    };
    let usual = refused(b"Bearer x").text;
    for value in values.map(String::into_bytes) {
        for length in 0..value.len() {
            assert_eq!(refused(&value[..length]).text, usual, "cut at {length}");
        }
        let begin = value.iter().position(|byte| *byte == b' ').unwrap() + 1;
        for bit in begin * 8..value.len() * 8 {
            let mut changed = value.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let answer = refused(&changed);
            // What no field of HTTP may have never gets as far as a judgement.
            let is_field = !changed[bit / 8].is_ascii_control() || changed[bit / 8] == b'\t';
            assert!(if is_field { answer.text == usual } else { answer.status == 400 }, "{bit}: {answer:?}");
        }
    }
}

#[test]
fn no_token_where_it_belongs_is_no_token() {
    let token = token(START, 3_600 * SECOND).unwrap();
    let token = token.expose();
    let elsewhere = [
        connect_with("a.example:443", ""),
        connect_with("a.example:443", &format!("Authorization: Bearer {token}\r\n")),
        connect_with("a.example:443", &format!("Cookie: token={token}\r\n")),
        connect_udp_with("a.example/443", ""),
    ];
    for request in elsewhere {
        let mut rig = Rig::new();
        let answer = rig.refused(&request);
        assert_eq!(answer.status, 407, "{request}");
        assert!(answer.field("Proxy-Authenticate").is_some_and(|it| it.starts_with("Bearer realm=")));
        assert!(!answer.text.contains("invalid_token"), "RFC 6750 §3: no error where nothing was shown");
        assert!(!format!("{:?}", rig.events).contains(token));
        assert_eq!(rig.refuse_reason(), &RefuseReason::NoToken);
        assert!(rig.is_untouched());
    }
}

#[test]
fn a_token_in_the_query_opens_nothing() {
    let token = token(START, 3_600 * SECOND).unwrap();
    let mut rig = Rig::new();
    let request =
        connect_udp_with("a.example/443", "").replace("443/ ", &format!("443/?t={} ", token.expose()));
    let answer = rig.refused(request);
    assert!(matches!(answer.status, 404 | 407), "{answer:?}");
    assert!(rig.is_untouched());
    assert!(!format!("{:?}", rig.events).contains(token.expose()));
}

#[test]
fn two_credentials_are_refused_whichever_is_good() {
    let bad = "Proxy-Authorization: Bearer x\r\n";
    for fields in
        [format!("{}{bad}", bearer()), format!("{bad}{}", bearer()), format!("{}{}", bearer(), bearer())]
    {
        let mut rig = Rig::new();
        assert_eq!(rig.refused(connect_with(TARGET, &fields)).status, 400);
        assert!(rig.is_untouched());
    }
}

#[test]
fn a_good_token_is_taken_as_bearer_and_as_basic() {
    use base64::Engine as _;
    let token = token(START, 3_600 * SECOND).unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("any:{}", token.expose()));
    for value in [
        format!("Bearer {}", token.expose()),
        format!("bearer  {}", token.expose()),
        format!("Basic {basic}"),
    ] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, &format!("Proxy-Authorization: {value}\r\n")));
        assert_eq!(rig.dials.len(), 1, "{value}");
        let target = rig.dials[0].0;
        rig.opened(target);
        rig.fail(target, IoFailure::ConnectionReset);
        rig.end(&mut peer);
        let shown = format!("{:?} {:?}", rig.events, rig.relay);
        assert!(!shown.contains(token.expose()) && !shown.contains(&basic));
        rig.assert_clean();
    }
}

#[test]
fn guessing_from_one_address_is_slowed_there_alone() {
    let mut rig = Rig::new();
    let bad = connect_with(TARGET, "Proxy-Authorization: Bearer guess\r\n");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(rig.refused(&bad).status);
    }
    // Twenty, and ten more that are judged in case that they are somebody else's.
    let allowed = statuses.iter().filter(|status| **status == 407).count();
    assert!((30..=31).contains(&allowed), "{statuses:?}");
    assert!(statuses[allowed..].iter().all(|status| *status == 429));
    // Also a good token that is not known yet waits for its turn, so that a guess that hits learns nothing.
    let answer = rig.refused(connect(TARGET));
    assert_eq!((answer.status, answer.field("Retry-After")), (429, Some("1")));
    assert!(rig.is_untouched());

    let mut other = rig.accept_from("192.0.2.2:1").unwrap();
    rig.say(&mut other, connect(TARGET));
    assert_eq!(rig.dials.len(), 1);
    // The same /64 is the same source, another is not.
    for (client, status) in [("[2001:db8::1]:1", 407), ("[2001:db8::2]:1", 429), ("[2001:db8:0:1::1]:1", 407)]
    {
        let times = if status == 429 { 1 } else { 30 };
        for _ in 0..times {
            let mut peer = rig.accept_from(client).unwrap();
            rig.say(&mut peer, &bad);
            assert_eq!(rig.answer(&mut peer).status, status, "{client}");
        }
    }
}

/// What a stale client shows twice a second, and what it shows it with.
#[test]
fn a_stale_client_keeps_nobody_out_behind_the_same_address() {
    let expired = |user: &str| {
        let claims = Claims {
            subject: Some(user.into()),
            expires: Some(UnixTime::from_secs(START.as_secs() - 3_600)),
            ..Claims::default()
        };
        signing_key().unwrap().mint(&claims).unwrap().expose().to_owned()
    };
    let basic = |token: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("user:{token}"))
    };
    let (_, nobody_app, _) =
        bad_values().into_iter().find(|(name, ..)| *name == "an app sign of nobody").unwrap();
    for stale in [
        format!("Bearer {}", expired("alice")),
        format!("Basic {}", basic(&expired("alice"))),
        "Bearer of-a-key-that-is-gone".to_owned(),
        format!("Bearer {TOKEN04}"),
        format!("Bearer {}", token04(&[8; 32], 1_001, 0, Token04Mode::Gcm)),
        nobody_app,
    ] {
        let mut rig = rig();
        for round in 0..120 {
            rig.refused(connect_with(TARGET, &format!("Proxy-Authorization: {stale}\r\n")));
            // Every newcomer, with a token that nobody has seen, of every kind.
            let token = if round % 2 == 0 {
                token_of(&format!("user{round}")).expose().to_owned()
            } else {
                token04(&[8; 32], 1_001, 3_600 + round, Token04Mode::Gcm)
            };
            let options = format!(
                "OPTIONS * HTTP/1.1\r\nHost: relay.example\r\nProxy-Authorization: Bearer {token}\r\n\r\n"
            );
            assert_eq!(rig.refused(options).status, 204, "{stale} in round {round}");
            rig.pass(Duration::from_millis(500));
        }
    }
}

#[test]
fn a_token_that_was_good_is_no_guess_however_often_it_is_shown() {
    let mut rig = Rig::new();
    let fields = bearer_of(&token(START, 100 * SECOND).unwrap());
    rig.pass(200 * SECOND);
    for _ in 0..60 {
        assert_eq!(rig.refused(connect_with(TARGET, &fields)).status, 407);
    }
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    assert_eq!(rig.dials.len(), 1);
}

#[test]
fn who_guesses_keeps_nobody_out_behind_the_same_address_whose_token_is_known() {
    let mut rig = Rig::new();
    let mut first = rig.accept();
    rig.say(&mut first, connect(TARGET));
    for _ in 0..60 {
        rig.refused(connect_with(TARGET, "Proxy-Authorization: Bearer guess\r\n"));
    }
    let mut again = rig.accept();
    rig.say(&mut again, connect(TARGET));
    assert_eq!(rig.dials.len(), 2);
    let other = bearer_of(&token(START, 1_800 * SECOND).unwrap());
    assert_eq!(rig.refused(connect_with(TARGET, &other)).status, 429, "good, and not known yet");
    rig.pass(Duration::from_millis(100));
    let mut third = rig.accept();
    rig.say(&mut third, connect_with(TARGET, &other));
    assert_eq!(rig.dials.len(), 3, "its turn came");
}

#[test]
fn asking_without_a_token_is_no_guess() {
    let mut rig = Rig::new();
    for _ in 0..50 {
        assert_eq!(rig.refused(connect_with(TARGET, "")).status, 407);
    }
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    assert_eq!(rig.dials.len(), 1);
}

#[test]
fn other_keys_hold_from_the_next_request_on() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    let key = SigningKey::generate(Algorithm::EdDsa, "new", &[9; 32]).unwrap();
    rig.relay.renew_keys(rig.now, Keys::new(vec![key.verifying()]).unwrap());
    assert_eq!(rig.refused(connect(TARGET)).status, 407);
    rig.say(&mut peer, b"still");
    assert_eq!(rig.sent(target).concat(), b"still");
}

#[test]
fn a_token_expires_also_where_it_was_remembered() {
    let mut rig = Rig::new();
    let fields = bearer_of(&token(START, 100 * SECOND).unwrap());
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with(TARGET, &fields));
    assert_eq!(rig.dials.len(), 1);
    rig.pass(250 * SECOND);
    assert_eq!(rig.refused(connect_with(TARGET, &fields)).status, 407);
}

#[test]
fn secrets_do_not_show_themselves() {
    let token = token(START, 3_600 * SECOND).unwrap();
    let credential = Credential::Token(token.clone());
    let key = SigningKey::generate(Algorithm::Hs256, "k", &[0x5a; 32]);
    let shown = format!(
        "{token:?} {credential:?} {key:?} {:?} {:?}",
        key.as_ref().map(SigningKey::verifying),
        Claims::default()
    );
    assert!(!shown.contains(token.expose()));
    assert!(!shown.contains("5a, 5a") && !shown.contains("90, 90") && !shown.contains("ZZZ"), "{shown}");
}

#[test]
fn options_say_whether_a_token_is_good_and_reach_nothing() {
    let mut rig = Rig::new();
    let options = |fields: &str| format!("OPTIONS * HTTP/1.1\r\nHost: relay.example\r\n{fields}\r\n");
    let answer = rig.refused(options(&bearer()));
    assert_eq!((answer.status, answer.field("Allow")), (204, Some("CONNECT, GET, OPTIONS")));
    assert!(rig.events.is_empty());
    for (fields, missing) in [("", true), ("Proxy-Authorization: Bearer guess\r\n", false)] {
        let answer = rig.refused(options(fields));
        assert_eq!(answer.status, 407);
        assert_eq!(!answer.text.contains("invalid_token"), missing);
    }
    assert!(rig.is_untouched());
    rig.assert_clean();
}

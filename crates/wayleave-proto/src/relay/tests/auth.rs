//! Who is let in, and what is said to the others (rows 9 to 11, 30 and 36 of the abuse cases).

use super::*;
use crate::auth::{
    Algorithm, AppSign, Credential, Keys, KeysConfig, SigningKey, Token04Claims, Token04Key, Token04Mode,
};
use crate::config::Verifier;

/// Values of Proxy-Authorization that are all refused, by name.
fn bad_values() -> Vec<(&'static str, String)> {
    let good = token(START, 3_600 * SECOND).unwrap().expose().to_owned();
    let claims = |change: fn(&mut Claims)| {
        let mut claims = Claims {
            subject: Some("alice".into()),
            expires: Some(UnixTime::from_secs(START.as_secs() + 3_600)),
            ..Claims::default()
        };
        change(&mut claims);
        signing_key().unwrap().mint(&claims).unwrap().expose().to_owned()
    };
    let other = SigningKey::generate(Algorithm::EdDsa, "test", &[8; 32]).unwrap();
    let forged = other
        .mint(&Claims { expires: Some(UnixTime::from_secs(START.as_secs() + 60)), ..Claims::default() })
        .unwrap();
    let tokens = [
        ("cut", good[..good.len() - 4].to_owned()),
        ("lengthened", format!("{good}AAAA")),
        ("a bit flipped", good.replacen("eyJ", "eyK", 1)),
        ("another key", forged.expose().to_owned()),
        ("not a token", "secret-that-is-no-token".to_owned()),
        ("alg none", "eyJhbGciOiJub25lIiwia2lkIjoidGVzdCJ9.eyJleHAiOjE5MDAwMDAwMDB9.".to_owned()),
        ("expired", claims(|it| it.expires = Some(UnixTime::from_secs(START.as_secs() - 3_600)))),
        ("not yet", claims(|it| it.not_before = Some(UnixTime::from_secs(START.as_secs() + 3_600)))),
        ("another audience", claims(|it| it.audience = vec!["elsewhere".into()])),
        ("too long", format!("{good}{}", "A".repeat(4_096))),
        ("Token04 of nobody", TOKEN04.into()),
        ("Token04 that is cut", TOKEN04[..60].into()),
        ("Token04 of another application", token04(7)),
        ("Token04 of another secret", token04(1_001)),
    ];
    let mut values: Vec<_> =
        tokens.into_iter().map(|(name, token)| (name, format!("Bearer {token}"))).collect();
    values.push(("another scheme", format!("Digest {good}")));
    values.push(("two words", format!("Bearer {good} {good}")));
    values.push(("no scheme", good));
    let sign = AppSign::new(1_001.into(), &"5".repeat(64)).unwrap();
    let proven = |sign: AppSign| {
        let target = "a.example:443".parse().unwrap();
        let value = Credential::AppSign(sign).authorization_value(&target, |_, _| Some([7; 48])).unwrap();
        value.expose().clone()
    };
    values.push(("an app sign for another connection", proven(sign.clone())));
    values.push(("an app sign of nobody", proven(AppSign::new(1_001.into(), &"6".repeat(64)).unwrap())));
    values.push(("an app sign without its proof", proven(sign).split(", p=").next().unwrap().to_owned()));
    values.push(("Basic that is none", "Basic !!!".into()));
    values
}

/// A Token04 of another secret than the relay has.
fn token04(app_id: u32) -> String {
    let expires = UnixTime::from_secs(START.as_secs() + 3_600);
    let claims = Token04Claims { user_id: "alice".into(), issued: START, expires, payload: String::new() };
    let key = Token04Key::new(app_id, &[9; 32]).unwrap();
    key.mint(&claims, Token04Mode::Gcm, &[3; 16]).unwrap().expose().to_owned()
}

/// A relay that knows keys of every kind.
fn rig() -> Rig {
    Rig::with(|config| {
        let sign = AppSign::new(1_001.into(), &"5".repeat(64)).unwrap();
        let keys = KeysConfig {
            jwt: vec![signing_key().unwrap().verifying()],
            token04: vec![Token04Key::new(1_001, &[8; 32]).unwrap(), Token04Key::new(8, &[9; 32]).unwrap()],
            app_sign: vec![sign.public()],
            ..KeysConfig::default()
        };
        config.verifier = Verifier::Keys(Keys::new(keys).unwrap());
    })
}

const TOKEN04: &str = "04AAAAAGVT/xAADAABAgMEBQYHCAkKCwB2VsfaDKlHu8iK5kCMQvvkMtEwOrcQngH4Ra7k3dwHlqbI2FNseJc7Mv9K1T+/jvkXHce/knzZ+KcKeQV5LCsvTp0yVAEaAT7TLQA6eNtLPQ805/JAd1vV1KySN77bI/w0iLIhqq/Srwiiu2ZGZwYMBtXeu1gMNQE=";

#[test]
fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let mut answers = Vec::new();
    for (name, value) in bad_values() {
        let field = format!("Proxy-Authorization: {value}\r\n");
        for request in [connect_with("a.example:443", &field), connect_udp_with("a.example/443", &field)] {
            let mut rig = rig();
            let answer = rig.refused(request);
            assert_eq!(answer.status, 407, "{name}");
            assert!(rig.is_untouched(), "{name}");
            let secret = value.rsplit(' ').next().unwrap();
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
fn guessing_from_one_address_stops_there_alone() {
    let mut rig = Rig::new();
    let bad = connect_with(TARGET, "Proxy-Authorization: Bearer guess\r\n");
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(rig.refused(&bad).status);
    }
    let allowed = statuses.iter().filter(|status| **status == 407).count();
    assert!((20..=21).contains(&allowed), "{statuses:?}");
    assert!(statuses[allowed..].iter().all(|status| *status == 429));
    // Also a good token that is not known yet waits, so that a guess that hits learns nothing.
    let answer = rig.refused(connect(TARGET));
    assert_eq!((answer.status, answer.field("Retry-After").is_some()), (429, true));
    assert!(rig.is_untouched());

    let mut other = rig.accept_from("192.0.2.2:1").unwrap();
    rig.say(&mut other, connect(TARGET));
    assert_eq!(rig.dials.len(), 1);
    // The same /64 is the same source, another is not.
    for (client, status) in [("[2001:db8::1]:1", 407), ("[2001:db8::2]:1", 429), ("[2001:db8:0:1::1]:1", 407)]
    {
        let times = if status == 429 { 1 } else { 20 };
        for _ in 0..times {
            let mut peer = rig.accept_from(client).unwrap();
            rig.say(&mut peer, &bad);
            assert_eq!(rig.answer(&mut peer).status, status, "{client}");
        }
    }
    rig.pass(3 * SECOND);
    let mut again = rig.accept();
    rig.say(&mut again, connect(TARGET));
    assert_eq!(rig.dials.len(), 2);
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

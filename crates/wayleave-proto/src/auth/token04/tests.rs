use proptest::prelude::*;

use super::*;
use crate::auth::{AppId, CredentialKind, Keys, KeysConfig, Rules, SigningKey, Token, Verdicts};
use crate::policy::Scope;

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const NOW: UnixTime = UnixTime::from_secs(1_700_000_100);

/// Made with one cryptographic library and checked with another.
const TEXT: &str = r#"{"app_id":1234567890,"user_id":"user1","nonce":-1,"ctime":1700000000,"expire":1700003600,"payload":""}"#;
const CBC: &str = "04AAAAAGVT/xAAEDAxMjM0NTY3ODlhYmNkZWYAcNwR7j4AKvPz1yXCdsPGhXpfb+3KfElaWF+U8hboEjs5vrfwgVs3VSz0LV1cEvcU+6aqbKubrAqN0JOUjszvkX+Ecf9doE3iGOEZBIMCJNms0jgQzoc8cOOeOAj0Wk5irUznrOEz1jsW0s+r7kyn0NU=";
const GCM: &str = "04AAAAAGVT/xAADAABAgMEBQYHCAkKCwB2VsfaDKlHu8iK5kCMQvvkMtEwOrcQngH4Ra7k3dwHlqbI2FNseJc7Mv9K1T+/jvkXHce/knzZ+KcKeQV5LCsvTp0yVAEaAT7TLQA6eNtLPQ805/JAd1vV1KySN77bI/w0iLIhqq/Srwiiu2ZGZwYMBtXeu1gMNQE=";

fn key() -> Token04Key {
    Token04Key::new(1_234_567_890, SECRET).unwrap()
}

fn keys(token04: Vec<Token04Key>) -> Keys {
    Keys::new(KeysConfig { token04, ..KeysConfig::default() }).unwrap()
}

fn judged(token: &str) -> Result<Claims, TokenError> {
    keys(vec![key()]).verify(token, NOW, &Rules::default()).map(|verdict| verdict.claims)
}

/// A token that the key sealed around any text.
fn sealed(mode: Token04Mode, expires: i64, text: &str) -> String {
    let iv = [7; 16];
    key().write(mode, expires, &iv[..mode.iv_length()], text.as_bytes()).unwrap().expose().to_owned()
}

#[test]
fn the_vectors_are_read_and_written() {
    let nonce: Vec<u8> = (0..12).collect();
    for (mode, iv, token) in
        [(Token04Mode::Cbc, b"0123456789abcdef".as_slice(), CBC), (Token04Mode::Gcm, nonce.as_slice(), GCM)]
    {
        assert_eq!(key().write(mode, 1_700_003_600, iv, TEXT.as_bytes()).unwrap().expose(), token);
        let claims = judged(token).unwrap();
        assert_eq!(claims.app_id, Some(AppId::from(1_234_567_890)));
        assert_eq!(claims.subject.as_deref(), Some("user1"));
        assert_eq!(claims.issued, Some(UnixTime::from_secs(1_700_000_000)));
        assert_eq!(claims.expires, Some(UnixTime::from_secs(1_700_003_600)));
        assert_eq!(inspect_token04(token), Ok((mode, claims.expires)));
        assert_eq!(Token::new(token).unwrap().expires(), claims.expires);
    }
    let claims = Token04Claims {
        user_id: "user1".into(),
        issued: UnixTime::from_secs(1_700_000_000),
        expires: UnixTime::from_secs(1_700_003_600),
        payload: String::new(),
    };
    assert_eq!(claims.to_json(&AppId::from(1_234_567_890), -1), TEXT);
}

#[test]
fn a_token_that_is_cut_or_changed_anywhere_is_refused() {
    for token in [CBC, GCM] {
        for length in 0..token.len() {
            assert!(judged(&token[..length]).is_err(), "{length}");
        }
        for bit in 0..token.len() * 8 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // In the CBC form nothing vouches for the first block: a flip of the IV changes a value in it and no more.
            let hidden = judged(&changed).is_ok_and(|claims| claims.app_id != judged(token).unwrap().app_id);
            assert!(judged(&changed).is_err() && !hidden, "{bit}");
        }
        assert!(judged(&format!("{token}AAAA")).is_err());
    }
}

#[test]
fn what_the_key_sealed_is_still_read_strictly() {
    let with = |part: &str, other: &str| TEXT.replace(part, other);
    let end = 1_700_003_600;
    for (text, expires) in [
        (TEXT.to_owned(), end + 1),
        (TEXT.to_owned(), -end),
        (with("1234567890", "1234567891"), end),
        (with("1234567890", "\"1234567890\""), end),
        (with("1234567890", "4294967296"), end),
        (with("\"user1\"", "\"\""), end),
        (with("\"user1\"", "7"), end),
        (with("\"nonce\":-1", "\"nonce\":\"x\""), end),
        (with("\"ctime\":1700000000,", ""), end),
        (with("\"expire\":1700003600", "\"expire\":\"1700003600\""), end),
        (with("\"expire\":1700003600", "\"expire\":1700003600,\"expire\":1800003600"), end),
        (with("\"payload\":\"\"", "\"payload\":{}"), end),
        (format!("{TEXT} x"), end),
        ("[]".into(), end),
        (String::new(), end),
    ] {
        for mode in [Token04Mode::Cbc, Token04Mode::Gcm] {
            assert!(judged(&sealed(mode, expires, &text)).is_err(), "{text}");
        }
    }
    assert!(judged(&sealed(Token04Mode::Gcm, end, &with(",\"payload\":\"\"", ""))).is_ok());
    assert_eq!(
        judged(&sealed(Token04Mode::Gcm, 5, &with("1700003600", "5"))).err(),
        Some(TokenError::Expired)
    );
}

#[test]
fn a_mode_that_is_not_known_is_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let bytes = STANDARD.decode(&GCM[2..]).unwrap();
    for last in 0..=255 {
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() = last;
        assert_eq!(judged(&format!("04{}", STANDARD.encode(&changed))).is_ok(), last == 1, "{last}");
    }
    let mut with_mode = STANDARD.decode(&CBC[2..]).unwrap();
    with_mode.push(0);
    assert!(judged(&format!("04{}", STANDARD.encode(&with_mode))).is_ok());
    with_mode.push(0);
    assert!(judged(&format!("04{}", STANDARD.encode(&with_mode))).is_err());
}

#[test]
fn secrets_of_several_applications_are_tried_and_each_is_for_its_own() {
    let other = Token04Key::new(7, &[9; 32]).unwrap();
    let old = Token04Key::new(1_234_567_890, &[8; 32]).unwrap();
    let all = keys(vec![other, old, key()]);
    let verdict = all.verify(GCM, NOW, &Rules::default()).unwrap();
    assert_eq!((verdict.credential, verdict.kid.as_str()), (CredentialKind::Token04, "1234567890#3"));
    let same_secret = Token04Key::new(7, SECRET).unwrap();
    for token in [CBC, GCM] {
        let refused = keys(vec![same_secret.clone()]).verify(token, NOW, &Rules::default());
        assert_eq!(refused.err(), Some(TokenError::WrongApp));
    }
    let none = keys(vec![Token04Key::new(7, &[9; 32]).unwrap()]).verify(GCM, NOW, &Rules::default());
    assert_eq!(none.err(), Some(TokenError::NotDecrypted));
    let many = vec![key(); MOST_SECRETS + 1];
    assert!(Keys::new(KeysConfig { token04: many, ..KeysConfig::default() }).is_err());
}

#[test]
fn an_operator_can_forbid_cbc() {
    let strict = keys(vec![key().allowing_cbc(false)]);
    assert_eq!(strict.verify(CBC, NOW, &Rules::default()).err(), Some(TokenError::CbcForbidden));
    assert!(strict.verify(GCM, NOW, &Rules::default()).is_ok());
}

#[test]
fn a_token04_needs_no_audience_and_obeys_the_operator() {
    let scope: Scope = serde_json::from_str(r#"{"tunnels": 3}"#).unwrap();
    let config = KeysConfig {
        token04: vec![key()],
        apps: [(AppId::from(1_234_567_890), scope.clone())].into(),
        ..KeysConfig::default()
    };
    let rules = Rules { audience: Some("relay".into()), ..Rules::default() };
    let mut memory = Verdicts::default();
    for _ in 0..2 {
        let verdict = memory.verify(&Keys::new(config.clone()).unwrap(), CBC, NOW, &rules).unwrap();
        assert_eq!(verdict.scope, scope);
    }
}

#[test]
fn a_payload_is_a_room_or_any_text() {
    let read = |text: &str| Payload::read(text);
    let room = |room_id: Option<&str>, login, publish, ids: Option<&[&str]>| {
        let stream_ids = ids.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        Some(Payload::Room(Room { room_id: room_id.map(str::to_owned), login, publish, stream_ids }))
    };
    let (yes, no) = (Some(Privilege::Allowed), Some(Privilege::Denied));
    assert_eq!(read(""), None);
    assert_eq!(
        read(r#"{"room_id":"r","privilege":{"1":1,"2":0},"stream_id_list":["a","b"]}"#),
        room(Some("r"), yes, no, Some(&["a", "b"]))
    );
    assert_eq!(
        read(r#"{"room_id":"","privilege":{"1":1},"stream_id_list":null}"#),
        room(None, yes, None, None)
    );
    for text in [
        "hello",
        "{}",
        "[1]",
        r#"{"room_id":7}"#,
        r#"{"privilege":{"1":2}}"#,
        r#"{"room_id":"a","room_id":"b"}"#,
    ] {
        assert_eq!(read(text), Some(Payload::Text(text.into())), "{text}");
    }
}

#[test]
fn a_secret_has_32_characters_and_shows_itself_nowhere() {
    for length in [0, 16, 31, 33, 64] {
        assert_eq!(Token04Key::new(1, &vec![b'a'; length]).err(), Some(Token04KeyError { length }));
    }
    assert!(!format!("{:?}", keys(vec![key()])).contains("0123"));
}

proptest! {
    #[test]
    fn a_minted_token_is_accepted(
        user in ".{1,40}",
        payload in ".{0,200}",
        random in any::<[u8; 16]>(),
        gcm in any::<bool>(),
    ) {
        let mode = if gcm { Token04Mode::Gcm } else { Token04Mode::Cbc };
        let claims = Token04Claims {
            user_id: user.clone(),
            issued: NOW,
            expires: UnixTime::from_secs(NOW.as_secs() + 1),
            payload: payload.clone(),
        };
        let token = key().mint(&claims, mode, &random).unwrap();
        let verdict = keys(vec![key()]).verify(token.expose(), NOW, &Rules::default()).unwrap();
        prop_assert_eq!(verdict.claims.subject, Some(user));
        prop_assert_eq!(verdict.payload.is_none(), payload.is_empty());
    }

    #[test]
    fn no_text_that_was_sealed_breaks_the_reader(
        text in ".{0,80}|\\{(\"(app_id|user_id|expire|ctime|nonce|payload|x)\":(-?[0-9]{1,20}|\"[a-z]{0,4}\"|null|\\[\\]),?){0,7}\\}",
        expires in any::<i64>(),
        gcm in any::<bool>(),
    ) {
        let mode = if gcm { Token04Mode::Gcm } else { Token04Mode::Cbc };
        // Nothing of this names the application with its ten digits and the same expiry as outside.
        prop_assert!(judged(&sealed(mode, expires, &text)).is_err(), "{text}");
        let _ = Payload::read(&text);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "04[A-Za-z0-9+/]{0,200}={0,2}|.{0,40}") {
        prop_assert!(judged(&text).is_err());
        let _ = inspect_token04(&text);
    }
}

#[test]
fn keys_of_both_kinds_stand_beside_each_other() {
    let jwt = SigningKey::generate(crate::auth::Algorithm::EdDsa, "k", &[7; 32]).unwrap();
    let config = KeysConfig { jwt: vec![jwt.verifying()], token04: vec![key()], ..KeysConfig::default() };
    let both = Keys::new(config).unwrap();
    let claims = Claims { expires: Some(UnixTime::from_secs(1_800_000_000)), ..Claims::default() };
    assert!(both.verify(jwt.mint(&claims).unwrap().expose(), NOW, &Rules::default()).is_ok());
    assert!(both.verify(CBC, NOW, &Rules::default()).is_ok());
}

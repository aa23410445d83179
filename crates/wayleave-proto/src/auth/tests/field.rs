use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::auth::{
    Authorization, AuthorizationError, Challenge, Credential, Token, TokenTextError, authorization,
};
use crate::testing::cases;

fn basic(text: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

fn token_of(value: &str) -> String {
    match authorization(value).unwrap() {
        Authorization::Token(token) => token.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_are_found_in_both_schemes() {
    for (value, token) in [
        ("Bearer a.b-c".to_owned(), "a.b-c"),
        ("bearer x".to_owned(), "x"),
        ("BEARER   x".to_owned(), "x"),
        ("Bearer 04AB+/==".to_owned(), "04AB+/=="),
        (basic("alice:a.b.c"), "a.b.c"),
        (basic(":a.b.c"), "a.b.c"),
        (basic("größe:x"), "x"),
        (basic("u:x").replacen("Basic", "bASIC", 1), "x"),
    ] {
        assert_eq!(token_of(&value), token, "{value}");
    }
}

#[test]
fn other_credentials_are_refused_with_their_reason() {
    use AuthorizationError as E;
    let character = |position| E::Token(TokenTextError::Character { position });
    let long = TokenTextError::TooLong { length: 4_097 };
    for (value, error) in [
        (String::new(), E::Scheme),
        (" ".to_owned(), E::Scheme),
        ("a.b.c".to_owned(), E::Scheme),
        ("Digest username=\"x\"".to_owned(), E::Scheme),
        ("Bearer\tx".to_owned(), E::Scheme),
        ("Concealed".to_owned(), E::Concealed),
        ("Concealed k=a".to_owned(), E::Concealed),
        ("Bearer".to_owned(), E::Token(TokenTextError::Empty)),
        ("Bearer ".to_owned(), E::Token(TokenTextError::Empty)),
        ("Bearer a b".to_owned(), character(1)),
        ("Bearer a,Bearer b".to_owned(), character(1)),
        ("Bearer \"a\"".to_owned(), character(0)),
        ("Bearer =".to_owned(), character(0)),
        ("Bearer ab=c".to_owned(), character(2)),
        ("Bearer a\r\n".to_owned(), character(1)),
        (format!("Bearer {}", "a".repeat(4_097)), E::Token(long)),
        (format!("Bearer {}", "a".repeat(7_000)), E::TooLong),
        ("Basic".to_owned(), E::Basic),
        ("Basic !!".to_owned(), E::Basic),
        ("Basic YTpi Yg==".to_owned(), E::Basic),
        ("Basic dTp4eA".to_owned(), E::Basic),
        (basic("alice"), E::Basic),
        (basic(b"u:\xff"), E::Basic),
        (basic("u:"), E::Token(TokenTextError::Empty)),
        (basic("u:a:b"), character(1)),
        (basic("u:a\0b"), character(1)),
        (basic(format!("u:{}", "a".repeat(4_097))), E::Token(long)),
    ] {
        assert_eq!(authorization(&value).err(), Some(error), "{value}");
    }
    assert!(authorization(&basic(format!("alice:{}", "a".repeat(4_096)))).is_ok());
}

#[test]
fn what_a_client_shows_is_what_a_relay_reads() {
    let credential = Credential::Token(Token::new("a.b.c").unwrap());
    let proxy = "relay.example:443".parse().unwrap();
    let value = credential.authorization_value(&proxy, |_, _| None).unwrap();
    assert_eq!(value.expose(), "Bearer a.b.c");
    assert_eq!(token_of(value.expose()), "a.b.c");
    assert_eq!(format!("{credential:?} {value:?}"), "Token(Token([secret])) [secret]");
}

#[test]
fn challenges_offer_both_schemes() {
    assert_eq!(
        Challenge::Missing.field_values(Challenge::REALM),
        [r#"Bearer realm="wayleave""#, r#"Basic realm="wayleave", charset="UTF-8""#]
    );
    assert_eq!(
        Challenge::Invalid.field_values("a\"b\\c\r\nü"),
        [r#"Bearer realm="a\"b\\c", error="invalid_token""#, r#"Basic realm="a\"b\\c", charset="UTF-8""#]
    );
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever a client writes into the field is a credential or an error, and no secret shows in either.
    #[test]
    fn any_value_is_read_or_refused(
        scheme in prop_oneof![Just("Bearer "), Just("Basic "), Just("Concealed "), Just("")],
        value in ".{0,120}",
        fields in proptest::collection::vec(("[kasvp]", "[A-Za-z0-9_-]{0,90}"), 0..6),
    ) {
        let _ = authorization(&format!("{scheme}{value}"));
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = authorization(&format!("{scheme}{}", fields.join(", ")));
    }

    /// What a client writes for a token is read as that token, in both schemes.
    #[test]
    fn a_token_reads_as_it_was_written(token in "[A-Za-z0-9._~+/-]{1,200}", user in "[a-z]{0,10}") {
        prop_assert_eq!(token_of(&format!("Bearer {token}")), token.clone());
        prop_assert_eq!(token_of(&basic(format!("{user}:{token}"))), token);
    }
}

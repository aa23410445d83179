use proptest::prelude::*;

use super::{NOW, claims, signing};
use crate::auth::{Algorithm, Token, TokenTextError};
use crate::testing::cases;

#[test]
fn the_text_of_a_token_is_checked_and_hidden() {
    for text in ["a", "a.b.c", "-._~+/", "AZaz09==", &"a".repeat(4_096)] {
        assert_eq!(text.parse::<Token>().unwrap().expose(), text);
    }
    for (text, error) in [
        ("", TokenTextError::Empty),
        ("=", TokenTextError::Character { position: 0 }),
        ("a=b", TokenTextError::Character { position: 1 }),
        ("abc\n", TokenTextError::Character { position: 3 }),
        ("hunter 2", TokenTextError::Character { position: 6 }),
        ("ü", TokenTextError::Character { position: 0 }),
        (&"a".repeat(4_097), TokenTextError::TooLong { length: 4_097 }),
    ] {
        assert_eq!(Token::new(text).err(), Some(error));
        assert!(!error.to_string().contains("hunter"));
    }
    assert_eq!(format!("{:?}", Token::new("hunter2").unwrap()), "Token([secret])");
}

#[test]
fn a_token_says_when_it_expires_without_being_verified() {
    let token = signing(Algorithm::EdDsa, "a").mint(&claims()).unwrap();
    assert_eq!(token.expires(), claims().expires);
    let forged = format!("{}AAAA", token.expose());
    assert_eq!(Token::new(&forged).unwrap().expires(), claims().expires);
    for other in ["04AAAA", "a.b.c", "opaque"] {
        assert_eq!(Token::new(other).unwrap().expires(), None);
    }
    assert!(claims().expires > Some(NOW));
}

proptest! {
    #![proptest_config(cases(200))]

    /// RFC 6750 §2.1: one or more of these characters, then any number of equals signs.
    #[test]
    fn a_token_has_the_characters_of_the_standard_alone(text in "[A-Za-z0-9._~+/-]{0,6}={0,3}|\\PC{0,8}|[ a=é]{0,4}") {
        let first = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        let is_token = first.len() < text.len() && first.chars().all(|c| c == '=');
        prop_assert_eq!(Token::new(&text).is_ok(), is_token, "{:?}", text);
    }
}

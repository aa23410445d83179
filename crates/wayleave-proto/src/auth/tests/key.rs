use core::time::Duration;

use super::{claims, signing};
use crate::auth::{Algorithm, AppId, Claims, KeyError, MintError, SigningKey, TokenTextError, VerifyingKey};
use crate::policy::{OnExpiry, Scope, TargetRule, Targets};

#[test]
fn keys_come_back_from_their_parts() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let made = signing(algorithm, "k");
        let read = SigningKey::from_parts("k", algorithm, made.secret().expose()).unwrap();
        assert_eq!((read.kid(), read.algorithm()), ("k", algorithm));
        assert_eq!(read.mint(&claims()).unwrap().expose(), made.mint(&claims()).unwrap().expose());
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        let verifying = made.verifying();
        assert_eq!(verifying.public_key().is_some(), algorithm == Algorithm::EdDsa);
        assert_eq!(verifying.secret().is_some(), algorithm == Algorithm::Hs256);
    }
}

#[test]
fn bad_keys_are_refused() {
    use Algorithm::{EdDsa, Hs256};
    for (kid, algorithm, secret, error) in [
        ("", EdDsa, 32, KeyError::Kid),
        ("a b", EdDsa, 32, KeyError::Kid),
        ("ü", Hs256, 32, KeyError::Kid),
        (&"k".repeat(257), EdDsa, 32, KeyError::Kid),
        ("k", EdDsa, 31, KeyError::Seed { length: 31 }),
        ("k", EdDsa, 33, KeyError::Seed { length: 33 }),
        ("k", Hs256, 31, KeyError::Secret { length: 31 }),
        ("k", Hs256, 1_025, KeyError::Secret { length: 1_025 }),
    ] {
        assert_eq!(SigningKey::from_parts(kid, algorithm, &vec![7; secret]).err(), Some(error));
    }
    assert_eq!(VerifyingKey::hs256("k", &[7; 31]).err(), Some(KeyError::Secret { length: 31 }));
    for name in ["none", "eddsa", "RS256", ""] {
        assert_eq!(name.parse::<Algorithm>(), Err(KeyError::Algorithm));
    }
}

#[test]
fn no_key_shows_its_secret() {
    let key = SigningKey::from_parts("k", Algorithm::Hs256, b"hunter2hunter2hunter2hunter2hunter2").unwrap();
    let shown = format!("{key:?} {:?} {:?}", key.verifying(), signing(Algorithm::EdDsa, "k"));
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117") && !shown.contains("7, 7"), "{shown}");
}

#[test]
fn only_tokens_that_a_relay_would_take_are_minted() {
    let key = signing(Algorithm::EdDsa, "k");
    assert_eq!(key.mint(&Claims { expires: None, ..claims() }).err(), Some(MintError::NoExpiry));
    let long = Claims { subject: Some("x".repeat(4_000)), ..claims() };
    assert!(matches!(key.mint(&long), Err(MintError::Text(TokenTextError::TooLong { .. }))));
    let closes = |secs| Scope { on_expiry: Some(OnExpiry::CloseAfter(secs)), ..Scope::default() };
    let rules = |count| Targets::new(vec![TargetRule::default(); count]);
    let both = Targets::new(vec![]).intersect(&rules(1));
    for scope in [
        closes(Duration::from_secs(86_401)),
        closes(Duration::from_millis(1_500)),
        Scope { targets: rules(65), ..Scope::default() },
        Scope { targets: both, ..Scope::default() },
    ] {
        assert_eq!(key.mint(&Claims { scope, ..claims() }).err(), Some(MintError::Unreadable));
    }
    assert!(key.mint(&Claims { scope: closes(Duration::from_secs(86_400)), ..claims() }).is_ok());
}

#[test]
fn there_is_a_decoy_for_whatever_a_key_could_be() {
    for name in ["EdDSA", "Ed25519", "HS256"] {
        let decoy = VerifyingKey::decoy(name).unwrap();
        assert!(decoy.algorithm().is_named(name) && !decoy.fits("a.b", &[0; 64]), "{name}");
    }
    for name in ["none", "RS256", "hs256", ""] {
        assert!(VerifyingKey::decoy(name).is_none(), "{name}");
    }
}

#[test]
fn application_ids_are_short_names() {
    for text in ["1001", "my-app", "01001"] {
        assert_eq!(text.parse::<AppId>().unwrap().to_string(), text);
    }
    for text in ["", "a b", "ü", &"9".repeat(65)] {
        assert!(text.parse::<AppId>().is_err(), "{text}");
    }
}

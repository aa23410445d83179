use core::time::Duration;
use std::sync::Arc;

use super::{NOW, claims, keys, signing};
use crate::auth::{AccountId, Algorithm, Claims, Rules, TokenError, TokenName, Verdicts};
use crate::base::UnixTime;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + secs)
}

#[test]
fn a_verdict_is_remembered_until_it_ends() {
    let key = signing(Algorithm::EdDsa, "a");
    let (keys, rules, mut verdicts) = (keys(&[&key]), Rules::default(), Verdicts::default());
    let token = key.mint(&Claims { expires: Some(at(600)), ..claims() }).unwrap();
    let mut verify = |now| verdicts.verify(&keys, token.expose(), now, &rules);
    let first = verify(NOW).unwrap();
    assert!(Arc::ptr_eq(&first, &verify(at(299)).unwrap()));
    let second = verify(at(300)).unwrap();
    assert!(!Arc::ptr_eq(&first, &second), "after five minutes the signature is checked again");
    assert!(Arc::ptr_eq(&second, &verify(at(599)).unwrap()));
    assert!(verify(at(629)).is_ok(), "within the leeway");
    assert_eq!(verify(at(630)), Err(TokenError::Expired));
    assert_eq!(verdicts.len(), 1);
}

#[test]
fn rules_and_times_are_judged_anew() {
    let key = signing(Algorithm::Hs256, "a");
    let (keys, rules, mut verdicts) = (keys(&[&key]), Rules::default(), Verdicts::default());
    let token = key.mint(&Claims { not_before: Some(NOW), expires: Some(at(10)), ..claims() }).unwrap();
    assert!(verdicts.verify(&keys, token.expose(), NOW, &rules).is_ok());
    let strict = Rules { leeway: Duration::ZERO, ..Rules::default() };
    assert_eq!(verdicts.verify(&keys, token.expose(), at(10), &strict), Err(TokenError::Expired));
    let before = UnixTime::from_secs(NOW.as_secs() - 1);
    assert_eq!(verdicts.verify(&keys, token.expose(), before, &strict), Err(TokenError::NotYetValid));
    let audience = Rules { audience: Some("relay".to_owned()), ..Rules::default() };
    assert_eq!(verdicts.verify(&keys, token.expose(), NOW, &audience), Err(TokenError::WrongAudience));
}

#[test]
fn other_keys_empty_the_memory() {
    let [old, new] = ["old", "new"].map(|kid| signing(Algorithm::EdDsa, kid));
    let (both, only_new) = (keys(&[&old, &new]), keys(&[&new]));
    let (rules, mut verdicts) = (Rules::default(), Verdicts::default());
    let token = old.mint(&claims()).unwrap();
    assert!(verdicts.verify(&both, token.expose(), NOW, &rules).is_ok());
    assert_eq!(verdicts.verify(&only_new, token.expose(), NOW, &rules), Err(TokenError::UnknownKey));
    let name = TokenName::of(token.expose());
    assert!(verdicts.knows(&both, &name) && !verdicts.knows(&only_new, &name));
    let new = new.mint(&claims()).unwrap();
    assert!(verdicts.verify(&only_new, new.expose(), NOW, &rules).is_ok());
    assert_eq!(verdicts.len(), 1);
    let bound = crate::auth::Keys::new(vec![old.verifying().for_app(5.into())]).unwrap();
    assert!(verdicts.verify(&both, token.expose(), NOW, &rules).is_ok());
    assert_eq!(verdicts.verify(&bound, token.expose(), NOW, &rules), Err(TokenError::WrongApp));
}

#[test]
fn the_memory_is_bounded_and_drops_the_soonest_to_end() {
    let key = signing(Algorithm::Hs256, "a");
    let (keys, rules, mut verdicts) = (keys(&[&key]), Rules::default(), Verdicts::new(10));
    let token = |secs| key.mint(&Claims { expires: Some(at(secs)), ..claims() }).unwrap();
    let soonest = verdicts.verify(&keys, token(1).expose(), NOW, &rules).unwrap();
    let longer = verdicts.verify(&keys, token(200).expose(), NOW, &rules).unwrap();
    for secs in 10..100 {
        assert!(verdicts.verify(&keys, token(secs).expose(), NOW, &rules).is_ok());
        assert!(verdicts.len() <= 10);
    }
    assert!(Arc::ptr_eq(&longer, &verdicts.verify(&keys, token(200).expose(), NOW, &rules).unwrap()));
    assert!(!Arc::ptr_eq(&soonest, &verdicts.verify(&keys, token(1).expose(), NOW, &rules).unwrap()));
    let refused = verdicts.len();
    assert!(verdicts.verify(&keys, "a.b.c", NOW, &rules).is_err());
    assert_eq!(verdicts.len(), refused, "refusals are not remembered");
    let mut none = Verdicts::new(0);
    assert!(none.verify(&keys, token(5).expose(), NOW, &rules).is_ok());
    assert!(none.is_empty());
}

#[test]
fn an_account_is_key_application_and_user() {
    let alice = AccountId::new("k", &claims());
    let renewed = Claims { expires: Some(at(9_999)), token_id: Some("n".to_owned()), ..claims() };
    assert_eq!(alice, AccountId::new("k", &renewed));
    let bare = Claims::default();
    let empty = Claims { subject: Some(String::new()), ..Claims::default() };
    let shifted = Claims { app_id: Some(100.into()), subject: Some("1alice".to_owned()), ..claims() };
    let other = Claims { subject: Some("bob".to_owned()), ..claims() };
    for (kid, other) in [("l", &claims()), ("k", &bare), ("k", &empty), ("k", &shifted), ("k", &other)] {
        assert_ne!(alice, AccountId::new(kid, other));
    }
    assert_ne!(AccountId::new("k", &bare), AccountId::new("k", &empty));
    assert_eq!(alice.to_string().len(), 32);
}

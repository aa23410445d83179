use super::proof::{LABEL, context, covered};
use super::*;
use crate::auth::{
    AppId, Authorization, Credential, CredentialKind, Keys, KeysConfig, Revoked, TokenError, Verdict,
    authorization,
};
use crate::base::Target;

const SIGN: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

fn sign(app_id: u32) -> AppSign {
    AppSign::new(app_id.into(), SIGN).unwrap()
}

fn proxy() -> Target {
    "relay.example:443".parse().unwrap()
}

/// Key material of a connection: another one for each label, context and `connection`.
fn exporter(connection: u8) -> impl Fn(&[u8], &[u8]) -> Option<[u8; 48]> {
    move |label, context| {
        let mut all = vec![connection];
        all.extend([label, context].concat());
        let hash = ring::digest::digest(&ring::digest::SHA512, &all);
        hash.as_ref()[..48].try_into().ok()
    }
}

fn shown(sign: AppSign) -> String {
    let value = Credential::AppSign(sign).authorization_value(&proxy(), exporter(1)).unwrap();
    value.expose().clone()
}

fn keys(app_sign: Vec<AppSignKey>) -> Keys {
    Keys::new(KeysConfig { app_sign, ..KeysConfig::default() }).unwrap()
}

fn judged(keys: &Keys, value: &str, authority: &str, connection: u8) -> Option<Result<Verdict, TokenError>> {
    let Ok(Authorization::Concealed(concealed)) = authorization(value) else { return None };
    Some(keys.verify_app_sign(&concealed, Some(&authority.parse().unwrap()), exporter(connection)))
}

#[test]
fn the_seed_is_the_app_sign_as_it_is_given_out() {
    assert_eq!(sign(1).public().public_key().len(), 32);
    // The first test vector of RFC 8032 §7.1.
    let vector =
        AppSign::new(1.into(), "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n").unwrap();
    let public: String = vector.public().public_key().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(public, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    for wrong in ["", "9d61", &SIGN.replace('9', "g"), &format!("{SIGN}00")] {
        assert!(AppSign::new(1.into(), wrong).is_err(), "{wrong}");
    }
    assert!(!format!("{:?}", sign(1)).contains("9d"));
}

#[test]
fn context_and_signed_bytes_are_those_of_the_standard() {
    let mut expected = vec![0x08, 0x07, 4];
    expected.extend(b"1001");
    expected.push(32);
    expected.extend([5; 32]);
    expected.extend(b"\x05https\x0drelay.example\x01\xbb\x00");
    assert_eq!(context(b"1001", &[5; 32], &proxy(), ""), expected);
    let v6 = context(b"", b"", &"[2001:db8::1]:8443".parse().unwrap(), "r");
    assert_eq!(v6, [b"\x08\x07\0\0\x05https\x0d[2001:db8::1]\x20\xfb\x01r".as_slice()].concat());
    let signed = covered(&[1; 32]);
    assert_eq!(signed.len(), 64 + 29 + 1 + 32);
    assert!(signed.starts_with(&[b' '; 64]) && signed.ends_with(&[1; 32]));
    assert_eq!(&signed[64..94], b"HTTP Concealed Authentication\0");
    assert_eq!(LABEL, b"EXPORTER-HTTP-Concealed-Authentication");
}

#[test]
fn what_a_client_proves_a_relay_accepts_on_that_connection_alone() {
    let value = shown(sign(1001));
    assert!(value.starts_with("Concealed k=MTAwMQ, a=") && value.contains(", s=2055, "), "{value}");
    let keys = keys(vec![AppSignKey::new(1001.into(), [9; 32]), sign(7).public(), sign(1001).public()]);
    let verdict = judged(&keys, &value, "relay.example:443", 1).unwrap().unwrap();
    assert_eq!(verdict.credential, CredentialKind::AppSign);
    assert_eq!(verdict.claims.app_id, Some(AppId::from(1001)));
    assert_eq!((verdict.kid.as_str(), verdict.claims.expires), ("1001#3", None));
    let refused = |value: &str, authority: &str, connection| match judged(&keys, value, authority, connection)
    {
        Some(Err(TokenError::AppSign(error))) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&value, "relay.example:443", 2), AppSignError::OtherConnection);
    assert_eq!(refused(&value, "other.example:443", 1), AppSignError::OtherConnection);
    assert_eq!(refused(&value, "relay.example:8443", 1), AppSignError::OtherConnection);
    assert_eq!(refused(&value.replace("2055", "2056"), "relay.example:443", 1), AppSignError::Scheme);
    assert_eq!(refused(&value.replace("MTAwMQ", "MTAwMg"), "relay.example:443", 1), AppSignError::UnknownKey);
    let Ok(Authorization::Concealed(concealed)) = authorization(&value) else { panic!() };
    let none = keys.verify_app_sign(&concealed, Some(&proxy()), |_, _| None);
    assert_eq!(none.err(), Some(AppSignError::NoExporter.into()));
}

#[test]
fn every_bit_of_it_counts() {
    let value = shown(sign(1001));
    let keys = keys(vec![sign(1001).public()]);
    let begin = "Concealed ".len();
    for bit in begin * 8..value.len() * 8 {
        let mut bytes = value.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let same = authorization(&changed).is_ok_and(|read| match (read, authorization(&value)) {
            (Authorization::Concealed(read), Ok(Authorization::Concealed(first))) => read == first,
            _ => false,
        });
        // The names of parameters have no case, and the space between them is free.
        let accepted = judged(&keys, &changed, "relay.example:443", 1).is_some_and(|verdict| verdict.is_ok());
        assert_eq!(accepted, same, "{changed}");
    }
    for length in 0..value.len() {
        let accepted =
            judged(&keys, &value[..length], "relay.example:443", 1).is_some_and(|verdict| verdict.is_ok());
        assert!(!accepted, "{length}");
    }
}

#[test]
fn parameters_are_read_strictly() {
    let good = "k=YTE, a=YQ,p=YQ , s=2055, v=YQ";
    let read = |text: &str| Concealed::read(text).is_some();
    assert!(read(good) && read(&format!("{good}, new=1")) && read(&format!("{good}, realm=\"x y\"")));
    assert!(read(&good.replace("k=", "K=")));
    for wrong in [
        "",
        "k=YTE",
        &format!("{good}, k=YTE"),
        &format!("{good}, "),
        &good.replace("2055", "02055"),
        &good.replace("2055", "65536"),
        &good.replace("2055", "+55"),
        &good.replace("2055", ""),
        &good.replace("k=YTE", "k=\"a1\""),
        &good.replace("k=YTE", "k=YTE=="),
        &good.replace("k=YTE", "k=Y"),
        &good.replace("k=YTE", "k=Y+"),
        &good.replace(", v=YQ", ""),
        &format!("{good}, realm=\"x"),
    ] {
        assert!(!read(wrong), "{wrong}");
    }
}

#[test]
fn an_application_can_be_revoked_with_its_sign() {
    let mut keys = keys(vec![sign(1001).public()]);
    keys.revocations_mut().insert(Revoked::App(1001.into()));
    let value = shown(sign(1001));
    assert_eq!(judged(&keys, &value, "relay.example:443", 1).unwrap().err(), Some(TokenError::Revoked));
}

//! Tokens between us and `jsonwebtoken`, which reads and writes them by its own mind and signs with ring, as we do.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{NOW, claims, keys, signing};
use crate::auth::{Algorithm, Rules, TokenError};

/// One key of `jsonwebtoken`.
struct Key(Theirs, Vec<u8>);

impl Signer<Vec<u8>> for Key {
    fn try_sign(&self, text: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(match self.0 {
            Theirs::EdDSA => {
                Ed25519KeyPair::from_seed_unchecked(&self.1).unwrap().sign(text).as_ref().to_vec()
            }
            _ => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.1), text).as_ref().to_vec(),
        })
    }
}

impl Verifier<Vec<u8>> for Key {
    fn verify(&self, text: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let fits = match self.0 {
            Theirs::EdDSA => UnparsedPublicKey::new(&ED25519, &self.1).verify(text, signature).is_ok(),
            _ => hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &self.1), text, signature).is_ok(),
        };
        if fits { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtSigner for Key {
    fn algorithm(&self) -> Theirs {
        self.0
    }
}

impl JwtVerifier for Key {
    fn algorithm(&self) -> Theirs {
        self.0
    }
}

fn known(algorithm: Theirs) -> JwtResult<Theirs> {
    let is_known = matches!(algorithm, Theirs::EdDSA | Theirs::HS256);
    if is_known { Ok(algorithm) } else { Err(Error::from(ErrorKind::InvalidAlgorithm)) }
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Key(known(*algorithm)?, key.as_bytes().to_vec()))),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Key(known(*algorithm)?, key.try_get_as_bytes()?.to_vec())))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// The names of both sides for each algorithm, and their keys made of the seed of [`signing`].
fn algorithms() -> [(Algorithm, Theirs, EncodingKey, DecodingKey); 2] {
    // Whoever comes second finds it installed.
    let _ = RING.install_default();
    let public = *signing(Algorithm::EdDsa, "k").verifying().public_key().unwrap();
    [
        (
            Algorithm::EdDsa,
            Theirs::EdDSA,
            EncodingKey::from_ed_der(&[7; 32]),
            DecodingKey::from_ed_der(&public),
        ),
        (
            Algorithm::Hs256,
            Theirs::HS256,
            EncodingKey::from_secret(&[7; 32]),
            DecodingKey::from_secret(&[7; 32]),
        ),
    ]
}

#[test]
fn what_it_mints_is_accepted() {
    let said = json!({
        "sub": "alice", "app_id": 1001, "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3_600,
        "aud": ["other", "relay"], "jti": "t1", "wayleave": {"tunnels": 8},
    });
    for (ours, theirs, encoding, _) in algorithms() {
        let header = Header { kid: Some("k".into()), ..Header::new(theirs) };
        let token = encode(&header, &said, &encoding).unwrap();
        let keys = keys(&[&signing(ours, "k")]);
        let rules = Rules { audience: Some("relay".into()), ..Rules::default() };
        let claims = keys.verify(&token, NOW, &rules).unwrap().claims;
        assert_eq!((claims.subject.as_deref(), claims.token_id.as_deref()), (Some("alice"), Some("t1")));
        assert_eq!((claims.app_id, claims.scope.tunnels), (Some(1_001.into()), Some(8)));
        let other = encode(&header, &json!({"sub": "alice"}), &encoding).unwrap();
        assert_eq!(keys.verify(&other, NOW, &rules), Err(TokenError::NoExpiry));
    }
}

#[test]
fn it_accepts_what_we_mint() {
    for (ours, theirs, _, decoding) in algorithms() {
        let token = signing(ours, "k").mint(&claims()).unwrap();
        let mut validation = Validation::new(theirs);
        // The moment of these tests is not that of its clock.
        validation.validate_exp = false;
        let read = decode::<Value>(token.expose(), &decoding, &validation).unwrap();
        assert_eq!(read.header.kid.as_deref(), Some("k"));
        assert_eq!((&read.claims["sub"], &read.claims["app_id"]), (&json!("alice"), &json!(1_001)));
        assert_eq!(read.claims["exp"], json!(NOW.as_secs() + 3_600));
    }
}

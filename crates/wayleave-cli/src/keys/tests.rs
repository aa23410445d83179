use wayleave_proto::auth::{Algorithm, SigningKey};

use super::{for_checking, for_minting, for_relay, minting_file, relay_file};
use crate::testing::Directory;

#[test]
fn what_is_written_can_be_read() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let key = SigningKey::generate(algorithm, "a\"b\\c", &[7; 32]).unwrap();
        let directory = Directory::new();
        let mints = directory.file("keys.toml", minting_file(&key).expose());
        let checks = directory.file("relay-keys.toml", relay_file(&key.verifying()).expose());

        let read = for_minting(&mints).unwrap().remove(0);
        assert_eq!(read.kid(), key.kid());
        assert_eq!(read.secret().expose(), key.secret().expose());
        for read in [for_relay(&checks), for_checking(&checks), for_checking(&mints)] {
            let read = read.unwrap().remove(0);
            assert_eq!(read.kid(), key.kid());
            assert_eq!(read.public_key(), key.verifying().public_key());
        }
    }
}

#[test]
fn two_files_are_one_when_written_behind_each_other() {
    let text = |kid| relay_file(&SigningKey::generate(Algorithm::EdDsa, kid, &[7; 32]).unwrap().verifying());
    let directory = Directory::new();
    let both = directory.file("both.toml", &format!("{}{}", text("a").expose(), text("b").expose()));
    assert_eq!(
        for_relay(&both).unwrap().iter().map(|key| key.kid().to_owned()).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn a_key_can_belong_to_one_application() {
    let directory = Directory::new();
    for app_id in ["1001", "\"1001\""] {
        let text =
            format!("[[jwt]]\nkid = \"a\"\nalg = \"EdDSA\"\napp_id = {app_id}\npublic_key = \"{KEY}\"\n");
        let keys = for_relay(&directory.file("relay-keys.toml", &text)).unwrap();
        assert_eq!(keys[0].app_id().map(|app_id| app_id.as_str()), Some("1001"));
    }
}

#[test]
fn a_relay_refuses_a_key_that_mints_needlessly() {
    let key = SigningKey::generate(Algorithm::EdDsa, "a", &[7; 32]).unwrap();
    let directory = Directory::new();
    let mints = directory.file("keys.toml", minting_file(&key).expose());
    let error = for_relay(&mints).unwrap_err().to_string();
    assert!(error.contains("keys.toml, line 2: this file can mint tokens"), "{error}");
    let checks = directory.file("relay-keys.toml", relay_file(&key.verifying()).expose());
    let error = for_minting(&checks).unwrap_err().to_string();
    assert!(error.contains("relay-keys.toml, line 2: this is a public key"), "{error}");
}

#[test]
fn a_mistake_is_told_with_its_line_and_without_the_key() {
    let directory = Directory::new();
    for (text, told) in [
        ("-----BEGIN PRIVATE KEY-----\n", ": this is a PEM file"),
        ("", ": there is no [[jwt]] key"),
        (
            "\n[[jwt]]\nalg = \"EdDSA\"\npublic_key = \"KEY\"",
            ", line 2: kid, the name of the key, is missing",
        ),
        ("[[jwt]]\nkid = \"\"\nalg = \"EdDSA\"\npublic_key = \"KEY\"", ", line 1: the name of a key (kid)"),
        ("[[jwt]]\nkid = \"a\"\npublic_key = \"KEY\"", ", line 1: alg is missing"),
        ("[[jwt]]\nkid = \"a\"\nalg = \"none\"", ", line 3: the algorithm must be EdDSA or HS256"),
        (
            "[[jwt]]\nkid = \"a\"\nalg = \"EdDSA\"\nsecret = \"KEY\"",
            ", line 1: a key of alg EdDSA has either",
        ),
        (
            "[[jwt]]\nkid = \"a\"\nalg = \"HS256\"\npublic_key = \"KEY\"",
            ", line 1: a key of alg HS256 has a secret",
        ),
        (
            "[[jwt]]\nkid = \"a\"\nalg = \"EdDSA\"\npublic_key = \"KEY=\"",
            ", line 4: a key is written in base64url",
        ),
        (
            "[[jwt]]\nkid = \"a\"\nalg = \"HS256\"\nsecret = \"QUJD\"",
            ", line 1: the secret of an HS256 key has 3 bytes",
        ),
        ("[[jwt]]\nkid = \"a\"\nalg = \"EdDSA\"\npublic_key = \"QUJD\"", ", line 1: public_key has 3 bytes"),
        ("[[jwt]]\nkid = \"a\"\nalg = \"HS256\"\nsekret = \"KEY\"", ", line 4: unknown key `sekret`"),
        ("[[jwt]]\nkid = \"a\"\nalg = \"HS256\"\nsecret = \"KEY", ", line 4: "),
    ] {
        let path = directory.file("bad.toml", &text.replace("KEY", KEY));
        let error = for_relay(&path).unwrap_err().to_string();
        let told = format!("{}{told}", path.display());
        assert!(error.starts_with(&told), "{error}, not {told}");
        assert!(!error.contains(KEY) && !error.contains("QUJD"), "{error}");
    }
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

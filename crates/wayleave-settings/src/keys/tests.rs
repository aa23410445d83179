use std::path::Path;
use std::time::Duration;

use wayleave_proto::auth::{Algorithm, KeysConfig, Revoked, SigningKey};
use wayleave_proto::policy::OnExpiry;

use super::{for_minting, minting_file, relay_file, together};
use crate::SettingsError;
use crate::testing::Directory;

fn for_relay(path: &Path) -> Result<KeysConfig, SettingsError> {
    let mut all = KeysConfig::default();
    super::for_relay(&mut all, path).map(|()| all)
}

fn for_checking(path: &Path) -> Result<KeysConfig, SettingsError> {
    let mut all = KeysConfig::default();
    super::for_checking(&mut all, path).map(|()| all)
}

#[test]
fn what_is_written_can_be_read() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let key = SigningKey::generate(algorithm, "a\"b\\c", &[7; 32]).unwrap();
        let directory = Directory::new();
        let mints = directory.file("keys.toml", minting_file(&key).expose());
        let checks = directory.file("relay-keys.toml", relay_file(&key.verifying()).expose());

        let (read, _) = for_minting(&mints).unwrap().remove(0);
        assert_eq!(read.kid(), key.kid());
        assert_eq!(read.secret().expose(), key.secret().expose());
        for read in [for_relay(&checks), for_checking(&checks), for_checking(&mints)] {
            let read = read.unwrap().jwt.remove(0);
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
        for_relay(&both).unwrap().jwt.iter().map(|key| key.kid().to_owned()).collect::<Vec<_>>(),
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
        assert_eq!(keys.jwt[0].app_id().map(|app_id| app_id.as_str()), Some("1001"));
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
        ("eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.eA\n", ": this is a token"),
        ("", ": the file is empty"),
        (" \n", ": the file is empty"),
        (
            "\n[[jwt]]\nalg = \"EdDSA\"\npublic_key = \"KEY\"",
            ", line 2: kid, the name of the key, is missing",
        ),
        ("[[jwt]]\nkid = \"\"\nalg = \"EdDSA\"\npublic_key = \"KEY\"", ", line 2: the name of a key (kid)"),
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
            ", line 4: the secret of an HS256 key has 3 bytes",
        ),
        ("[[jwt]]\nkid = \"a\"\nalg = \"EdDSA\"\npublic_key = \"QUJD\"", ", line 4: public_key has 3 bytes"),
        (
            "[[jwt]]\nkid = \"a\"\nalg = \"HS256\"\nsekret = \"KEY\"",
            ", line 4: unknown key `sekret`; the nearest that is known is `secret`",
        ),
        ("[[jwt]]\nkid = \"a\"\nalg = \"HS256\"\nsecret = \"KEY", ", line 4: "),
    ] {
        let path = directory.file("bad.toml", &text.replace("KEY", KEY));
        let error = for_relay(&path).unwrap_err().to_string();
        let told = format!("{}{told}", path.display());
        assert!(error.starts_with(&told), "{error}, not {told}");
        assert!(!error.contains(KEY) && !error.contains("QUJD"), "{error}");
    }
}

#[test]
fn one_file_holds_every_kind_of_key_and_what_the_operator_says() {
    let directory = Directory::new();
    directory.file(
        "set.json",
        &format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{KEY}","kid":"s"}},{{"kty":"EC"}}]}}"#),
    );
    let path = directory.file(
        "relay-keys.toml",
        &format!(
            r#"
            [[jwt]]
            kid = "a"
            alg = "EdDSA"
            public_key = "{KEY}"
            [[jwks]]
            file = "set.json"
            app_id = 7
            [[token04]]
            app_id = 1001
            secret = "0123456789abcdef0123456789abcdef"
            allow_cbc = false
            [[app_sign]]
            app_id = 1001
            public_key = "{KEY}"
            [[revoked]]
            jti = "t1"
            [[revoked]]
            user = "bob"
            app_id = 1001
            [[revoked]]
            app_id = 9
            [[app]]
            app_id = 1001
            targets = [{{ hosts = ["*.example"], ports = [443, "5000-5999"], kinds = ["stream"] }}]
            to_client = {{ bits_per_second = 1000000 }}
            volume = 5000000
            tunnels = 4
            on_expiry = {{ close_after = 30 }}
            "#
        ),
    );
    let config = for_relay(&path).unwrap();
    assert_eq!((config.jwt.len(), config.token04.len(), config.app_sign.len()), (2, 1, 1));
    assert!(!config.token04[0].allows_cbc());
    assert_eq!(config.jwt[1].app_id().map(|app_id| app_id.as_str()), Some("7"));
    let revoked: Vec<_> = config.revocations.iter().cloned().collect();
    let app = |text: &str| text.parse().unwrap();
    assert_eq!(
        revoked,
        [
            Revoked::App(app("9")),
            Revoked::Token("t1".into()),
            Revoked::User { user: "bob".into(), app_id: Some(app("1001")) },
        ]
    );
    let scope = &config.apps[&app("1001")];
    assert_eq!((scope.volume, scope.tunnels), (Some(5_000_000), Some(4)));
    assert_eq!(scope.on_expiry, Some(OnExpiry::CloseAfter(Duration::from_secs(30))));
}

#[test]
fn what_does_not_go_together_is_told_with_file_and_line() {
    let directory = Directory::new();
    let key = |kid| format!("[[jwt]]\nkid = \"{kid}\"\nalg = \"EdDSA\"\npublic_key = \"{KEY}\"\n");
    let first = directory.file("first.toml", &format!("{}[[app]]\napp_id = 1\n", key("a")));
    let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{KEY}","kid":"a"}}]}}"#);
    directory.file("set.json", &set);
    for (text, told) in [
        (format!("{}{}", key("b"), key("a")), "line 5: two keys have the name (kid) a"),
        ("\n[[jwks]]\nfile = \"set.json\"".into(), "line 2: two keys have the name (kid) a"),
        ("\n\n[[app]]\napp_id = \"1\"".into(), "line 3: two [[app]] entries are about the application 1"),
    ] {
        let second = directory.file("second.toml", &text);
        let error = together(&[first.clone(), second], super::for_relay).unwrap_err().to_string();
        assert!(error.contains(&format!("second.toml, {told}")), "{error}");
    }
    // A file may be there for what will be revoked some day.
    let nothing = directory.file("revoked.toml", "# nothing yet\n");
    assert_eq!(together(&[first, nothing.clone()], super::for_relay).unwrap().len(), 1);
    assert!(together(&[nothing], super::for_relay).unwrap_err().to_string().contains("there is no key"));
}

#[test]
fn a_mistake_beside_the_keys_is_told_with_its_line_too() {
    let directory = Directory::new();
    for (text, told) in [
        ("[[token04]]\napp_id = 1", ", line 1: secret, the 32 characters"),
        ("[[token04]]\napp_id = \"x\"\nsecret = \"SECRET\"", ", line 1: the app_id of a Token04 is a number"),
        (
            "[[token04]]\napp_id = \"+1\"\nsecret = \"SECRET\"",
            ", line 1: the app_id of a Token04 is a number",
        ),
        ("[token04]\napp_id = 1", ", line 1: write this table with double brackets"),
        ("token04 = \"SECRET\"", ", line 1: a text stands here, expected a list"),
        ("[[token04]]\napp_id = 1\nsecret = [\"SECRET\"]", ", line 3: invalid type: sequence"),
        ("[[token04]]\nallow_cbc = \"SECRET\"", ", line 2: a text stands here, expected true or false"),
        (
            "[[app]]\napp_id = 1\non_expiry = \"SECRET\"",
            ", line 3: there is no such word, expected one of `keep`",
        ),
        (
            "\n[[token04]]\napp_id = 1\nsecret = \"short\"",
            ", line 4: the secret of a Token04 application has 5",
        ),
        (
            "[[token04]]\nallow_cbs = true",
            ", line 2: unknown key `allow_cbs`; the nearest that is known is `allow_cbc`",
        ),
        ("[[app_sign]]\napp_id = 1", ", line 1: public_key is missing"),
        ("[[app_sign]]\napp_id = 1\npublic_key = \"QUJD\"", ", line 3: public_key has 3 bytes"),
        ("[[revoked]]", ", line 1: a revocation names a jti, a user"),
        ("[[revoked]]\njti = \"a\"\nuser = \"b\"", ", line 1: a revocation names a jti, a user"),
        ("[[app]]\nvolume = 1", ", line 1: app_id is missing"),
        (
            "[[app]]\napp_id = 1\ntunnel = 1",
            ", line 3: unknown key `tunnel`; the nearest that is known is `tunnels`",
        ),
        (
            "[[app]]\napp_id = 1\ntargets = [{ host = [] }]",
            ", line 3: unknown key `host`; the nearest that is known is `hosts`",
        ),
        ("[[app]]\napp_id = 1\ntargets = [{ hosts = [\"a b\"] }]", ", line 3: a host is *"),
        ("[[app]]\napp_id = 1\n[[app]]\napp_id = 1", ", line 3: two [[app]] entries"),
        ("[[jwks]]\nfile = \"none.json\"", ", line 1: "),
        ("[[jtw]]\n", ", line 1: unknown key `jtw`; the nearest that is known is `jwt`"),
    ] {
        let path = directory.file("bad.toml", text);
        let error = for_relay(&path).unwrap_err().to_string();
        let told = format!("{}{told}", path.display());
        assert!(error.starts_with(&told), "{error}, not {told}");
        assert!(!error.contains("SECRET") && !error.contains("short"), "{error}");
    }
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use wayleave_proto::auth::{Keys, Token};
use wayleave_proto::base::{Secret, UnixTime};
use wayleave_settings::keys::{for_checking, together};
use wayleave_settings::testing::Directory;

use super::inspect::look;
use super::keygen::{self, KeygenArgs};
use super::mint::{MintArgs, mint};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

#[derive(Parser)]
struct Keygen {
    #[command(flatten)]
    args: KeygenArgs,
}

#[derive(Parser)]
struct Mint {
    #[command(flatten)]
    args: MintArgs,
}

/// A directory with the files of keys.
struct Lab(Directory);

impl Lab {
    fn new() -> Self {
        let lab = Self(Directory::new());
        lab.keygen("").unwrap();
        lab
    }

    fn words(&self, words: &str) -> Vec<String> {
        let directory = format!("{}/", self.0.path().display());
        ["x"]
            .into_iter()
            .chain(words.split_whitespace())
            .map(|word| word.replace("DIR/", &directory))
            .collect()
    }

    fn keygen(&self, words: &str) -> Result<(), String> {
        let words = self.words(&format!("--out DIR/keys.toml --public-out DIR/relay-keys.toml {words}"));
        let args = Keygen::try_parse_from(words).map_err(|error| error.to_string())?.args;
        keygen::run(&args).map_err(|failure| failure.to_string())
    }

    fn mint(&self, words: &str) -> Result<Token, String> {
        let words = self.words(&format!("--keys DIR/keys.toml --app-id 1001 {words}"));
        let args = Mint::try_parse_from(words).map_err(|error| error.to_string())?.args;
        mint(&args, NOW, &Secret::new([7; 16])).map_err(|failure| failure.to_string())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn keys(&self, name: &str) -> Keys {
        together(&[self.path(name)], for_checking).unwrap()
    }
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_millis(NOW.as_millis() + Duration::from_secs(secs).as_millis() as u64)
}

#[test]
fn a_token_that_is_minted_is_valid_for_its_time() {
    for alg in ["EdDSA", "HS256"] {
        let lab = Lab::new();
        lab.keygen(&format!("--force --kid k1 --alg {alg}")).unwrap();
        let token = lab.mint("--user alice --ttl 1h").unwrap();
        for keys in [Some(lab.keys("relay-keys.toml")), Some(lab.keys("keys.toml")), None] {
            let look = |secs| look(&token, keys.as_ref(), None, at(secs)).unwrap();
            let valid = look(3_599);
            assert!(valid.verdict.is_ok(), "{valid:?}");
            for part in [alg, "k1", "1001", "alice", "2027-01-15T09:00:00Z (in 1 s)"] {
                assert!(valid.text.contains(part), "{part}: {}", valid.text);
            }
            let expired = look(3_725).verdict.unwrap_err();
            assert_eq!(expired, "the token is not valid: it expired 2 min 5 s ago; mint a new one");
        }
    }
}

#[test]
fn a_token_can_begin_later_and_be_meant_for_one_relay() {
    let lab = Lab::new();
    let token = lab.mint("--ttl 1h --not-before 10m --audience eu --token-id t1").unwrap();
    let keys = lab.keys("relay-keys.toml");
    let early = look(&token, Some(&keys), None, at(0)).unwrap();
    assert_eq!(early.verdict, Err("the token is not valid: it becomes valid in 10 min".into()));
    assert!(
        early.text.contains("audience    eu\n") && early.text.contains("token id    t1\n"),
        "{}",
        early.text
    );
    assert!(look(&token, Some(&keys), Some("eu"), at(4_199)).unwrap().verdict.is_ok());
    assert!(look(&token, Some(&keys), Some("us"), at(4_199)).unwrap().verdict.is_err());
    assert!(look(&token, None, Some("us"), at(4_199)).unwrap().verdict.is_err());
}

#[test]
fn a_foreign_token_is_not_valid_and_without_keys_nothing_is_promised() {
    let (lab, other) = (Lab::new(), Lab::new());
    let token = other.mint("--ttl 1h").unwrap();
    let foreign = look(&token, Some(&lab.keys("relay-keys.toml")), None, NOW).unwrap();
    assert!(foreign.verdict.is_err());
    let unchecked = look(&token, None, None, NOW).unwrap();
    assert!(unchecked.verdict.unwrap().contains("signature was not checked"));
    assert!(look(&"garbage".parse().unwrap(), None, None, NOW).is_err());
}

#[test]
fn each_claim_has_a_flag() {
    let lab = Lab::new();
    let words = "--ttl 1h --allow-host *.media.example --allow-host 192.0.2.0/24 --allow-port 443 --allow-port 5000-5999 \
                 --allow-kind datagrams --to-target-bits 1M --to-client-packets 500 --volume 1GiB --tunnels 4 \
                 --on-expiry close-after=30s";
    let token = lab.mint(words).unwrap();
    let report = look(&token, Some(&lab.keys("relay-keys.toml")), None, NOW).unwrap();
    assert!(report.verdict.is_ok());
    let scope = r#"{"targets":[{"hosts":["*.media.example","192.0.2.0/24"],"ports":[443,"5000-5999"],"kinds":["datagrams"]}],"to_target":{"bits_per_second":1000000},"to_client":{"packets_per_second":500},"volume":1073741824,"tunnels":4,"on_expiry":{"close_after":30}}"#;
    assert!(report.text.contains(scope), "{}", report.text);
    assert!(lab.mint("--ttl 1h --on-expiry soon").unwrap_err().contains("close-after=30s"));
    assert!(lab.mint("--ttl 1h --payload x").unwrap_err().contains("token04"));
    let whole = r#"{"targets":[{"hosts":["a.example"]},{"ports":[443]}],"tunnels":4}"#;
    let token = lab.mint(&format!("--ttl 1h --scope {whole}")).unwrap();
    let text = look(&token, None, None, NOW).unwrap().text;
    assert!(text.contains(r#"[{"hosts":["a.example"],"ports":["1-65535"]"#), "{text}");
    let short = lab.mint("--ttl 1h --sub alice --aud eu --nbf 5m --jti t1").unwrap();
    let text = look(&short, None, None, NOW).unwrap().text;
    assert!(["alice", "eu", "in 5 min", "t1"].iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn what_no_relay_would_take_is_refused_with_a_remedy() {
    let lab = Lab::new();
    for (words, told) in [
        ("--on-expiry close-after=2d", "whole seconds, at most 1d"),
        ("--on-expiry close-after=1.5s", "whole seconds, at most 1d"),
        ("--tunnels x", "write a whole number"),
        ("--to-target-bits 4Mbit", "write a number, like 5000"),
        ("--to-client-packets 4KB", "write a number, like 5000"),
        ("--scope {\"tunnel\":1}", "unknown field `tunnel`"),
        ("--scope {} --tunnels 1", "cannot be used with"),
    ] {
        let error = lab.mint(&format!("--ttl 1h {words}")).unwrap_err();
        assert!(error.contains(told), "{words}: {error}");
    }
    let bound = lab.0.read("keys.toml").replace("alg", "app_id = 7\nalg");
    lab.0.file("keys.toml", &bound);
    assert!(lab.mint("--ttl 1h").unwrap_err().contains("tokens of application 7 alone"));
}

#[test]
fn half_of_a_pair_of_keys_is_not_left_behind() {
    let lab = Lab(Directory::new());
    let words = lab.words("--out DIR/keys.toml --public-out DIR/none/relay-keys.toml");
    let args = Keygen::try_parse_from(words).map_err(|error| error.to_string()).unwrap().args;
    assert!(keygen::run(&args).is_err());
    assert!(!lab.path("keys.toml").exists());
}

#[test]
fn a_token04_is_minted_and_looked_into() {
    let lab = Lab::new();
    lab.0.file("keys.toml", "[[token04]]\napp_id = 1001\nsecret = \"0123456789abcdef0123456789abcdef\"\n");
    let keys = lab.keys("keys.toml");
    for mode in ["gcm", "cbc"] {
        let token = lab
            .mint(&format!("--ttl 1h --user alice --format token04 --mode {mode} --payload hello"))
            .unwrap();
        let report = look(&token, Some(&keys), None, at(3_599)).unwrap();
        assert!(report.verdict.is_ok(), "{report:?}");
        assert!(report.text.contains("alice") && report.text.contains("hello"), "{}", report.text);
        assert!(look(&token, Some(&keys), None, at(3_600)).unwrap().verdict.is_err());
        let room = r#"--payload {"room_id":"r1","privilege":{"1":1,"2":0},"stream_id_list":["s1"]}"#;
        let with_room =
            lab.mint(&format!("--ttl 1h --user alice --format token04 --mode {mode} {room}")).unwrap();
        let text = look(&with_room, Some(&keys), None, NOW).unwrap().text;
        assert!(text.contains("room r1; login allowed; publish denied; streams s1"), "{text}");
        let outer = look(&token, None, None, NOW).unwrap();
        assert!(outer.text.contains("encrypted") && !outer.text.contains("alice"), "{}", outer.text);
        assert!(outer.verdict.unwrap().contains("nobody vouches"));
    }
    assert!(lab.mint("--ttl 1h --format token04").unwrap_err().contains("--user"));
    assert!(lab.mint("--ttl 1h --user a --format token04 --tunnels 1").unwrap_err().contains("JWT"));
}

#[test]
fn a_scope_that_is_none_is_explained() {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    for (scope, told) in [
        (r#"{"tunnel": 8}"#, "unknown field `tunnel`, expected one of `targets`"),
        ("[]", "invalid type: sequence, expected an object"),
        (r#"{"targets": [{"ports": [0]}]}"#, "a port is a number from 1"),
    ] {
        let claims = format!(r#"{{"exp": 1900000000, "wayleave": {scope}}}"#);
        let token = format!("{}.{}.eA", part(r#"{"alg":"HS256"}"#), part(&claims)).parse().unwrap();
        let error = look(&token, None, None, NOW).unwrap_err().to_string();
        assert!(error.contains("wayleave is no scope") && error.contains(told), "{error}");
    }
}

#[test]
fn what_a_token_says_steers_no_terminal() {
    let lab = Lab::new();
    let token = lab.mint("--ttl 1h --user e\u{1b}[31mvil").unwrap();
    let text = look(&token, None, None, NOW).unwrap().text;
    assert!(text.contains("e\\u{1b}[31mvil") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn keys_are_not_replaced_by_accident() {
    let lab = Lab::new();
    let before = lab.0.read("keys.toml");
    let error = lab.keygen("").unwrap_err();
    assert!(error.contains("keys.toml is there already") && error.contains("--force"), "{error}");
    std::fs::remove_file(lab.path("keys.toml")).unwrap();
    assert!(lab.keygen("").unwrap_err().contains("relay-keys.toml is there already"));
    assert!(!lab.path("keys.toml").exists(), "nothing is written when one of the two cannot be");
    lab.keygen("--force").unwrap();
    assert_ne!(lab.0.read("keys.toml"), before);
}

#[cfg(unix)]
#[test]
fn what_mints_is_for_its_owner_alone() {
    let lab = Lab::new();
    assert_eq!(wayleave_settings::testing::mode(&lab.path("keys.toml")), 0o600);
    assert_ne!(wayleave_settings::testing::mode(&lab.path("relay-keys.toml")), 0o600);
    lab.keygen("--force --alg HS256").unwrap();
    assert_eq!(wayleave_settings::testing::mode(&lab.path("keys.toml")), 0o600);
    assert_eq!(wayleave_settings::testing::mode(&lab.path("relay-keys.toml")), 0o600);
}

#[test]
fn what_cannot_be_minted_is_told() {
    let lab = Lab::new();
    let one = lab.0.read("keys.toml");
    for (words, told) in [
        ("--ttl 0", "--ttl"),
        ("--ttl 1x", "write a number and a unit"),
        ("--ttl 1h --kid other", "there is no key of this kid"),
    ] {
        let error = lab.mint(words).unwrap_err();
        assert!(error.contains(told), "{words}: {error}");
    }
    lab.keygen("--force --kid other").unwrap();
    lab.0.file("keys.toml", &format!("{one}{}", lab.0.read("keys.toml")));
    assert!(lab.mint("--ttl 1h").unwrap_err().contains("choose one with --kid: "));
    lab.mint("--ttl 1h --kid other").unwrap();
    lab.0.file("keys.toml", &lab.0.read("relay-keys.toml"));
    assert!(lab.mint("--ttl 1h").unwrap_err().contains("this is a public key"));
}

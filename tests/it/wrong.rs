//! Wrong input: a sentence that names it and the remedy, and the right exit status.

use crate::lab::Lab;
use crate::process::wayleave;

/// Each: the arguments, the exit status, and words that the sentence must contain.
fn check(lab: &Lab, cases: &[(&str, i32, &[&str])]) {
    for (arguments, status, words) in cases {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let (found, _, error) = wayleave(lab.folder(), &arguments);
        assert_eq!(found, *status, "{arguments:?}\n{error}");
        for word in *words {
            assert!(error.contains(word), "{arguments:?} does not say {word:?}:\n{error}");
        }
        assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{error}");
    }
}

#[test]
fn the_agent_names_what_is_wrong() {
    let lab = Lab::new();
    lab.write("empty.txt", "");
    lab.write("bearer.txt", &format!("Bearer {}", lab.read("token.txt")));
    lab.write("bad.toml", "listen = [\"127.0.0.1:0\"]\n\nprox = [\"localhost:1\"]\n");
    lab.write("no.pem", "nothing here\n");
    check(
        &lab,
        &[
            ("agent --listen 127.0.0.1:0 --token-file token.txt", 2, &["proxy"]),
            (
                "agent --listen 127.0.0.1:0 --proxy localhost --token-file token.txt",
                2,
                &["localhost", "port"],
            ),
            (
                "agent --listen 127.0.0.1:0 --proxy localhost:0 --token-file token.txt",
                2,
                &["localhost:0", "1 to 65535"],
            ),
            ("agent --listen 127.0.0.1:0 --proxy a..b:443 --token-file token.txt", 2, &["a..b:443", "host"]),
            ("agent --listen 127.0.0.1:0 --proxy localhost:1", 2, &["token"]),
            ("agent --listen 127.0.0.1:0 --proxy localhost:1 --token-file empty.txt", 2, &["empty"]),
            ("agent --listen 127.0.0.1:0 --proxy localhost:1 --token-file none.txt", 2, &["none.txt"]),
            (
                "agent --listen 127.0.0.1:0 --proxy localhost:1 --token-file bearer.txt",
                2,
                &["bearer.txt", "leave it out"],
            ),
            (
                "agent --listen 127.0.0.1:0 --proxy localhost:1 --token-file token.txt --mode fast",
                2,
                &["fast", "smart"],
            ),
            (
                "agent --listen 127.0.0.1:0 --proxy localhost:1 --token-file token.txt --ca no.pem",
                2,
                &["no.pem"],
            ),
            ("agent --config bad.toml", 2, &["prox", "3"]),
            ("agent --listen 0.0.0.0:0 --proxy localhost:1 --token-file token.txt", 2, &["0.0.0.0"]),
        ],
    );
}

#[test]
fn the_relay_names_what_is_wrong() {
    let lab = Lab::new();
    lab.write("bad.toml", "listen = \"127.0.0.1:0\"\n\nlimit = 3\n");
    let (a, b) = (pair(), pair());
    lab.write("a.pem", &a.0);
    lab.write("b-key.pem", &b.1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = format!(
        "relay --listen {} --self-signed tls --token-keys relay-keys.toml",
        taken.local_addr().unwrap()
    );
    check(
        &lab,
        &[
            ("relay --listen 127.0.0.1:0 --self-signed tls", 2, &["token-keys", "keygen"]),
            ("relay --listen 127.0.0.1:0 --token-keys relay-keys.toml", 2, &["cert"]),
            ("relay --listen 127.0.0.1:0 --self-signed tls --token-keys none.toml", 2, &["none.toml"]),
            ("relay --listen 127.0.0.1:0 --self-signed tls --token-keys a.pem", 2, &["a.pem"]),
            (
                "relay --listen 127.0.0.1:0 --cert a.pem --key b-key.pem --token-keys relay-keys.toml",
                2,
                &["match"],
            ),
            (
                "relay --listen 127.0.0.1:0 --cert none.pem --key b-key.pem --token-keys relay-keys.toml",
                2,
                &["none.pem"],
            ),
            (
                "relay --listen 127.0.0.1:0 --self-signed tls --token-keys relay-keys.toml --allow-target 10.0.0.1/8",
                2,
                &["10.0.0.0/8"],
            ),
            ("relay --config bad.toml", 2, &["limit", "3"]),
            (&in_use, 1, &["in use"]),
        ],
    );
}

#[test]
fn tokens_are_minted_and_inspected() {
    let lab = Lab::new();
    let token = lab.read("token.txt");
    let inspect = |token: &str, keys: &[&str]| {
        wayleave(lab.folder(), &[&["token", "inspect", token.trim()][..], keys].concat())
    };
    let (status, said, _) = inspect(&token, &["--keys", "relay-keys.toml"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("alice") && said.contains("1001"), "{said}");
    assert_eq!(inspect(&lab.expired(), &["--keys", "relay-keys.toml"]).0, 1);
    assert_eq!(inspect(&Lab::new().mint("1h"), &["--keys", "relay-keys.toml"]).0, 1);
    check(
        &lab,
        &[
            ("token mint --keys relay-keys.toml --app-id 1001 --user a --ttl 1h", 2, &["relay-keys.toml"]),
            ("token mint --keys none.toml --app-id 1001 --user a --ttl 1h", 2, &["none.toml"]),
            ("token mint --keys keys.toml --app-id 1001 --user a --ttl soon", 2, &["soon"]),
            ("token keygen --out keys.toml --public-out relay-keys.toml", 2, &["keys.toml"]),
        ],
    );
}

fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

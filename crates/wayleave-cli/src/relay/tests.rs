use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use wayleave_proto::auth::{
    AccountId, Algorithm, Claims, CredentialKind, Payload, Room, SigningKey, TokenError, Verdict,
};
use wayleave_proto::base::{Instant, Kind};
use wayleave_proto::config::RelayLimits;
use wayleave_proto::policy::{Rates, Scope};
use wayleave_proto::relay::{ConnectionId, Event, RefuseReason, TunnelId, What};
use wayleave_settings::keys::{minting_file, relay_file};
use wayleave_settings::relay::{LogUsers, RelaySettings};
use wayleave_settings::testing::Directory;

use super::RelayArgs;
use super::options::EXAMPLES;
use super::report::Report;
use super::settings::Settings;
use super::users::Users;
use crate::Failure;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: RelayArgs,
}

/// A place in which a relay can start.
struct Lab(Directory);

impl Lab {
    fn new() -> Self {
        let directory = Directory::new();
        let key = SigningKey::generate(Algorithm::EdDsa, "a", &[7; 32]).unwrap();
        directory.file("relay-keys.toml", relay_file(&key.verifying()).expose());
        directory.file("keys.toml", minting_file(&key).expose());
        Self(directory)
    }

    /// What `wayleave relay` makes of these words; `DIR/` in them is this place.
    fn run(&self, words: &str) -> Result<Settings, String> {
        let directory = format!("{}/", self.0.path().display());
        let words = words.split_whitespace().map(|word| word.replace("DIR/", &directory));
        let line = Line::try_parse_from(["relay".to_owned()].into_iter().chain(words));
        let args = line.map_err(|error| error.to_string())?.args;
        args.complete().and_then(Settings::new).map_err(|failure| match failure {
            Failure::Usage(sentence) => sentence,
            Failure::Run(sentence) => panic!("a failure at run time: {sentence}"),
        })
    }

    fn file(&self, text: &str) {
        self.0.file("relay.toml", text);
    }
}

#[test]
fn the_command_line_alone_is_enough() {
    let lab = Lab::new();
    let settings = lab.run("--self-signed DIR/tls --token-keys DIR/relay-keys.toml").unwrap();
    assert_eq!(settings.listen, "0.0.0.0:8443".parse().unwrap());
    assert_eq!(settings.drain, Duration::from_secs(10));
    assert_eq!(settings.config.targets.denied_ports, [25]);

    let settings = lab
        .run(
            "--self-signed DIR/tls --token-keys DIR/relay-keys.toml --listen [::1]:0 --drain 3 --deny-port 6881 \
             --allow-target 127.0.0.0/8 --allow-target ::1 --deny-target 127.0.0.1 --audience eu --leeway 0 \
             --resolve a.example=127.0.0.1 --resolve a.example=::1 --max-connections 5 --max-tunnels-per-token 6 \
             --max-tunnels-per-connection 7 --rate-bits 10M --rate-packets 7",
        )
        .unwrap();
    let config = &settings.config;
    assert_eq!(settings.drain, Duration::from_secs(3));
    assert_eq!(config.targets.denied_ports, [25, 6_881]);
    assert_eq!((config.targets.addresses.allow.len(), config.targets.addresses.deny.len()), (2, 1));
    assert_eq!((config.rules.audience.as_deref(), config.rules.leeway), (Some("eu"), Duration::ZERO));
    assert_eq!(config.hosts[&"a.example".parse().unwrap()].len(), 2);
    assert_eq!((config.limits.connections, config.limits.tunnels_per_account), (5, 6));
    assert_eq!(config.limits.tunnels_per_connection, 7);
    let rates = Rates { bits_per_second: Some(10_000_000), packets_per_second: Some(7) };
    assert_eq!((config.scope.to_target, config.scope.to_client), (rates, rates));
}

#[test]
fn a_file_says_the_same_and_the_command_line_wins() {
    let lab = Lab::new();
    lab.file(
        "listen = \"127.0.0.1:1\"\nself-signed = \"tls\"\ntoken-keys = \"relay-keys.toml\"\n\
         allow-target = [\"10.0.0.0/8\", \"::1\"]\ndrain = 1\n[limits]\nconnections = 9\ndatagrams = { age = \"1s\" }\n",
    );
    let settings = lab.run("--config DIR/relay.toml").unwrap();
    assert_eq!(settings.listen, "127.0.0.1:1".parse().unwrap());
    assert!(lab.0.path().join("tls/ca.pem").exists(), "paths are relative to the file");
    assert_eq!(settings.config.targets.addresses.allow.len(), 2);
    assert_eq!(settings.config.limits.connections, 9);
    assert_eq!(settings.config.limits.datagrams.age, Duration::from_secs(1));

    let settings = lab
        .run(
            "--config DIR/relay.toml --listen 127.0.0.1:2 --drain 2 --allow-target 127.0.0.0/8 --max-connections 8 \
             --cert DIR/tls/relay.pem --key DIR/tls/relay-key.pem",
        )
        .unwrap();
    assert_eq!(settings.listen, "127.0.0.1:2".parse().unwrap());
    assert_eq!(settings.drain, Duration::from_secs(2));
    assert_eq!(settings.config.targets.addresses.allow, ["127.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.config.limits.connections, 8);
}

#[test]
fn the_file_in_the_help_shows_the_defaults() {
    let lab = Lab::new();
    lab.run("--self-signed DIR/ --token-keys DIR/relay-keys.toml").unwrap();
    let begin = EXAMPLES.find("  listen = ").unwrap();
    let end = EXAMPLES.find("\n\nSignals").unwrap();
    let text = EXAMPLES[begin..end].replace("chain.pem", "relay.pem").replace("\"key.pem", "\"relay-key.pem");
    lab.file(&text);
    let settings = lab.run("--config DIR/relay.toml").unwrap();
    assert_eq!(format!("{:?}", settings.config.limits), format!("{:?}", RelayLimits::default()));

    let with = |name: &str| text.replace(&format!("# {name} ="), &format!("{name} ="));
    for name in ["volume", "tunnels", "to_target", "to_client", "targets", "on_expiry"] {
        lab.file(&with(name));
        let settings = lab.run("--config DIR/relay.toml").unwrap();
        assert_ne!(settings.config.scope, Scope::default(), "{name}");
    }
}

#[test]
fn every_option_is_a_key_of_the_file_and_counts() {
    use clap::CommandFactory as _;
    for argument in Line::command().get_arguments() {
        let name = argument.get_long().unwrap();
        if !matches!(name, "config" | "help") {
            let text = format!("{name} = {{ a = 1 }}\n");
            let error =
                RelaySettings::from_text(std::path::Path::new("relay.toml"), &text).unwrap_err().to_string();
            assert!(!error.contains("unknown key"), "{name}: {error}");
        }
    }
    let lab = Lab::new();
    lab.file(
        "self-signed = \"tls\"\ntoken-keys = \"relay-keys.toml\"\nmax-connections = 5\nmax-tunnels-per-token = 6\nmax-tunnels-per-connection = 7\n\
         rate-bits = \"7k\"\nproxy-protocol-from = \"10.0.0.0/8\"\ntruncated = \"reset\"\n[limits]\nconnections = 9\ntunnels-per-connection = 4\n",
    );
    let config = lab.run("--config DIR/relay.toml --max-tunnels-per-token 8").unwrap().config;
    assert_eq!((config.limits.connections, config.limits.tunnels_per_account), (5, 8));
    assert_eq!(config.limits.tunnels_per_connection, 7);
    assert_eq!(config.scope.to_client.bits_per_second, Some(7_000));
}

#[test]
fn what_is_wrong_is_told_with_its_remedy() {
    let lab = Lab::new();
    let keys = "--token-keys DIR/relay-keys.toml";
    for (words, told) in [
        ("", "--self-signed DIR"),
        ("--self-signed DIR/tls", "wayleave token keygen"),
        ("--self-signed DIR/tls --token-keys DIR/keys.toml", "--public-out"),
        ("--self-signed DIR/tls --token-keys DIR/missing.toml", "there is no such file"),
        ("--cert DIR/a.pem", "give --key FILE"),
        ("--key DIR/a.pem", "give --cert FILE"),
        ("--cert DIR/a.pem --key DIR/b.pem --name localhost", "--name is for --self-signed"),
        ("--self-signed DIR/tls --cert DIR/a.pem", "cannot be used with"),
        ("--config DIR/missing.toml", "there is no such file"),
        ("--listen localhost:1", "write an IP address and a port"),
        ("--allow-target 10.0.0.1/8", "write 10.0.0.0/8"),
        ("--resolve a", "NAME=ADDRESS"),
        ("--deny-port 0", "1 to 65535"),
        ("--drain soon", "like 250ms"),
        ("--gather soon", "like 250ms"),
        ("--max-connections -1", "write a whole number"),
        ("--self-signed DIR/tls --token-keys DIR/relay-keys.toml --leeway 2h", "leeway: give at most 1 h"),
        ("--self-signed DIR/tls --admin-anywhere", "give --admin ADDRESS:PORT"),
        (
            "--self-signed DIR/relay-keys.toml --token-keys DIR/relay-keys.toml",
            "there is a file of this name",
        ),
        ("--log-format xml", "text or json"),
        ("--log-users secret", "clear, hashed or none"),
        (
            "--self-signed DIR/tls --log-users none --log-key-file DIR/key",
            "--log-key-file is for --log-users hashed",
        ),
        ("--self-signed DIR/tls --log-key-file DIR/missing", "there is no such file"),
    ] {
        let error = lab.run(words).unwrap_err();
        assert!(error.contains(told), "{words}: {error}");
    }
    let error = lab.run(&format!("--self-signed DIR/tls {keys} {keys}")).unwrap_err();
    assert!(error.contains("two keys have the name (kid) a"), "{error}");
    let error = lab.run(&format!("--self-signed DIR/tls {keys} --audience=")).unwrap_err();
    assert!(error.contains("audience: give the name"), "{error}");
    let error = lab.run(&format!("--self-signed DIR/tls {keys} --max-connections 0")).unwrap_err();
    assert!(error.starts_with("limits.connections: "), "{error}");
    let error =
        lab.run(&format!("--self-signed DIR/tls {keys} --max-tunnels-per-connection 65537")).unwrap_err();
    assert!(error.starts_with("limits.tunnels-per-connection: "), "{error}");
    lab.file("listen = \"127.0.0.1:1\"\n[limits]\nconection = 1\n");
    let error = lab.run("--config DIR/relay.toml").unwrap_err();
    assert!(error.contains("relay.toml, line 3: unknown key `conection`"), "{error}");
}

#[test]
fn a_line_of_the_log_is_one_line_and_tells_the_reason() {
    let claims = Claims {
        app_id: "1001".parse().ok(),
        subject: Some("e\u{1b}[31mvil\nx \u{202e}".into()),
        token_id: Some("t\u{7}1".into()),
        ..Claims::default()
    };
    let room = Room { room_id: Some("r\n1".into()), ..Room::default() };
    let verdict = Verdict {
        account: AccountId::new("a", &claims),
        claims,
        credential: CredentialKind::Token04,
        kid: "1001#2".into(),
        payload: Some(Payload::Room(room)),
        scope: Scope::default(),
    };
    let opened = What::TunnelOpened {
        kind: Kind::Stream,
        target: "media.example:5004".parse().unwrap(),
        address: "192.0.2.1:5004".parse().unwrap(),
        verdict: Arc::new(verdict),
        elapsed: Duration::from_millis(12),
    };
    let line = logged(opened);
    for part in [
        "tunnel opened",
        "connection=c3 tunnel=t4 client=",
        "app=\"1001\"",
        "user=\"e\\u{1b}[31mvil\\nx \\u{202e}\"",
        "media.example:5004",
        "ms=12",
        "credential=Token04",
        "key=\"1001#2\"",
        "jti=\"t\\u{7}1\"",
        "room=\"r\\n1\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.trim_end().contains(char::is_control), "{line:?}");

    for (reason, told) in [
        (RefuseReason::NoToken, "no Proxy-Authorization"),
        (RefuseReason::Token(TokenError::Expired), "the token has expired"),
        (RefuseReason::Token(TokenError::NotYetValid), "the token is not valid yet"),
        (RefuseReason::Token(TokenError::UnknownKey), "the token names a key (kid) that is not known"),
        (RefuseReason::Token(TokenError::BadSignature), "the signature of the token does not fit"),
    ] {
        let line = logged(What::Refused { status: 407, target: None, reason });
        assert!(
            line.contains("refused")
                && line.contains("connection=c3 tunnel=t4 ")
                && line.contains("status=407")
                && line.contains(told),
            "{line}"
        );
    }
}

#[test]
fn users_stand_in_the_log_as_the_operator_says() {
    let lab = Lab::new();
    let of = |how, file| Users::new(how, file).unwrap();
    let name = |users: &Users, user| users.name(Some(user)).map(|name| name.into_owned());
    assert_eq!(name(&of(LogUsers::Clear, None), "alice").as_deref(), Some("alice"));
    assert_eq!(name(&of(LogUsers::None, None), "alice"), None);
    let hashed = of(LogUsers::default(), None);
    let alice = name(&hashed, "alice").unwrap();
    assert!(alice.len() == 16 && alice.bytes().all(|byte| byte.is_ascii_hexdigit()), "{alice}");
    assert_eq!(name(&hashed, "alice").unwrap(), alice);
    assert_ne!(name(&hashed, "bob").unwrap(), alice);
    assert_ne!(name(&of(LogUsers::Hashed, None), "alice").unwrap(), alice, "another key with each start");
    assert_eq!(hashed.name(None), None);
    // printf %s alice | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    let file = lab.0.file("log-key", "0123456789abcdef0123456789abcdef\n");
    for _ in 0..2 {
        assert_eq!(name(&of(LogUsers::Hashed, Some(&file)), "alice").as_deref(), Some("433deb45467e4e53"));
    }
    let short = lab.0.file("short", "secret\n");
    let error = Users::new(LogUsers::Hashed, Some(&short)).unwrap_err().to_string();
    assert!(error.contains("32 to 1024 characters") && error.contains("log"), "{error}");
}

#[test]
fn strangers_fill_no_log_and_what_is_left_out_is_counted() {
    let refused = || What::Refused { status: 407, target: None, reason: RefuseReason::NoToken };
    let text = logged_all((0..200).map(|_| (Instant::ZERO, refused())));
    assert_eq!(text.lines().count(), 50);
    let later = Instant::from_nanos(1_000_000_000);
    let text = logged_all((0..200).map(|_| (Instant::ZERO, refused())).chain([(later, refused())]));
    let last: Vec<&str> = text.lines().skip(50).collect();
    assert!(
        last.len() == 2 && last[0].contains("left_out=150") && last[1].contains("status=407"),
        "{last:?}"
    );
}

fn logged(what: What) -> String {
    logged_all([(Instant::ZERO, what)])
}

fn logged_all(events: impl IntoIterator<Item = (Instant, What)>) -> String {
    let client: Option<SocketAddr> = Some("[2001:db8::1]:4711".parse().unwrap());
    let text = Lines::default();
    let to = text.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || to.clone()).finish();
    let mut report = Report::new(Arc::new(Users::Clear));
    tracing::subscriber::with_default(subscriber, || {
        for (at, what) in events {
            let (connection, tunnel) = (Some(ConnectionId::from_u64(3)), Some(TunnelId::from_u64(4)));
            report.report(&Event { at, connection, tunnel, client, what });
        }
    });
    let bytes = text.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

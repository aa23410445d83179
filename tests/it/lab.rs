//! A folder with keys and tokens, and the processes that use them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::process::{Process, wayleave};

/// A folder of its own, gone when dropped.
pub(crate) struct Lab {
    folder: PathBuf,
}

impl Lab {
    /// A folder with `keys.toml`, `relay-keys.toml` and a good token in `token.txt`.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wayleave-it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let lab = Self { folder: std::env::temp_dir().join(name) };
        fs::create_dir_all(&lab.folder).unwrap();
        let (status, _, error) = wayleave(
            &lab.folder,
            &["token", "keygen", "--out", "keys.toml", "--public-out", "relay-keys.toml"],
        );
        assert_eq!(status, 0, "{error}");
        let token = lab.mint("1h");
        lab.write("token.txt", &token);
        lab
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// A token of alice of application 1001.
    pub(crate) fn mint(&self, ttl: &str) -> String {
        let arguments =
            ["token", "mint", "--keys", "keys.toml", "--app-id", "1001", "--user", "alice", "--ttl", ttl];
        let (status, token, error) = wayleave(&self.folder, &arguments);
        assert_eq!(status, 0, "{error}");
        token.trim().to_owned()
    }

    /// A token that expired an hour ago, signed with the key of the folder.
    pub(crate) fn expired(&self) -> String {
        use wayleave_proto::auth::{Algorithm, Claims, SigningKey};
        use wayleave_proto::base::UnixTime;
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let claims =
            Claims { expires: Some(UnixTime::from_secs(since.as_secs() - 3_600)), ..Claims::default() };
        let keys: toml::Value = toml::from_str(&self.read("keys.toml")).unwrap();
        let key = &keys["jwt"][0];
        let seed = base64::Engine::decode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            key["private_key"].as_str().unwrap(),
        );
        let signer =
            SigningKey::from_parts(key["kid"].as_str().unwrap(), Algorithm::EdDsa, &seed.unwrap()).unwrap();
        signer.mint(&claims).unwrap().expose().to_owned()
    }

    /// A relay that finds the targets under the name `localhost`, where its clients find black holes.
    pub(crate) fn relay(&self, more: &[&str]) -> Process {
        self.relay_at("127.0.0.1:0", more)
    }

    /// The same at this address.
    pub(crate) fn relay_at(&self, address: &str, more: &[&str]) -> Process {
        let mut arguments: Vec<String> = "relay --self-signed tls --name localhost \
             --token-keys relay-keys.toml --allow-target 127.0.0.0/8"
            .split_whitespace()
            .map(String::from)
            .collect();
        arguments.extend(["--listen".into(), address.to_owned()]);
        arguments.extend(["--resolve".into(), format!("localhost={TARGETS}")]);
        arguments.extend(more.iter().map(|argument| argument.to_string()));
        Process::start(&self.folder, &arguments)
    }

    /// A relay with this certificate and this key.
    pub(crate) fn relay_showing(&self, cert: &str, key: &str) -> Process {
        let fixed = "relay --listen 127.0.0.1:0 --token-keys relay-keys.toml";
        let words = fixed.split_whitespace().chain(["--cert", cert, "--key", key]);
        Process::start(&self.folder, &words.map(String::from).collect::<Vec<_>>())
    }

    /// An agent of these relays with a local door and its events in `events.jsonl`.
    pub(crate) fn agent(&self, relays: &[SocketAddr], more: &[&str]) -> Process {
        self.agent_trusting(relays, &[&["--ca", "tls/ca.pem"], more].concat())
    }

    /// The same, with its `--ca` among the other arguments.
    pub(crate) fn agent_trusting(&self, relays: &[SocketAddr], more: &[&str]) -> Process {
        let fixed = "agent --listen 127.0.0.1:0 --token-file token.txt --events events.jsonl";
        let mut arguments: Vec<String> = fixed.split_whitespace().map(String::from).collect();
        for relay in relays {
            arguments.push("--proxy".into());
            arguments.push(format!("localhost:{}", relay.port()));
        }
        arguments.extend(more.iter().map(|argument| argument.to_string()));
        Process::start(&self.folder, &arguments)
    }

    /// An agent in mode normal that proves who it is by these arguments.
    pub(crate) fn agent_proving(&self, relays: &[SocketAddr], by: &[&str]) -> Process {
        let fixed = ["agent", "--listen", "127.0.0.1:0", "--mode", "normal", "--ca", "tls/ca.pem"];
        let mut arguments: Vec<String> = fixed.iter().chain(by).map(|word| (*word).to_owned()).collect();
        for relay in relays {
            arguments.extend(["--proxy".to_owned(), format!("localhost:{}", relay.port())]);
        }
        Process::start(&self.folder, &arguments)
    }

    /// The events that an agent has written.
    pub(crate) fn events(&self) -> Vec<Value> {
        let whole = self.read("events.jsonl");
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// The first event of this name, waited for.
    pub(crate) fn event(&self, name: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            if let Some(event) = self.events().into_iter().find(|event| event["event"] == name && is(event)) {
                return event;
            }
            assert!(std::time::Instant::now() < deadline, "no {name} in:\n{}", self.read("events.jsonl"));
            std::thread::yield_now();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where the targets are: a loopback address that `localhost` is not.
pub(crate) const TARGETS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

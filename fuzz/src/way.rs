//! What says how relays are reached through a proxy of the network: its environment, and its challenges.

use std::net::IpAddr;

use wayleave_proto::base::Host;
use wayleave_proto::codec::digest::choose;
use wayleave_proto::config::{NoProxy, SystemVia};

/// A list means what it shows, for every host; and the same text as the variable of a proxy shows no password.
pub(crate) fn no_proxy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (Ok(list), Ok(shown)) = (text.parse::<NoProxy>(), text.parse::<NoProxy>().map(|it| it.to_string()));
    let Ok(again) = shown.parse::<NoProxy>();
    assert_eq!(again.to_string(), shown);
    assert!(again.ignored().is_empty(), "{shown}");
    let hosts = text.split([',', ' ', '/']).map(|part| part.trim_matches('.')).chain(HOSTS);
    for host in hosts.filter_map(|host| host.parse::<Host>().ok()) {
        assert_eq!(list.has(&host), again.has(&host), "{shown}: {host}");
        if let (Host::Address(IpAddr::V4(_)), true) = (&host, shown.is_empty()) {
            assert!(!list.has(&host), "{host}");
        }
    }
    let secret = SystemVia::read(|_| Some(format!("ada:hush-hush@{text}")));
    let told = secret.map_or_else(|error| error.to_string(), |via| via.to_string());
    assert!(!told.contains("hush-hush") || text.contains("hush-hush"), "{told}");
}

/// What is chosen of challenges can be answered, on one line.
pub(crate) fn digest(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match choose(text.split('\n')) {
        Ok(challenge) => {
            let answer = challenge.answer(("ada", "hush-hush"), ("CONNECT", "relay.example:443"), "0a4f113b");
            assert!(answer.starts_with("Basic ") || answer.starts_with("Digest "), "{answer}");
            let is_line = |text: &str| !text.contains(['\r', '\n', '\0']);
            assert!(is_line(&answer) || !is_line(&text.replace('\n', "")), "{answer}");
            assert!(!answer.contains("hush-hush"), "{answer}");
        }
        Err(error) => assert!(!error.to_string().contains(['\r', '\n']), "{error}"),
    }
}

const HOSTS: [&str; 6] = ["relay.example", "localhost", "127.0.0.2", "10.1.2.3", "::1", "2001:db8::1"];

//! `wayleave check` behind the proxies that real networks have: squid, tinyproxy and dante.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::lab::Lab;
use crate::process::wayleave;
use crate::via::Proxy;

/// Checks through `via`, for a person and for a program; the verdict is `code`, or none where it works, and `said` stands in what a
/// person reads.
fn checked(lab: &Lab, words: &[&str], code: Option<&str>, said: &str) -> Value {
    let fixed = ["check", "--ca", "tls/ca.pem", "--token-file", "token.txt"];
    let (status, text, error) = wayleave(lab.folder(), &[&fixed, words].concat());
    assert_eq!((status, error.as_str()), (i32::from(code.is_some()), ""), "{text}");
    assert!(text.contains(said), "no {said:?} in\n{text}");
    let (_, json, _) = wayleave(lab.folder(), &[&fixed, words, &["--json"]].concat());
    for secret in ["s3cret", "wrong-word"] {
        assert!(!text.contains(secret) && !json.contains(secret), "{text}");
    }
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["verdict"]["code"].as_str(), code, "{json:#}");
    json
}

/// What was found for this step.
fn codes(json: &Value, step: &str) -> Vec<String> {
    let findings = json["findings"].as_array().unwrap();
    let of_step = findings.iter().filter(|finding| finding["step"] == step);
    of_step.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Everything behind a proxy of the network that does not lead on is unknown.
fn is_unknown_behind(json: &Value) {
    for finding in json["findings"].as_array().unwrap() {
        let is_open = finding["step"] == "via" || finding["step"] == "direct";
        assert!(is_open || finding["outcome"] == "unknown", "{finding:#}");
    }
    assert_eq!(
        (codes(json, "name"), codes(json, "tcp")),
        (vec!["name-by-via".into()], vec!["tcp-by-via".into()])
    );
}

/// A tinyproxy that knows ada and lets CONNECT to this port and to port 1 pass, where nobody listens.
fn tinyproxy(program: &Path, lab: &Lab, relay: u16) -> Proxy {
    let config = |port| {
        format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth ada s3cret\nConnectPort {relay}\nConnectPort 1\n"
        )
    };
    Proxy::start(program, lab, config, &["-d", "-c"])
}

#[test]
fn tinyproxy_with_basic() {
    let Some(program) = wayleave_tests::require("check_by_tinyproxy", "tinyproxy", "tinyproxy") else {
        return;
    };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let at = format!("localhost:{}", relay.listening(1).port());
    let proxy = tinyproxy(&program, &lab, relay.listening(1).port());
    let way = |before: &str| format!("{before}{}", proxy.address);
    let good = way("http://ada:s3cret@");
    let target = format!("tcp:localhost:{}", crate::targets::echo_stream());
    let leads = format!("{} leads to {at}", way("http://"));
    let json = checked(&lab, &["--proxy", &at, "--via", &good, "--target", &target], None, &leads);
    for (step, code) in [
        ("via", "via-open"),
        ("name", "name-by-via"),
        ("tcp", "tcp-by-via"),
        ("tls", "tls-trusted"),
        ("relay", "relay-answers"),
        ("credential", "credential-accepted"),
        ("stream", "stream-open"),
        ("datagrams", "datagrams-back"),
    ] {
        assert_eq!(codes(&json, step), [code], "{json:#}");
    }
    assert_eq!(json["findings"][0]["via"], way("http://"));
    for (relay, via, code, said) in [
        (&*at, way("http://ada:wrong-word@"), "via-wrong-password", "the account may be locked"),
        (&*at, way("http://"), "via-needs-account", "407, it offers Basic"),
        (&*at, way("https://ada:s3cret@"), "via-unanswered", "Check the scheme and the port"),
        ("localhost:2", good.clone(), "via-forbidden", "CONNECT to port 2 of localhost: 403"),
        ("localhost:2", good.clone(), "via-forbidden", "Port 443 is most often permitted"),
        ("localhost:1", good.clone(), "via-failed", "fails to connect to localhost:1: 500"),
        (
            &*at,
            "http://ada:s3cret@127.0.0.1:1".into(),
            "via-refused",
            "http://127.0.0.1:1 refuses connections",
        ),
    ] {
        is_unknown_behind(&checked(&lab, &["--proxy", relay, "--via", &via], Some(code), said));
    }
}

#[test]
fn one_of_several_ways_is_enough_and_the_file_of_an_agent_names_them() {
    let Some(program) = wayleave_tests::require("check_by_file", "tinyproxy", "tinyproxy") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let at = format!("localhost:{}", relay.listening(1).port());
    let proxy = tinyproxy(&program, &lab, relay.listening(1).port());
    lab.write(
        "agent.toml",
        &format!(
            "listen = \"127.0.0.1:0\"\nmode = \"normal\"\nproxy = \"{at}\"\nca = \"tls/ca.pem\"\ntoken-file = \"token.txt\"\n\
             via = [\"http://ada:s3cret@127.0.0.1:1\", \"http://ada:s3cret@{}\"]\n",
            proxy.address
        ),
    );
    let beside = "Also: http://127.0.0.1:1 refuses connections";
    let json = checked(&lab, &["--config", "agent.toml"], None, beside);
    assert_eq!(codes(&json, "datagrams"), ["datagrams-back"], "{json:#}");
    assert_eq!(json["verdict"]["also"][0], "via-refused");
    // What is given wins.
    let dead = ["--config", "agent.toml", "--via", "http://127.0.0.1:1"];
    is_unknown_behind(&checked(&lab, &dead, Some("via-refused"), "refuses connections"));
}

#[test]
fn squid_with_digest_finds_the_relay_that_nobody_finds_here() {
    let Some(program) = wayleave_tests::require("check_by_squid", "squid", "squid") else { return };
    let lab = Lab::new();
    lab.write("users", "ada:s3cret\n");
    lab.write("hosts", "127.0.0.1 relay.example\n");
    let (users, hosts) = (lab.path("users"), lab.path("hosts"));
    let relay = lab.relay(&["--name", "relay.example"]);
    let at = format!("relay.example:{}", relay.listening(1).port());
    let port_of_relay = relay.listening(1).port();
    let config = |port| {
        format!(
            "http_port 127.0.0.1:{port}\npid_filename none\ncache deny all\naccess_log none\ncache_log /dev/null\n\
             netdb_filename none\nshutdown_lifetime 0 seconds\nhosts_file {hosts}\n\
             auth_param digest program /usr/lib/squid/digest_file_auth {users}\n\
             auth_param digest realm wayleave\nauth_param digest children 1\n\
             acl known proxy_auth REQUIRED\nacl open port {port_of_relay}\n\
             http_access deny CONNECT !open\nhttp_access allow known\nhttp_access deny all\n"
        )
    };
    let proxy = Proxy::start(&program, &lab, config, &["-N", "-f"]);
    let (good, wrong) =
        (format!("http://ada:s3cret@{}", proxy.address), format!("http://ada:wrong-word@{}", proxy.address));
    let json = checked(
        &lab,
        &["--proxy", &at, "--via", &good],
        None,
        "relay.example is looked up by the proxy of the network, and not here",
    );
    assert_eq!(codes(&json, "datagrams"), ["datagrams-back"], "{json:#}");
    checked(&lab, &["--proxy", &at, "--via", &wrong], Some("via-wrong-password"), "refuses the user name");
    let bare = format!("http://{}", proxy.address);
    checked(&lab, &["--proxy", &at, "--via", &bare], Some("via-needs-account"), "it offers Digest");
    let closed = ["--proxy", "relay.example:1", "--via", &good];
    let json = checked(&lab, &closed, Some("via-forbidden"), "port 1 of relay.example: 403");
    is_unknown_behind(&json);
}

#[test]
fn dante_by_name() {
    let Some(program) = wayleave_tests::require("check_by_dante", "danted", "dante-server") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let port_of_relay = relay.listening(1).port();
    let at = format!("localhost:{port_of_relay}");
    let config = |port| {
        format!(
            "internal: 127.0.0.1 port = {port}\nexternal: lo\nclientmethod: none\nsocksmethod: none\n\
             client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n\
             socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 port = {port_of_relay} }}\n\
             socks block {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n"
        )
    };
    let proxy = Proxy::start(&program, &lab, config, &["-f"]);
    let via = format!("socks5://{}", proxy.address);
    let json = checked(&lab, &["--proxy", &at, "--via", &via], None, &format!("{via} leads to {at}"));
    assert_eq!(codes(&json, "datagrams"), ["datagrams-back"], "{json:#}");
    let closed = ["--proxy", "localhost:1", "--via", &via];
    let json = checked(&lab, &closed, Some("via-forbidden"), "SOCKS5 reply 2");
    is_unknown_behind(&json);
}

#[test]
fn squid_over_tls_with_digest() {
    let Some(program) = wayleave_tests::require("check_by_squid_over_tls", "squid", "squid") else { return };
    let lab = Lab::new();
    lab.write("users", "ada:s3cret\n");
    let relay = lab.relay(&[]);
    let at = format!("localhost:{}", relay.listening(1).port());
    let (users, cert, key) = (lab.path("users"), lab.path("tls/relay.pem"), lab.path("tls/relay-key.pem"));
    let config = |port| {
        format!(
            "https_port 127.0.0.1:{port} tls-cert={cert} tls-key={key}\n\
             pid_filename none\ncache deny all\naccess_log none\ncache_log /dev/null\n\
             netdb_filename none\nshutdown_lifetime 0 seconds\n\
             auth_param digest program /usr/lib/squid/digest_file_auth {users}\n\
             auth_param digest realm wayleave\nauth_param digest children 1\n\
             acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
        )
    };
    let proxy = Proxy::start(&program, &lab, config, &["-N", "-f"]);
    let port = proxy.address.port();
    let via = format!("https://ada:s3cret@localhost:{port}");
    let json =
        checked(&lab, &["--proxy", &at, "--via", &via], None, &format!("https://localhost:{port} leads to"));
    assert_eq!(codes(&json, "datagrams"), ["datagrams-back"], "{json:#}");
}

#[test]
fn behind_a_proxy_of_the_network_nothing_goes_to_the_relay_from_here() {
    let lab = Lab::new();
    lab.relay(&[]).listening(1);
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    relay.set_nonblocking(true).unwrap();
    let at = relay.local_addr().unwrap().to_string();
    // Smart mode has something to try, which it would have to do by the relay.
    let words = ["--proxy", &at, "--via", "http://127.0.0.1:1", "--target", "tcp:127.0.0.1:1"];
    let json = checked(&lab, &words, Some("via-refused"), "smart mode goes through the relay");
    assert_eq!(
        (codes(&json, "name"), codes(&json, "tcp")),
        (vec!["name-address".into()], vec!["tcp-by-via".into()])
    );
    assert_eq!(relay.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

//! Relays behind the proxies that real networks have: squid, tinyproxy and dante.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::process::{Process, wayleave};
use crate::socks::connect;
use crate::targets::echo_stream;

/// A proxy of the network, ended when dropped.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Proxy {
    /// Starts `program` with a configuration that says its port, and waits until it listens.
    pub(crate) fn start(program: &Path, lab: &Lab, config: impl Fn(u16) -> String, words: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        lab.write("proxy.conf", &config(address.port()));
        let mut command = Command::new(program);
        command.args(words).arg(lab.path("proxy.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{} ended", program.display());
            assert!(Instant::now() < deadline, "{} does not listen", program.display());
            std::thread::yield_now();
        }
        Self { child, address }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Through `via` a stream reaches its target, both ways.
fn reaches(lab: &Lab, via: &str) {
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal", "--via", via]);
    let mut stream = connect(agent.listening(1), "localhost", echo_stream());
    stream.write_all(b"through it all").unwrap();
    let mut back = [0; 14];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"through it all");
    let connected = lab.event("proxy_connected", |_| true);
    let shown = connected["via"].as_str().unwrap();
    let (scheme, place) = via.split_once("://").unwrap();
    assert_eq!(shown, format!("{scheme}://{}", place.rsplit('@').next().unwrap()));
    assert!(!agent.log().contains("s3cret") && !lab.read("events.jsonl").contains("s3cret"));
}

/// Through `via` nothing is reached, and why is said with these words.
fn fails(lab: &Lab, via: &str, words: &str) {
    let relay = lab.relay(&[]);
    lab.write("events.jsonl", "");
    let _agent = lab.agent(&[relay.listening(1)], &["--mode", "normal", "--via", via]);
    let failed = lab.event("proxy_failed", |_| true);
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains(words) && !error.contains("wrong-word"), "{error}");
}

#[test]
fn tinyproxy_with_basic() {
    let Some(program) = wayleave_tests::require("tinyproxy_with_basic", "tinyproxy", "tinyproxy") else {
        return;
    };
    let lab = Lab::new();
    let config = |port| format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth ada s3cret\n");
    let proxy = Proxy::start(&program, &lab, config, &["-d", "-c"]);
    reaches(&lab, &format!("http://ada:s3cret@{}", proxy.address));
    fails(&lab, &format!("http://ada:wrong-word@{}", proxy.address), "refuses the user name");
    fails(&lab, &format!("http://{}", proxy.address), "USER:PASSWORD");
}

#[test]
fn squid_with_digest() {
    let Some(program) = wayleave_tests::require("squid_with_digest", "squid", "squid") else { return };
    let lab = Lab::new();
    lab.write("users", "ada:s3cret\n");
    let users = lab.path("users");
    let config = |port| {
        format!(
            "http_port 127.0.0.1:{port}\npid_filename none\ncache deny all\naccess_log none\ncache_log /dev/null\n\
             netdb_filename none\nshutdown_lifetime 0 seconds\n\
             auth_param digest program /usr/lib/squid/digest_file_auth {users}\n\
             auth_param digest realm wayleave\nauth_param digest children 1\n\
             acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
        )
    };
    let proxy = Proxy::start(&program, &lab, config, &["-N", "-f"]);
    reaches(&lab, &format!("http://ada:s3cret@{}", proxy.address));
    fails(&lab, &format!("http://ada:wrong-word@{}", proxy.address), "refuses the user name");
}

#[test]
fn squid_that_forbids_it() {
    let Some(program) = wayleave_tests::require("squid_that_forbids_it", "squid", "squid") else { return };
    let lab = Lab::new();
    let config = |port| {
        format!(
            "http_port 127.0.0.1:{port}\npid_filename none\ncache deny all\naccess_log none\ncache_log /dev/null\n\
             netdb_filename none\nshutdown_lifetime 0 seconds\nhttp_access deny all\n"
        )
    };
    let proxy = Proxy::start(&program, &lab, config, &["-N", "-f"]);
    fails(&lab, &format!("http://{}", proxy.address), "allow CONNECT");
}

#[test]
fn dante_by_name() {
    let Some(program) = wayleave_tests::require("dante_by_name", "danted", "dante-server") else { return };
    let lab = Lab::new();
    let config = |port| {
        format!(
            "internal: 127.0.0.1 port = {port}\nexternal: lo\nclientmethod: none\nsocksmethod: none\n\
             client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\nsocks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n"
        )
    };
    let proxy = Proxy::start(&program, &lab, config, &["-f"]);
    reaches(&lab, &format!("socks5://{}", proxy.address));
}

#[test]
fn a_way_that_cannot_be_read_is_wrong_use_and_shows_no_password() {
    let lab = Lab::new();
    for (via, words) in [
        ("proxy.example:3128", "--via: write a URL"),
        ("ftp://ada:s3cret@proxy.example:21", "--via: the scheme is not supported"),
        ("http://ada:s3cret@proxy.example", "--via: the port is missing"),
    ] {
        let arguments = [
            "agent",
            "--listen",
            "127.0.0.1:0",
            "--token-file",
            "token.txt",
            "--proxy",
            "localhost:1",
            "--via",
            via,
        ];
        let (status, _, error) = wayleave(lab.folder(), &arguments);
        assert_eq!(status, 2, "{error}");
        assert!(error.contains(words) && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn the_environment_names_the_way_and_what_needs_none() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let proxy = format!("localhost:{}", relay.listening(1).port());
    let start = |variables: &[(&str, &str)]| {
        lab.write("events.jsonl", "");
        let words = "agent --listen 127.0.0.1:0 --token-file token.txt --events events.jsonl --mode normal --ca tls/ca.pem";
        let more = ["--via", "system", "--proxy", &proxy];
        let arguments: Vec<String> = words.split(' ').chain(more).map(String::from).collect();
        Process::start_in(lab.folder(), &arguments, variables)
    };
    // Nobody listens there.
    let hop = ("https_proxy", "ada:s3cret@127.0.0.1:1");
    let agent = start(&[hop, ("no_proxy", "near.example")]);
    agent.wait_for("through http://127.0.0.1:1 (https_proxy), but those in near.example directly (no_proxy)");
    let failed = lab.event("proxy_failed", |_| true)["error"].as_str().unwrap().to_owned();
    assert!(failed.contains("through http://127.0.0.1:1: this proxy cannot be reached"), "{failed}");
    assert!(!agent.log().contains("s3cret") && !lab.read("events.jsonl").contains("s3cret"));
    drop(agent);
    let agent = start(&[hop, ("no_proxy", "localhost")]);
    assert!(lab.event("proxy_connected", |_| true)["via"].is_null());
    drop(agent);
    let mut agent = start(&[("https_proxy", "ftp://ada:s3cret@127.0.0.1:1")]);
    assert_eq!(agent.wait().code(), Some(2));
    let said =
        agent.wait_for("--via system: the environment variable https_proxy: the scheme is not supported");
    assert!(!said.contains("s3cret"), "{said}");
}

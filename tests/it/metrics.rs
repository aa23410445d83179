//! What a relay tells those who watch it: metrics, whether it lives, and whether it would take a tunnel.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::process::{Process, wayleave};
use crate::socks::{self, Association};
use crate::targets::{echo_datagrams, echo_stream};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OPEN_METRICS: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

/// A relay with an admin interface on TCP, and where that is.
fn watched(lab: &Lab, more: &[&str]) -> (Process, String) {
    lab.write("secret", SECRET);
    let fixed = ["--admin", "127.0.0.1:0", "--admin-secret-file", "secret"];
    let relay = lab.relay(&[&fixed[..], more].concat());
    let line = relay.wait_for("admin interface on ");
    let place = line.split("admin interface on ").nth(1).unwrap().trim().to_owned();
    (relay, place)
}

/// The head and the body of the answer to a GET.
fn get(place: &str, path: &str, fields: &str) -> (String, String) {
    let mut stream = TcpStream::connect(place).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: relay\r\n{fields}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn scrape(place: &str, fields: &str) -> (String, String) {
    get(place, "/metrics", &format!("Authorization: Bearer {SECRET}\r\n{fields}"))
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is missing in\n{text}")).parse().unwrap()
}

/// Scrapes until a sample has this value: what ends a tunnel is a matter of moments.
fn wait_for(place: &str, sample: &str, expected: u64) -> String {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, text) = scrape(place, "");
        if value(&text, sample) == expected {
            return text;
        }
        assert!(Instant::now() < end, "{sample} does not become {expected}:\n{text}");
    }
}

#[test]
fn what_happens_on_a_relay_is_in_its_metrics() {
    let lab = Lab::new();
    let (relay, place) = watched(&lab, &["--threads", "2"]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut stream = socks::connect(agent.listening(1), "localhost", echo_stream());
    stream.write_all(&[7; 10_000]).unwrap();
    stream.read_exact(&mut [0; 10_000]).unwrap();
    let association = Association::new(agent.listening(1));
    association.send("localhost", echo_datagrams(), b"twelve bytes");
    assert_eq!(association.receive(Duration::from_secs(30)).as_deref(), Some(&b"twelve bytes"[..]));
    // Nothing listens on port 1.
    let (_, reply, _) = socks::ask(agent.listening(1), 1, "localhost", 1);
    assert_ne!(reply, 0);

    let (head, text) = scrape(&place, "");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for (sample, expected) in [
        ("wayleave_ready", 1),
        ("wayleave_tunnels", 2),
        ("wayleave_tunnels_opened_total", 2),
        ("wayleave_payload_bytes_total{direction=\"to_target\"}", 10_012),
        ("wayleave_payload_bytes_total{direction=\"to_client\"}", 10_012),
        ("wayleave_datagrams_total{direction=\"to_target\"}", 1),
        ("wayleave_datagrams_total{direction=\"to_client\"}", 1),
        ("wayleave_dial_errors_total{reason=\"refused\"}", 1),
        ("wayleave_requests_refused_total{status=\"502\"}", 1),
    ] {
        assert_eq!(value(&text, sample), expected, "{sample} in\n{text}");
    }
    // The client may have asked for more than tunnels.
    assert!(value(&text, "wayleave_authentications_total{outcome=\"accepted\"}") >= 3, "{text}");
    for word in ["alice", "localhost", "127.0.0.1"] {
        assert!(!text.contains(word), "{word} is in\n{text}");
    }

    let (head, open) = scrape(&place, OPEN_METRICS);
    assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    let arguments = ["admin", "--admin", &place, "--secret-file", "secret", "metrics"];
    let (status, printed, error) = wayleave(lab.folder(), &arguments);
    assert_eq!(status, 0, "{error}");
    assert_eq!(value(&printed, "wayleave_tunnels"), 2);
    drop(association);
    wait_for(&place, "wayleave_tunnels", 1);

    relay.signal("TERM");
    wait_for(&place, "wayleave_draining", 1);
    let (head, why) = get(&place, "/readyz", "");
    assert!(
        head.starts_with("HTTP/1.1 503 ") && why == "The relay drains: it takes no new connections.\n",
        "{head}"
    );
    assert!(get(&place, "/healthz", "").0.starts_with("HTTP/1.1 200 "));
    drop(stream);
}

#[test]
fn the_metrics_are_as_prometheus_wants_them() {
    let Some(promtool) = wayleave_tests::require("the_metrics_are_as", "promtool", "prometheus") else {
        return;
    };
    let lab = Lab::new();
    let (_relay, place) = watched(&lab, &[]);
    let (_, text) = scrape(&place, "");
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && told.is_empty(), "{told}\n{text}");
}

#[test]
fn a_balancer_learns_without_a_secret_whether_to_send_more_and_nothing_else() {
    let lab = Lab::new();
    let (relay, place) = watched(&lab, &["--max-connections", "1"]);
    for path in ["/metrics", "/stats", "/tunnels", "/healthz/", "/readyz?verbose"] {
        assert!(get(&place, path, "").0.starts_with("HTTP/1.1 401 "), "{path}");
    }
    let status = |path| {
        let (head, body) = get(&place, path, "");
        (head[9..12].to_owned(), body)
    };
    let fine = ("200".to_owned(), "ok\n".to_owned());
    assert_eq!((status("/healthz"), status("/readyz")), (fine.clone(), fine.clone()));
    let held = TcpStream::connect(relay.listening(1)).unwrap();
    wait_for(&place, "wayleave_connections", 1);
    let full = "1 connections are open, the limit of the relay (connections of [limits]).\n";
    assert_eq!((status("/healthz"), status("/readyz")), (fine.clone(), ("503".to_owned(), full.to_owned())));
    drop(held);
    wait_for(&place, "wayleave_connections", 0);
    assert_eq!(status("/readyz"), fine);
}

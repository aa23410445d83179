//! The relay with curl and nothing of ours beside it.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use crate::lab::Lab;
use crate::process::run;
use crate::targets::{page, web, web_over_tls};

#[test]
fn curl_uses_the_relay_with_bearer_and_with_basic() {
    let Some(curl) = wayleave_tests::require("curl_uses_the_relay", "curl", "curl") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let port = relay.listening(1).port();
    let (plain, (tls, certificate)) = (web(10_000), web_over_tls(1_000_000));
    lab.write("origin.pem", &certificate);
    let (proxy, ca) = (format!("https://localhost:{port}"), lab.path("tls/ca.pem"));
    let token = lab.read("token.txt");
    let bearer = format!("Proxy-Authorization: Bearer {token}");
    let user = format!("anyone:{token}");
    let (http, https) = (format!("http://localhost:{plain}/"), format!("https://localhost:{tls}/"));
    let origin = lab.path("origin.pem");
    for (url, length) in [(&http, 10_000), (&https, 1_000_000)] {
        for credentials in [["--proxy-header", &bearer], ["--proxy-user", &user]] {
            let fixed = [
                "-sS",
                "-p",
                "--max-time",
                "20",
                "--proxy",
                &proxy,
                "--proxy-cacert",
                &ca,
                "--cacert",
                &origin,
            ];
            let output = run(&curl, &[&fixed[..], &credentials[..], &[url]].concat());
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.stdout == page(length),
                "{url}: {} bytes, {error}\n{}",
                output.stdout.len(),
                relay.log()
            );
        }
    }
    let log = relay.log();
    assert!(!log.contains(token.trim()), "the token is in the log");
    assert!(log.contains("1001") && !log.contains("alice"), "{log}");
    let users: BTreeSet<&str> = log
        .split("user=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|user| user.len() == 16 && user.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    assert_eq!(users.len(), 1, "the lines of one user are found by one hash: {log}");
}

#[test]
fn every_bad_token_gets_one_and_the_same_answer_and_its_reason_in_the_log() {
    let Some(curl) = wayleave_tests::require("every_bad_token", "curl", "curl") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let (proxy, ca) = (format!("https://localhost:{}", relay.listening(1).port()), lab.path("tls/ca.pem"));
    let url = format!("http://localhost:{}/", web(10));
    let other = Lab::new();
    // The header and the claims of a good token under the signature of another.
    let good = lab.read("token.txt");
    let stolen = other.mint("1h");
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, stolen.rsplit_once('.').unwrap().1);
    for (token, reason) in [
        (good[..good.len() - 9].to_owned(), "malformed"),
        (forged, "signature"),
        (stolen, "key"),
        (lab.expired(), "expired"),
    ] {
        let bearer = format!("Proxy-Authorization: Bearer {token}");
        let output = run(
            &curl,
            &[
                "-sS",
                "-p",
                "-v",
                "--max-time",
                "20",
                "--proxy",
                &proxy,
                "--proxy-cacert",
                &ca,
                "--proxy-header",
                &bearer,
                &url,
            ],
        );
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(said.contains("407") && said.contains("proxy-authenticate: bearer realm="), "{said}");
        let line = relay.wait_for(reason);
        assert!(!line.contains(&token), "{line}");
    }
}

#[test]
fn forbidden_targets_are_refused() {
    let Some(curl) = wayleave_tests::require("forbidden_targets", "curl", "curl") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let own = relay.listening(1);
    let (proxy, ca) = (format!("https://localhost:{}", own.port()), lab.path("tls/ca.pem"));
    let bearer = format!("Proxy-Authorization: Bearer {}", lab.read("token.txt"));
    for target in [
        "10.0.0.1:80".to_owned(),
        "169.254.169.254:80".into(),
        "[::1]:80".into(),
        "127.0.0.1:25".into(),
        own.to_string(),
    ] {
        let url = format!("http://{target}/");
        let output = run(
            &curl,
            &[
                "-sS",
                "-p",
                "-o",
                "-",
                "-w",
                "%{http_connect}",
                "--max-time",
                "20",
                "--proxy",
                &proxy,
                "--proxy-cacert",
                &ca,
                "--proxy-header",
                &bearer,
                &url,
            ],
        );
        assert!(
            String::from_utf8_lossy(&output.stdout).ends_with("403"),
            "{target}: {output:?}\n{}",
            relay.log()
        );
    }
}

#[test]
fn the_first_signal_drains_and_the_exit_status_is_zero() {
    let lab = Lab::new();
    let mut relay = lab.relay(&["--drain", "20"]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let port = crate::targets::echo_stream();
    let mut stream = crate::socks::connect(agent.listening(1), "localhost", port);
    relay.signal("TERM");
    relay.wait_for("drain");
    stream.write_all(b"still served").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still served");
    drop(stream);
    assert!(relay.wait().success(), "{}", relay.log());
}

#[test]
fn the_second_signal_stops_at_once() {
    let lab = Lab::new();
    let mut relay = lab.relay(&["--drain", "600"]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let _stream = crate::socks::connect(agent.listening(1), "localhost", crate::targets::echo_stream());
    relay.signal("INT");
    relay.wait_for("drain");
    relay.signal("INT");
    assert!(relay.wait().success(), "{}", relay.log());
}

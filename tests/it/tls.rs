//! TLS 1.3 by the letter: relay and agent before a peer that breaks its rules on purpose, tests/tls.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::foreign::python;
use crate::lab::Lab;

/// Runs a script of `tests/tls`, which says what was wrong.
fn examine(python: &Path, script: &str, arguments: &[String]) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tls").join(script);
    let ran = Command::new(python)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let wrong: Vec<&str> = said.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert!(ran.status.success(), "{wrong:#?}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.lines().filter(|line| line.starts_with("ok")).count() > 50, "{said}");
}

#[test]
fn a_relay_answers_what_breaks_tls_as_the_rfc_says() {
    let test = "a_relay_answers_what_breaks_tls_as_the_rfc_says";
    let Some(python) = python(test, "tlslite-ng", "import tlslite") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    examine(&python, "relay.py", &[relay.listening(1).port().to_string()]);
}

#[test]
fn a_client_answers_what_breaks_tls_as_the_rfc_says() {
    let test = "a_client_answers_what_breaks_tls_as_the_rfc_says";
    let Some(python) = python(test, "tlslite-ng", "import tlslite") else { return };
    let lab = Lab::new();
    // It has made the certificate once it listens.
    lab.relay(&[]).listening(1);
    let agent = wayleave_tests::binary("wayleave").display().to_string();
    let flags = "agent --listen 127.0.0.1:0 --mode normal --proxy localhost:{port}";
    let paths = ["tls/relay.pem", "tls/relay-key.pem"].map(|name| lab.path(name));
    let proven = ["--ca".into(), lab.path("tls/ca.pem"), "--token-file".into(), lab.path("token.txt")];
    let command = [agent].into_iter().chain(flags.split(' ').map(String::from)).chain(proven);
    examine(&python, "client.py", &paths.into_iter().chain(command).collect::<Vec<_>>());
}

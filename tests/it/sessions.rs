//! Keys that are read again, revocations and the admin interface, under tunnels that run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;
use crate::process::{Process, wayleave};
use crate::socks;
use crate::targets::echo_stream;

/// One exchange on each stream; none of them may have ended.
fn exchange(streams: &mut [TcpStream]) {
    for (number, stream) in streams.iter_mut().enumerate() {
        let sent = number.to_be_bytes();
        stream.write_all(&sent).unwrap();
        let mut got = [0; 8];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(got, sent);
    }
}

fn streams(agent: &Process, count: usize) -> Vec<TcpStream> {
    let port = echo_stream();
    let door = agent.listening(1);
    (0..count).map(|_| socks::connect(door, "localhost", port)).collect()
}

/// Whether a stream ends within what its socket waits.
fn has_ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    !matches!(stream.read(&mut [0; 1]), Ok(1..))
}

/// A pair of key files under other names.
fn keygen(lab: &Lab, kid: &str) -> String {
    let (mints, checks) = (format!("{kid}.toml"), format!("relay-{kid}.toml"));
    let arguments = ["token", "keygen", "--kid", kid, "--out", &mints, "--public-out", &checks];
    let (status, _, error) = wayleave(lab.folder(), &arguments);
    assert_eq!(status, 0, "{error}");
    lab.read(&checks)
}

/// Puts `text` in the place of a file as editors and deployments do.
fn rename_over(lab: &Lab, name: &str, text: &str) {
    lab.write("beside", text);
    std::fs::rename(lab.folder().join("beside"), lab.folder().join(name)).unwrap();
}

fn admin(folder: &Path, place: &[&str], order: &[&str]) -> (i32, String, String) {
    wayleave(folder, &[&["admin"], place, order].concat())
}

#[test]
fn hangups_and_changed_files_under_load_lose_no_flow() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut streams = streams(&agent, 40);
    let old = lab.read("relay-keys.toml");
    let new = keygen(&lab, "next");
    for round in 1..=5 {
        // A rotation: the new key beside the old one, then the new one alone, then both again.
        for text in [format!("{old}{new}"), new.clone(), format!("{new}{old}")] {
            rename_over(&lab, "relay-keys.toml", &text);
            relay.signal("HUP");
            exchange(&mut streams);
        }
        relay.wait_for_nth("token keys read again", 3 * round);
    }
    exchange(&mut streams);
    assert!(!relay.log().contains("the old token keys stay"), "{}", relay.log());
    // A flow that comes now is let in by the old key, which is there again.
    assert_eq!(self::streams(&agent, 1).len(), 1);
}

#[test]
fn a_changed_file_counts_by_itself_and_a_bad_one_is_told_with_its_line() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut before = streams(&agent, 1);
    let good = lab.read("relay-keys.toml");
    lab.write("relay-keys.toml", &format!("{good}\n[[jwt]]\nkid = \"bad\"\n"));
    let told = relay.wait_for("the old token keys stay");
    let line = 1 + good.lines().count() + 1;
    assert!(told.contains(&format!("relay-keys.toml, line {line}: ")), "{told}");
    exchange(&mut before);
    exchange(&mut streams(&agent, 1));
    lab.write("relay-keys.toml", &keygen(&lab, "other"));
    relay.wait_for("token keys read again");
    exchange(&mut before);
    let (stream, reply, _) = socks::ask(agent.listening(1), 1, "localhost", echo_stream());
    assert_ne!(reply, 0, "the token's key is gone");
    drop(stream);
}

#[test]
fn the_operator_revokes_reloads_and_drains_by_a_unix_socket() {
    let lab = Lab::new();
    let mut relay = lab.relay(&["--admin", "unix:admin.sock", "--drain", "600"]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut streams = streams(&agent, 3);
    let place = ["--admin", "unix:admin.sock"];
    let stats = || {
        let (status, text, error) = admin(lab.folder(), &place, &["stats"]);
        assert_eq!(status, 0, "{error}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!((&stats()["tunnels"], &stats()["draining"]), (&3.into(), &false.into()));
    let (status, text, _) = admin(lab.folder(), &place, &["revoke", "--user", "nobody"]);
    assert_eq!((status, text.trim()), (0, "{\"ended\":0}"));
    exchange(&mut streams);
    let (status, text, _) = admin(lab.folder(), &place, &["revoke", "--user", "alice", "--app-id", "1001"]);
    assert_eq!((status, text.trim()), (0, "{\"ended\":3}"));
    assert!(streams.iter_mut().all(has_ended));
    assert_eq!((&stats()["tunnels"], &stats()["revocations"]), (&0.into(), &2.into()));
    let (_, reply, _) = socks::ask(agent.listening(1), 1, "localhost", echo_stream());
    assert_ne!(reply, 0);
    // What is revoked stays so when the keys are read again.
    assert_eq!(admin(lab.folder(), &place, &["reload"]).0, 0);
    assert_eq!(stats()["revocations"], 2);
    lab.write("relay-keys.toml", "[[jwt]]\n");
    let (status, _, error) = admin(lab.folder(), &place, &["reload"]);
    assert!(status == 1 && error.contains("line 1: "), "{status} {error}");
    assert_eq!(admin(lab.folder(), &place, &["drain"]).0, 0);
    assert!(relay.wait().success(), "{}", relay.log());
    let (status, _, error) = admin(lab.folder(), &place, &["stats"]);
    assert!(status == 1 && error.contains("cannot be reached"), "{status} {error}");
    assert_eq!(admin(lab.folder(), &place, &["revoke"]).0, 2);
}

#[test]
fn on_tcp_only_who_has_the_secret_is_heard_and_no_client_gets_there() {
    let lab = Lab::new();
    lab.write("secret", "0123456789abcdef0123456789abcdef\n");
    lab.write("guess", "00000000000000000000000000000000\n");
    let relay = lab.relay(&["--admin", "127.0.0.1:0", "--admin-secret-file", "secret"]);
    let line = relay.wait_for("admin interface on ");
    let place = line.split("admin interface on ").nth(1).unwrap().trim().to_owned();
    let stats = |secret: &[&str]| admin(lab.folder(), &[&["--admin", &place], secret].concat(), &["stats"]);
    assert_eq!(stats(&["--secret-file", "secret"]).0, 0);
    for wrong in [&[][..], &["--secret-file", "guess"]] {
        let (status, text, error) = stats(wrong);
        assert!(status == 1 && text.is_empty() && error.contains("does not accept the secret"), "{error}");
    }
    // Loopback is open for targets here, and the interface is not one.
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let port = place.rsplit(':').next().unwrap().parse().unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let (_, reply, _) = socks::ask(agent.listening(1), 1, host, port);
        assert_ne!(reply, 0, "{host}");
    }
    relay.wait_for("the relay itself listens there");
    assert!(!relay.log().contains("0123456789abcdef"), "{}", relay.log());
}

#[test]
fn the_token_file_is_read_again_on_a_hangup_and_carries_open_streams_on() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut streams = streams(&agent, 2);
    lab.write("token.txt", &lab.mint("2h"));
    agent.signal("HUP");
    agent.wait_for("the token was renewed");
    lab.event("token_accepted", |_| true);
    exchange(&mut streams);
}

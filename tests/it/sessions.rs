//! Keys that are read again, revocations and the admin interface, under tunnels that run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;
use crate::process::{Process, wayleave};
use crate::socks::{self, Association};
use crate::targets::{echo_datagrams, echo_stream};

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

/// Traffic of every kind that goes on until it is stopped, and what went wrong in it.
struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<u64>>,
}

impl Load {
    /// Streams that are exchanged on without a pause, datagrams that want their answer, and flows that open and end.
    fn start(agent: &Process) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let door = agent.listening(1);
        let (tcp, udp) = (echo_stream(), echo_datagrams());
        let mut held = streams(agent, 20);
        let association = Association::new(door);
        let mut next = 0_u64;
        let work: [Box<dyn FnMut() + Send>; 3] = [
            Box::new(move || exchange(&mut held)),
            Box::new(move || {
                next += 1;
                association.send("localhost", udp, &next.to_be_bytes());
                let answer = association.receive(Duration::from_secs(30));
                assert_eq!(answer, Some(next.to_be_bytes().to_vec()), "a datagram was lost");
            }),
            Box::new(move || exchange(&mut [socks::connect(door, "localhost", tcp)])),
        ];
        let workers = work.into_iter().map(|mut work| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut rounds = 0;
                while !stop.load(Ordering::Relaxed) {
                    work();
                    rounds += 1;
                }
                rounds
            })
        });
        let workers = workers.collect();
        Self { stop, workers }
    }

    /// Ends it; each worker went on while it lasted, or this fails with what it saw.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            assert!(worker.join().expect("no flow is lost") > 0);
        }
    }
}

#[test]
fn hangups_and_changed_files_under_load_lose_no_flow() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut held = streams(&agent, 20);
    let load = Load::start(&agent);
    let (old, new) = (lab.read("relay-keys.toml"), keygen(&lab, "next"));
    for round in 1..=5 {
        // A rotation: the new key beside the old one, then the other way round; a bad file in between changes nothing.
        for text in [format!("{old}{new}"), format!("{new}{old}")] {
            rename_over(&lab, "relay-keys.toml", &text);
            relay.signal("HUP");
            exchange(&mut held);
        }
        relay.wait_for_nth("token keys read again", 2 * round);
        rename_over(&lab, "relay-keys.toml", "[[jwt]]\n");
        relay.signal("HUP");
        relay.wait_for_nth("the old token keys stay", round);
    }
    load.end();
    // Without the key of its token nothing new comes in, and what is open stays.
    rename_over(&lab, "relay-keys.toml", &new);
    relay.signal("HUP");
    relay.wait_for_nth("token keys read again", 11);
    exchange(&mut held);
    assert_ne!(socks::ask(agent.listening(1), 1, "localhost", echo_stream()).1, 0);
}

#[test]
fn an_agent_proves_itself_by_an_app_sign_or_a_token04_to_a_relay_of_several_key_files() {
    let lab = Lab::new();
    lab.write("sign.txt", &format!("{}\n", "5a".repeat(32)));
    let (status, lines, error) =
        wayleave(lab.folder(), &["token", "app-sign", "--app-id", "1001", "--sign-file", "sign.txt"]);
    assert_eq!(status, 0, "{error}");
    lab.write("sign.toml", &lines);
    lab.write("server.toml", "[[token04]]\napp_id = 1001\nsecret = \"0123456789abcdef0123456789abcdef\"\n");
    let relay =
        lab.relay(&["--token-keys", "sign.toml", "--token-keys", "server.toml", "--log-users", "clear"]);
    let at = [relay.listening(1)];
    let signed = lab.agent_proving(&at, &["--token=", "--app-id", "1001", "--app-sign-file", "sign.txt"]);
    exchange(&mut streams(&signed, 3));
    relay.wait_for("credential=app sign");

    let mint = ["token", "mint", "--keys", "server.toml", "--app-id", "1001", "--user", "bob", "--ttl", "1h"];
    for mode in ["gcm", "cbc"] {
        let room = r#"{"room_id":"blue","privilege":{"1":1}}"#;
        let more = ["--format", "token04", "--mode", mode, "--payload", room];
        let (status, token, error) = wayleave(lab.folder(), &[&mint[..], &more].concat());
        assert_eq!(status, 0, "{error}");
        lab.write("token04.txt", &token);
        let agent = lab.agent_proving(&at, &["--token-file", "token04.txt"]);
        exchange(&mut streams(&agent, 1));
    }
    let line = relay.wait_for("credential=Token04");
    assert!(line.contains("user=\"bob\"") && line.contains("room=\"blue\""), "{line}");

    // A key that is not the application's: the agent says what helps.
    lab.write("other.txt", &"6b".repeat(32));
    let stranger = lab.agent_proving(&at, &["--app-id", "1001", "--app-sign-file", "other.txt"]);
    assert_ne!(socks::ask(stranger.listening(1), 1, "localhost", echo_stream()).1, 0);
    let line = stranger.wait_for("did not accept the app sign");
    assert!(line.contains("wayleave token app-sign"), "{line}");
    for secret in ["5a5a", "6b6b", "0123456789abcdef"] {
        assert!(!(relay.log() + &signed.log() + &stranger.log()).contains(secret));
    }
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

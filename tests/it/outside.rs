//! What a process depends on outside of itself: who reads its log and its output, its files, how it is ended.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::handshake;
use crate::lab::Lab;
use crate::process::wayleave;
use crate::socks::connect;
use crate::targets::echo_stream;

/// A relay whose standard error is in the hands of the test.
struct Watched(Child);

impl Watched {
    /// Starts it and reads up to where it listens.
    fn relay(lab: &Lab) -> (Self, BufReader<PipeReader>, SocketAddr) {
        let (reader, writer) = pipe().unwrap();
        let arguments = "relay --listen 127.0.0.1:0 --self-signed tls --token-keys relay-keys.toml \
                         --allow-target 127.0.0.0/8 --resolve localhost=127.0.0.2";
        let child = Command::new(wayleave_tests::binary("wayleave"))
            .args(arguments.split_whitespace())
            .current_dir(lab.folder())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        while !line.starts_with("listening on ") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "it ended");
        }
        let address = line.trim_start_matches("listening on ").trim().parse().unwrap();
        (Self(child), reader, address)
    }

    /// Ends it by SIGTERM and says how long that took.
    fn end(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let sent = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status().unwrap();
        assert!(sent.success());
        (self.0.wait().unwrap().code(), began.elapsed())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Strangers, each of whom is worth a line of the log.
fn strangers(relay: SocketAddr, count: usize) {
    for _ in 0..count {
        let mut stream = TcpStream::connect(relay).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"this is no TLS\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn echoes(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"word").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"word");
}

#[test]
fn a_relay_serves_on_when_the_reader_of_its_log_is_gone_or_stands_still() {
    let lab = Lab::new();
    let target = echo_stream();
    for is_gone in [true, false] {
        let (mut relay, log, address) = Watched::relay(&lab);
        let agent = lab.agent(&[address], &["--mode", "normal"]);
        let door = agent.listening(1);
        let mut old = connect(door, "localhost", target);
        echoes(&mut old);
        let held = (!is_gone).then_some(log);
        // More than a pipe holds.
        strangers(address, 600);
        echoes(&mut old);
        echoes(&mut connect(door, "localhost", target));
        drop((old, agent));
        let (status, took) = relay.end();
        assert_eq!(status, Some(0), "reader gone: {is_gone}");
        assert!(took < Duration::from_secs(11), "{took:?}");
        drop(held);
    }
}

#[test]
fn an_agent_and_its_journal_go_on_without_a_reader_of_the_log() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let mut agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let door = agent.listening(1);
    agent.stop_reading();
    let target = echo_stream();
    for _ in 0..3 {
        echoes(&mut connect(door, "localhost", target));
    }
    lab.event("flow_closed", |event| event["sent"] == 4);
    agent.signal("TERM");
    assert!(agent.wait().success());
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure_and_a_full_disk_is_one() {
    let lab = Lab::new();
    let token = lab.read("token.txt");
    let command = |out: Stdio| {
        Command::new(wayleave_tests::binary("wayleave"))
            .args(["token", "inspect", token.trim()])
            .stdout(out)
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    };
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let gone = command(writer.into());
    assert!(gone.status.success() && gone.stderr.is_empty(), "{gone:?}");
    if let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") {
        let full = command(full.into());
        let said = String::from_utf8_lossy(&full.stderr);
        assert_eq!(full.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output cannot be written"), "{said}");
    }
}

#[test]
fn pipes_and_devices_are_no_files_and_are_not_waited_for() {
    let lab = Lab::new();
    assert!(Command::new("mkfifo").arg(lab.path("pipe")).status().unwrap().success());
    let agent = "agent --listen 127.0.0.1:0 --proxy localhost:1";
    let relay = "relay --listen 127.0.0.1:0";
    for (words, told) in [
        (format!("{agent} --token-file pipe"), "pipe: this is a pipe"),
        (format!("{agent} --token-file /dev/zero"), "/dev/zero: this is a device"),
        (format!("{agent} --token-file token.txt --ca pipe"), "pipe: this is a pipe"),
        (format!("{agent} --config pipe"), "pipe: this is a pipe"),
        (format!("{relay} --self-signed tls --token-keys pipe"), "pipe: this is a pipe"),
        (format!("{relay} --cert pipe --key pipe --token-keys relay-keys.toml"), "pipe: this is a pipe"),
        (format!("{relay} --config ."), ".: this is a directory"),
        ("token mint --keys pipe --app-id 1 --ttl 1h".into(), "pipe: this is a pipe"),
    ] {
        let arguments: Vec<&str> = words.split_whitespace().collect();
        let (status, _, said) = wayleave(lab.folder(), &arguments);
        assert_eq!(status, 2, "{words}: {said}");
        assert!(said.contains(told) && said.contains("give a regular file"), "{words}: {said}");
    }
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_a_bad_pair_is_not() {
    let lab = Lab::new();
    let [first, second, third] = [(); 3].map(|()| pair());
    let write = |pair: &(String, String)| {
        lab.write("cert.pem", &pair.0);
        lab.write("key.pem", &pair.1);
    };
    write(&first);
    let relay = lab.relay_showing("cert.pem", "key.pem");
    let address = relay.listening(1);
    assert!(is_shown(address, &first.0));

    write(&second);
    relay.wait_for("the certificate was read again");
    assert!(is_shown(address, &second.0) && !is_shown(address, &first.0));

    lab.write("cert.pem", &third.0);
    relay.signal("HUP");
    relay.wait_for("the old certificate stays");
    assert!(is_shown(address, &second.0));
    lab.write("key.pem", &third.1);
    relay.signal("HUP");
    relay.wait_for_nth("the certificate was read again", 2);
    assert!(is_shown(address, &third.0));
}

#[test]
fn an_events_file_can_be_emptied_and_renamed() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let door = agent.listening(1);
    let target = echo_stream();
    echoes(&mut connect(door, "localhost", target));
    lab.event("flow_closed", |_| true);
    fs::OpenOptions::new().write(true).truncate(true).open(lab.path("events.jsonl")).unwrap();
    echoes(&mut connect(door, "localhost", target));
    lab.event("flow_closed", |_| true);
    assert!(!lab.read("events.jsonl").contains('\0'));
    fs::rename(lab.path("events.jsonl"), lab.path("events.1")).unwrap();
    agent.signal("HUP");
    agent.wait_for("the token is the same as before");
    echoes(&mut connect(door, "localhost", target));
    lab.event("flow_closed", |_| true);
}

#[test]
fn an_agent_with_an_expired_token_starts_and_waits_for_another() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let good = lab.read("token.txt");
    lab.write("token.txt", &lab.expired());
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let door = agent.listening(1);
    agent.wait_for("has expired at");
    lab.write("token.txt", &good);
    agent.signal("HUP");
    agent.wait_for("the token was renewed");
    echoes(&mut connect(door, "localhost", echo_stream()));
}

/// Whether the relay shows this certificate, which is its own authority.
fn is_shown(relay: SocketAddr, certificate: &str) -> bool {
    handshake(TcpStream::connect(relay).unwrap(), certificate).is_ok()
}

/// A certificate that is its own authority, and its key.
fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

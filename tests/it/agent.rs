//! The agent: its doors, its forwards, its routes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::process::{run, wayleave};
use crate::socks::{Association, ask, connect};
use crate::targets::{BlackHole, echo_datagrams, echo_stream, page, watched, web, web_over_tls};

#[test]
fn curl_goes_through_both_doors() {
    let Some(curl) = wayleave_tests::require("curl_goes_through_both_doors", "curl", "curl") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let door = agent.listening(1);
    let (port, certificate) = web_over_tls(300_000);
    lab.write("origin.pem", &certificate);
    let (url, origin) = (format!("https://localhost:{port}/"), lab.path("origin.pem"));
    for proxy in [format!("socks5h://{door}"), format!("http://{door}")] {
        let output = run(&curl, &["-sS", "--max-time", "20", "--proxy", &proxy, "--cacert", &origin, &url]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout == page(300_000), "{proxy}: {error}\n{}\n{}", agent.log(), relay.log());
    }
    lab.event("flow_opened", |event| event["kind"] == "stream" && event["route"] == "proxied");
    lab.event("flow_closed", |event| event["received"].as_u64() > Some(300_000));
}

#[test]
fn a_hundred_megabytes_are_whole_both_ways() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let mut stream = connect(agent.listening(1), "localhost", echo_stream());
    let mut writer = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let mut sum = ring::digest::Context::new(&ring::digest::SHA256);
        let mut chunk = vec![0; 100_000];
        for number in 0..1_000u32 {
            for (place, byte) in chunk.iter_mut().enumerate() {
                *byte = (number.wrapping_mul(31).wrapping_add(place as u32 * 7) >> 3) as u8;
            }
            writer.write_all(&chunk).unwrap();
            sum.update(&chunk);
        }
        writer.shutdown(Shutdown::Write).unwrap();
        sum.finish()
    });
    let (mut sum, mut total) = (ring::digest::Context::new(&ring::digest::SHA256), 0);
    let mut buffer = vec![0; 100_000];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        sum.update(&buffer[..count]);
        total += count;
    }
    assert_eq!(total, 100_000_000);
    assert_eq!(sum.finish().as_ref(), sending.join().unwrap().as_ref());
}

#[test]
fn ten_thousand_datagrams_are_not_corrupted() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let association = Association::new(agent.listening(1));
    let port = echo_datagrams();
    let payload = |number: u32| {
        let length = 4 + (number as usize * 37) % 1_400;
        let mut payload: Vec<u8> = (0..length).map(|place| (number as usize + place) as u8).collect();
        payload[..4].copy_from_slice(&number.to_be_bytes());
        payload
    };
    let mut seen = vec![false; 10_000];
    let mut check = |answer: Vec<u8>| {
        let number = u32::from_be_bytes(answer[..4].try_into().unwrap());
        assert!(answer == payload(number), "datagram {number} is corrupted");
        assert!(!std::mem::replace(&mut seen[number as usize], true), "datagram {number} came twice");
    };
    // Sixteen on the way at a time: what is lost then is lost by us.
    let mut waiting = 0;
    for number in 0..10_000 {
        association.send("localhost", port, &payload(number));
        waiting += 1;
        while waiting >= 16 {
            match association.receive(Duration::from_secs(2)) {
                Some(answer) => check(answer),
                None => waiting = 1,
            }
            waiting -= 1;
        }
    }
    while let Some(answer) = association.receive(Duration::from_millis(500)) {
        check(answer);
    }
    let back = seen.iter().filter(|seen| **seen).count();
    assert!(back >= 9_990, "{back} of 10,000 came back\n{}", relay.log());
}

#[test]
fn behind_a_black_hole_wifi_turns_to_the_relay_after_one_second() {
    let Some(curl) = wayleave_tests::require("behind_a_black_hole", "curl", "curl") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "smart", "--link", "wifi"]);
    let door = agent.listening(1);
    let port = web(1_000);
    let _hole = BlackHole::stream(port);
    let url = format!("http://localhost:{port}/");
    let proxy = format!("socks5h://{door}");
    let arguments =
        ["-sS", "-o", "-", "-w", "\n%{time_starttransfer}", "--max-time", "20", "--proxy", &proxy, &url];
    let output = run(&curl, &arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    let took: f64 = text.rsplit('\n').next().unwrap().parse().unwrap();
    assert!((1.0..1.5).contains(&took), "{took} s\n{}", agent.log());
    let changed = lab.event("route_changed", |event| event["kind"] == "stream" && event["to"] == "proxied");
    assert_eq!((changed["from"].as_str(), changed["link"].as_str()), (Some("direct"), Some("wifi")));
    // The decision is made: the next one does not wait.
    let again = Instant::now();
    assert!(run(&curl, &arguments).status.success());
    assert!(again.elapsed() < Duration::from_millis(900), "{:?}", again.elapsed());
}

#[test]
fn with_log_debug_an_agent_explains_its_decision() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "smart", "--link", "wifi", "--log", "debug"]);
    let door = agent.listening(1);
    let port = echo_stream();
    let _hole = BlackHole::stream(port);
    let _stream = connect(door, "localhost", port);
    let decided = agent.wait_for("Streams have gone through a relay for");
    assert!(decided.ends_with(": nothing was proven within 1 s (link wifi)."), "{decided}");
    let tried = agent.wait_for("Streams were tried directly");
    assert!(tried.contains(&format!("to localhost:{port}")), "{tried}");
    agent.wait_for("What changes it: the application, when it asks for a new trial (retry_direct).");
}

#[test]
fn behind_a_black_hole_cellular_stays_direct() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "smart", "--link", "cellular"]);
    let door = agent.listening(1);
    let port = web(10);
    let _hole = BlackHole::stream(port);
    let mut stream = TcpStream::connect(door).unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    let request = [&[5, 1, 0, 3, 9], b"localhost".as_slice(), &port.to_be_bytes()].concat();
    stream.write_all(&request).unwrap();
    lab.event("staying_direct", |event| event["link"] == "cellular");
    lab.event("retrying", |event| event["kind"] == "stream");
    assert!(
        !lab.events().iter().any(|event| event["event"] == "route_changed"),
        "{}",
        lab.read("events.jsonl")
    );
    assert!(!relay.log().contains("tunnel opened"), "{}", relay.log());
}

#[test]
fn datagrams_behind_a_black_hole_turn_to_the_relay_by_themselves() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "smart", "--link", "ethernet"]);
    let port = echo_datagrams();
    let _hole = BlackHole::datagrams(port);
    let association = Association::new(agent.listening(1));
    let began = Instant::now();
    let answer = loop {
        association.send("localhost", port, b"is anybody there");
        if let Some(answer) = association.receive(Duration::from_millis(20)) {
            break answer;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{}", agent.log());
    };
    assert_eq!(answer, b"is anybody there");
    assert!((1.0..1.5).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
}

#[test]
fn when_a_relay_is_killed_new_flows_take_the_other() {
    let lab = Lab::new();
    let (first, second) = (lab.relay(&[]), lab.relay(&[]));
    let agent = lab.agent(&[first.listening(1), second.listening(1)], &["--mode", "normal"]);
    let door = agent.listening(1);
    let port = echo_stream();
    let say = |text: &[u8]| {
        let mut stream = connect(door, "localhost", port);
        stream.write_all(text).unwrap();
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, text);
    };
    say(b"through the first");
    let killed = first.listening(1).port();
    drop(first);
    say(b"through the second");
    second.wait_for("tunnel");
    lab.event("proxy_connected", |event| event["proxy"] != format!("localhost:{killed}"));
}

#[test]
fn forwards_serve_programs_that_know_no_proxy() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let (tcp, udp) = (echo_stream(), echo_datagrams());
    let forwards = [format!("tcp:127.0.0.1:0=localhost:{tcp}"), format!("udp:127.0.0.1:0=localhost:{udp}")];
    let more = ["--mode", "normal", "--forward", &forwards[0], "--forward", &forwards[1]];
    let agent = lab.agent(&[relay.listening(1)], &more);
    let address = |kind: &str| {
        let line = agent.wait_for(&format!("for {kind}"));
        let address = line.split("listening on ").nth(1).unwrap().split_whitespace().next().unwrap();
        address.parse::<std::net::SocketAddr>().unwrap()
    };
    let mut stream = TcpStream::connect(address("tcp")).unwrap();
    stream.write_all(b"a database client").unwrap();
    let mut answer = [0; 17];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"a database client");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address("udp")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.send(b"a SIP phone").unwrap();
    let count = socket.recv(&mut answer).unwrap();
    assert_eq!(&answer[..count], b"a SIP phone");
}

#[test]
fn a_changed_token_file_renews_the_token() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let bad = Lab::new().mint("1h");
    lab.write("token.txt", &bad);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let (door, port) = (agent.listening(1), echo_stream());
    let (_, reply, _) = ask(door, 1, "localhost", port);
    assert_ne!(reply, 0);
    lab.event("proxy_failed", |event| event["error"].as_str().is_some_and(|error| error.contains("token")));
    let good = lab.mint("1h");
    lab.write("token.txt", &good);
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(door, 1, "localhost", port).1 != 0 {
        assert!(Instant::now() < deadline, "{}", agent.log());
    }
    assert!(!agent.log().contains(&good) && !agent.log().contains(&bad));
}

#[test]
fn a_certificate_of_a_stranger_is_named_with_the_remedy() {
    let (lab, stranger) = (Lab::new(), Lab::new());
    let (relay, other) = (lab.relay(&[]), stranger.relay(&[]));
    other.listening(1);
    lab.write("stranger.pem", &stranger.read("tls/ca.pem"));
    let port = relay.listening(1).port();
    let more = ["--mode", "normal", "--ca", "stranger.pem"];
    let agent = lab.agent_trusting(&[relay.listening(1)], &more);
    let (_, reply, _) = ask(agent.listening(1), 1, "localhost", echo_stream());
    assert_ne!(reply, 0);
    let failed = lab.event("proxy_failed", |_| true);
    assert_eq!(failed["proxy"], format!("localhost:{port}"));
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("certificate")), "{failed}");
    agent.wait_for("--ca");
}

#[test]
fn a_stream_that_is_broken_off_does_not_look_finished_to_its_target() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let (port, ended) = watched();
    let mut stream = connect(agent.listening(1), "localhost", port);
    stream.write_all(b"half a sentence").unwrap();
    assert_eq!(ended.recv().unwrap(), "half a sentence");
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(ended.recv().unwrap(), "connection reset");
}

#[test]
fn the_demo_passes_within_its_time() {
    let lab = Lab::new();
    let began = Instant::now();
    let (status, said, error) = wayleave(lab.folder(), &["demo"]);
    assert_eq!(status, 0, "{said}{error}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_token_is_judged_when_the_agent_starts() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let at = [relay.listening(1)];
    let good = lab.agent(&at, &["--mode", "normal"]);
    let line = good.wait_for("has accepted the token");
    assert!(line.contains(&format!("localhost:{}", at[0].port())), "{line}");
    lab.event("credential_accepted", |_| true);
    // A token of somebody else's key.
    lab.write("other.txt", &Lab::new().mint("1h"));
    let bad = lab.agent_proving(&at, &["--token-file", "other.txt"]);
    let line = bad.wait_for("did not accept the token (407)");
    assert!(line.contains("WARN") && line.contains("--token-file"), "{line}");
    // It goes on, and says when a good one has come.
    lab.write("other.txt", &lab.mint("1h"));
    bad.signal("HUP");
    bad.wait_for("has accepted the token");
    let unasked = lab.agent(&at, &["--mode", "normal", "--check-token", "off"]);
    unasked.listening(1);
    assert!(!relay.log().contains("tunnel opened"), "{}", relay.log());
}

//! `wayleave check` in networks in which something is broken, each in its own way.

mod hop;
pub(crate) mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::lab::Lab;
use crate::namespace::{alone, drop_silently, lay_over};
use crate::process::wayleave;
use servers::{
    Authority, cutting, in_the_clear, like_a_relay, name_server, of_another_kind, over_tls, silent, stun,
};

/// What is broken, how the check is called, and what it has to say: the code of the verdict, or none where it works, and words
/// that stand in what a person reads.
type Case = (&'static str, &'static str, Option<&'static str>, &'static str);

/// Every line names its relay and what differs from a check with a good token and the authority of the lab.
const NETWORKS: &[Case] = &[
    (
        "nothing is broken",
        "--proxy relay.example:443 --target tcp:127.0.0.1:8000",
        None,
        "relay.example:443 works.",
    ),
    ("no token is given", "--proxy relay.example:443 TOKEN=", None, "works as far as it was checked"),
    (
        "the name is unknown",
        "--proxy nx.example:443",
        Some("name-unknown"),
        "Check how nx.example is written",
    ),
    (
        "the name server is dead",
        "--proxy dead.example:443",
        Some("name-unanswered"),
        "Permit UDP and TCP port 53",
    ),
    (
        "the name server fails",
        "--proxy fail.example:443",
        Some("name-failed"),
        "Ask whoever runs the name servers",
    ),
    ("the name has no address", "--proxy empty.example:443", Some("name-empty"), "an A or AAAA record"),
    (
        "a filter answers with 0.0.0.0",
        "--proxy zero.example:443",
        Some("name-blocked"),
        "take it off the list",
    ),
    ("nobody listens", "--proxy relay.example:81", Some("tcp-refused"), "Nobody listens at 127.0.0.1:81"),
    ("packets are dropped", "--proxy 127.0.0.9:443", Some("tcp-silent"), "permit it outwards"),
    ("there is no route", "--proxy 192.0.2.1:443", Some("tcp-unreachable"), "no route of that family"),
    (
        "TLS is inspected",
        "--proxy relay.example:1000 CA=mine",
        Some("tls-issuer-unknown"),
        "issuer CN=Hospital Inspection",
    ),
    (
        "the certificate has expired",
        "--proxy relay.example:1001 CA=mine",
        Some("tls-expired"),
        "renew the certificate",
    ),
    (
        "the certificate is early",
        "--proxy relay.example:1002 CA=mine",
        Some("tls-not-yet-valid"),
        "Set the clock",
    ),
    (
        "the certificate is another's",
        "--proxy relay.example:1003 CA=mine",
        Some("tls-wrong-name"),
        "it is for other.example",
    ),
    ("a web server without TLS", "--proxy relay.example:1004", Some("tls-not-tls"), "does not speak TLS"),
    ("a login page answers", "--proxy relay.example:1005", Some("portal-seen"), "log in to the network"),
    (
        "the proxy of the network has no name here",
        "--proxy relay.example:443 --via http://nx.example:3128",
        Some("via-name-unknown"),
        "have to know it",
    ),
    (
        "no name server says where it is",
        "--proxy relay.example:443 --via http://dead.example:3128",
        Some("via-name-unanswered"),
        "give the proxy by its address",
    ),
    (
        "packets to it are dropped",
        "--proxy relay.example:443 --via http://ada:s3cret@127.0.0.9:3128",
        Some("via-silent"),
        "http://127.0.0.9:3128 does not answer.",
    ),
    (
        "there is no route to it",
        "--proxy relay.example:443 --via http://192.0.2.1:3128",
        Some("via-unreachable"),
        "there is no way from here to http://192.0.2.1:3128",
    ),
    (
        "it takes connections and says nothing",
        "--proxy relay.example:443 --via socks5://127.0.0.1:1007",
        Some("via-unanswered"),
        "does not answer in time",
    ),
    (
        "a login page answers in its place",
        "--proxy relay.example:443 --via http://127.0.0.1:1005",
        Some("via-no-connect"),
        "does not serve CONNECT: 302",
    ),
    (
        "its certificate is signed by nobody who is trusted",
        "--proxy relay.example:443 --via https://ada:s3cret@relay.example:1000 CA=mine",
        Some("via-untrusted"),
        "issuer CN=Hospital Inspection",
    ),
    ("TLS is cut", "--proxy relay.example:1006", Some("tls-cut"), "permit that name, without inspection"),
    ("TLS is swallowed", "--proxy relay.example:1007", Some("tls-silent"), "without inspection"),
    ("a web server answers", "--proxy relay.example:1008 CA=mine", Some("relay-web-server"), "server: nginx"),
    (
        "something else than HTTP",
        "--proxy relay.example:1009 CA=mine",
        Some("relay-not-http"),
        "Check name and port",
    ),
    (
        "the answer is cut",
        "--proxy relay.example:1010 CA=mine",
        Some("relay-cut"),
        "look into the relay's log",
    ),
    ("the answer never comes", "--proxy relay.example:1011 CA=mine", Some("relay-silent"), "swallows it"),
    (
        "the token has expired",
        "--proxy relay.example:443 TOKEN=expired",
        Some("credential-expired"),
        "Get a new token",
    ),
    (
        "the token is early",
        "--proxy relay.example:443 TOKEN=early",
        Some("credential-early"),
        "compare the clock",
    ),
    (
        "the token is another's",
        "--proxy relay.example:443 TOKEN=foreign",
        Some("credential-refused"),
        "The relay does not know its key",
    ),
    (
        "the token is none",
        "--proxy relay.example:443 TOKEN=junk",
        Some("credential-malformed"),
        "whole and alone",
    ),
    (
        "the target is private",
        "--proxy relay.example:444 --target tcp:127.0.0.1:8000",
        Some("stream-address-forbidden"),
        "--allow-target",
    ),
    (
        "the port is forbidden",
        "--proxy relay.example:443 --target tcp:127.0.0.1:25",
        Some("stream-forbidden"),
        "--deny-port",
    ),
    (
        "the target is down",
        "--proxy relay.example:443 --target tcp:127.0.0.1:8001",
        Some("stream-refused"),
        "Check that the target runs",
    ),
    (
        "the target has no name",
        "--proxy relay.example:443 --target tcp:nx.example:80",
        Some("stream-name-unknown"),
        "NXDOMAIN",
    ),
    (
        "the target is silent",
        "--proxy relay.example:443 --target tcp:127.0.0.9:80",
        Some("stream-silent"),
        "lets the relay's address in",
    ),
    (
        "the relay is of another kind",
        "--proxy relay.example:1015 --target tcp:127.0.0.1:8000 CA=mine",
        None,
        "does not give the word of this check back",
    ),
    (
        "a STUN server answers through the relay alone",
        "--proxy relay.example:443 --target udp:media.example:3478",
        None,
        "smart mode goes through the relay: datagrams",
    ),
    ("the echo is off", "--proxy relay.example:444", None, "the relay has no echo"),
    (
        "Upgrade is dropped",
        "--proxy relay.example:1012 CA=mine",
        Some("datagrams-not-upgraded"),
        "drops `Upgrade`",
    ),
    ("tunnels swallow", "--proxy relay.example:1013 CA=mine", Some("datagrams-lost"), "nothing comes back"),
    (
        "the clock is a day off",
        "--proxy relay.example:1014 CA=mine TOKEN=expired",
        Some("clock-wrong"),
        "this one is 1 d behind the relay's",
    ),
    ("IPv6 is broken", "--proxy six.example:443", None, "fd00::9]:443 (tcp-unreachable)"),
    (
        "one of two is down",
        "--proxy relay.example:81 --proxy relay.example:443",
        None,
        "relay.example:443 works.",
    ),
];

#[test]
fn each_broken_network_is_told_by_its_code_and_by_what_to_do() {
    alone("doctor::each_broken_network_is_told_by_its_code_and_by_what_to_do", || {
        let lab = Lab::new();
        lab.write("resolv.conf", "nameserver 127.0.0.53\noptions timeout:5\n");
        lay_over(&lab.folder().join("resolv.conf"), "/etc/resolv.conf");
        name_server("127.0.0.53");
        let shown = break_everything(&lab);
        let names =
            ["--name", "relay.example", "--name", "six.example", "--resolve", "media.example=127.0.0.2"];
        let relay = lab.relay_at("127.0.0.1:443", &names);
        relay.listening(1);
        let strict = ["--deny-target", "127.0.0.0/8", "--no-echo"];
        let other = lab.relay_at("127.0.0.1:444", &[&names[..], &strict].concat());
        other.listening(1);
        in_the_clear("127.0.0.1:8000", |_| None);
        stun("127.0.0.2:3478");
        drop_silently(&["ip daddr 127.0.0.9".to_owned()]);
        // A few at a time, so that none waits for a processor and takes that for the network.
        let mut wrong = Vec::new();
        for cases in NETWORKS.chunks(4) {
            thread::scope(|scope| {
                let running: Vec<_> =
                    cases.iter().map(|case| (case.0, scope.spawn(|| check(&lab, case)))).collect();
                wrong.extend(running.into_iter().filter_map(|(name, it)| it.join().is_err().then_some(name)));
            });
        }
        assert!(wrong.is_empty(), "told wrongly: {wrong:?}");
        assert!(!shown.load(Ordering::SeqCst), "a token was shown behind a certificate that nobody trusts");
    });
}

/// Everything that answers in the place of a relay. What comes back says whether a token was shown where the certificate is not
/// trusted.
fn break_everything(lab: &Lab) -> Arc<AtomicBool> {
    let (mine, theirs) = (Authority::new("Lab"), Authority::new("Hospital Inspection"));
    lab.write("mine.pem", &mine.pem);
    lab.write("foreign.txt", &Lab::new().read("token.txt"));
    lab.write("expired.txt", &lab.expired());
    lab.write("junk.txt", "Bearer abc");
    let early = ["token", "mint", "--keys", "keys.toml", "--app-id", "1", "--ttl", "1h", "--nbf", "1h"];
    lab.write("early.txt", &wayleave(lab.folder(), &early).1);
    let relay = |request: &str| like_a_relay(request, "");
    let shown = Arc::new(AtomicBool::new(false));
    let strange = || {
        let shown = Arc::clone(&shown);
        move |request: &str| {
            shown.fetch_or(request.contains("Proxy-Authorization"), Ordering::SeqCst);
            like_a_relay(request, "")
        }
    };
    over_tls("127.0.0.1:1000", theirs.good(), strange());
    over_tls("127.0.0.1:1001", mine.signs("relay.example", -9, -1), strange());
    over_tls("127.0.0.1:1002", mine.signs("relay.example", 1, 9), strange());
    over_tls("127.0.0.1:1003", mine.signs("other.example", -1, 9), strange());
    let text = |text: &'static str| move |_: &str| Some(text.to_owned());
    in_the_clear("127.0.0.1:1004", text("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"));
    in_the_clear("127.0.0.1:1005", text("HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"));
    cutting("127.0.0.1:1006");
    silent("127.0.0.1:1007");
    over_tls("127.0.0.1:1008", mine.good(), text("HTTP/1.1 404 Not Found\r\nServer: nginx\r\n\r\n"));
    over_tls("127.0.0.1:1009", mine.good(), text("220 mail.example ESMTP\r\n"));
    over_tls("127.0.0.1:1010", mine.good(), text(""));
    over_tls("127.0.0.1:1011", mine.good(), |_| None);
    over_tls("127.0.0.1:1012", mine.good(), move |request| {
        relay(request).or_else(|| Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()))
    });
    let switching = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n";
    over_tls("127.0.0.1:1013", mine.good(), move |request| relay(request).or_else(|| Some(switching.into())));
    over_tls("127.0.0.1:1015", mine.good(), of_another_kind);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let tomorrow = wayleave_proto::base::UnixTime::from_secs(since.as_secs() + 86_400 + 30);
    let date = format!("Date: {}\r\n", wayleave_proto::codec::date::imf_fixdate(tomorrow));
    over_tls("127.0.0.1:1014", mine.good(), move |request| {
        let expired = || format!("HTTP/1.1 407 Who\r\n{date}\r\n");
        let is_shown = request.contains("Proxy-Authorization");
        if is_shown { Some(expired()) } else { like_a_relay(request, &date) }
    });
    shown
}

fn check(lab: &Lab, (broken, words, code, said): &Case) {
    let mut arguments: Vec<String> = vec!["check".into()];
    let (mut ca, mut token) = ("tls/ca.pem".to_owned(), "token".to_owned());
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("CA", name)) => ca = format!("{name}.pem"),
            Some(("TOKEN", name)) => token = name.into(),
            _ => arguments.push(word.into()),
        }
    }
    arguments.extend(["--ca".into(), ca]);
    if !token.is_empty() {
        arguments.extend(["--token-file".into(), format!("{token}.txt")]);
    }
    let plain: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let as_json = [&plain[..], &["--json"]].concat();
    let began = Instant::now();
    let (status, text, error) = wayleave(lab.folder(), &plain);
    assert!(began.elapsed() < Duration::from_secs(7), "{broken} took {:?}", began.elapsed());
    assert_eq!((status, error.as_str()), (i32::from(code.is_some()), ""), "{broken}: {text}");
    assert!(text.contains(said), "{broken}: no {said:?} in\n{text}");
    assert!(!text.contains('\u{1b}'), "{broken}: colours in a pipe");
    let (status, json, _) = wayleave(lab.folder(), &as_json);
    let json: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{broken}: {json}"));
    assert_eq!(status, i32::from(code.is_some()), "{broken}: {json:#}");
    assert_eq!(json["verdict"]["code"].as_str(), *code, "{broken}: {json:#}");
    assert_eq!(json["verdict"]["works"], code.is_none(), "{broken}");
    // A second may have passed between the two.
    let sentence = json["verdict"]["sentence"].as_str().unwrap().split(" expires in ").next().unwrap();
    assert!(text.contains(sentence), "{broken}: one report says {sentence:?}, the other\n{text}");
    let secret = lab.read(&format!("{token}.txt"));
    let secret = secret.trim().rsplit('.').next().unwrap_or_default();
    assert!(secret.len() < 20 || !(text.contains(secret) || json.to_string().contains(secret)), "{broken}");
}

#[test]
fn an_agents_file_is_checked_and_a_page_is_written_without_secrets() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let port = relay.listening(1).port();
    let target = crate::targets::echo_stream();
    lab.write(
        "agent.toml",
        &format!(
            "listen = \"127.0.0.1:0\"\nproxy = \"localhost:{port}\"\nca = \"tls/ca.pem\"\ntoken-file = \"token.txt\"\n\
             mode = \"normal\"\nforward = \"tcp:127.0.0.1:0=localhost:{target}\"\n"
        ),
    );
    let (status, text, error) =
        wayleave(lab.folder(), &["check", "--config", "agent.toml", "--report", "report.html"]);
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    for said in [
        format!("localhost:{target} is reached through the relay"),
        "mode normal sends nothing directly".into(),
        "datagrams come back: 25 of 25".into(),
        "65527 bytes came back".into(),
        "good for calls: round trip".into(),
        format!("localhost:{port} works."),
    ] {
        assert!(text.contains(&said), "no {said:?} in\n{text}");
    }
    let page = lab.read("report.html");
    let token = lab.read("token.txt");
    assert!(page.contains("good for calls") && page.ends_with("</html>\n"), "{page}");
    for part in token.trim().split('.') {
        assert!(!page.contains(part) && !text.contains(part), "a part of the token is shown");
    }
    // The relay saw what it was asked, and the echo under its account.
    relay.wait_for("echo.wayleave.alt:7");
}

#[test]
fn an_app_sign_is_proven_on_each_connection() {
    let lab = Lab::new();
    let sign = "0123456789abcdef".repeat(4);
    lab.write("sign.txt", &sign);
    let (status, key, error) =
        wayleave(lab.folder(), &["token", "app-sign", "--app-id", "1001", "--sign-file", "sign.txt"]);
    assert_eq!(status, 0, "{error}");
    lab.write("app-keys.toml", &key);
    let relay = lab.relay(&["--token-keys", "app-keys.toml"]);
    let target = crate::targets::echo_stream();
    let words = format!(
        "check --proxy localhost:{} --ca tls/ca.pem --app-id 1001 --app-sign-file sign.txt --target tcp:localhost:{target}",
        relay.listening(1).port()
    );
    let (status, text, error) = wayleave(lab.folder(), &words.split(' ').collect::<Vec<_>>());
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    for said in
        ["accepts it: the app sign, which does not expire", "is reached through the relay", "25 of 25"]
    {
        assert!(text.contains(said), "no {said:?} in\n{text}");
    }
    assert!(!text.contains(&sign), "{text}");
}

#[test]
fn what_cannot_be_checked_is_a_wrong_argument() {
    let lab = Lab::new();
    for (words, said) in [
        ("", "give --proxy HOST:PORT, or --config FILE"),
        ("--proxy localhost", "the port is missing"),
        ("--proxy localhost:1 --target localhost:x", "--target"),
        ("--proxy localhost:1 --ca nowhere.pem", "nowhere.pem"),
        ("--proxy localhost:1 --ca token.txt", "token.txt"),
        ("--proxy localhost:1 --token-file nowhere.txt", "nowhere.txt"),
        ("--proxy localhost:1 --token a --token-file token.txt", "cannot be used with"),
        ("--proxy localhost:1 --report nowhere/report.html", "nowhere/report.html cannot be written"),
        ("--proxy localhost:1 --long=1h", "give a time from 1s to 4m"),
        ("--config nowhere.toml", "nowhere.toml"),
        ("--proxy localhost:1 --via proxy.example:3128", "--via: write a URL"),
        ("--proxy localhost:1 --via system --via http://proxy.example:3128", "--via system stands alone"),
    ] {
        let words: Vec<&str> = ["check"].into_iter().chain(words.split_whitespace()).collect();
        let (status, text, error) = wayleave(lab.folder(), &words);
        assert_eq!((status, text.as_str()), (2, ""), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
    }
}

#[test]
fn idle_connections_are_left_alone_for_as_long_as_is_asked() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let proxy = format!("localhost:{}", relay.listening(1).port());
    let words = ["check", "--proxy", &proxy, "--ca", "tls/ca.pem", "--token-file", "token.txt", "--long=1s"];
    let (status, text, _) = wayleave(lab.folder(), &words);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("a connection on which nothing moves is kept: for 1 s at least"), "{text}");
}

#[test]
fn the_documentation_has_every_code_as_the_command_prints_them() {
    let (status, table, _) = wayleave(Lab::new().folder(), &["check", "--codes"]);
    assert_eq!(status, 0);
    let written = include_str!("../../../docs/troubleshooting.md");
    assert!(
        written.contains(table.trim()),
        "put the output of `wayleave check --codes` into docs/troubleshooting.md"
    );
}

//! The way to a relay through proxies of the network, which are played by hand.

use super::*;
use crate::base::Host;
use crate::carrier::tls::{Acceptor as _, Connector as _, PlainAcceptor, PlainConnector};
use crate::config::ViaScheme;

const RELAY: &str = "relay.example:443";
const OK: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn through(via: &str) -> Through {
    known(via, None)
}

fn known(via: &str, known: Option<Challenge>) -> Through {
    let via: Via = via.parse().unwrap();
    let target: Target = RELAY.parse().unwrap();
    let connect = |host: &Host| PlainConnector.connect(host).unwrap();
    let outer = (via.scheme() == ViaScheme::Https).then(|| connect(&via.proxy().host));
    let inner = connect(&target.host);
    Through::new(Approach { via, known, cnonce: "c".repeat(32) }, target, outer, inner)
}

fn said(session: &mut dyn Session) -> Vec<u8> {
    let mut all = Vec::new();
    while session.pending_len() > 0 {
        let part = session.pending().to_vec();
        session.written(part.len());
        all.extend(part);
    }
    all
}

fn words(session: &mut dyn Session) -> String {
    String::from_utf8(said(session)).unwrap()
}

fn problem(session: &mut Through, answer: &[u8]) -> ViaProblem {
    let error = session.receive(&mut answer.to_vec()).unwrap_err();
    assert_eq!(session.receive(&mut OK.to_vec()), Err(error.clone()), "it is final");
    let TlsError::Via(fault) = error else { panic!("{error:?}") };
    assert!(!fault.to_string().contains("cret"), "{fault}");
    fault.problem
}

/// Plays the relay behind a way that stands: shakes hands and says a word each way.
fn talk(session: &mut Through) {
    let mut relay = PlainAcceptor.accept().unwrap();
    relay.receive(&mut said(session)).unwrap();
    session.receive(&mut said(&mut *relay)).unwrap();
    assert!(!session.is_handshaking());
    session.send(&[b"up"]);
    relay.receive(&mut said(session)).unwrap();
    assert_eq!(relay.plaintext(), b"up");
    relay.send(&[b"down"]);
    session.receive(&mut said(&mut *relay)).unwrap();
    assert_eq!(session.plaintext(), b"down");
}

#[test]
fn an_http_proxy_is_asked_by_name_and_the_relay_speaks_behind_it() {
    let mut session = through("http://proxy.example:3128");
    assert_eq!(words(&mut session), "CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\n\r\n");
    assert!(session.is_handshaking());
    // Cut anywhere.
    for byte in OK {
        assert_eq!(said(&mut session), b"", "nothing goes on before the proxy has agreed");
        session.receive(&mut [*byte]).unwrap();
    }
    talk(&mut session);
}

#[test]
fn a_proxy_over_tls_sees_a_name_and_nothing_else_of_the_relay() {
    let mut session = through("https://proxy.example:443");
    let mut proxy = PlainAcceptor.accept().unwrap();
    proxy.receive(&mut said(&mut session)).unwrap();
    session.receive(&mut said(&mut *proxy)).unwrap();
    proxy.receive(&mut said(&mut session)).unwrap();
    assert!(proxy.plaintext().starts_with(b"CONNECT relay.example:443 HTTP/1.1\r\n"));
    proxy.consume(usize::MAX);
    proxy.send(&[OK]);
    session.receive(&mut said(&mut *proxy)).unwrap();
    let mut relay = PlainAcceptor.accept().unwrap();
    for _ in 0..2 {
        proxy.receive(&mut said(&mut session)).unwrap();
        let mut bytes = proxy.plaintext().to_vec();
        proxy.consume(bytes.len());
        relay.receive(&mut bytes).unwrap();
        proxy.send(&[&said(&mut *relay)]);
        session.receive(&mut said(&mut *proxy)).unwrap();
    }
    assert!(!session.is_handshaking());
}

#[test]
fn the_user_is_named_only_when_asked_and_by_a_digest_where_that_is_offered() {
    let ask = |schemes: &str| format!("HTTP/1.1 407 \r\n{schemes}Content-Length: 4\r\n\r\nwho?");
    let mut session = through("http://ada:secret@proxy.example:3128");
    assert!(!words(&mut session).contains("Authorization"));
    let basic = ask("Proxy-Authenticate: Basic realm=\"a\"\r\n");
    session.receive(&mut basic.clone().into_bytes()).unwrap();
    assert!(words(&mut session).contains("Proxy-Authorization: Basic YWRhOnNlY3JldA==\r\n"));
    session.receive(&mut OK.to_vec()).unwrap();
    talk(&mut session);

    let mut session = through("http://ada:secret@proxy.example:3128");
    said(&mut session);
    let both = ask(
        "Proxy-Authenticate: Basic realm=\"a\"\r\nProxy-Authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth\"\r\n",
    );
    session.receive(&mut both.clone().into_bytes()).unwrap();
    let answer = words(&mut session);
    assert!(answer.contains("Digest username=\"ada\"") && !answer.contains("Basic"), "{answer}");
    let stale = both.replace("nonce=\"n\"", "nonce=\"m\", stale=true");
    session.receive(&mut stale.into_bytes()).unwrap();
    assert!(words(&mut session).contains("nonce=\"m\""));
    assert_eq!(problem(&mut session, both.as_bytes()), ViaProblem::WrongAccount);
}

#[test]
fn what_a_proxy_asked_is_answered_on_the_next_connection_where_it_closes_this_one() {
    let ask = b"HTTP/1.1 407 \r\nProxy-Authenticate: Basic realm=\"a\"\r\nConnection: close\r\n\r\n";
    let mut session = through("http://ada:secret@proxy.example:3128");
    let ViaProblem::Challenged(challenge) = problem(&mut session, ask) else { panic!() };
    let mut session = known("http://ada:secret@proxy.example:3128", Some(*challenge));
    assert!(words(&mut session).contains("Proxy-Authorization: Basic "));
    assert_eq!(problem(&mut session, ask), ViaProblem::WrongAccount);
    let mut session = known("http://ada:secret@proxy.example:3128", Some(Challenge::Basic));
    assert_eq!(problem(&mut session, b"HTTP/1.1 401 \r\n\r\n"), ViaProblem::WrongAccount);
}

#[test]
fn what_an_http_proxy_says_against_it_is_told_by_what_to_do() {
    let auth_int = "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth-int\"\r\n";
    for (via, answer, told) in [
        (
            "http://p.example:1",
            "HTTP/1.1 407 \r\nContent-Length: 0\r\n\r\n".to_owned(),
            "http://USER:PASSWORD@",
        ),
        ("http://a:secret@p.example:1", format!("HTTP/1.1 407 \r\n{auth_int}\r\n"), "auth-int"),
        (
            "http://a:secret@p.example:1",
            "HTTP/1.1 407 \r\nProxy-Authenticate: Negotiate\r\n\r\n".into(),
            "offers Negotiate",
        ),
        ("http://p.example:1", "HTTP/1.1 403 Forbidden\r\n\r\n".into(), "allow CONNECT"),
        ("http://p.example:1", "HTTP/1.1 503 \r\n\r\n".into(), "does not reach the relay (503)"),
        ("http://p.example:1", "SSH-2.0-OpenSSH_9\r\n\r\n".into(), "no HTTP"),
        ("socks5://p.example:1", "HTTP/1.1 400 \r\n\r\n".into(), "no SOCKS5"),
        ("socks5://p.example:1", "\x05\x02".into(), "socks5://USER:PASSWORD@"),
    ] {
        let mut session = through(via);
        said(&mut session);
        let problem = problem(&mut session, answer.as_bytes());
        assert!(problem.to_string().contains(told), "{problem}");
    }
    let mut session = through("http://p.example:1");
    let error = session.receive_end().unwrap_err().to_string();
    assert!(error.contains("http://p.example:1") && error.contains("ended"), "{error}");
}

#[test]
fn rfc_1928_a_socks_proxy_is_given_the_name() {
    let mut session = through("socks5://ada:secret@proxy.example:1080");
    assert_eq!(said(&mut session), [5, 2, 0, 2]);
    session.receive(&mut [5, 2]).unwrap();
    assert_eq!(said(&mut session), b"\x01\x03ada\x06secret");
    session.receive(&mut [1]).unwrap();
    session.receive(&mut [0]).unwrap();
    assert_eq!(said(&mut session), b"\x05\x01\x00\x03\x0drelay.example\x01\xbb");
    for byte in [5, 0, 0, 1, 0, 0, 0, 0, 0] {
        session.receive(&mut [byte]).unwrap();
        assert_eq!(said(&mut session), b"");
    }
    session.receive(&mut [0]).unwrap();
    talk(&mut session);
}

#[test]
fn rfc_1928_6_what_a_socks_proxy_refuses() {
    for (answers, told) in [
        (&[&[5_u8, 0xff][..]][..], ViaProblem::WrongAccount),
        (&[&[5, 2], &[1, 1]], ViaProblem::WrongAccount),
        (&[&[5, 0], &[5, 2, 0]], ViaProblem::SocksRefused { reply: 2, words: "not allowed by its rules" }),
        (
            &[&[5, 0], &[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]],
            ViaProblem::SocksRefused { reply: 4, words: "host unreachable" },
        ),
    ] {
        let mut session = through("socks5://ada:secret@proxy.example:1080");
        let (last, before) = answers.split_last().unwrap();
        before.iter().for_each(|answer| session.receive(&mut answer.to_vec()).unwrap());
        assert_eq!(problem(&mut session, last), told);
    }
}

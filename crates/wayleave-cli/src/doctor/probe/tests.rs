//! What answers say.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wayleave_proto::auth::Token;
use wayleave_proto::base::Target;
use wayleave_proto::codec::http::EchoWord;

use super::datagrams::{is_no_echo, of_datagrams};
use super::direct::Stun;
use super::idle::judged;
use super::proxy::of_credential;
use super::reach::{is_portal, who};
use super::road::Hop;
use super::tunnel::of_stream;
use super::via::{of_problem, of_tcp};
use super::wire::{Head, read_head};
use crate::doctor::code::Code;
use crate::doctor::report::Subject;

fn head(text: &str) -> Head {
    Head::parse(format!("HTTP/1.1 {text}\r\n\r\n").as_bytes()).unwrap()
}

#[test]
fn who_answers_is_told_by_the_word_that_comes_back() {
    let word = EchoWord::new("k3T9");
    for (answer, code) in [
        ("407 \r\nProxy-Authenticate: Bearer\r\nPreference-Applied: wayleave-echo=k3T9", Code::RelayAnswers),
        ("204 \r\nPreference-Applied: wayleave-echo=k3T9", Code::RelayAnswers),
        ("407 \r\nPreference-Applied: wayleave-echo=another", Code::RelayOther),
        ("407 \r\nProxy-Authenticate: Basic", Code::RelayOther),
        ("400 \r\nProxy-Status: envoy; error=http_request_error", Code::RelayOther),
        ("502 Bad Gateway", Code::RelayOther),
        ("405 \r\nAllow: GET", Code::RelayWebServer),
        ("200 OK\r\nServer: nginx", Code::RelayWebServer),
        ("302 \r\nLocation: https://login.example/", Code::RelayWebServer),
    ] {
        assert_eq!(who(Some(Ok(head(answer))), word.as_ref()).0, code, "{answer}");
    }
    let failed = |kind: io::ErrorKind| who(Some(Err(kind.into())), word.as_ref()).0;
    assert_eq!(failed(io::ErrorKind::InvalidData), Code::RelayNotHttp);
    assert_eq!(failed(io::ErrorKind::UnexpectedEof), Code::RelayCut);
    assert_eq!(who(None, word.as_ref()).0, Code::RelaySilent);
    let (_, shown, _) = who(Some(Ok(head("200 \r\nServer: caf\u{e9}\u{202e}"))), None);
    assert!(shown.starts_with("200, server: caf") && shown.is_ascii(), "what others say is escaped: {shown}");
}

#[test]
fn a_portal_is_a_login_page_or_a_way_to_one() {
    let proxy: Target = "relay.example:443".parse().unwrap();
    for (answer, expected) in [
        ("511 Network Authentication Required", true),
        ("302 \r\nLocation: http://login.example/?from=relay.example", true),
        ("307 \r\nLocation: http://192.0.2.1:8080/", true),
        ("301 \r\nLocation: https://relay.example/", false),
        ("301 \r\nLocation: https://Relay.Example:443/a", false),
        ("302 \r\nLocation: /login", false),
        ("302 ", false),
        ("200 ", false),
        ("407 \r\nLocation: http://login.example/", false),
    ] {
        assert_eq!(is_portal(&head(answer), &proxy), expected, "{answer}");
    }
}

#[test]
fn what_a_relay_says_of_a_target_becomes_a_code() {
    for (answer, code) in [
        ("200 OK", Code::StreamOpen),
        ("403 \r\nProxy-Status: r; error=destination_ip_prohibited", Code::StreamAddressForbidden),
        ("502 \r\nProxy-Status: r; error=destination_ip_prohibited", Code::StreamAddressForbidden),
        ("403 \r\nProxy-Status: r; error=http_request_denied", Code::StreamForbidden),
        ("403 ", Code::StreamForbidden),
        ("502 \r\nProxy-Status: r; error=dns_error; rcode=\"NXDOMAIN\"", Code::StreamNameUnknown),
        ("504 \r\nProxy-Status: r; error=dns_timeout", Code::StreamNameUnknown),
        ("502 \r\nProxy-Status: r; error=connection_refused", Code::StreamRefused),
        ("504 \r\nProxy-Status: r; error=connection_timeout", Code::StreamSilent),
        ("429 \r\nProxy-Status: r; error=connection_limit_reached", Code::StreamLimited),
        ("503 \r\nProxy-Status: r; error=proxy_internal_error", Code::StreamBusy),
        ("500 ", Code::StreamFailed),
        ("407 ", Code::StreamFailed),
    ] {
        assert_eq!(of_stream(&head(answer)).0, code, "{answer}");
    }
    let upgraded = "101 \r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1";
    assert_eq!(of_datagrams(&head(upgraded)), None);
    for (answer, code) in [
        ("200 OK", Code::DatagramsNotUpgraded),
        ("426 \r\nUpgrade: connect-udp", Code::DatagramsNotUpgraded),
        ("101 \r\nConnection: Upgrade\r\nUpgrade: websocket", Code::DatagramsRefused),
        ("403 \r\nProxy-Status: r; error=http_request_denied", Code::DatagramsRefused),
    ] {
        assert_eq!(of_datagrams(&head(answer)).map(|refused| refused.0), Some(code), "{answer}");
    }
    assert!(is_no_echo("403, proxy-status: wayleave; error=http_request_denied"));
    assert!(is_no_echo("502, proxy-status: h2o; error=dns_error"));
    assert!(!is_no_echo("429, proxy-status: wayleave; error=connection_limit_reached"));
}

#[test]
fn what_is_wrong_with_a_token_is_told_as_far_as_a_client_can_know() {
    use wayleave_proto::auth::{Algorithm, Claims, SigningKey};
    let now = wayleave_sockets::unix_now();
    let key = SigningKey::generate(Algorithm::EdDsa, "k", &[7; 32]).unwrap();
    let token = |expires: i64, begins: i64| -> Token {
        let at =
            |secs: i64| wayleave_proto::base::UnixTime::from_secs(now.as_secs().saturating_add_signed(secs));
        let claims = Claims { expires: Some(at(expires)), not_before: Some(at(begins)), ..Claims::default() };
        key.mint(&claims).unwrap()
    };
    for (status, expires, begins, code, said) in [
        (204, 3_600, -60, Code::CredentialAccepted, "the token expires in "),
        (407, 3_600, -60, Code::CredentialRefused, "the token expires in "),
        (407, -3_600, -7_200, Code::CredentialExpired, "the token expired 1 h ago"),
        (407, 7_200, 3_600, Code::CredentialEarly, "becomes good in "),
        // The relay's clock counts, not ours.
        (204, -10, -60, Code::CredentialAccepted, "expired 10 s ago"),
        (429, 3_600, -60, Code::CredentialLimited, "429"),
        (503, 3_600, -60, Code::CredentialBusy, "503"),
        (404, 3_600, -60, Code::CredentialUnclear, "404"),
    ] {
        let token = token(expires, begins);
        let (found, shown) = of_credential(status, status.to_string(), &token.clone().into());
        assert_eq!(found, code, "{status} {expires} {begins}");
        assert!(shown.contains(said), "{shown}");
        assert!(!shown.contains(token.expose()));
    }
}

#[test]
fn the_shortest_span_that_is_lost_counts() {
    let secs = |spans: &[(u64, bool)]| {
        let spans: Vec<_> =
            spans.iter().map(|(secs, is_kept)| (Duration::from_secs(*secs), *is_kept)).collect();
        let finding = judged(&spans, Subject::default());
        (finding.code, finding.detail)
    };
    assert_eq!(secs(&[]), (Code::IdleUnknown, String::new()));
    assert_eq!(secs(&[(30, true), (15, true)]), (Code::IdleKept, "for 30 s at least".into()));
    assert_eq!(
        secs(&[(60, false), (15, true), (90, false), (30, true)]),
        (Code::IdleLost, "kept for 30 s, forgotten within 1 min".into())
    );
    // What came back later was not kept through.
    assert_eq!(secs(&[(15, false), (30, true)]), (Code::IdleLost, "forgotten within 15 s".into()));
}

#[test]
fn an_answer_of_stun_is_that_to_this_question() {
    let stun = Stun::new();
    let request = stun.request();
    assert_eq!(request.len(), 20);
    let answer = |first: [u8; 2]| [&first[..], &request[2..]].concat();
    assert!(stun.is_answer(&answer([1, 1])) && stun.is_answer(&answer([1, 0x11])));
    assert!(!stun.is_answer(&request), "an echo is no answer");
    assert!(!Stun::new().is_answer(&answer([1, 1])));
    assert!(!stun.is_answer(b"\x01\x01"));
}

#[tokio::test]
async fn heads_are_read_however_they_come() {
    let mut interim = &b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nrest"[..];
    let read = read_head(&mut interim).await.unwrap();
    assert_eq!((read.status, read.behind.as_slice()), (204, &b"rest"[..]));
    for (bytes, kind) in [
        (&b""[..], io::ErrorKind::UnexpectedEof),
        (b"HTTP/1.1 20", io::ErrorKind::InvalidData),
        (b"SSH-2.0-OpenSSH\r\n", io::ErrorKind::InvalidData),
        (b"<html>", io::ErrorKind::InvalidData),
    ] {
        assert_eq!(read_head(&mut &*bytes).await.unwrap_err().kind(), kind, "{bytes:?}");
    }
    let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 64 * 1_024]].concat();
    assert_eq!(read_head(&mut &*endless).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn what_a_proxy_of_the_network_says_becomes_a_code() {
    use wayleave_proto::carrier::via::ViaProblem as P;
    use wayleave_proto::codec::digest::choose;
    let offers = |offers: &str| P::NeedsAccount { scheme: "http", offers: offers.into() };
    let socks = |reply| P::SocksRefused { reply, words: "words" };
    for (problem, code, said) in [
        (P::Ended, Code::ViaCut, ""),
        (offers("Negotiate, Basic"), Code::ViaNeedsAccount, "407, it offers Negotiate, Basic"),
        (offers(""), Code::ViaNeedsAccount, ""),
        (P::NotSocks, Code::ViaNotProxy, "its answer is no SOCKS5"),
        (P::Refused { status: 403 }, Code::ViaForbidden, "403"),
        (P::Refused { status: 302 }, Code::ViaNoConnect, "302"),
        (P::Refused { status: 405 }, Code::ViaNoConnect, "405"),
        (P::Refused { status: 500 }, Code::ViaFailed, "500"),
        (P::Unreachable { status: 503 }, Code::ViaRelayUnreached, "503"),
        (socks(1), Code::ViaFailed, "SOCKS5 reply 1, words"),
        (socks(2), Code::ViaForbidden, "SOCKS5 reply 2, words"),
        (socks(4), Code::ViaRelayUnreached, "SOCKS5 reply 4, words"),
        (socks(8), Code::ViaNoConnect, "SOCKS5 reply 8, words"),
        (
            P::Unanswerable(choose(["NTLM"]).unwrap_err()),
            Code::ViaSchemeUnknown,
            "it offers NTLM and neither Basic nor Digest, which are what is known here",
        ),
        (P::WrongAccount, Code::ViaWrongPassword, ""),
    ] {
        assert_eq!(of_problem(&problem), (code, said.to_owned()), "{problem:?}");
    }
    for (kind, code) in [
        (io::ErrorKind::ConnectionRefused, Code::ViaRefused),
        (io::ErrorKind::TimedOut, Code::ViaSilent),
        (io::ErrorKind::HostUnreachable, Code::ViaUnreachable),
        (io::ErrorKind::PermissionDenied, Code::ViaUnreachable),
    ] {
        assert_eq!(of_tcp(&kind.into()).0, code, "{kind}");
    }
}

/// A proxy that gives each connection one of these answers and closes it, but for one that leads on; with what it was asked.
async fn closing(
    answers: &'static [&'static str],
    via: &str,
) -> (Result<Vec<u8>, (Code, String)>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let verifier = wayleave_sockets::platform_verifier().unwrap();
    let hop = Hop { via: via.replace("PROXY", &address.to_string()).parse().unwrap(), address, verifier };
    let proxy = async {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 4_096];
            let length = stream.read(&mut buffer).await.unwrap();
            asked.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    };
    let client = async {
        let mut stream = hop.connect(&"relay.example:443".parse().unwrap()).await?;
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await.unwrap();
        Ok(came)
    };
    tokio::join!(client, proxy)
}

#[tokio::test]
async fn a_proxy_that_closes_as_it_asks_is_answered_on_the_next_connection() {
    const WHO: &str = "HTTP/1.0 407 Who\r\nProxy-Authenticate: Basic realm=\"a\"\r\n\r\n";
    const WELL: &str = "HTTP/1.1 200 Well\r\n\r\nSSH-2.0";
    let (came, asked) = closing(&[WHO, WELL], "http://ada:s3cret@PROXY").await;
    assert_eq!(came.unwrap(), b"SSH-2.0", "what came with the answer is not lost");
    assert!(
        !asked[0].contains("Authorization")
            && asked[1].contains("Proxy-Authorization: Basic YWRhOnMzY3JldA==")
    );
    let (came, _) = closing(&[WHO, WHO], "http://ada:s3cret@PROXY").await;
    assert_eq!(came, Err((Code::ViaWrongPassword, String::new())));
    const OLD: &str = "HTTP/1.0 407 Who\r\nProxy-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\", stale=true\r\n\r\n";
    let (came, asked) = closing(&[OLD, OLD, OLD], "http://ada:s3cret@PROXY").await;
    assert_eq!(came.unwrap_err().0, Code::ViaFailed, "it is not asked for ever");
    assert!(
        asked[2].contains("Proxy-Authorization: Digest username=\"ada\"") && !asked[2].contains("s3cret")
    );
    let (came, _) = closing(&[WHO], "http://PROXY").await;
    assert_eq!(came, Err((Code::ViaNeedsAccount, "407, it offers Basic".into())));
    let (came, _) = closing(&[""], "socks5://PROXY").await;
    assert_eq!(came, Err((Code::ViaCut, String::new())));
    let (came, _) = closing(&["220 mail.example ESMTP\r\n\r\n"], "http://PROXY").await;
    assert_eq!(came.unwrap_err().0, Code::ViaNotProxy);
}

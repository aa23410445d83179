//! Whole exchanges: a request as a client sends it, what the origin server gets, what it answers, what the client gets.

use proptest::prelude::*;

use crate::local::{Ending, Exchange, ExchangeFault, Front, FrontConfig, FrontFault, FrontOutput, HttpFault};
use crate::local::{HttpRequest, Refusal};
use crate::testing::cases;

/// What came of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    to_origin: String,
    to_client: String,
    ended: Option<Ending>,
    /// What the client sent behind its request.
    left: Vec<u8>,
}

/// The request at the front of `bytes`, and what stands behind its head.
fn ask(bytes: &[u8]) -> Result<(HttpRequest, Vec<u8>), HttpFault> {
    let mut front = Front::new(&FrontConfig::default());
    let used = front.handle_received(bytes);
    let output = core::iter::from_fn(|| front.poll_output())
        .find(|output| !matches!(output, FrontOutput::Write(_)))
        .expect("the head is whole");
    match output {
        FrontOutput::Forward(request) => Ok((request, bytes[used..].to_vec())),
        FrontOutput::Close(FrontFault::Http(fault)) => Err(fault),
        other => panic!("{other:?}"),
    }
}

/// Plays an exchange; each side's bytes come in pieces of `piece` bytes, the client's first. `ends` says that the origin
/// server ends its half then.
fn play_pieces(request: &[u8], answer: &[u8], ends: bool, piece: usize) -> Told {
    let (asked, mut left) = ask(request).expect("a request that is forwarded");
    let mut exchange = Exchange::new(asked);
    let mut told = Told { to_origin: String::new(), to_client: String::new(), ended: None, left: Vec::new() };
    let drain = |exchange: &mut Exchange, told: &mut Told| {
        told.to_origin.push_str(str::from_utf8(exchange.to_origin()).unwrap());
        exchange.origin_took(exchange.to_origin().len());
        told.to_client.push_str(str::from_utf8(exchange.to_client()).unwrap());
        exchange.client_took(exchange.to_client().len());
    };
    while exchange.wants_client() && !left.is_empty() {
        let used = exchange.handle_client(&left[..piece.min(left.len())]);
        left.drain(..used);
        drain(&mut exchange, &mut told);
    }
    for bytes in answer.chunks(piece) {
        if exchange.wants_origin() {
            exchange.handle_origin(bytes);
        }
        drain(&mut exchange, &mut told);
        while exchange.wants_client() && !left.is_empty() {
            let used = exchange.handle_client(&left[..piece.min(left.len())]);
            left.drain(..used);
            drain(&mut exchange, &mut told);
        }
    }
    if ends && exchange.wants_origin() {
        exchange.handle_origin_end();
    }
    drain(&mut exchange, &mut told);
    told.ended = exchange.ended();
    told.left = left;
    told
}

/// Plays it whole and byte by byte. Only the cuts of chunks may differ.
fn play(request: &str, answer: &str, ends: bool) -> Told {
    let whole = play_pieces(request.as_bytes(), answer.as_bytes(), ends, usize::MAX);
    let bytes = play_pieces(request.as_bytes(), answer.as_bytes(), ends, 1);
    if !whole.to_client.contains("chunked") && !whole.to_origin.contains("chunked") {
        assert_eq!(bytes, whole);
    }
    assert_eq!((bytes.ended, &bytes.left), (whole.ended, &whole.left));
    whole
}

const GET: &str = "GET http://web.example/a?b=c HTTP/1.1\r\nHost: web.example\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_page_is_fetched_and_the_client_may_ask_for_the_next() {
    let told = play(&format!("{GET}{GET}"), OK, false);
    assert_eq!(told.to_origin, "GET /a?b=c HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n");
    assert_eq!(told.to_client, OK);
    assert_eq!(told.ended, Some(Ending::Again));
    assert_eq!(told.left, GET.as_bytes(), "a request that was sent ahead waits for its turn");

    let mut front = Front::new(&FrontConfig::default());
    let used = front.handle_received(GET.as_bytes());
    assert_eq!(used, GET.len());
    assert!(matches!(front.poll_output(), Some(FrontOutput::Forward(_))));
    assert_eq!(front.handle_received(b"GET "), 0, "nothing is read while a request is forwarded");
    front.resume();
    assert_eq!(front.handle_received(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nx"), 33);
    assert!(matches!(front.poll_output(), Some(FrontOutput::Open(_))), "a tunnel may follow a page");
}

#[test]
fn the_target_is_what_the_request_line_says() {
    for (line, target, sent) in [
        ("GET http://web.example HTTP/1.1", "web.example:80", "GET / HTTP/1.1\r\nHost: web.example\r\n"),
        ("GET HTTP://Web.Example/ HTTP/1.1", "web.example:80", "GET / HTTP/1.1\r\nHost: Web.Example\r\n"),
        ("GET http://a:8080?x HTTP/1.1", "a:8080", "GET /?x HTTP/1.1\r\nHost: a:8080\r\n"),
        ("GET http://a:/b HTTP/1.1", "a:80", "GET /b HTTP/1.1\r\nHost: a:\r\n"),
        (
            "GET http://[2001:db8::1]/ HTTP/1.1",
            "[2001:db8::1]:80",
            "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n",
        ),
        ("GET http://a/http://b/ HTTP/1.1", "a:80", "GET /http://b/ HTTP/1.1\r\nHost: a\r\n"),
        ("OPTIONS http://a HTTP/1.1", "a:80", "OPTIONS * HTTP/1.1\r\nHost: a\r\n"),
        ("OPTIONS http://a/ HTTP/1.1", "a:80", "OPTIONS / HTTP/1.1\r\nHost: a\r\n"),
        ("PROPFIND http://a/ HTTP/1.1", "a:80", "PROPFIND / HTTP/1.1\r\nHost: a\r\n"),
    ] {
        let (request, _) = ask(format!("{line}\r\nHost: other.example\r\n\r\n").as_bytes()).expect(line);
        assert_eq!(request.target().to_string(), target, "{line}");
        let exchange = Exchange::new(request);
        let head = str::from_utf8(exchange.to_origin()).unwrap();
        assert_eq!(head, format!("{sent}Connection: close\r\n\r\n"), "{line}");
    }
}

#[test]
fn what_cannot_be_forwarded_is_refused() {
    for (status, line) in [
        (400, "GET https://web.example/ HTTP/1.1"),
        (400, "GET ftp://web.example/ HTTP/1.1"),
        (400, "GET http:///a HTTP/1.1"),
        (400, "GET http://a:0/ HTTP/1.1"),
        (400, "GET http://a:99999/ HTTP/1.1"),
        (400, "GET http://me:pw@a/ HTTP/1.1"),
        (400, "GET http://a/#top HTTP/1.1"),
        (400, "GET http://a#top HTTP/1.1"),
        (400, "GET http://a%62/ HTTP/1.1"),
        (400, "GET http://[fe80::1%251]/ HTTP/1.1"),
        (405, "TRACE http://a/ HTTP/1.1"),
        (501, "get http://a/ HTTP/1.1"),
        (501, "Post http://a/ HTTP/1.1"),
    ] {
        let fault = ask(format!("{line}\r\nHost: a\r\n\r\n").as_bytes()).expect_err(line);
        assert_eq!(fault.status(), status, "{line}: {fault}");
    }
}

#[test]
fn row16_a_request_that_could_be_framed_in_two_ways_is_refused() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\n\rContent-Length: 5\r\n",
    ] {
        let head = format!("POST http://a/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(ask(head.as_bytes()).expect_err(fields).status(), 400, "{fields:?}");
    }
    let old = "POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(ask(old.as_bytes()), Err(HttpFault::Framing));
    let (request, _) =
        ask(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n").unwrap();
    let exchange = Exchange::new(request);
    assert!(str::from_utf8(exchange.to_origin()).unwrap().contains("\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

#[test]
fn fields_of_the_hop_stay_on_it() {
    let request = "GET http://a/ HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n\
        Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade: h2c\r\n\
        HTTP2-Settings: x\r\nX-End: 2\r\nAuthorization: Basic eno=\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
        Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nTrailer: X\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n";
    let told = play(request, answer, false);
    assert_eq!(
        told.to_origin,
        "GET / HTTP/1.1\r\nHost: a\r\nHTTP2-Settings: x\r\nX-End: 2\r\nAuthorization: Basic eno=\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(told.to_client, "HTTP/1.1 200 OK\r\nTrailer: X\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn content_goes_through_as_it_is_framed() {
    let told = play("POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET ", OK, false);
    assert!(told.to_origin.ends_with("Content-Length: 3\r\n\r\nabc"), "{}", told.to_origin);
    assert_eq!(told.left, b"GET ");
    let chunked = "3;x=y\r\nabc\r\n000000A\r\n0123456789\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n";
    let request =
        format!("POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}GET ");
    let answer = format!("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n{chunked}");
    let told = play(&request, &answer, false);
    let sent = "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\n";
    assert!(told.to_origin.ends_with(sent), "{}", told.to_origin);
    assert_eq!(told.to_client, format!("HTTP/1.1 200 {sent}"));
    assert_eq!((told.ended, told.left), (Some(Ending::Again), b"GET ".to_vec()));
}

#[test]
fn answers_are_framed_by_what_was_asked_and_by_their_status() {
    let head = GET.replace("GET", "HEAD");
    for (request, answer, ends, client, ended) in [
        (
            &*head,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            false,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            Ending::Again,
        ),
        (
            &*head,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            false,
            "HTTP/1.1 200 OK\r\n\r\n",
            Ending::Again,
        ),
        (
            GET,
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
            false,
            "HTTP/1.1 204 No Content\r\n\r\n",
            Ending::Again,
        ),
        (
            GET,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
            false,
            "HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n",
            Ending::Again,
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\n\r\nto the end",
            true,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
            Ending::Close(None),
        ),
        (
            GET,
            "HTTP/1.0 200 OK\r\n\r\nto the end",
            true,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
            Ending::Close(None),
        ),
        (
            GET,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            false,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Ending::Again,
        ),
        (
            GET,
            "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
            false,
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            Ending::Again,
        ),
    ] {
        let told = play(request, answer, ends);
        assert_eq!((told.to_client.as_str(), told.ended), (client, Some(ended)), "{answer:?}");
    }
}

#[test]
fn an_old_client_gets_what_it_can_read() {
    let old = "GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n";
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n";
    let told = play(old, answer, false);
    assert_eq!(told.to_origin, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(told.to_client, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
    assert_eq!(told.ended, Some(Ending::Close(None)));
    let told = play(&GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"), OK, false);
    assert!(told.to_client.contains("\r\nConnection: close\r\n"));
    assert_eq!(told.ended, Some(Ending::Close(None)));
}

#[test]
fn row16_an_answer_that_cannot_be_trusted_is_none() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 600 X\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let told = play(GET, answer, true);
        assert!(
            told.to_client.starts_with("HTTP/1.1 502 Bad Gateway\r\nProxy-Status: wayleave-agent; error=")
        );
        assert!(matches!(told.ended, Some(Ending::Close(Some(_)))), "{answer:?}");
    }
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(40);
    assert_eq!(play(GET, &endless, false).ended, Some(Ending::Close(Some(ExchangeFault::Interim))));
}

#[test]
fn what_breaks_off_is_not_taken_for_the_whole() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
    assert_eq!(play(GET, cut, true).ended, Some(Ending::Reset(ExchangeFault::ResponseCut)));
    let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    assert_eq!(play(GET, cut, true).ended, Some(Ending::Reset(ExchangeFault::ResponseCut)));
    let bad = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX";
    assert!(matches!(play(GET, bad, false).ended, Some(Ending::Reset(ExchangeFault::ResponseChunks(_)))));
    let told = play(GET, "", true);
    assert!(
        told.to_client.starts_with("HTTP/1.1 502 ") && told.to_client.contains("http_response_incomplete")
    );

    let post = "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX";
    let told = play(post, OK, false);
    assert!(told.to_client.starts_with("HTTP/1.1 400 "), "{}", told.to_client);
    let mut exchange = Exchange::new(ask(post.as_bytes()).unwrap().0);
    exchange.handle_client_end();
    assert_eq!(exchange.ended(), Some(Ending::Reset(ExchangeFault::RequestCut)));

    let mut exchange = Exchange::new(ask(GET.as_bytes()).unwrap().0);
    exchange.handle_failed(Refusal::TimedOut);
    assert!(exchange.to_client().starts_with(b"HTTP/1.1 504 Gateway Timeout\r\n"));
    exchange.client_took(usize::MAX);
    assert_eq!(exchange.ended(), Some(Ending::Close(Some(ExchangeFault::Stream(Refusal::TimedOut)))));
}

#[test]
fn an_answer_ahead_of_its_request_ends_the_connection() {
    let (request, _) =
        ask(b"PUT http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
            .unwrap();
    let mut exchange = Exchange::new(request);
    assert!(str::from_utf8(exchange.to_origin()).unwrap().contains("\r\nExpect: 100-continue\r\n"));
    exchange.handle_origin(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        str::from_utf8(exchange.to_client()).unwrap(),
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    exchange.client_took(usize::MAX);
    assert_eq!(exchange.ended(), Some(Ending::Close(None)), "what follows would be taken for a request");
}

#[test]
fn row14_another_protocol_begins_with_the_101_and_not_before() {
    let request = "GET http://a/chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket, h2c\r\n\r\nearly";
    let answer =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nX: y\r\n\r\nlate";
    let told = play(request, answer, false);
    assert!(
        told.to_origin.ends_with("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly"),
        "{}",
        told.to_origin
    );
    assert_eq!(
        told.to_client,
        "HTTP/1.1 101 Switching Protocols\r\nX: y\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nlate"
    );
    assert_eq!((told.ended, told.left), (None, Vec::new()));
    // Row 15, and RFC 9931: a refusal leaves what was sent ahead unread, and nothing may follow it.
    let told = play(request, OK, false);
    assert!(!told.to_origin.contains("early"));
    assert_eq!((told.ended, told.left.as_slice()), (Some(Ending::Close(None)), &b"early"[..]));
    for answer in [
        "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        assert_eq!(
            play(request, answer, false).ended,
            Some(Ending::Close(Some(ExchangeFault::Upgrade))),
            "{answer:?}"
        );
    }
    let mut exchange = Exchange::new(ask(request.as_bytes()).unwrap().0);
    exchange.origin_took(usize::MAX);
    exchange.handle_origin(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    exchange.handle_client_end();
    assert!(exchange.finishes_origin() && !exchange.finishes_client() && exchange.ended().is_none());
    exchange.handle_origin_end();
    exchange.client_took(usize::MAX);
    assert!(exchange.finishes_client());
    assert_eq!(exchange.ended(), Some(Ending::Close(None)));
}

#[test]
fn options_counts_its_proxies() {
    let ask_with = |hops: &str| {
        ask(format!("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: {hops}\r\n\r\n").as_bytes())
    };
    let exchange = Exchange::new(ask_with("3").unwrap().0);
    assert!(str::from_utf8(exchange.to_origin()).unwrap().contains("\r\nMax-Forwards: 2\r\n"));
    assert_eq!(ask_with("0"), Err(HttpFault::Method), "the last of them answers itself");
    assert_eq!(ask_with("-1"), Err(HttpFault::Framing));
    assert_eq!(ask_with(""), Err(HttpFault::Framing));
}

#[test]
fn a_slow_side_holds_the_other_back() {
    let (request, _) = ask(b"PUT http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").unwrap();
    let mut exchange = Exchange::new(request);
    let chunk = vec![b'x'; 16 * 1024];
    let mut taken = 0;
    while exchange.wants_client() {
        taken += exchange.handle_client(&chunk);
    }
    assert!(taken <= Exchange::BUFFER + chunk.len(), "{taken}");
    exchange.origin_took(usize::MAX);
    assert!(exchange.wants_client());
    exchange.handle_origin(b"HTTP/1.1 200 OK\r\n\r\n");
    while exchange.wants_origin() {
        exchange.handle_origin(&chunk);
    }
    assert!(exchange.to_client().len() <= Exchange::BUFFER + chunk.len());
    assert_eq!(exchange.ended(), None);
}

#[test]
fn what_was_asked_does_not_show() {
    let (request, _) =
        ask(b"GET http://a/?token=sesame HTTP/1.1\r\nHost: a\r\nAuthorization: Basic sesame\r\n\r\n")
            .unwrap();
    assert!(!format!("{request:?} {:?}", Exchange::new(request.clone())).contains("sesame"));
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_answer_ends_the_same_at_every_cut(
        start in prop_oneof![
            Just(&b"HTTP/1.1 200 OK\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..]),
            Just(&b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"[..]),
            Just(&b"HTTP/1.1 1"[..]),
            Just(&b""[..]),
        ],
        rest in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), b'0'..=b'9', 0x20_u8..0x7f], 0..100),
        piece in 1_usize..20,
        ends: bool,
    ) {
        let answer = [start, &rest].concat();
        let whole = play_pieces(GET.as_bytes(), &answer, ends, usize::MAX);
        prop_assert_eq!(play_pieces(GET.as_bytes(), &answer, ends, piece).ended, whole.ended);
    }
}

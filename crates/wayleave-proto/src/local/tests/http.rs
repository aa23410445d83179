use super::{Told, address, play, play_pieces, target, with_password};
use crate::base::TargetError;
use crate::local::{Front, FrontConfig, FrontFault, FrontOutput, HttpFault, Refusal};

fn play_open(text: &str) -> Told {
    play(&FrontConfig::default(), text.as_bytes(), Ok(address("192.0.2.7:4660")))
}

fn fault(told: &Told) -> HttpFault {
    match told.others.as_slice() {
        [FrontOutput::Close(FrontFault::Http(fault))] => *fault,
        others => panic!("{others:?}"),
    }
}

fn text(told: &Told) -> String {
    String::from_utf8(told.written.clone()).unwrap()
}

#[test]
fn row13_a_connect_becomes_a_tunnel_and_loses_no_byte() {
    for head in [
        "CONNECT web.example:443 HTTP/1.1\r\nHost: web.example:443\r\n\r\n",
        "CONNECT web.example:443 HTTP/1.1\r\nhOST:web.example\r\nUser-Agent: \"x\"\r\nContent-Length: 0\r\n\r\n",
        "CONNECT WEB.example.:443 HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n",
        "CONNECT web.example:443 HTTP/1.0\r\n\r\n",
        "\r\nCONNECT web.example:443 HTTP/1.1\r\nHost:\r\n\r\n",
        "\r\n\r\nCONNECT web.example:443 HTTP/1.1\r\nHost: 2001:db8::1:443\r\n\r\n",
    ] {
        let told = play_open(&format!("{head}\u{16}\u{3}\r\n\r\n"));
        assert_eq!(text(&told), "HTTP/1.1 200 Connection established\r\n\r\n", "{head}");
        assert_eq!(told.others, [FrontOutput::Open(target("web.example:443"))]);
        assert_eq!(told.left, b"\x16\x03\r\n\r\n");
    }
    let told = play_open("CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n");
    assert_eq!(told.others, [FrontOutput::Open(target("[2001:db8::1]:80"))]);
}

#[test]
fn row8_bad_targets_are_400() {
    for (path, error) in [
        ("web.example", TargetError::NoPort),
        ("web.example:", TargetError::NoPort),
        ("web.example:0", TargetError::Port),
        ("web.example:65536", TargetError::Port),
        ("web.example:4294967739", TargetError::Port),
        ("web.example:+80", TargetError::Port),
        ("web.example:0x50", TargetError::Port),
        (":80", TargetError::Host),
        ("2001:db8::1:80", TargetError::Brackets),
        ("me@web.example:80", TargetError::Host),
        ("/", TargetError::NoPort),
        ("http://web.example/", TargetError::Port),
    ] {
        let told = play_open(&format!("CONNECT {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(fault(&told), HttpFault::Target(error), "{path}");
        assert!(text(&told).starts_with("HTTP/1.1 400 Bad Request\r\n"));
    }
}

#[test]
fn row16_row17_heads_that_break_the_rules_are_refused() {
    for (status, head) in [
        (400, "CONNECT a:1 HTTP/1.1\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: ::1:x\r\n\r\n"),
        (400, "\r\n\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "\rCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost : a\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\nHost: a\n\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\n"),
        (400, "CONNECT a:1 HTTP/1.1\rH"),
        (400, "CONNECT  a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "CONNECT\ta:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1 \r\nHost: a\r\n\r\n"),
        (400, "CONNECT a:1\r\nHost: a\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: x\r\nContent-Length: 0\r\n\r\n"),
        (405, "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n"),
        (405, "OPTIONS * HTTP/1.1\r\nHost: web.example\r\n\r\n"),
        (501, "Connect a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (501, "connect a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (501, "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"),
        (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ] {
        let told = play_open(head);
        assert_eq!(fault(&told).status(), status, "{head:?}");
        let answer = text(&told);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?} {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"));
        let (fields, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(fields.contains(&format!("Content-Length: {}", body.len())));
        assert_eq!(told.left, b"");
    }
    let told = play_open("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n");
    assert!(text(&told).contains("\r\nAllow: CONNECT\r\n") && text(&told).contains("this is a proxy"));
}

#[test]
fn row18_large_heads_are_refused_at_the_limit() {
    let config = FrontConfig::default();
    let start = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n";
    let many: String = (0..130).map(|at| format!("x{at}: y\r\n")).collect();
    for (status, head) in [
        (414, format!("CONNECT {}", "a".repeat(100_000))),
        (431, format!("{start}x: {}", "a".repeat(100_000))),
        (431, format!("{start}{}", "x: y\r\n".repeat(20_000))),
        (431, format!("{start}{many}\r\n")),
    ] {
        let told = play_pieces(&config, &[head.as_bytes()], Err(Refusal::GeneralFailure));
        assert_eq!(fault(&told).status(), status);
    }
    let exact = format!("{start}x: {}\r\n\r\n", "a".repeat(config.head_limit - start.len() - 7));
    assert_eq!(exact.len(), config.head_limit);
    let told = play_pieces(&config, &[exact.as_bytes()], Err(Refusal::GeneralFailure));
    assert_eq!(told.others.len(), 2, "a head of the limit itself passes");
    let mut front = Front::new(&config);
    assert_eq!(front.handle_received(&vec![b'A'; config.head_limit]), config.head_limit);
    assert_eq!(front.poll_output(), None);
    front.handle_received(b"A");
    assert!(front.is_closed());
}

#[test]
fn an_http_client_proves_who_it_is() {
    // alice:open:sesame
    let right = "YWxpY2U6b3BlbjpzZXNhbWU=";
    let ask = |fields: &str| {
        let head = format!("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        play(&with_password(), head.as_bytes(), Ok(address("192.0.2.7:1")))
    };
    for fields in [
        format!("Proxy-Authorization: Basic {right}\r\n"),
        format!("proxy-authorization: bASIC  {right} \r\n"),
    ] {
        assert_eq!(ask(&fields).others, [FrontOutput::Open(target("a:1"))], "{fields}");
    }
    for fields in [
        String::new(),
        format!("Authorization: Basic {right}\r\n"),
        format!("Proxy-Authorization: Bearer {right}\r\n"),
        format!("Proxy-Authorization: Basic{right}\r\n"),
        format!("Proxy-Authorization: {right}\r\n"),
        "Proxy-Authorization: Basic\r\n".into(),
        "Proxy-Authorization: Basic !!!!\r\n".into(),
        "Proxy-Authorization: Basic YWxpY2U=\r\n".into(),
        "Proxy-Authorization: Basic YWxpY2U6b3Blbg==\r\n".into(),
    ] {
        let told = ask(&fields);
        assert_eq!(fault(&told), HttpFault::Credentials, "{fields}");
        let answer = text(&told);
        assert!(answer.starts_with("HTTP/1.1 407 Proxy Authentication Required\r\n"));
        assert!(answer.contains("\r\nProxy-Authenticate: Basic realm=\"wayleave agent\""));
    }
    let twice = format!("Proxy-Authorization: Basic {right}\r\n").repeat(2);
    assert_eq!(fault(&ask(&twice)).status(), 400);
}

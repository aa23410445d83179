use ::rustls::pki_types::ServerName;
use ::rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::carrier::tls::error::shown;
use crate::carrier::tls::{ForeignAcceptor, PlainAcceptor, PlainConnector};

/// Shakes hands with a server that shows `certificate`, and says what the client and then the server learn.
fn meet(ca: &Ca, name: &str, (certificate, key): (String, String)) -> (TlsError, TlsError) {
    let acceptor = RustlsAcceptor::from_pem(environment(), certificate.as_bytes(), key.as_bytes()).unwrap();
    let mut pair = Pair::new(&ca.connector(), &acceptor, name);
    let (side, error) = pair.settle(usize::MAX).unwrap_err();
    assert_eq!(side, Side::Client);
    assert_eq!(pair.client.receive(&mut [1]), Err(error.clone()), "an error stays");
    assert_eq!(pair.client.receive_end(), Err(error.clone()));
    let alert = carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap_err();
    (error, alert)
}

#[test]
fn a_foreign_ca_is_not_trusted() {
    let ours = Ca::new("ours");
    for name in ["theirs", "ours"] {
        let (error, alert) = meet(&ours, "relay.example", Ca::new(name).issue(&["relay.example"], |_| {}));
        assert!(matches!(error, TlsError::CertificateNotTrusted { .. }), "{error:?}");
        assert!(error.to_string().contains("CA"), "{error}");
        assert!(matches!(alert, TlsError::PeerRefused { .. }), "{alert:?}");
    }
}

#[test]
fn a_certificate_must_be_for_the_host() {
    let ca = Ca::new("test");
    for (name, names) in [
        ("relay.example", &["other.example", "192.0.2.1"][..]),
        ("192.0.2.2", &["192.0.2.1", "relay.example"]),
    ] {
        let (error, _) = meet(&ca, name, ca.issue(names, |_| {}));
        let TlsError::CertificateWrongName { detail } = error else { panic!("{error:?}") };
        assert!(detail.contains(name) && detail.contains(names[0]), "{detail}");
    }
}

#[test]
fn an_address_can_stand_in_a_certificate() {
    let ca = Ca::new("test");
    for name in ["192.0.2.1", "2001:db8::1"] {
        let mut pair = Pair::new(&ca.connector(), &ca.acceptor(&[name]), name);
        pair.settle(usize::MAX).unwrap();
        assert!(!pair.client.is_handshaking());
    }
}

#[test]
fn the_time_of_a_certificate_is_judged_by_the_clock_given() {
    let ca = Ca::new("test");
    let expired = ca.issue(&["relay.example"], |params| params.not_after = rcgen::date_time_ymd(2026, 1, 1));
    assert_eq!(meet(&ca, "relay.example", expired).0, TlsError::CertificateExpired);
    let early = ca.issue(&["relay.example"], |params| params.not_before = rcgen::date_time_ymd(2027, 1, 1));
    assert_eq!(meet(&ca, "relay.example", early).0, TlsError::CertificateNotYetValid);
}

#[test]
fn a_certificate_for_clients_is_rejected() {
    let ca = Ca::new("test");
    let other = ca.issue(&["relay.example"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let (error, _) = meet(&ca, "relay.example", other);
    assert!(matches!(error, TlsError::CertificateRejected { .. }), "{error:?}");
}

#[test]
fn what_is_not_tls_is_named_so() {
    let ca = Ca::new("test");
    let (connector, acceptor) = (ca.connector(), ca.acceptor(&["relay.example"]));
    let sessions: [&dyn Fn() -> Box<dyn Session>; 4] = [
        &|| connector.connect(&host("relay.example")).unwrap(),
        &|| acceptor.accept().unwrap(),
        &|| PlainConnector.connect(&host("relay.example")).unwrap(),
        &|| PlainAcceptor.accept().unwrap(),
    ];
    for session in sessions {
        for text in ["HTTP/1.1 400 Bad Request\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH\r\n"] {
            let mut session = session();
            let before = session.pending_len();
            assert_eq!(session.receive(&mut text.as_bytes().to_vec()), Err(TlsError::NotTls), "{session:?}");
            assert!(session.pending_len() > before, "the peer gets an alert");
            assert_eq!(session.receive_end(), Err(TlsError::NotTls));
        }
    }
}

#[test]
fn whom_nobody_trusts_gets_no_word_in_the_clear_either() {
    let mut pair = Pair::new(&PlainConnector, &ForeignAcceptor, "relay.example");
    pair.client.send(&[b"a token"]);
    carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
    let error = carry(&mut *pair.server, &mut *pair.client, usize::MAX).unwrap_err();
    assert!(matches!(error, TlsError::CertificateNotTrusted { .. }), "{error:?}");
    let told = carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap_err();
    assert!(matches!(told, TlsError::PeerRefused { .. }), "{told:?}");
    assert_eq!(pair.server.plaintext_len(), 0);
}

#[test]
fn a_connection_may_be_cut_anywhere() {
    let ca = Ca::new("test");
    let (connector, acceptor) = (ca.connector(), ca.acceptor(&["relay.example"]));
    for cut in (0..1_500).step_by(37) {
        let mut pair = Pair::new(&connector, &acceptor, "relay.example");
        pair.server.send(&[b"data"]);
        carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
        carry(&mut *pair.server, &mut *pair.client, cut).unwrap();
        carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
        assert_eq!(pair.client.receive_end(), Err(TlsError::Truncated), "cut {cut}");
        assert!(!pair.client.is_finished());
    }
}

#[test]
fn a_changed_byte_is_an_error_and_what_came_before_stays() {
    // Behind the header, whose type and version mean nothing any more (RFC 8446 §5.2).
    for at in 5..27 {
        let mut pair = Pair::rustls();
        pair.client.send(&[b"before"]);
        carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
        pair.client.send(&[b"right"]);
        let good = pair.client.pending_len();
        pair.client.send(&[b"wrong"]);
        let mut bytes = pair.client.pending().to_vec();
        bytes[good + at] ^= 1;
        let error = pair.server.receive(&mut bytes).unwrap_err();
        assert!(matches!(error, TlsError::Protocol { .. }), "byte {at}: {error:?}");
        assert_eq!(read(&mut *pair.server), b"beforeright", "byte {at}");
        let alert = carry(&mut *pair.server, &mut *pair.client, usize::MAX).unwrap_err();
        assert!(matches!(alert, TlsError::PeerRefused { .. }), "byte {at}: {alert:?}");
        pair.server.send(&[b"never"]);
        pair.server.send_end();
        assert_eq!((pair.server.pending_len(), pair.server.held()), (0, 0));
    }
}

/// A client of the server that offers `protocols`.
fn offering(ca: &Ca, protocols: &[&str]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    for root in crate::carrier::tls::certificates_from_pem(ca.pem.as_bytes()).unwrap() {
        roots.add(root).unwrap();
    }
    let Environment { provider, time } = environment();
    let mut config = ClientConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("relay.example").unwrap()).unwrap()
}

#[test]
fn the_server_wants_http_1_1_or_no_word_of_it() {
    let ca = Ca::new("test");
    let acceptor = ca.acceptor(&["relay.example"]);
    for (protocols, expected) in [
        (&[][..], Ok(None)),
        (&["http/1.1"], Ok(Some("http/1.1"))),
        (&["h2", "http/1.1"], Ok(Some("http/1.1"))),
        (&["h2"], Err(TlsError::NoCommonProtocol)),
    ] {
        let mut hello = Vec::new();
        offering(&ca, protocols).write_tls(&mut hello).unwrap();
        let mut server = acceptor.accept().unwrap();
        let result = server.receive(&mut hello);
        assert!(server.pending_len() > 0, "an answer or an alert");
        let agreed = server.alpn().map(|protocol| core::str::from_utf8(protocol).unwrap());
        assert_eq!(result.map(|()| agreed), expected, "{protocols:?}");
    }
}

#[test]
fn a_client_of_old_versions_is_refused() {
    let ca = Ca::new("test");
    let mut server = ca.acceptor(&["relay.example"]).accept().unwrap();
    // A ClientHello of TLS 1.2 (RFC 5246 §7.4.1.2): one cipher suite, no extension but signature_algorithms.
    let extensions = b"\0\x0d\0\x04\0\x02\x04\x03";
    let mut body = b"\x03\x03".to_vec();
    body.extend([7; 32]);
    body.extend(b"\0\0\x02\xc0\x2b\x01\0");
    body.extend([0, extensions.len() as u8]);
    body.extend(extensions);
    let mut hello = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);
    let error = server.receive(&mut hello).unwrap_err();
    assert!(matches!(error, TlsError::Incompatible { .. }), "{error:?}");
    assert!(server.pending_len() > 0);
}

#[test]
fn noise_never_panics_and_is_bounded() {
    let ca = Ca::new("test");
    let acceptor = ca.acceptor(&["relay.example"]);
    let mut state = 1_u64;
    for round in 0..300 {
        let mut noise: Vec<u8> = (0..600)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as u8
            })
            .collect();
        if round % 2 == 0 {
            noise[..5].copy_from_slice(&[22, 3, 1, 2, 0]);
        }
        for mut session in [acceptor.accept().unwrap(), PlainAcceptor.accept().unwrap()] {
            for piece in noise.chunks_mut(1 + round) {
                if session.receive(piece).is_err() {
                    break;
                }
            }
            assert!(session.held() < 2_000, "{session:?}");
        }
    }
}

#[test]
fn text_of_the_peer_is_escaped_and_cut() {
    assert_eq!(shown("a b\n\u{1b}[1m\u{202e}"), "a b\\u{a}\\u{1b}[1m\\u{202e}");
    assert_eq!(shown(&"x".repeat(500)).len(), 203);
}

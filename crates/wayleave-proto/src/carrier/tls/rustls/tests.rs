//! Sessions of ours with rustls on the other side, and against what it would never send.

use std::io::{Read, Write};
use std::sync::Arc;

use ::rustls::client::ClientConnection;
use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::pki_types::ServerName;
use ::rustls::server::ServerConnection;
use ::rustls::{
    ClientConfig, Connection, RootCertStore, ServerConfig, SupportedCipherSuite, Tls13CipherSuite,
};
use proptest::prelude::*;

use super::session::RustlsSession;
use super::*;
use crate::carrier::tls::record::{Content, Messages};
use crate::carrier::tls::{Session, TlsError};

/// A certificate for `relay.example` and its key, both as PEM.
fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["relay.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Our two sides, whose keys seal at most `limit` records.
fn ours(limit: u64, (certificate, key): &(String, String)) -> (RustlsAcceptor, RustlsConnector) {
    let environment = || Environment { provider: Arc::new(provider(limit)), ..Environment::system() };
    let acceptor = RustlsAcceptor::from_pem(environment(), certificate.as_bytes(), key.as_bytes()).unwrap();
    let roots = certificates_from_pem(certificate.as_bytes()).unwrap();
    (acceptor, RustlsConnector::with_roots(environment(), roots).unwrap())
}

fn provider(limit: u64) -> CryptoProvider {
    let suites = ring::default_provider().cipher_suites;
    let suites = suites.iter().filter_map(SupportedCipherSuite::tls13).map(|suite| {
        let mut common = ::rustls::crypto::CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: limit,
        };
        common.confidentiality_limit = limit;
        let suite = Tls13CipherSuite {
            common,
            hkdf_provider: suite.hkdf_provider,
            aead_alg: suite.aead_alg,
            quic: None,
        };
        SupportedCipherSuite::Tls13(Box::leak(Box::new(suite)))
    });
    CryptoProvider { cipher_suites: suites.collect(), ..ring::default_provider() }
}

/// A session of ours, and a connection of rustls.
fn foreign(server: bool, limit: u64) -> (RustlsSession, Connection) {
    let identity = identity();
    let (acceptor, connector) = ours(limit, &identity);
    let chain = certificates_from_pem(identity.0.as_bytes()).unwrap();
    let builder = || Arc::new(ring::default_provider());
    let (mut session, mut theirs) = if server {
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        let config = ClientConfig::builder_with_provider(builder())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("relay.example").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        (acceptor.session().unwrap(), Connection::from(client))
    } else {
        let key = private_key_from_pem(identity.1.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(builder())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let host = "relay.example".parse().unwrap();
        let theirs = ServerConnection::new(Arc::new(config)).unwrap();
        (connector.session(&host).unwrap(), Connection::from(theirs))
    };
    pump(&mut session, &mut theirs, &[usize::MAX]);
    assert!(!session.is_handshaking() && !theirs.is_handshaking());
    (session, theirs)
}

/// Carries everything both ways, to our side in pieces, and returns what each side read.
fn pump(session: &mut RustlsSession, theirs: &mut Connection, pieces: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let (mut at_ours, mut at_theirs) = (Vec::new(), Vec::new());
    let mut pieces = pieces.iter().cycle();
    loop {
        let mut to_theirs = session.pending();
        let length = to_theirs.len();
        while !to_theirs.is_empty() {
            theirs.read_tls(&mut to_theirs).unwrap();
            theirs.process_new_packets().unwrap();
            let _ = theirs.reader().read_to_end(&mut at_theirs);
        }
        session.written(length);
        let mut to_ours = Vec::new();
        while theirs.wants_write() {
            theirs.write_tls(&mut to_ours).unwrap();
        }
        if length + to_ours.len() == 0 {
            return (at_ours, at_theirs);
        }
        let mut rest = to_ours.as_mut_slice();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at_mut((*pieces.next().unwrap()).min(rest.len()));
            session.receive(piece).unwrap();
            at_ours.extend_from_slice(session.plaintext());
            session.consume(usize::MAX);
            rest = behind;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn rustls_understands_and_is_understood(
        server: bool,
        turns in prop::collection::vec((0_usize..50_000, 0_usize..50_000, any::<bool>()), 1..5),
        pieces in prop::collection::vec(prop_oneof![1_usize..50, 1_usize..70_000], 1..5),
    ) {
        let (mut session, mut theirs) = foreign(server, 3);
        theirs.set_buffer_limit(None);
        for (number, (ours, others, update)) in turns.into_iter().enumerate() {
            let (ours, others) = (vec![number as u8; ours], vec![!number as u8; others]);
            if update {
                theirs.refresh_traffic_keys().unwrap();
            }
            session.send(&[&ours]);
            theirs.writer().write_all(&others).unwrap();
            let (at_ours, at_theirs) = pump(&mut session, &mut theirs, &pieces);
            prop_assert!(at_theirs == ours && at_ours == others);
            prop_assert_eq!(session.held(), 0);
        }
        session.send_end();
        pump(&mut session, &mut theirs, &pieces);
        theirs.send_close_notify();
        pump(&mut session, &mut theirs, &pieces);
        prop_assert!(session.is_finished());
        prop_assert_eq!(session.receive_end(), Ok(()));
    }
}

#[test]
fn key_material_is_that_of_rustls() {
    for server in [false, true] {
        let (session, theirs) = foreign(server, u64::MAX);
        for context in [None, Some(&b"context"[..])] {
            for length in [1, 32, 48, 300] {
                let (mut ours, mut others) = (vec![0; length], vec![0; length]);
                session.export_keying_material(&mut ours, b"EXPORTER-test", context).unwrap();
                theirs.export_keying_material(&mut others, b"EXPORTER-test", context).unwrap();
                assert_eq!(ours, others);
            }
        }
        assert!(session.export_keying_material(&mut vec![0; 20_000], b"EXPORTER-test", None).is_err());
        assert!(session.export_keying_material(&mut [0; 9], &[b'x'; 300], None).is_err());
        assert!(!format!("{session:?}").contains("secret"));
    }
}

/// Two sessions of ours.
fn pair() -> (RustlsSession, RustlsSession) {
    let (acceptor, connector) = ours(u64::MAX, &identity());
    let host = "relay.example".parse().unwrap();
    let (mut client, mut server) = (connector.session(&host).unwrap(), acceptor.session().unwrap());
    while client.pending_len() + server.pending_len() > 0 {
        carry(&mut client, &mut server).unwrap();
        carry(&mut server, &mut client).unwrap();
    }
    (client, server)
}

fn carry(from: &mut RustlsSession, to: &mut RustlsSession) -> Result<(), TlsError> {
    let mut bytes = from.pending().to_vec();
    from.written(bytes.len());
    if bytes.is_empty() { Ok(()) } else { to.receive(&mut bytes) }
}

fn protocol(detail: &str) -> Result<(), TlsError> {
    Err(TlsError::Protocol { detail: detail.into() })
}

#[test]
fn a_changed_record_ends_both_sides_behind_what_came_before() {
    let (mut client, mut server) = pair();
    client.send(&[b"good"]);
    let good = client.pending_len();
    client.send(&[b"bad"]);
    let mut bytes = client.pending().to_vec();
    client.written(bytes.len());
    bytes[good + 6] ^= 1;
    let error = protocol("a record was changed on the way");
    assert_eq!(server.receive(&mut bytes), error);
    assert_eq!(server.plaintext(), b"good");
    assert_eq!(server.receive(&mut [1]), error);
    server.send(&[b"never"]);
    let refused = carry(&mut server, &mut client);
    assert!(matches!(refused, Err(TlsError::PeerRefused { .. })), "{refused:?}");
    assert_eq!(client.pending_len(), 0, "an alert is not answered");
}

#[test]
fn records_without_payload_are_bounded() {
    let (mut client, mut server) = pair();
    let cancelled = |client: &mut RustlsSession| client.encrypt(Content::Alert, &[&[1, 90]]);
    for _ in 0..3 {
        for _ in 0..32 {
            cancelled(&mut client);
        }
        client.send(&[b"payload"]);
        assert_eq!(carry(&mut client, &mut server), Ok(()));
    }
    for _ in 0..33 {
        cancelled(&mut client);
    }
    assert_eq!(carry(&mut client, &mut server), protocol("too many records without payload"));
}

#[test]
fn what_may_not_come_behind_the_handshake_is_refused() {
    let unexpected = "a message came that may not come now";
    for (content, payload, detail) in [
        (Content::Handshake, &[4, 0, 0, 1, 0][..], unexpected),
        (Content::Handshake, &[1, 0, 0, 1, 0], unexpected),
        (Content::Handshake, &[24, 0, 0, 1, 0, 24], unexpected),
        (Content::Handshake, &[24, 0, 0, 1, 7], "a message has a value that it may not have"),
        (Content::Alert, &[1], "a message cannot be read"),
    ] {
        let (mut client, mut server) = pair();
        client.encrypt(content, &[payload]);
        assert_eq!(carry(&mut client, &mut server), protocol(detail), "{payload:?}");
    }
    // A ticket is for a client, but this is none.
    let (mut client, mut server) = pair();
    server.encrypt(Content::Handshake, &[&[4, 0, 0, 1, 0]]);
    assert_eq!(carry(&mut server, &mut client), protocol("a message cannot be read"));
}

#[test]
fn nothing_comes_between_the_parts_of_a_message() {
    for (content, payload) in [(Content::Data, &b"data"[..]), (Content::Alert, &[1, 0])] {
        let (mut client, mut server) = pair();
        client.encrypt(Content::Handshake, &[&Messages::KEY_UPDATE[..2]]);
        client.encrypt(content, &[payload]);
        let refused = carry(&mut client, &mut server);
        assert_eq!(refused, protocol("a message came that may not come now"));
        assert!(server.plaintext().is_empty());
    }
}

#[test]
fn any_other_alert_is_the_end() {
    for level in [1, 2, 9] {
        let (mut client, mut server) = pair();
        client.encrypt(Content::Alert, &[&[level, 40]]);
        assert!(matches!(carry(&mut client, &mut server), Err(TlsError::PeerRefused { .. })));
    }
}

#[test]
fn what_the_handshake_brings_with_it_is_not_lost() {
    let (acceptor, connector) = ours(u64::MAX, &identity());
    let host = "relay.example".parse().unwrap();
    let (mut client, mut server) = (connector.session(&host).unwrap(), acceptor.session().unwrap());
    carry(&mut client, &mut server).unwrap();
    client.send(&[&[1; 20_000]]);
    client.send(&[b"request"]);
    client.send_end();
    carry(&mut server, &mut client).unwrap();
    carry(&mut client, &mut server).unwrap();
    assert_eq!(server.plaintext(), [&[1; 20_000][..], b"request"].concat());
    server.consume(20_007);
    assert!(server.is_finished());
}

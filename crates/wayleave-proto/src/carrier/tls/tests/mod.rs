//! Two sessions against each other, in memory.

mod failures;
mod fragments;
mod identity;
mod pipe;

use core::time::Duration;
use std::sync::Arc;

use ::rustls::pki_types::UnixTime;
use ::rustls::time_provider::TimeProvider;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::{Acceptor, Connector, Environment, RustlsAcceptor, RustlsConnector, Session, TlsError};
use crate::base::Host;

/// The middle of the year 2026.
const NOW: u64 = 1_782_864_000;

#[derive(Debug)]
struct Clock(u64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

fn environment() -> Environment {
    Environment { time: Arc::new(Clock(NOW)), ..Environment::system() }
}

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

/// A certificate authority for tests.
struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key as PEM, for `names`.
    fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn connector(&self) -> RustlsConnector {
        RustlsConnector::with_roots(environment(), super::certificates_from_pem(self.pem.as_bytes()).unwrap())
            .unwrap()
    }

    fn acceptor(&self, names: &[&str]) -> RustlsAcceptor {
        let (certificate, key) = self.issue(names, |_| {});
        RustlsAcceptor::from_pem(environment(), certificate.as_bytes(), key.as_bytes()).unwrap()
    }
}

/// A client and a server session.
struct Pair {
    client: Box<dyn Session>,
    server: Box<dyn Session>,
}

impl Pair {
    fn new(connector: &dyn Connector, acceptor: &dyn Acceptor, name: &str) -> Self {
        Self { client: connector.connect(&host(name)).unwrap(), server: acceptor.accept().unwrap() }
    }

    /// A pair after its handshake and everything that follows it.
    fn open(connector: &dyn Connector, acceptor: &dyn Acceptor) -> Self {
        let mut pair = Self::new(connector, acceptor, "relay.example");
        pair.settle(usize::MAX).unwrap();
        assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
        pair
    }

    fn rustls() -> Self {
        let ca = Ca::new("test");
        Self::open(&ca.connector(), &ca.acceptor(&["relay.example"]))
    }

    fn plain() -> Self {
        Self::open(&super::PlainConnector, &super::PlainAcceptor)
    }

    /// Carries ciphertext both ways, `split` bytes at a time, until none is left.
    fn settle(&mut self, split: usize) -> Result<(), (Side, TlsError)> {
        while self.client.pending_len() + self.server.pending_len() > 0 {
            carry(&mut *self.client, &mut *self.server, split).map_err(|error| (Side::Server, error))?;
            carry(&mut *self.server, &mut *self.client, split).map_err(|error| (Side::Client, error))?;
        }
        Ok(())
    }
}

/// Who found the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Carries at most `split` bytes.
fn carry(from: &mut dyn Session, to: &mut dyn Session, split: usize) -> Result<(), TlsError> {
    let amount = split.min(from.pending_len());
    let mut bytes = from.pending()[..amount].to_vec();
    from.written(amount);
    if amount == 0 { Ok(()) } else { to.receive(&mut bytes) }
}

/// Takes all plaintext that waits.
fn read(session: &mut dyn Session) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let before = session.plaintext_len();
        let chunk = session.plaintext().to_vec();
        if chunk.is_empty() {
            assert_eq!(before, 0);
            return all;
        }
        session.consume(chunk.len());
        assert_eq!(session.plaintext_len(), before - chunk.len());
        all.extend(chunk);
    }
}

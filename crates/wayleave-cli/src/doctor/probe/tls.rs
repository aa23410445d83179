//! TLS to a relay, with a look at the certificate whether it is trusted or not.
//!
//! A connection that is not trusted is still asked what speaks there, with a request in which nothing is secret. What could
//! show a credential takes [`Looked::trusted`], and there is no other way to the stream.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wayleave_proto::base::Host;
use wayleave_proto::carrier::tls::Environment;
use wayleave_proto::codec::text::escaped;

use super::certificate::Shown;
use super::road::Pipe;
use crate::doctor::code::Code;

/// TLS on whatever leads to its other side.
pub(super) type Secured = TlsStream<Box<dyn Pipe>>;

/// A connection, and what its certificate is worth.
#[derive(Debug)]
pub(super) struct Looked {
    stream: Secured,
    chain: Vec<CertificateDer<'static>>,
    judged: Result<(), Error>,
}

impl Looked {
    /// Speaks TLS on `stream` with the server that should be `host`.
    ///
    /// # Errors
    /// Why it cannot be spoken; that the certificate is not trusted is no error yet.
    pub(super) async fn connect(
        stream: Box<dyn Pipe>,
        host: &Host,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> io::Result<Self> {
        let recorder = Arc::new(Recorder { verifier, seen: Mutex::default() });
        let environment = Environment::system();
        let config = ClientConfig::builder_with_details(environment.provider, environment.time)
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?;
        let verifying = Arc::clone(&recorder);
        let mut config = config.dangerous().with_custom_certificate_verifier(verifying).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned()).map_err(io::Error::other)?,
        };
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let seen = recorder.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (chain, judged) = seen.unwrap_or_else(|| (Vec::new(), Err(Error::NoCertificatesPresented)));
        Ok(Self { stream, chain, judged })
    }

    /// The stream, where its certificate is trusted.
    pub(super) fn trusted(self) -> Option<Secured> {
        self.judged.is_ok().then_some(self.stream)
    }

    /// The stream for a request in which nothing is secret.
    pub(super) const fn for_strangers(&mut self) -> &mut Secured {
        &mut self.stream
    }

    /// What the certificate is worth, and what to show of it.
    pub(super) fn judgement(&self) -> (Code, String) {
        let shown = self.chain.first().and_then(Shown::of).unwrap_or_default();
        let Shown { issuer, names, begins, ends } = &shown;
        match &self.judged {
            Ok(()) => (Code::TlsTrusted, format!("issuer {issuer}, until {ends}")),
            Err(Error::InvalidCertificate(error)) => match error {
                CertificateError::UnknownIssuer => (Code::TlsIssuerUnknown, format!("issuer {issuer}")),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    (Code::TlsExpired, format!("at {ends}; issuer {issuer}"))
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    (Code::TlsNotYetValid, format!("it begins at {begins}; issuer {issuer}"))
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    let names = if names.is_empty() { "no name" } else { names };
                    (Code::TlsWrongName, format!("it is for {names}; issuer {issuer}"))
                }
                error => (Code::TlsBadCertificate, format!("{}; issuer {issuer}", shown_text(error))),
            },
            Err(error) => (Code::TlsBadCertificate, shown_text(error)),
        }
    }
}

/// What a handshake that failed says.
pub(super) fn failure(error: &io::Error) -> (Code, String) {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_)) => {
            (Code::TlsVersion, String::new())
        }
        Some(Error::InvalidMessage(_)) => (Code::TlsNotTls, String::new()),
        Some(error) => (Code::TlsFailed, shown_text(error)),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                (Code::TlsCut, String::new())
            }
            _ => (Code::TlsFailed, shown_text(error)),
        },
    }
}

fn shown_text(error: &impl ToString) -> String {
    escaped(error.to_string().as_bytes(), LONGEST)
}

type Seen = (Vec<CertificateDer<'static>>, Result<(), Error>);

/// Notes what a verifier says of a chain, and lets the handshake go on so that the rest can be looked at.
#[derive(Debug)]
struct Recorder {
    verifier: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Option<Seen>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged =
            self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let chain = [end_entity].into_iter().chain(intermediates).map(|it| it.clone().into_owned()).collect();
        let seen = (chain, judged.map(|_| ()));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

const LONGEST: usize = 200;

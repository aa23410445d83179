//! The words of rustls in ours.

use ::rustls::{AlertDescription, CertificateError, Error, InconsistentKeys, InvalidMessage};

use crate::carrier::tls::error::shown;
use crate::carrier::tls::{TlsConfigError, TlsError};

/// Why a connection failed. `greeted` says that a first message of the peer was understood.
pub(super) fn connection(error: &Error, greeted: bool) -> TlsError {
    use InvalidMessage as M;
    match error {
        Error::InvalidMessage(
            M::InvalidContentType | M::InvalidEmptyPayload | M::MessageTooLarge | M::UnknownProtocolVersion,
        ) if !greeted => TlsError::NotTls,
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => TlsError::PeerRefused { detail: refusal(*alert) },
        Error::NoApplicationProtocol => TlsError::NoCommonProtocol,
        Error::PeerIncompatible(why) => TlsError::Incompatible { detail: shown(&format!("{why:?}")) },
        error => protocol(error),
    }
}

/// A rule of TLS is broken, or the engine failed.
pub(super) fn protocol(error: impl ToString) -> TlsError {
    TlsError::Protocol { detail: shown(&error.to_string()) }
}

/// Why certificate and key cannot be used.
pub(super) fn identity(error: &Error) -> TlsConfigError {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsConfigError::KeyMismatch,
        Error::InvalidCertificate(_) => TlsConfigError::BadCertificate { detail: shown(&error.to_string()) },
        Error::NoCertificatesPresented => TlsConfigError::NoCertificate,
        error => TlsConfigError::BadKey { detail: shown(&error.to_string()) },
    }
}

/// Why the provider cannot be used.
pub(super) fn provider(error: &Error) -> TlsConfigError {
    TlsConfigError::Provider { detail: shown(&error.to_string()) }
}

fn certificate(error: &CertificateError) -> TlsError {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => TlsError::CertificateExpired,
        E::NotValidYet | E::NotValidYetContext { .. } => TlsError::CertificateNotYetValid,
        // A CA of the same name with another key shows as a wrong signature.
        E::BadSignature => TlsError::CertificateNotTrusted { detail: "signed by another key".into() },
        E::UnknownIssuer => TlsError::CertificateNotTrusted { detail: "signed by an unknown CA".into() },
        E::NotValidForName => TlsError::CertificateWrongName { detail: "it does not name the host".into() },
        E::NotValidForNameContext { expected, presented } => TlsError::CertificateWrongName {
            detail: shown(&format!("wanted {}, it has {}", expected.to_str(), presented.join(", "))),
        },
        E::Other(other) => TlsError::CertificateRejected { detail: shown(&other.to_string()) },
        error => TlsError::CertificateRejected { detail: shown(&error.to_string()) },
    }
}

fn refusal(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::AccessDenied => "access denied".into(),
        A::BadCertificate | A::CertificateUnknown | A::UnsupportedCertificate => {
            "it does not accept the certificate".into()
        }
        A::CertificateExpired => "it takes the certificate for expired; renew it, or check its clock".into(),
        A::CertificateRevoked => "it takes the certificate for revoked".into(),
        A::CloseNotify | A::UserCanceled => "it gave up during the handshake".into(),
        A::HandshakeFailure | A::InsufficientSecurity | A::ProtocolVersion => {
            "it speaks no TLS version or cipher that this side speaks; both need TLS 1.3".into()
        }
        A::NoApplicationProtocol => "it does not speak HTTP/1.1 on this port".into(),
        A::UnknownCA => "it does not trust the CA of the certificate; give it that CA's certificate".into(),
        A::UnrecognisedName => "it does not know the name that was asked for".into(),
        alert => shown(&format!("alert {alert:?}")),
    }
}

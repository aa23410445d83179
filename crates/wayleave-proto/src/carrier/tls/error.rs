//! What goes wrong with TLS, and what to do about it.

use crate::carrier::via::ViaFault;

/// Why a TLS connection failed. The details are safe to show: text from the peer is escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate of the server is past its time.
    #[error("the server's certificate has expired: renew it, or set the clock of this machine right")]
    CertificateExpired,
    /// Nobody trusted has signed the certificate of the server.
    #[error(
        "the server's certificate is not trusted ({detail}): give the certificate of its CA; if it is the right \
         one already, something on the way intercepts TLS"
    )]
    CertificateNotTrusted {
        /// What the check said.
        detail: String,
    },
    /// The time of the certificate of the server has not come.
    #[error("the server's certificate is not valid yet: set the clock of this machine right")]
    CertificateNotYetValid,
    /// The certificate of the server is wrong in another way.
    #[error(
        "the server's certificate is refused ({detail}): give the server a certificate made for TLS servers"
    )]
    CertificateRejected {
        /// What the check said.
        detail: String,
    },
    /// The certificate of the server is for other names.
    #[error(
        "the server's certificate is for another name ({detail}): use the name that it is for, or get one for this name"
    )]
    CertificateWrongName {
        /// The name wanted and the names in the certificate.
        detail: String,
    },
    /// The peer speaks no version or cipher that this side speaks.
    #[error("the peer and this side have no way of TLS in common ({detail}): the peer must speak TLS 1.3")]
    Incompatible {
        /// What is missing.
        detail: String,
    },
    /// No certificate can be for the host.
    #[error("\"{name}\" cannot stand in a certificate: use a host name or an IP address")]
    InvalidName {
        /// The host.
        name: String,
    },
    /// The client offers protocols by ALPN, and HTTP/1.1 is not among them.
    #[error("the client does not offer the protocol http/1.1: let it use HTTP/1.1 through this proxy")]
    NoCommonProtocol,
    /// What came is not TLS at all.
    #[error(
        "the peer does not speak TLS: check host and port, and whether something on the way answers in its place"
    )]
    NotTls,
    /// The peer ended the connection with an alert.
    #[error("the peer refused the connection: {detail}")]
    PeerRefused {
        /// What its alert means.
        detail: String,
    },
    /// A rule of TLS is broken, or the engine failed.
    #[error("TLS failed ({detail}): try again; if it stays, something on the way damages the connection")]
    Protocol {
        /// What broke.
        detail: String,
    },
    /// A proxy of the network stands before the relay, and did not lead to it.
    #[error("{0}")]
    Via(Box<ViaFault>),
    /// The connection ended without close_notify.
    #[error("the connection was cut off before its end: what is missing cannot be known, so try again")]
    Truncated,
}

/// Why roots, certificate or key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A certificate cannot be read.
    #[error("a certificate cannot be used ({detail}): give X.509 version 3 certificates")]
    BadCertificate {
        /// What the reader said.
        detail: String,
    },
    /// The private key cannot be read, or is of a kind that is not supported.
    #[error("the private key cannot be used ({detail}): give an Ed25519, ECDSA P-256, P-384 or RSA key")]
    BadKey {
        /// What the reader said; nothing of the key.
        detail: String,
    },
    /// The text is not PEM.
    #[error("the PEM text is damaged ({detail}): give it from its first BEGIN line to its last END line")]
    BadPem {
        /// What the reader said.
        detail: String,
    },
    /// The private key is not the one of the first certificate.
    #[error(
        "the certificate and the private key do not match: the first certificate must be the one made for this key"
    )]
    KeyMismatch,
    /// There is no certificate.
    #[error("no certificate found: give PEM text with BEGIN CERTIFICATE")]
    NoCertificate,
    /// There is no private key.
    #[error(
        "no private key found: give PEM text with BEGIN PRIVATE KEY (an encrypted key must be decrypted first)"
    )]
    NoPrivateKey,
    /// The cryptography given cannot do TLS 1.3.
    #[error("the cryptography provider cannot be used ({detail}): give one that can do TLS 1.3")]
    Provider {
        /// What is missing.
        detail: String,
    },
    /// There is more than one private key.
    #[error("several private keys found: give exactly one")]
    SeveralPrivateKeys,
}

/// Text that may hold words of the peer, made fit to be shown.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(LONGEST_DETAIL) {
        if c == ' ' || c.is_ascii_graphic() { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    if text.chars().nth(LONGEST_DETAIL).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Characters of a detail; more is of no use to a reader.
const LONGEST_DETAIL: usize = 200;

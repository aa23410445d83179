use super::*;
use crate::carrier::tls::{TlsConfigError, certificates_from_pem, private_key_from_pem};

fn acceptor(chain: &str, key: &str) -> Result<RustlsAcceptor, TlsConfigError> {
    RustlsAcceptor::from_pem(environment(), chain.as_bytes(), key.as_bytes())
}

#[test]
fn certificate_and_key_must_match() {
    let ca = Ca::new("test");
    let ((certificate, key), (_, other)) =
        (ca.issue(&["relay.example"], |_| {}), ca.issue(&["relay.example"], |_| {}));
    assert!(acceptor(&certificate, &key).is_ok());
    assert!(acceptor(&format!("{certificate}{}", ca.pem), &key).is_ok());
    assert_eq!(acceptor(&certificate, &other).unwrap_err(), TlsConfigError::KeyMismatch);
    assert_eq!(acceptor(&format!("{}{certificate}", ca.pem), &key).unwrap_err(), TlsConfigError::KeyMismatch);
}

#[test]
fn what_is_missing_is_named() {
    let ca = Ca::new("test");
    let (certificate, key) = ca.issue(&["relay.example"], |_| {});
    let damaged = |text: &str| text.lines().take(2).collect::<Vec<_>>().join("\n");
    for (chain, key, expected) in [
        ("", &*key, TlsConfigError::NoCertificate),
        (&*key, &*key, TlsConfigError::NoCertificate),
        (&*certificate, "", TlsConfigError::NoPrivateKey),
        (&*certificate, &*certificate, TlsConfigError::NoPrivateKey),
        (&*certificate, &*format!("{key}{key}"), TlsConfigError::SeveralPrivateKeys),
    ] {
        assert_eq!(acceptor(chain, key).unwrap_err(), expected);
    }
    assert!(matches!(acceptor(&damaged(&certificate), &key), Err(TlsConfigError::BadPem { .. })));
    assert!(matches!(acceptor(&certificate, &damaged(&key)), Err(TlsConfigError::BadPem { .. })));
    let both = format!("{certificate}\n{key}");
    assert!(acceptor(&both, &both).is_ok(), "one file may hold both");
    assert_eq!(certificates_from_pem(format!("{certificate}{}", ca.pem).as_bytes()).unwrap().len(), 2);
    assert!(private_key_from_pem(key.as_bytes()).is_ok());
}

#[test]
fn what_cannot_be_read_is_named() {
    let ca = Ca::new("test");
    let (certificate, key) = ca.issue(&["relay.example"], |_| {});
    let junk = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
    let error = acceptor(&certificate, &junk("PRIVATE KEY")).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadKey { .. }), "{error:?}");
    let error = acceptor(&junk("CERTIFICATE"), &key).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadCertificate { .. }), "{error:?}");

    let roots = |pem: &str| {
        let roots = certificates_from_pem(pem.as_bytes()).unwrap_or_default();
        RustlsConnector::with_roots(environment(), roots).unwrap_err()
    };
    assert_eq!(roots(""), TlsConfigError::NoCertificate);
    assert!(matches!(roots(&junk("CERTIFICATE")), TlsConfigError::BadCertificate { .. }));
}

#[test]
fn no_key_shows_in_debug_or_errors() {
    let ca = Ca::new("test");
    let (certificate, key) = ca.issue(&["relay.example"], |_| {});
    let line = key.lines().nth(1).unwrap();
    let acceptor_text = format!("{:?} {:?}", acceptor(&certificate, &key), environment());
    assert!(!acceptor_text.contains(line) && acceptor_text.len() < 200, "{acceptor_text}");
    for (from, to) in [
        // No PEM, no base64, no key.
        ("-----END PRIVATE KEY-----", "-----END PRIVATE"),
        (line, &*format!("{line}*")),
        (line, &*format!("AAAA{line}")),
    ] {
        let damaged = key.replace(from, to);
        assert_ne!(damaged, key);
        let error = acceptor(&certificate, &damaged).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains(&line[..16]), "{said}");
    }
}

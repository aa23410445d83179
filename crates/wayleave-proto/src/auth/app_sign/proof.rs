//! What is exported and what is signed, byte for byte.

use super::super::key::array;
use crate::base::{Host, Target};
use crate::codec::varint;

/// The context of the exporter ([RFC 9729 §3.1](https://www.rfc-editor.org/rfc/rfc9729#section-3.1)).
///
/// Host and port are those of the request: the target of a CONNECT, and the authority of the URI of a CONNECT-UDP. The
/// scheme is `https` for both, since a CONNECT names none.
pub(super) fn context(key_id: &[u8], public_key: &[u8], authority: &Target, realm: &str) -> Vec<u8> {
    let host = match &authority.host {
        Host::Address(core::net::IpAddr::V6(address)) => format!("[{address}]"),
        host => host.to_string(),
    };
    let mut context = SCHEME.to_be_bytes().to_vec();
    for field in [key_id, public_key, b"https", host.as_bytes()] {
        put(&mut context, field);
    }
    context.extend(authority.port.get().to_be_bytes());
    put(&mut context, realm.as_bytes());
    context
}

/// What the signature covers ([RFC 9729 §3.3](https://www.rfc-editor.org/rfc/rfc9729#section-3.3)).
pub(super) fn covered(input: &[u8; 32]) -> Vec<u8> {
    let mut covered = vec![b' '; 64];
    covered.extend(b"HTTP Concealed Authentication\0");
    covered.extend(input);
    covered
}

/// The two parts of what the exporter gives: what is signed, and what is shown
/// ([RFC 9729 §3.2](https://www.rfc-editor.org/rfc/rfc9729#section-3.2)).
pub(super) fn halves(output: &[u8; 48]) -> ([u8; 32], [u8; 16]) {
    let (input, verification) = output.split_at_checked(32).unwrap_or_default();
    (array(input), array(verification))
}

fn put(context: &mut Vec<u8>, field: &[u8]) {
    varint::encode(u64::try_from(field.len()).unwrap_or(u64::MAX), context);
    context.extend(field);
}

/// The label of the exporter.
pub(super) const LABEL: &[u8] = b"EXPORTER-HTTP-Concealed-Authentication";
/// Ed25519 in the registry of TLS.
pub(super) const SCHEME: u16 = 0x0807;

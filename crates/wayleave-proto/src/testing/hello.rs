//! The first message of a TLS connection, made by hand.

/// A whole ClientHello of TLS 1.3 with `session` as its session id, at most 32 bytes. It may announce early data.
pub fn client_hello(session: &[u8], early_data: bool) -> Vec<u8> {
    let session = session.get(..32).unwrap_or(session);
    let mut extensions = vec![0, 43, 0, 3, 2, 3, 4];
    if early_data {
        extensions.extend([0, 42, 0, 0]);
    }
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.push(session.len() as u8);
    body.extend(session);
    body.extend([0, 2, 0x13, 0x01, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let length = body.len() as u16;
    let mut bytes = vec![22, 3, 1];
    bytes.extend((length + 4).to_be_bytes());
    bytes.extend([1, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

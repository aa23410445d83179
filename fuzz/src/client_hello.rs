//! What passes for the first message of TLS is nothing else, however much of it has come.

use wayleave_proto::codec::client_hello::{HelloError, decode};

/// Reads a ClientHello whole and byte by byte: the verdict comes with the byte that decides, and stays.
pub(crate) fn run(data: &[u8]) {
    let whole = decode(data);
    if let Ok(hello) = whole {
        assert!((1..=data.len()).contains(&hello.length));
        assert_eq!(decode(&data[..hello.length]), whole);
    }
    // Quadratic: a beginning is enough to see it.
    let beginning = &data[..data.len().min(512)];
    let mut verdict = Err(HelloError::Incomplete);
    for end in 0..=beginning.len() {
        let next = decode(&beginning[..end]);
        assert!(
            verdict == Err(HelloError::Incomplete) || next == verdict,
            "{verdict:?}, then {next:?} at {end}"
        );
        verdict = next;
    }
}

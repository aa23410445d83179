//! The header of a balancer means the same however it is cut, and never more than it has.

use wayleave_proto::codec::proxy_protocol::ProxyHeader;

/// Reads a header whole and byte by byte.
pub(crate) fn run(data: &[u8]) {
    let whole = ProxyHeader::read(data);
    if let Ok(Some(header)) = whole {
        assert!((16..=data.len()).contains(&header.length), "{} of {}", header.length, data.len());
        assert!(ProxyHeader::begins(data));
    }
    let by_byte = (0..=data.len()).map(|end| ProxyHeader::read(&data[..end])).find(|read| *read != Ok(None));
    assert_eq!(by_byte.unwrap_or(Ok(None)), whole);
}

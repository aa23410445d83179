//! The header that a balancer puts before a connection to say whose it is: version 2 of the PROXY protocol of HAProxy,
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.
//!
//! Reading is strict. The text form (version 1) is not read: it has no length, and nothing that it says is not here too.

#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};

/// What a balancer says of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Whose connection it is; `None` where the balancer speaks for itself (a health check) or does not know.
    pub client: Option<SocketAddr>,
    /// Bytes of the header; what follows belongs to the connection.
    pub length: usize,
}

impl ProxyHeader {
    /// Reads the header at the beginning of `bytes`; `None` while it is not whole.
    ///
    /// Additions behind the addresses (TLV) are passed over.
    ///
    /// # Errors
    /// [`ProxyHeaderError`], as soon as it shows: where the beginning is another one, behind its length, and behind its end.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, ProxyHeaderError> {
        if !is_prefix(bytes, &SIGNATURE) {
            return Err(ProxyHeaderError::Missing);
        }
        let Some([command, family, high, low]) = bytes.get(SIGNATURE.len()..).and_then(<[u8]>::first_chunk)
        else {
            return Ok(None);
        };
        let command = Command::read(*command)?;
        let addresses = Addresses::read(*family)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > MAX_LENGTH {
            return Err(ProxyHeaderError::TooLong { length });
        }
        if length < addresses.len() {
            return Err(ProxyHeaderError::Truncated);
        }
        let whole = FIXED.saturating_add(length);
        let Some(body) = bytes.get(FIXED..whole) else { return Ok(None) };
        check_additions(body.get(addresses.len()..).unwrap_or_default())?;
        let client = match command {
            Command::Local => None,
            Command::Proxy => addresses.source(body),
        };
        Ok(Some(Self { client, length: whole }))
    }

    /// Whether `bytes`, the first of a connection, can be the beginning of such a header of either version: nothing else
    /// that is spoken to a relay begins like that.
    pub fn begins(bytes: &[u8]) -> bool {
        let known: [&[u8]; 2] = [&SIGNATURE, VERSION_1];
        known.iter().any(|begin| bytes.starts_with(begin))
    }
}

/// Whose word a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    /// The balancer opened the connection for itself.
    Local,
    /// It opened it for a client.
    Proxy,
}

impl Command {
    const fn read(byte: u8) -> Result<Self, ProxyHeaderError> {
        match byte {
            0x20 => Ok(Self::Local),
            0x21 => Ok(Self::Proxy),
            _ => Err(ProxyHeaderError::Version),
        }
    }
}

/// Which addresses a header has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addresses {
    V4,
    V6,
    Unspecified,
}

impl Addresses {
    const fn read(byte: u8) -> Result<Self, ProxyHeaderError> {
        match byte {
            0x00 => Ok(Self::Unspecified),
            0x11 => Ok(Self::V4),
            0x21 => Ok(Self::V6),
            _ => Err(ProxyHeaderError::Family),
        }
    }

    /// Bytes of both addresses and both ports.
    const fn len(self) -> usize {
        match self {
            Self::V4 => 12,
            Self::V6 => 36,
            Self::Unspecified => 0,
        }
    }

    /// The first address, with the first port, which stands behind both.
    fn source(self, body: &[u8]) -> Option<SocketAddr> {
        let (address, ports): (IpAddr, _) = match self {
            Self::V4 => (body.first_chunk::<4>().copied()?.into(), body.get(8..)?),
            Self::V6 => (body.first_chunk::<16>().copied()?.into(), body.get(32..)?),
            Self::Unspecified => return None,
        };
        Some(SocketAddr::new(address, u16::from_be_bytes(ports.first_chunk().copied()?)))
    }
}

/// Why a header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// Addresses that are none of TCP.
    #[error("the PROXY header is not about TCP over IPv4 or IPv6")]
    Family,
    /// There is none.
    #[error("there is no PROXY header of version 2; let the balancer send one (HAProxy: send-proxy-v2)")]
    Missing,
    /// It is longer than any header needs.
    #[error("the PROXY header has {length} bytes behind its beginning, and at most {MAX_LENGTH} are taken")]
    TooLong {
        /// How long it says that it is.
        length: usize,
    },
    /// Addresses or additions end before their length says so.
    #[error("the PROXY header is cut off inside")]
    Truncated,
    /// Another version, or a command that is not known.
    #[error("the PROXY header is not of version 2, or its command is unknown")]
    Version,
}

/// Each addition has a type, a length and so many bytes.
fn check_additions(mut bytes: &[u8]) -> Result<(), ProxyHeaderError> {
    while !bytes.is_empty() {
        let Some([_, high, low]) = bytes.first_chunk() else { return Err(ProxyHeaderError::Truncated) };
        let end = 3_usize.saturating_add(u16::from_be_bytes([*high, *low]).into());
        bytes = bytes.get(end..).ok_or(ProxyHeaderError::Truncated)?;
    }
    Ok(())
}

/// Whether the two agree as far as both go.
fn is_prefix(bytes: &[u8], of: &[u8]) -> bool {
    bytes.iter().zip(of).all(|(byte, other)| byte == other)
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// How the text form begins.
const VERSION_1: &[u8] = b"PROXY ";
/// Bytes before the addresses.
const FIXED: usize = 16;
/// Bytes of addresses and additions: room for a certificate's names, which some balancers add.
const MAX_LENGTH: usize = 4_096;

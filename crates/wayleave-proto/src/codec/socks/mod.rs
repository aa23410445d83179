//! SOCKS5, both sides: [RFC 1928](https://www.rfc-editor.org/rfc/rfc1928) and the user name and password of
//! [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929).

mod handshake;
mod udp;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::base::{Host, Target};

pub use handshake::{
    Credentials, Method, Reply, Request, SOCKS4_REFUSAL, connect_request, credentials, credentials_answer,
    greeting, method_answer, parse_credentials, parse_greeting, parse_reply, parse_request, reply,
};
pub use udp::{parse_udp, udp_header};

/// Why bytes are not the SOCKS5 message that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// The address is neither IPv4, IPv6 nor a name.
    #[error("the address type {0} is none of 1 (IPv4), 3 (name) and 4 (IPv6)")]
    AddressType(u8),
    /// The command is neither CONNECT nor UDP ASSOCIATE.
    #[error("the command {0} is not served; only 1 (CONNECT) and 3 (UDP ASSOCIATE) are")]
    Command(u8),
    /// The datagram is a piece of a larger one.
    #[error("the datagram is fragment {0} of a larger one; send whole datagrams")]
    Fragment(u8),
    /// The name is no host name.
    #[error("the name is neither a host name nor an IP address")]
    Name,
    /// The port is zero.
    #[error("the port is 0; name a port from 1 to 65535")]
    Port,
    /// The bytes end inside the message. On a stream this says only that more bytes have to come.
    #[error("the message ends too early")]
    Truncated,
    /// The message starts with the wrong version.
    #[error("the message starts with version {0}, which is not the one expected here")]
    Version(u8),
}

impl SocksError {
    /// The reply to a request with this error; `None` where the connection is closed without one.
    pub const fn reply(self) -> Option<Reply> {
        match self {
            Self::AddressType(_) => Some(Reply::AddressTypeNotSupported),
            Self::Command(_) => Some(Reply::CommandNotSupported),
            Self::Name | Self::Port => Some(Reply::GeneralFailure),
            Self::Fragment(_) | Self::Truncated | Self::Version(_) => None,
        }
    }
}

/// An address and a port as they stand in a message, not yet judged.
struct Endpoint<'a> {
    address: Address<'a>,
    port: u16,
}

enum Address<'a> {
    Ip(IpAddr),
    Name(&'a [u8]),
}

impl Endpoint<'_> {
    /// Where a flow wants to go. An address that came written out in the place of a name is an address.
    fn target(&self) -> Result<Target, SocksError> {
        let host = match self.address {
            Address::Ip(address) => Host::Address(address),
            Address::Name(name) => str::from_utf8(name).ok().and_then(host).ok_or(SocksError::Name)?,
        };
        Target::new(host, self.port).map_err(|_| SocksError::Port)
    }

    /// Where a client will send from. Names are not resolved here, so a name leaves the address open.
    fn sender(&self) -> SocketAddr {
        let address = match self.address {
            Address::Ip(address) => address,
            Address::Name(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        SocketAddr::new(address, self.port)
    }
}

/// Reads what stands in the place of a name. Some clients write an IPv6 address there as in a URL, in brackets.
fn host(text: &str) -> Option<Host> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => Some(Host::Address(IpAddr::V6(address.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// Cuts an address type, an address and a port off the front of `input`, RFC 1928 §5.
fn endpoint<'a>(input: &mut &'a [u8]) -> Result<Endpoint<'a>, SocksError> {
    let address = match byte(input)? {
        IPV4 => Address::Ip(array::<4>(input)?.into()),
        IPV6 => Address::Ip(array::<16>(input)?.into()),
        NAME => Address::Name(counted(input)?),
        other => return Err(SocksError::AddressType(other)),
    };
    Ok(Endpoint { address, port: u16::from_be_bytes(array(input)?) })
}

/// Appends the address type, the address and the port of `address`.
fn put_address(address: SocketAddr, out: &mut Vec<u8>) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(IPV4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(IPV6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// Cuts one byte off the front of `input`.
fn byte(input: &mut &[u8]) -> Result<u8, SocksError> {
    array::<1>(input).map(|[byte]| byte)
}

/// Cuts `N` bytes off the front of `input`.
fn array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], SocksError> {
    let (head, rest) = input.split_first_chunk().ok_or(SocksError::Truncated)?;
    *input = rest;
    Ok(*head)
}

/// Cuts a length byte and as many bytes as it says off the front of `input`.
fn counted<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], SocksError> {
    let length = byte(input)?;
    let (head, rest) = input.split_at_checked(length.into()).ok_or(SocksError::Truncated)?;
    *input = rest;
    Ok(head)
}

/// Cuts a version byte that must be `expected` off the front of `input`.
fn version(input: &mut &[u8], expected: u8) -> Result<(), SocksError> {
    match byte(input)? {
        version if version == expected => Ok(()),
        version => Err(SocksError::Version(version)),
    }
}

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

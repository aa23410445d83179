//! What is said on the TCP connection: greeting, user name and password, request, and the answers.

use core::fmt;
use core::net::SocketAddr;

use super::{NAME, SocksError, byte, counted, endpoint, put_address, version};
use crate::base::{Host, Target};

/// How a client proves who it is, [RFC 1928 §3](https://www.rfc-editor.org/rfc/rfc1928#section-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    None,
    /// With a user name and a password, [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929).
    Password,
}

impl Method {
    /// The number of this method on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Password => 2,
        }
    }
}

/// A user name and a password, as the client sent them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The user name, 0 to 255 bytes.
    pub user: &'a [u8],
    /// The password, 0 to 255 bytes.
    pub password: &'a [u8],
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([secret])")
    }
}

/// What a client asks for, [RFC 1928 §4](https://www.rfc-editor.org/rfc/rfc1928#section-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// UDP ASSOCIATE: relay datagrams that the client will send from this address. An unspecified address and a
    /// zero port are open.
    Associate(SocketAddr),
    /// CONNECT: open a stream to this target.
    Connect(Target),
}

/// How a request went, [RFC 1928 §6](https://www.rfc-editor.org/rfc/rfc1928#section-6), in the order of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reply {
    /// Succeeded.
    Succeeded = 0,
    /// General failure of the server.
    GeneralFailure = 1,
    /// Not allowed by the rules.
    NotAllowed = 2,
    /// Network unreachable.
    NetworkUnreachable = 3,
    /// Host unreachable.
    HostUnreachable = 4,
    /// Connection refused.
    ConnectionRefused = 5,
    /// Time to live expired; also said where the target did not answer in time.
    TtlExpired = 6,
    /// Command not supported.
    CommandNotSupported = 7,
    /// Address type not supported.
    AddressTypeNotSupported = 8,
}

impl Reply {
    /// The number of this reply on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Reads the greeting; returns the numbers of the methods that the client offers, and what stands behind.
///
/// # Errors
/// [`SocksError::Truncated`] while bytes are missing, [`SocksError::Version`] where this is not SOCKS5.
pub fn parse_greeting(bytes: &[u8]) -> Result<(&[u8], &[u8]), SocksError> {
    let mut rest = bytes;
    version(&mut rest, VERSION)?;
    Ok((counted(&mut rest)?, rest))
}

/// The answer to a greeting: the method to use, or none acceptable.
pub const fn method_answer(method: Option<Method>) -> [u8; 2] {
    match method {
        Some(method) => [VERSION, method.code()],
        None => [VERSION, 0xff],
    }
}

/// Reads a user name and a password ([RFC 1929 §2](https://www.rfc-editor.org/rfc/rfc1929#section-2)); returns them
/// and what stands behind.
///
/// # Errors
/// [`SocksError::Truncated`] while bytes are missing, [`SocksError::Version`] where the sub-negotiation is another.
pub fn parse_credentials(bytes: &[u8]) -> Result<(Credentials<'_>, &[u8]), SocksError> {
    let mut rest = bytes;
    version(&mut rest, PASSWORD_VERSION)?;
    let user = counted(&mut rest)?;
    let password = counted(&mut rest)?;
    Ok((Credentials { user, password }, rest))
}

/// The answer to a user name and a password.
pub const fn credentials_answer(right: bool) -> [u8; 2] {
    [PASSWORD_VERSION, !right as u8]
}

/// Reads a request; returns it and what stands behind. The reserved byte is ignored.
///
/// # Errors
/// [`SocksError::Truncated`] while bytes are missing; every other error is final, and [`SocksError::reply`] says how
/// to answer it. Errors are found in the order of the bytes, so the answer does not depend on how they arrive.
pub fn parse_request(bytes: &[u8]) -> Result<(Request, &[u8]), SocksError> {
    let mut rest = bytes;
    version(&mut rest, VERSION)?;
    let command = byte(&mut rest)?;
    if !matches!(command, CONNECT | ASSOCIATE) {
        return Err(SocksError::Command(command));
    }
    byte(&mut rest)?;
    let endpoint = endpoint(&mut rest)?;
    let request = match command {
        CONNECT => Request::Connect(endpoint.target()?),
        _ => Request::Associate(endpoint.sender()),
    };
    Ok((request, rest))
}

/// Appends the reply to a request. `bound` is the address that the server uses for it, `0.0.0.0:0` where that is not
/// known.
pub fn reply(reply: Reply, bound: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(&[VERSION, reply.code(), 0]);
    put_address(bound, out);
}

/// The first words of a client: the methods that it offers.
pub fn greeting(methods: &[Method]) -> Vec<u8> {
    let codes = methods.iter().map(|method| method.code());
    [VERSION, u8::try_from(methods.len()).unwrap_or(u8::MAX)].into_iter().chain(codes).collect()
}

/// A user name and a password, at most 255 bytes each; what is longer is cut.
pub fn credentials(user: &[u8], password: &[u8]) -> Vec<u8> {
    let mut out = vec![PASSWORD_VERSION];
    for part in [user, password] {
        let length = u8::try_from(part.len()).unwrap_or(u8::MAX);
        out.push(length);
        out.extend(part.iter().take(length.into()));
    }
    out
}

/// The request for a stream to `target`, by its name where it has one.
pub fn connect_request(target: &Target) -> Vec<u8> {
    let mut out = vec![VERSION, CONNECT, 0];
    match &target.host {
        Host::Address(address) => put_address(SocketAddr::new(*address, target.port.get()), &mut out),
        Host::Name(name) => {
            let name = name.as_str().as_bytes();
            let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
            out.extend([NAME, length]);
            out.extend(name.iter().take(length.into()));
            out.extend(target.port.get().to_be_bytes());
        }
    }
    out
}

/// Reads the reply to a request; returns its number and what stands behind. The address in it is ignored.
///
/// # Errors
/// [`SocksError::Truncated`] while bytes are missing; every other error says that this is no reply.
pub fn parse_reply(bytes: &[u8]) -> Result<(u8, &[u8]), SocksError> {
    let mut rest = bytes;
    version(&mut rest, VERSION)?;
    let reply = byte(&mut rest)?;
    byte(&mut rest)?;
    match endpoint(&mut rest) {
        // Some send no address with a refusal.
        Err(_) if reply != 0 => Ok((reply, &[])),
        result => result.map(|_| (reply, rest)),
    }
}

/// What a client of SOCKS4 gets: request rejected, in the words of its own version.
pub const SOCKS4_REFUSAL: [u8; 8] = [0, 0x5b, 0, 0, 0, 0, 0, 0];

const VERSION: u8 = 5;
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const ASSOCIATE: u8 = 3;

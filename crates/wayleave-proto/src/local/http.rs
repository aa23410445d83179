//! The head of a local HTTP request, read strictly, and the answers to it.

use core::net::Ipv6Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::exchange::{ExchangeFault, HttpRequest};
use super::{FrontConfig, Refusal};
use crate::base::{Target, TargetError};
use crate::codec::authority;
use crate::codec::h1::{self, HeadFault, HeadLimits, RequestHead};

/// What a local HTTP client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A tunnel to this target.
    Connect(Target),
    /// A page.
    Forward(HttpRequest),
}

/// Why a local HTTP request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpFault {
    /// A password is needed, and none or a wrong one came.
    #[error("this port asks for a user name and a password (Proxy-Authorization: Basic)")]
    Credentials,
    /// What says how long the content is can be read in two ways.
    #[error(
        "Content-Length, Transfer-Encoding or Max-Forwards is repeated or malformed, or one contradicts another"
    )]
    Framing,
    /// The head breaks the rules of HTTP/1.1.
    #[error("bad request: {0}")]
    Head(HeadFault),
    /// A page of this port itself is asked for, or a method that is not forwarded.
    #[error(
        "this is a proxy and has no pages of its own: give it to the client as its proxy, for http:// and https:// alike"
    )]
    Method,
    /// The method is unknown.
    #[error("the method is unknown; methods are written in capitals")]
    MethodUnknown,
    /// The page that is asked for is not one of `http://`.
    #[error(
        "only http:// pages are forwarded; every other scheme needs a tunnel (CONNECT), which clients ask for by themselves"
    )]
    Scheme,
    /// What to connect to is not `HOST:PORT`.
    #[error("bad CONNECT target: {0}")]
    Target(TargetError),
    /// The address of the page is malformed.
    #[error("the address of the page is not http://HOST[:PORT]/PATH without user name and fragment")]
    Uri,
    /// The version is none of HTTP/1.1 and HTTP/1.0.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
}

impl HttpFault {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Framing | Self::Scheme | Self::Target(_) | Self::Uri => 400,
            Self::Method => 405,
            Self::Credentials => 407,
            Self::Head(fault) => fault.status(),
            Self::MethodUnknown => 501,
            Self::Version => 505,
        }
    }

    /// The whole answer.
    pub(super) fn answer(self) -> Vec<u8> {
        let (error, field) = match self {
            Self::Credentials => (
                "http_request_denied",
                "Proxy-Authenticate: Basic realm=\"wayleave agent\", charset=\"UTF-8\"\r\n",
            ),
            Self::Method => ("http_request_error", "Allow: CONNECT\r\n"),
            _ => ("http_request_error", ""),
        };
        answer(self.status(), error, field, &self.to_string())
    }
}

impl From<HeadFault> for HttpFault {
    fn from(fault: HeadFault) -> Self {
        if fault == HeadFault::Version { Self::Version } else { Self::Head(fault) }
    }
}

/// The whole answer to a flow that could not be opened.
pub(super) fn refusal(refusal: Refusal) -> Vec<u8> {
    answer(refusal.status(), refusal.proxy_error(), "", &refusal.to_string())
}

/// The whole answer where an origin server's own cannot be had.
pub(super) fn exchange_refused(fault: ExchangeFault) -> Vec<u8> {
    let (status, error) = match fault {
        ExchangeFault::RequestChunks(_) | ExchangeFault::RequestCut => (400, "http_request_error"),
        ExchangeFault::ResponseCut => (502, "http_response_incomplete"),
        ExchangeFault::Stream(refusal) => return self::refusal(refusal),
        ExchangeFault::Upgrade => (502, "http_upgrade_failed"),
        ExchangeFault::Head(_)
        | ExchangeFault::Interim
        | ExchangeFault::ResponseChunks(_)
        | ExchangeFault::Status(_) => (502, "http_protocol_error"),
    };
    answer(status, error, "", &fault.to_string())
}

/// How long the head of a request may be.
pub(super) const fn limits(config: &FrontConfig) -> HeadLimits {
    HeadLimits { bytes: config.head_limit, request_line: config.head_limit, fields: FIELDS }
}

/// Reads a whole head of a client that may come in.
///
/// HTTP/1.0 is served too, without a Host field, since many older tools speak it to proxies. `Content-Length: 0` is
/// let pass beside CONNECT, because some put it on every one; any other body is refused there.
pub(super) fn read(head: &[u8], config: &FrontConfig) -> Result<Wish, HttpFault> {
    let head = RequestHead::parse(head, &limits(config))?;
    check_host(&head)?;
    let mut values = head.fields().all("proxy-authorization");
    let (authorization, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(HeadFault::CredentialsRepeated.into());
    }
    let wish = match head.method {
        "CONNECT" => Wish::Connect(connect(&head)?),
        _ => Wish::Forward(HttpRequest::read(&head)?),
    };
    let admitted = config.password.is_none() || authorization.is_some_and(|value| admits(config, value));
    if admitted { Ok(wish) } else { Err(HttpFault::Credentials) }
}

/// The target of a CONNECT, [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6).
fn connect(head: &RequestHead<'_>) -> Result<Target, HttpFault> {
    let target = head.uri.parse().map_err(HttpFault::Target)?;
    match h1::length(head.fields())? {
        None | Some(0) if !head.fields().has("transfer-encoding") => Ok(target),
        _ => Err(HeadFault::Body.into()),
    }
}

/// Checks that there is at most one Host field, and one in HTTP/1.1, which is a host with or without a port or empty
/// ([RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)). It is not compared with the target, which counts
/// alone; so an IPv6 address without brackets, as some clients write it, does no harm.
fn check_host(head: &RequestHead<'_>) -> Result<(), HeadFault> {
    let mut hosts = head.fields().all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if head.minor == 1 => Err(HeadFault::HostMissing),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(HeadFault::HostRepeated),
        (Some(host), None) => match str::from_utf8(host) {
            Ok(host) if host.is_empty() || authority::is_valid(host) || is_bare_ipv6(host) => Ok(()),
            _ => Err(HeadFault::HostInvalid),
        },
    }
}

/// Whether `text` is an IPv6 address without brackets, with a port behind it or not.
fn is_bare_ipv6(text: &str) -> bool {
    let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    is_address(text) || text.rsplit_once(':').is_some_and(|(host, port)| is_address(host) && is_port(port))
}

/// Whether the value of a `Proxy-Authorization` field is the Basic form
/// ([RFC 7617 §2](https://www.rfc-editor.org/rfc/rfc7617#section-2)) of the configured password.
fn admits(config: &FrontConfig, value: &[u8]) -> bool {
    let Some((scheme, rest)) = value.split_at_checked(6) else { return false };
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return false;
    }
    let Ok(pair) = STANDARD.decode(rest.trim_ascii()).map(Zeroizing::new) else { return false };
    let mut parts = pair.splitn(2, |byte| *byte == b':');
    match (parts.next(), parts.next()) {
        (Some(user), Some(password)) => config.admits(user, password),
        _ => false,
    }
}

fn answer(status: u16, error: &str, field: &str, text: &str) -> Vec<u8> {
    let body = format!("wayleave agent: {text}\n");
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        414 => "URI Too Long",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nProxy-Status: wayleave-agent; error={error}\r\n{field}\
         Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The answer to a CONNECT whose stream is open; the tunnel starts right behind it.
pub(super) const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// Browsers send about 20, and their cookies in one.
const FIELDS: usize = 128;

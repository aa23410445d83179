//! The head of a local HTTP request, read strictly, and the answers to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httparse::{EMPTY_HEADER, Error as ParseError, Header, Request, Status};
use zeroize::Zeroizing;

use super::{FrontConfig, Refusal};
use crate::base::{Host, Target, TargetError};

/// Why a local HTTP request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpFault {
    /// A password is needed, and none or a wrong one came.
    #[error("this port asks for a user name and a password (Proxy-Authorization: Basic)")]
    Credentials,
    /// The head has too many or too large fields.
    #[error("the fields of the request are too large or too many")]
    FieldsTooLarge,
    /// The request line is too long.
    #[error("the request line is too long")]
    LineTooLong,
    /// The head breaks the rules of HTTP/1.1; the text says which.
    #[error("bad request: {0}")]
    Malformed(&'static str),
    /// The method is a known one, but not CONNECT.
    #[error(
        "only CONNECT is spoken here; a plain http:// request cannot be forwarded: \
         let the client tunnel it (curl: --proxytunnel) or use SOCKS5 on this same port"
    )]
    Method,
    /// The method is unknown.
    #[error("the method is unknown; only CONNECT is spoken here")]
    MethodUnknown,
    /// What to connect to is not `HOST:PORT`.
    #[error("bad CONNECT target: {0}")]
    Target(TargetError),
    /// The version is none of HTTP/1.1 and HTTP/1.0.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
}

impl HttpFault {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Target(_) => 400,
            Self::Method => 405,
            Self::Credentials => 407,
            Self::LineTooLong => 414,
            Self::FieldsTooLarge => 431,
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

/// The whole answer to a flow that could not be opened.
pub(super) fn refusal(refusal: Refusal) -> Vec<u8> {
    answer(refusal.status(), refusal.proxy_error(), "", &refusal.to_string())
}

/// Judges the newest byte of a growing head: whether the head is whole now.
///
/// # Errors
/// At once where a line ends in anything but CR LF, and where `limit` bytes came without the blank line.
pub(super) fn is_whole(head: &[u8], limit: usize) -> Result<bool, HttpFault> {
    match head {
        [.., b'\r', b'\n', b'\r', b'\n'] => return Ok(true),
        [.., b'\r', b'\n'] => {}
        [.., b'\n'] => return Err(HttpFault::Malformed("a line ends in a bare LF")),
        [.., b'\r', _] => return Err(HttpFault::Malformed("a bare CR stands in the head")),
        _ => {}
    }
    match head.len() >= limit {
        true if head.contains(&b'\n') => Err(HttpFault::FieldsTooLarge),
        true => Err(HttpFault::LineTooLong),
        false => Ok(false),
    }
}

/// Reads a whole head: the target of a CONNECT whose client may come in.
///
/// HTTP/1.0 is served too, without a Host field, since many older tools speak it to proxies. `Content-Length: 0` is
/// let pass, because some put it on every CONNECT; any other body is refused.
pub(super) fn read(head: &[u8], config: &FrontConfig) -> Result<Target, HttpFault> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    match request.parse(head) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(HttpFault::Malformed("the head ends too early")),
        Err(error) => return Err(fault(error)),
    }
    let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version) else {
        return Err(HttpFault::Malformed("the request line is incomplete"));
    };
    let authorization = check_fields(request.headers, version)?;
    match method {
        "CONNECT" => {}
        "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "TRACE" => {
            return Err(HttpFault::Method);
        }
        _ => return Err(HttpFault::MethodUnknown),
    }
    let target = path.parse().map_err(HttpFault::Target)?;
    let admitted = config.password.is_none() || authorization.is_some_and(|value| admits(config, value));
    if admitted { Ok(target) } else { Err(HttpFault::Credentials) }
}

/// Checks the fields that decide how the request is read; returns the value of `Proxy-Authorization`.
fn check_fields<'a>(fields: &[Header<'a>], version: u8) -> Result<Option<&'a [u8]>, HttpFault> {
    let host = only(fields, "host", "there are several Host fields")?;
    match host {
        Some(value) if !is_host(value) => return Err(HttpFault::Malformed("the Host field is invalid")),
        None if version == 1 => return Err(HttpFault::Malformed("the Host field is missing")),
        _ => {}
    }
    if only(fields, "transfer-encoding", BODY)?.is_some() {
        return Err(HttpFault::Malformed(BODY));
    }
    if only(fields, "content-length", BODY)?.is_some_and(|value| value != b"0") {
        return Err(HttpFault::Malformed(BODY));
    }
    only(fields, "proxy-authorization", "there are several Proxy-Authorization fields")
}

/// The value of the field `name`, which may stand at most once.
fn only<'a>(
    fields: &[Header<'a>],
    name: &str,
    repeated: &'static str,
) -> Result<Option<&'a [u8]>, HttpFault> {
    let mut values =
        fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(HttpFault::Malformed(repeated)),
    }
}

/// Whether a Host field is a host with or without a port. It is not compared with the target, which counts alone.
fn is_host(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else { return false };
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
        None => text.parse::<Target>().is_ok() || !text.contains(':') && text.parse::<Host>().is_ok(),
    }
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

fn fault(error: ParseError) -> HttpFault {
    match error {
        ParseError::HeaderName => HttpFault::Malformed("a field name is invalid"),
        ParseError::HeaderValue => HttpFault::Malformed("a field value is invalid"),
        ParseError::NewLine => HttpFault::Malformed("a line does not end in CR LF"),
        ParseError::Status | ParseError::Token => HttpFault::Malformed("the request line is invalid"),
        ParseError::TooManyHeaders => HttpFault::FieldsTooLarge,
        ParseError::Version => HttpFault::Version,
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

const BODY: &str = "a CONNECT request has no body";
const FIELDS: usize = 64;

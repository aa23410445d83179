//! What is asked of an origin server, in the words that are sent to it.

use core::fmt;

use zeroize::Zeroize;

use super::fields::{self, put};
use crate::base::Target;
use crate::codec::authority;
use crate::codec::h1::{BodyLength, Fields, RequestHead};
use crate::local::HttpFault;

/// A request of a local client for an `http://` page, to be forwarded to its origin server
/// ([RFC 9112 §3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)).
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub(super) target: Target,
    /// The whole head as it goes out.
    pub(super) head: Vec<u8>,
    pub(super) body: BodyLength,
    pub(super) is_head: bool,
    /// The client speaks HTTP/1.1.
    pub(super) is_modern: bool,
    /// The client can ask for more on the same connection.
    pub(super) keep: bool,
    /// The protocols that the client offers to change to.
    pub(super) upgrade: Vec<Box<[u8]>>,
}

impl HttpRequest {
    /// Reads a request whose head was taken apart and whose Host is in order.
    ///
    /// # Errors
    /// It cannot be forwarded, and why.
    pub(in crate::local) fn read(head: &RequestHead<'_>) -> Result<Self, HttpFault> {
        let (scheme, rest) = head.uri.split_once("://").ok_or_else(|| own_page(head.method))?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(HttpFault::Scheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(end).ok_or(HttpFault::Uri)?;
        if path.contains('#') {
            return Err(HttpFault::Uri);
        }
        let target = authority::target(host, HTTP).ok_or(HttpFault::Uri)?;
        let method = head.method;
        if KNOWN_METHODS.iter().any(|known| *known != method && known.eq_ignore_ascii_case(method)) {
            return Err(HttpFault::MethodUnknown);
        }
        let forwards = forwards(head)?;
        // TRACE shows a script what a browser hides from it.
        if method == "TRACE" || forwards == Some(0) {
            return Err(HttpFault::Method);
        }
        let fields = head.fields();
        let body = head.body_length().map_err(|_| HttpFault::Framing)?;
        let is_modern = head.minor == 1;
        let upgrade = if is_modern { offered(fields, body) } else { Vec::new() };
        let closes = fields.lists("connection", "close") || fields.lists("proxy-connection", "close");
        let mut out = Vec::new();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = if method == "OPTIONS" && path.is_empty() { "*" } else { path };
        let slash = if path == "*" { "" } else { slash };
        out.extend_from_slice(format!("{method} {slash}{path} HTTP/1.1\r\n").as_bytes());
        put(&mut out, "Host", host.as_bytes());
        for (name, value) in fields::forwarded(fields) {
            // HTTP/1.0 knows no such expectation, RFC 9110 §10.1.1.
            let expects = name.eq_ignore_ascii_case("expect") && !is_modern;
            let counts = name.eq_ignore_ascii_case("max-forwards") && forwards.is_some();
            if !expects && !counts && !name.eq_ignore_ascii_case("host") {
                put(&mut out, name, value);
            }
        }
        if let Some(left) = forwards {
            put(&mut out, "Max-Forwards", left.saturating_sub(1).to_string().as_bytes());
        }
        if upgrade.is_empty() {
            put(&mut out, "Connection", b"close");
        } else {
            put(&mut out, "Connection", b"Upgrade");
            put(&mut out, "Upgrade", &upgrade.join(&b", "[..]));
        }
        fields::put_body(&mut out, body);
        out.extend_from_slice(b"\r\n");
        // Whoever offers another protocol may already speak it: what follows a refusal is read by nobody (RFC 9931).
        let keep = is_modern && !closes && upgrade.is_empty();
        Ok(Self { target, head: out, body, is_head: method == "HEAD", is_modern, keep, upgrade })
    }

    /// Where its origin server is.
    pub const fn target(&self) -> &Target {
        &self.target
    }
}

impl Drop for HttpRequest {
    fn drop(&mut self) {
        self.head.zeroize();
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The head may hold a password.
        f.debug_struct("HttpRequest")
            .field("target", &self.target)
            .field("body", &self.body)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// A page of this port itself is asked for; there is none.
fn own_page(method: &str) -> HttpFault {
    if KNOWN_METHODS.contains(&method) { HttpFault::Method } else { HttpFault::MethodUnknown }
}

/// How many more proxies may forward a request, [RFC 9110 §7.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2).
fn forwards(head: &RequestHead<'_>) -> Result<Option<u32>, HttpFault> {
    if !matches!(head.method, "OPTIONS" | "TRACE") {
        return Ok(None);
    }
    let mut values = head.fields().all("max-forwards");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if value.iter().all(u8::is_ascii_digit) => {
            // More than there are proxies in the world is as good as any other number.
            let digits = str::from_utf8(value).ok().filter(|digits| !digits.is_empty());
            digits.map(|digits| Some(digits.parse().unwrap_or(u32::MAX))).ok_or(HttpFault::Framing)
        }
        _ => Err(HttpFault::Framing),
    }
}

/// The protocols that a client offers to change to behind a request without content.
///
/// `h2c` is none of them: it was given up ([RFC 9113 §3.1](https://www.rfc-editor.org/rfc/rfc9113#section-3.1)).
fn offered(fields: Fields<'_, '_>, body: BodyLength) -> Vec<Box<[u8]>> {
    if !fields.lists("connection", "upgrade") || !matches!(body, BodyLength::None | BodyLength::Exact(0)) {
        return Vec::new();
    }
    fields
        .tokens("upgrade")
        .filter(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"))
        .map(Box::from)
        .collect()
}

const HTTP: u16 = 80;
/// The methods that have to be written like this.
const KNOWN_METHODS: &[&str] =
    &["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

//! Reads the head of a request: CONNECT for a stream, GET with an upgrade to CONNECT-UDP, or OPTIONS.

use super::fault::{HeadError, HeadFault};
use super::fields::{Fields, Upgrade};
use super::head::HeadLimits;
use super::message::RequestHead;
use crate::base::{Host, Kind, Secret, Target, TargetError};
use crate::codec::http::{Ask, EchoWord, Want};
use crate::codec::{authority, percent, template, text};

/// Reads a whole head, as [`HeadReader`](super::HeadReader) collects it. Where it names no port for the authority, that is
/// 443.
///
/// CONNECT follows [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6), CONNECT-UDP
/// [RFC 9298 §3.2](https://www.rfc-editor.org/rfc/rfc9298#section-3.2) at the well-known path. A CONNECT may also be one of
/// HTTP/1.0, as many programs of every day send it: its tunnel is all that its connection is for. Whatever stands behind a
/// head that is refused must not be processed: answer once, then close.
///
/// # Errors
/// What is wrong with the head, with the status to answer.
pub fn parse_ask(head: &[u8], limits: &HeadLimits) -> Result<Ask, HeadError> {
    let head = RequestHead::parse(head, limits)?;
    let (fields, method, uri, version) = (head.fields(), head.method, head.uri, head.minor);
    check_host(fields, version)?;
    check_framing(fields)?;
    let authorization = authorization(fields)?;
    let want = match method {
        "CONNECT" => Want::Tunnel { kind: Kind::Stream, target: uri.parse().map_err(HeadFault::from)? },
        "GET" => Want::Tunnel { kind: Kind::Datagram, target: datagram_target(uri, fields, version)? },
        "OPTIONS" if uri == "*" => Want::Options,
        _ => return Err(refused_method(method, uri).into()),
    };
    check_bodiless(fields, &want)?;
    let authority = match &want {
        Want::Tunnel { kind: Kind::Stream, target } => Some(target.clone()),
        Want::Options | Want::Tunnel { .. } => authority_of(uri, fields),
    };
    let user_agent = fields.all("user-agent").next().map(|value| text::escaped(value, MAX_USER_AGENT));
    let echo = (want == Want::Options).then(|| EchoWord::among(fields.tokens("prefer"))).flatten();
    Ok(Ask { want, authority, authorization, user_agent, echo })
}

/// Exactly one Host that names a host, [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2); HTTP/1.0 may
/// leave it out.
fn check_host(fields: Fields<'_, '_>, version: u8) -> Result<(), HeadFault> {
    let mut hosts = fields.all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version == HTTP_1_0 => Ok(()),
        (None, _) => Err(HeadFault::HostMissing),
        (Some(_), Some(_)) => Err(HeadFault::HostRepeated),
        (Some(host), None) => match core::str::from_utf8(host) {
            Ok(host) if authority::is_valid(host) => Ok(()),
            _ => Err(HeadFault::HostInvalid),
        },
    }
}

/// Refuses what could be framed in two ways, whatever the method:
/// [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
fn check_framing(fields: Fields<'_, '_>) -> Result<(), HeadFault> {
    let mut lengths = fields.all("content-length");
    let plain = |length: &[u8]| !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    match (lengths.next(), lengths.next()) {
        _ if fields.has("transfer-encoding") => Err(HeadFault::Body),
        (Some(length), None) if !plain(length) => Err(HeadFault::Body),
        (Some(_), Some(_)) => Err(HeadFault::Body),
        _ => Ok(()),
    }
}

/// Content behind a CONNECT has no meaning ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)), and
/// some clients say that there is none. Behind CONNECT-UDP come capsules, which have no length
/// ([RFC 9297 §3.2](https://www.rfc-editor.org/rfc/rfc9297#section-3.2)).
fn check_bodiless(fields: Fields<'_, '_>, want: &Want) -> Result<(), HeadFault> {
    let may_say_none = !matches!(want, Want::Tunnel { kind: Kind::Datagram, .. });
    match fields.all("content-length").next() {
        None => Ok(()),
        Some(length) if may_say_none && length.iter().all(|digit| *digit == b'0') => Ok(()),
        Some(_) => Err(HeadFault::Body),
    }
}

fn authorization(fields: Fields<'_, '_>) -> Result<Option<Secret<String>>, HeadFault> {
    let mut values = fields.all("proxy-authorization");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(HeadFault::CredentialsRepeated),
        // Bytes that no credentials have are none of HTTP's business: whoever judges the value refuses it like any other.
        (Some(value), None) => Ok(Some(Secret::new(String::from_utf8_lossy(value).into_owned()))),
    }
}

/// The target of a GET: what its path names, if it asks for CONNECT-UDP.
fn datagram_target(uri: &str, fields: Fields<'_, '_>, version: u8) -> Result<Target, HeadFault> {
    let path = path(uri)?;
    let nowhere = if uri.starts_with('/') { HeadFault::NotFound } else { HeadFault::NoForwarding };
    let rest = path.strip_prefix(template::WELL_KNOWN).ok_or(nowhere)?;
    let mut segments = rest.split('/');
    let (Some(host), Some(port), Some(""), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(HeadFault::NotFound);
    };
    match fields.upgrade() {
        // RFC 9110 §7.8: an Upgrade in HTTP/1.0 is to be ignored.
        _ if version == HTTP_1_0 => return Err(HeadFault::Version),
        Upgrade::ConnectUdp => {}
        Upgrade::Malformed => return Err(HeadFault::Upgrade),
        Upgrade::None | Upgrade::Other => return Err(HeadFault::UpgradeRequired),
    }
    // RFC 9298 §3: the colons of an IPv6 address have to be encoded.
    if host.contains(':') {
        return Err(HeadFault::Encoding);
    }
    let host: Host = percent::decode(host).ok_or(HeadFault::Encoding)?.parse()?;
    let port = percent::decode(port).ok_or(HeadFault::Encoding)?;
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TargetError::Port.into());
    }
    Ok(Target::new(host, port.parse().map_err(|_| TargetError::Port)?)?)
}

/// The path and the query of an origin-form or an absolute-form,
/// [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
fn path(uri: &str) -> Result<&str, HeadFault> {
    if uri.starts_with('/') {
        return Ok(uri);
    }
    let (scheme, rest) = uri.split_once("://").ok_or(HeadFault::StartLine)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(HeadFault::StartLine);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(HeadFault::StartLine)?;
    if authority::is_valid(authority) { Ok(path) } else { Err(HeadFault::StartLine) }
}

/// The authority of a GET or of OPTIONS: an absolute-form wins over Host, [RFC 9112 §3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2).
fn authority_of(uri: &str, fields: Fields<'_, '_>) -> Option<Target> {
    let text = match uri.split_once("://") {
        Some((_, rest)) if !uri.starts_with('/') => rest.split(['/', '?']).next()?,
        _ => core::str::from_utf8(fields.all("host").next()?).ok()?,
    };
    authority::target(text, HTTPS)
}

fn refused_method(method: &str, uri: &str) -> HeadFault {
    let is_absolute = !uri.starts_with('/') && path(uri).is_ok();
    if method == "OPTIONS" && !is_absolute {
        HeadFault::NotFound
    } else if is_absolute && KNOWN_METHODS.iter().chain(SERVED).any(|known| *known == method) {
        HeadFault::NoForwarding
    } else if KNOWN_METHODS.contains(&method) {
        HeadFault::MethodNotAllowed
    } else if KNOWN_METHODS.iter().chain(SERVED).any(|known| method.eq_ignore_ascii_case(known)) {
        HeadFault::MethodCase
    } else {
        HeadFault::MethodUnknown
    }
}

const HTTP_1_0: u8 = 0;
const HTTPS: u16 = 443;
const MAX_USER_AGENT: usize = 120;
const KNOWN_METHODS: &[&str] = &["DELETE", "HEAD", "PATCH", "POST", "PUT", "TRACE"];
const SERVED: &[&str] = &["CONNECT", "GET", "OPTIONS"];

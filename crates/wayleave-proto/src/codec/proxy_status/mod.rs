//! What went wrong at a proxy, [RFC 9209](https://www.rfc-editor.org/rfc/rfc9209).

mod error;

#[cfg(test)]
mod tests;

use core::fmt;
use core::net::IpAddr;

pub use error::{ProxyError, ProxyErrorUnknown};

use super::text;

/// One member of a Proxy-Status field: what one proxy says of its answer.
///
/// `Display` writes the member of this relay, `wayleave; error=dns_error; details="..."`, safe whatever the details
/// contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyStatus {
    /// What went wrong.
    pub error: Option<ProxyError>,
    /// The address that the proxy connected to. An address that is not public must not be shown to strangers.
    pub next_hop: Option<IpAddr>,
    /// What a name server answered, such as `NXDOMAIN`: [RFC 9209 §2.3.2](https://www.rfc-editor.org/rfc/rfc9209#section-2.3.2).
    pub rcode: Option<String>,
    /// More about it, for a human. Read from a peer, it may hold any character; escape it before showing it.
    pub details: Option<String>,
}

impl ProxyStatus {
    /// Says that `error` happened.
    pub const fn failed(error: ProxyError) -> Self {
        Self { error: Some(error), next_hop: None, rcode: None, details: None }
    }

    /// Says that the proxy connected to `address`.
    pub const fn connected(address: IpAddr) -> Self {
        Self { error: None, next_hop: Some(address), rcode: None, details: None }
    }

    /// The same with what a name server answered, of which at most 200 characters are written.
    #[must_use]
    pub fn with_rcode(self, rcode: Option<&str>) -> Self {
        Self { rcode: rcode.map(Into::into), ..self }
    }

    /// The same with `details`, of which at most 200 characters are written.
    #[must_use]
    pub fn with_details(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    /// Reads the last member of a field value, which is what the nearest proxy said; lines are joined with commas.
    ///
    /// What is malformed or unknown counts as absent.
    pub fn parse(value: &str) -> Self {
        let mut status = Self::default();
        let Some(member) = outside_strings(value, ',').filter(|member| !member.trim().is_empty()).last()
        else {
            return status;
        };
        for parameter in outside_strings(member, ';').skip(1) {
            let Some((key, value)) = parameter.split_once('=') else { continue };
            let value = value.trim();
            match key.trim() {
                "error" => status.error = unquoted(value).and_then(|error| error.parse().ok()),
                "next-hop" => status.next_hop = unquoted(value).and_then(|hop| hop.parse().ok()),
                "rcode" => status.rcode = unquoted(value),
                "details" => status.details = unquoted(value),
                _ => {}
            }
        }
        status
    }
}

impl fmt::Display for ProxyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wayleave")?;
        if let Some(error) = self.error {
            write!(f, "; error={error}")?;
        }
        if let Some(address) = self.next_hop {
            write!(f, "; next-hop=\"{address}\"")?;
        }
        for (key, value) in [("rcode", &self.rcode), ("details", &self.details)] {
            let Some(value) = value else { continue };
            write!(f, "; {key}=\"")?;
            for character in text::escaped(value.as_bytes(), MAX_DETAILS).chars() {
                if matches!(character, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{character}")?;
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

/// What the nearest proxy calls itself: the name of the last member of a field value
/// ([RFC 9209 §2](https://www.rfc-editor.org/rfc/rfc9209#section-2)). A name that is empty, longer than 64 characters or not
/// printable is none.
pub fn nearest(value: &str) -> Option<String> {
    let member = outside_strings(value, ',').filter(|member| !member.trim().is_empty()).last()?;
    let name = unquoted(outside_strings(member, ';').next()?.trim())?;
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_name.then_some(name)
}

/// The pieces of `text` between those `separator`s that stand outside of quoted strings.
fn outside_strings(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

/// The text of a string, or of a token; `None` for a string without an end.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return Some(value.into()) };
    let mut out = String::new();
    let mut characters = inner.chars();
    loop {
        match characters.next()? {
            '"' => return Some(out),
            '\\' => out.push(characters.next()?),
            character => out.push(character),
        }
    }
}

const MAX_DETAILS: usize = 200;
const MAX_NAME: usize = 64;

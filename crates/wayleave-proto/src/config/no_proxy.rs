//! The relays that are reached without the proxies of the network: the value of `no_proxy`.

use core::convert::Infallible;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::base::{Host, Name};
use crate::codec::text::escaped;
use crate::policy::{Cidr, CidrError};

/// Hosts that are reached without a proxy of the network, as the environment variable `no_proxy` lists them and
/// current curl reads it.
///
/// The list is separated by commas. A name stands for itself and for everything below it, with or without a dot in front of
/// it, in either case of letters; an address stands for itself, and with `/LENGTH` for its range, whatever bits are set behind
/// the prefix. A length of 0 is that of the address alone. IPv6 addresses have no brackets. `*` is every host where it is the
/// whole value. Ports are not known: an entry with a port is for no host. No name is looked up, so that an address never
/// stands for a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    everything: bool,
    names: Vec<Name>,
    ranges: Vec<Cidr>,
    ignored: Vec<String>,
}

impl NoProxy {
    /// Whether `host` is reached without a proxy.
    pub fn has(&self, host: &Host) -> bool {
        self.everything
            || match host {
                Host::Address(address) => self.ranges.iter().any(|range| range.contains(*address)),
                Host::Name(name) => self.names.iter().any(|domain| is_in(name, domain)),
            }
    }

    /// The parts of the text that stand for no host, such as `relay.example:443` and `*.example`, fit for a log: escaped, cut
    /// to 80 characters, and without what stands before an `@`. At most 16.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    fn take(&mut self, entry: &str) {
        let domain = entry.strip_suffix('.').unwrap_or(entry);
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        if let Some(range) = range(entry) {
            self.ranges.push(range);
        } else if let (Ok(name), false) = (domain.parse::<Name>(), domain.ends_with('.')) {
            self.names.push(name);
        } else {
            self.ignore(entry);
        }
    }

    fn ignore(&mut self, text: &str) {
        if self.ignored.len() < MOST_IGNORED {
            // Whoever has mixed up the variables has written a password there.
            let shown = match text.rsplit_once('@') {
                Some((_, place)) => escaped(format!("...@{place}").as_bytes(), MOST_SHOWN),
                None => escaped(text.as_bytes(), MOST_SHOWN),
            };
            self.ignored.push(shown);
        }
    }
}

impl FromStr for NoProxy {
    type Err = Infallible;

    /// Reads any text. Like curl it stops where an entry is followed by a blank and no comma.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut this = Self { everything: text == "*", ..Self::default() };
        if this.everything {
            return Ok(this);
        }
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let length = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
            let (entry, behind) = rest.split_at(length);
            if entry.is_empty() {
                return Ok(this);
            }
            this.take(entry);
            rest = behind.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                this.ignore(rest);
                return Ok(this);
            }
        }
    }
}

impl fmt::Display for NoProxy {
    /// What stands for hosts, so that it is read again as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.everything {
            return f.write_str("*");
        }
        let names = self.names.iter().map(ToString::to_string);
        let entries: Vec<String> = names.chain(self.ranges.iter().map(ToString::to_string)).collect();
        f.write_str(&entries.join(","))
    }
}

/// An address, or one with the length of a prefix.
fn range(entry: &str) -> Option<Cidr> {
    let Some((address, length)) = entry.split_once('/') else {
        return entry.parse::<IpAddr>().ok().map(Cidr::from);
    };
    let address: IpAddr = address.parse().ok()?;
    if !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match Cidr::new(address, length.parse().ok()?) {
        _ if length.bytes().all(|byte| byte == b'0') => Some(Cidr::from(address)),
        Ok(range) | Err(CidrError::HostBits { range }) => Some(range),
        Err(_) => None,
    }
}

fn is_in(name: &Name, domain: &Name) -> bool {
    let above = name.as_str().strip_suffix(domain.as_str());
    above.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
}

/// So many entries without a host are told at most, and so much of each.
const MOST_IGNORED: usize = 16;
const MOST_SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NoProxy {
        let Ok(list) = text.parse();
        list
    }

    #[test]
    fn hosts_are_those_that_curl_reaches_directly() {
        for (list, host, is_direct) in [
            ("*", "a.example", true),
            ("*", "2001:db8::1", true),
            (" *", "a.example", false),
            ("*,b", "a.example", false),
            ("*.example", "a.example", false),
            ("", "a.example", false),
            ("example", "a.example", true),
            (".example", "a.example", true),
            (".a.example", "a.example", true),
            ("a.example.", "a.example", true),
            ("a.example", "a.example.", true),
            ("A.EXAMPLE", "a.example", true),
            ("a.example", "A.example", true),
            ("ample", "a.example", false),
            ("b.a.example", "a.example", false),
            ("..example", "a.example", false),
            ("example..", "a.example", false),
            (".", "a.example", false),
            ("b.example a.example", "a.example", false),
            ("b.example a.example", "b.example", true),
            ("b.example\t, a.example", "a.example", true),
            (",,b.example,,a.example", "a.example", true),
            ("b.example;a.example", "a.example", false),
            ("a.example:9", "a.example", false),
            ("127.0.0.0/8", "127.0.0.2", true),
            ("127.9.0.2/8", "127.0.0.2", true),
            ("127.0.0.0/0", "127.0.0.2", false),
            ("127.0.0.2/0", "127.0.0.2", true),
            ("127.0.0.2", "127.0.0.2", true),
            ("127.0.0.2:9", "127.0.0.2", false),
            ("127.0.0.2/33", "127.0.0.2", false),
            ("127.0.0.2/+8", "127.0.0.2", false),
            ("127.0.0.2/", "127.0.0.2", false),
            (".2", "127.0.0.2", false),
            ("127.0.0.1", "localhost", false),
            ("::1", "::1", true),
            ("[::1]", "::1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::ffff:127.0.0.2", "127.0.0.2", false),
        ] {
            assert_eq!(read(list).has(&host.parse().unwrap()), is_direct, "{list:?}: {host}");
        }
    }

    #[test]
    fn what_stands_for_no_host_is_told_and_what_does_is_shown() {
        let list = read("A.example:443, .Corp.example,*.b, 10.1.2.3/8 and\tmore\u{7}");
        assert_eq!(list.to_string(), "corp.example,10.0.0.0/8");
        assert_eq!(list.ignored().len(), 3, "{:?}", list.ignored());
        assert_eq!(list.ignored()[..2], ["A.example:443", "*.b"]);
        assert!(list.ignored()[2].starts_with("and") && !list.ignored()[2].contains('\u{7}'));
        assert_eq!(read("http://ada:s3cret@proxy.example:3128").ignored(), ["...@proxy.example:3128"]);
        assert_eq!(read(&"a:1,".repeat(100)).ignored().len(), MOST_IGNORED);
    }
}

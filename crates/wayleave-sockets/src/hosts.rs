//! Names that the machine knows by itself: its hosts file, and `localhost`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use wayleave_proto::base::Name;

/// The hosts file of this platform; `None` where a resolver of the platform reads its own.
pub fn hosts_file() -> Option<&'static Path> {
    cfg!(unix).then(|| Path::new("/etc/hosts"))
}

/// What the machine itself says of `name`; `None` where a name server has to be asked.
pub(crate) fn of_platform(name: &Name) -> Option<Vec<IpAddr>> {
    let text = hosts_file().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let found = in_hosts(&text, name);
    if found.is_empty() { loopback(name) } else { Some(found) }
}

/// The addresses of `name` in the `text` of a hosts file, in their order.
pub fn in_hosts(text: &str, name: &Name) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        if words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name.as_str())) {
            found.push(address);
        }
    }
    found
}

/// `localhost` and what ends with it is this machine, and no name server is asked for it
/// ([RFC 6761 §6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3)).
pub fn loopback(name: &Name) -> Option<Vec<IpAddr>> {
    let text = name.as_str();
    let is_local = text == "localhost" || text.ends_with(".localhost");
    is_local.then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;

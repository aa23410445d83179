//! Hosts and ports as people write them, and what to say where it is more or less than that.

use wayleave_proto::base::{Host, Target};
use wayleave_proto::config::Probe;
use wayleave_proto::local::Forward;
use wayleave_proto::policy::HostPattern;

use super::Word;
use super::punycode;

impl Word for Host {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            hint(text, "the name or the address")
                .unwrap_or_else(|| "write a host name or an IP address".into())
        })
    }
}

impl Word for HostPattern {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| told(text, "the name or the address", error))
    }
}

impl Word for Target {
    fn read(text: &str) -> Result<Self, String> {
        let target: Self = text.parse().map_err(|error| told(text, "HOST:PORT", error))?;
        named(target.host).and_then(|host| Self::new(host, target.port.get()).map_err(said))
    }
}

impl Word for Forward {
    fn read(text: &str) -> Result<Self, String> {
        let forward: Self = text.parse().map_err(|error| match text.split_once('=') {
            Some((_, target)) => told(target, "HOST:PORT", error),
            None => said(error),
        })?;
        named(forward.target.host.clone()).map(|_| forward)
    }
}

impl Word for Probe {
    fn read(text: &str) -> Result<Self, String> {
        use wayleave_proto::base::Kind;
        let (kind, target) = match text.split_once(':') {
            Some(("tcp", target)) => (Kind::Stream, target),
            Some(("udp", target)) => (Kind::Datagram, target),
            _ => (Kind::Stream, text),
        };
        Ok(Self { kind, target: Target::read(target)? })
    }
}

/// Refuses a name that was meant as an address: no name ends in a number.
fn named(host: Host) -> Result<Host, String> {
    let is_number =
        |name: &str| name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    match &host {
        Host::Name(name) if is_number(name.as_str()) => Err(format!(
            "{name} is no IP address, and no name ends in a number; write all four numbers from 0 to 255"
        )),
        _ => Ok(host),
    }
}

fn told(text: &str, wanted: &str, error: impl std::error::Error) -> String {
    hint(text, wanted).unwrap_or_else(|| said(error))
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

/// What is wrong with a text that is no host and no target, where that can be told. A user and a password in it are not
/// repeated.
fn hint(text: &str, wanted: &str) -> Option<String> {
    let alone = |what: &str| Some(format!("write {wanted} alone, without {what}"));
    match text {
        _ if text.contains("://") => alone("a scheme like https:// and without a path"),
        _ if text.contains('@') => {
            alone("a user and a password; what proves who you are has options of its own")
        }
        _ if text.contains('/') => alone("a path"),
        _ if text.contains('%') => Some(
            "zones of IPv6 addresses (%eth0) are not supported; write an address that needs none".to_owned(),
        ),
        _ if text.contains(char::is_whitespace) => alone("spaces"),
        _ if !text.is_ascii() => Some(match punycode::name(text) {
            Some(name) => format!("names are written in ASCII here; this one is {name}"),
            None => "names are written in ASCII here, in the form that begins with xn--".to_owned(),
        }),
        _ => None,
    }
}

//! One option as a word, and what to say where it is none.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wayleave_proto::auth::Token04Mode;
use wayleave_proto::base::{Host, Name, Secret};
use wayleave_proto::config::{Mode, Scope, Truncation};
use wayleave_proto::policy::{Cidr, OnExpiry, PortRange, RateLimit};

use crate::duration::parse_duration;

/// What can be read from one word, on the command line and in a file.
pub trait Word: Sized {
    /// Reads it; an error says what is wrong and what to write instead.
    ///
    /// # Errors
    /// The rest of a sentence that began with the option.
    fn read(text: &str) -> Result<Self, String>;

    /// Takes what is a path as relative to `folder`.
    fn locate(&mut self, _folder: &Path) {}
}

/// [`Word::read`] as the command line wants it.
pub fn read<T: Word>(text: &str) -> Result<T, String> {
    T::read(text)
}

/// A name and the address that it stands for: `NAME=ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// The name.
    pub name: Name,
    /// Its address.
    pub address: IpAddr,
}

impl Word for Resolve {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "write NAME=ADDRESS, like media.example=192.0.2.1".to_owned();
        let (name, address) = text.split_once('=').ok_or_else(wrong)?;
        let address = address.parse().map_err(|_| wrong())?;
        match name.parse() {
            Ok(Host::Name(name)) => Ok(Self { name, address }),
            Ok(Host::Address(_)) | Err(_) => Err(wrong()),
        }
    }
}

/// How names are looked up: `dns` or `platform`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookUp {
    /// At name servers.
    Dns,
    /// By the resolver of the system.
    Platform,
}

impl Word for LookUp {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "dns" => Ok(Self::Dns),
            "platform" => Ok(Self::Platform),
            _ => Err("write dns or platform".into()),
        }
    }
}

/// A name server: `ADDRESS` or `ADDRESS:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameServer(pub SocketAddr);

impl Word for NameServer {
    fn read(text: &str) -> Result<Self, String> {
        let address = text.parse().map(|address| SocketAddr::new(address, DNS)).or_else(|_| text.parse());
        address.map(Self).map_err(|_| "write an IP address, or one with a port, like 192.0.2.53:5353".into())
    }
}

/// A number of bytes: `65536`, `64KiB`, `10M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Word for Bytes {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "write a number of bytes, like 65536, 64KiB, 10M or 1GiB".to_owned();
        let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit);
        let factor = match unit {
            "" => 1,
            "k" | "K" | "kB" | "KB" => 1_000,
            "M" | "MB" => 1_000_000,
            "G" | "GB" => 1_000_000_000,
            "Ki" | "KiB" => 1 << 10,
            "Mi" | "MiB" => 1 << 20,
            "Gi" | "GiB" => 1 << 30,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

/// A number of whatever it is: `5000`, `64k`, `4M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl Word for Count {
    fn read(text: &str) -> Result<Self, String> {
        match Bytes::read(text) {
            Ok(_) if text.contains(['b', 'B']) => {
                Err("no bytes are counted here; write a number, like 5000, 64k, 4M or 1G".into())
            }
            Ok(Bytes(count)) => Ok(Self(count)),
            Err(_) => Err("write a number, like 5000, 64k, 4M or 1G".into()),
        }
    }
}

impl Word for Mode {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| "unknown mode; choose normal, smart or off".into())
    }
}

impl Word for Scope {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| "unknown scope; choose kind or session".into())
    }
}

/// Taken as it is: what is wrong with it is said later and without showing it.
impl Word for Secret<String> {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.into()))
    }
}

impl Word for Token04Mode {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "cbc" => Ok(Self::Cbc),
            "gcm" => Ok(Self::Gcm),
            _ => Err("write gcm or cbc".into()),
        }
    }
}

impl Word for Truncation {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| "unknown choice; choose end or reset".into())
    }
}

impl Word for u32 {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "write a whole number".into())
    }
}

/// So many a second, and so many at once after a rest: `RATE` or `RATE/BURST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub RateLimit);

impl Word for Rate {
    fn read(text: &str) -> Result<Self, String> {
        let wrong =
            || "write RATE or RATE/BURST, units a second and units at once, like 10M or 10M/20M".to_owned();
        let (rate, burst) = text.split_once('/').unwrap_or((text, text));
        let units = |text| Count::read(text).ok().map(|Count(units)| units).filter(|units| *units > 0);
        let (per_second, burst) = units(rate).zip(units(burst)).ok_or_else(wrong)?;
        Ok(Self(RateLimit { per_second, burst }))
    }
}

impl Word for SocketAddr {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| match text.rsplit_once(':') {
            Some(("localhost", port)) if port.parse::<u16>().is_ok() => {
                format!("write an IP address and a port: 127.0.0.1:{port} or [::1]:{port}")
            }
            _ => "write an IP address and a port, like 127.0.0.1:8080 or [::1]:8080".into(),
        })
    }
}

impl Word for Cidr {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

impl Word for PortRange {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

impl Word for OnExpiry {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "refuse-new" => Ok(Self::RefuseNew),
            _ => {
                let wrong = || "write keep, refuse-new, or close-after=30s".to_owned();
                let grace = parse_duration(text.strip_prefix("close-after=").ok_or_else(wrong)?)?;
                if grace.subsec_nanos() > 0 || grace > LONGEST_GRACE {
                    return Err("close-after takes whole seconds, at most 1d".into());
                }
                Ok(Self::CloseAfter(grace))
            }
        }
    }
}

impl Word for u16 {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "write a port from 1 to 65535".into())
    }
}

impl Word for usize {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "write a whole number".into())
    }
}

impl Word for Duration {
    fn read(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }
}

impl Word for PathBuf {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("write the path of a file".into()) } else { Ok(text.into()) }
    }

    fn locate(&mut self, folder: &Path) {
        *self = folder.join(&*self);
    }
}

impl Word for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

/// The port of name servers.
const DNS: u16 = 53;
/// The longest that a scope can say.
const LONGEST_GRACE: Duration = Duration::from_secs(86_400);

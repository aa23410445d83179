//! What a check has found.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use wayleave_proto::base::{Kind, Target};
use wayleave_proto::config::Via;

use super::code::{Code, Outcome};
use super::quality::Quality;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) const fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::V4 { "IPv4" } else { "IPv6" })
    }
}

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) proxy: Option<Target>,
    pub(crate) family: Option<Family>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) target: Option<(Kind, Target)>,
    /// The proxy of the network, without user and password.
    pub(crate) via: Option<String>,
}

impl Subject {
    /// A relay as a whole.
    pub(crate) fn proxy(proxy: &Target) -> Self {
        Self { proxy: Some(proxy.clone()), ..Self::default() }
    }

    /// A relay by its addresses of one family.
    pub(crate) fn family(proxy: &Target, family: Family) -> Self {
        Self { family: Some(family), ..Self::proxy(proxy) }
    }

    /// A relay at one of its addresses.
    pub(crate) fn at(proxy: &Target, address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::family(proxy, Family::of(address)) }
    }

    /// A relay through a proxy of the network.
    pub(crate) fn through(proxy: &Target, via: &Via) -> Self {
        Self { via: Some(via.to_string()), ..Self::proxy(proxy) }
    }

    /// The same, and a target.
    pub(crate) fn to(self, kind: Kind, target: &Target) -> Self {
        Self { target: Some((kind, target.clone())), ..self }
    }

    /// `text` with this in its places.
    fn fill(&self, text: &str) -> String {
        let Self { proxy, address, target, via, .. } = self;
        let proxy_text = proxy.as_ref().map_or_else(|| "the relay".to_owned(), Target::to_string);
        let host = proxy.as_ref().map_or_else(|| "the relay".to_owned(), |proxy| proxy.host.to_string());
        let port = proxy.as_ref().map_or_else(String::new, |proxy| proxy.port.to_string());
        let at = address.map_or_else(|| proxy_text.clone(), |address| address.to_string());
        let target =
            target.as_ref().map_or_else(|| "the target".to_owned(), |(_, target)| target.to_string());
        text.replace("{proxy}", &proxy_text)
            .replace("{host}", &host)
            .replace("{port}", &port)
            .replace("{at}", &at)
            .replace("{target}", &target)
            .replace("{via}", via.as_deref().unwrap_or("the proxy of the network"))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        words.extend(self.proxy.as_ref().map(Target::to_string));
        match self.address {
            Some(address) => words.push(address.ip().to_string()),
            None => words.extend(self.family.map(|family| family.to_string())),
        }
        if let Some((kind, target)) = &self.target {
            let kind = if *kind == Kind::Stream { "tcp" } else { "udp" };
            words.push(format!("to {kind}:{target}"));
        }
        f.pad(&words.join(" "))
    }
}

/// What one step has found about one subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) subject: Subject,
    /// What was seen: numbers, what the other side said. It is escaped, and holds no secret.
    pub(crate) detail: String,
    /// How long it took, where that says something.
    pub(crate) took: Option<Duration>,
    /// What was measured.
    pub(crate) quality: Option<Quality>,
}

impl Finding {
    pub(crate) fn new(code: Code, subject: Subject) -> Self {
        Self { code, subject, detail: String::new(), took: None, quality: None }
    }

    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    pub(crate) fn after(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }

    pub(crate) const fn outcome(&self) -> Outcome {
        self.code.outcome()
    }

    /// What is so, as a sentence without a full stop.
    pub(crate) fn sentence(&self) -> String {
        let sentence = self.subject.fill(self.code.sentence());
        if self.detail.is_empty() { sentence } else { format!("{sentence}: {}", self.detail) }
    }

    /// What to do about it; empty where there is nothing to do.
    pub(crate) fn remedy(&self) -> String {
        self.subject.fill(self.code.remedy())
    }
}

/// Everything that was found, by the order of the proxies and of the steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) proxies: Vec<Target>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) took: Duration,
    /// When it was made, by the clock of this machine.
    pub(crate) made: String,
}

impl Report {
    /// What was found about one relay.
    pub(crate) fn of<'a>(&'a self, proxy: &'a Target) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| finding.subject.proxy.as_ref() == Some(proxy))
    }

    /// Puts the findings into the order in which they are read.
    pub(crate) fn sort(&mut self) {
        let proxies = &self.proxies;
        self.findings.sort_by_key(|finding| {
            let Subject { proxy, family, target, .. } = &finding.subject;
            let place = proxy.as_ref().and_then(|proxy| proxies.iter().position(|it| it == proxy));
            let target = target.as_ref().map(|(kind, target)| (*kind == Kind::Datagram, target.to_string()));
            (place.unwrap_or(proxies.len()), finding.code.step(), *family, target)
        });
    }
}

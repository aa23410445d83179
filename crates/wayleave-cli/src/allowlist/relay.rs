//! What a relay needs: its clients, its name servers, and the targets that it may lead to.

use wayleave_proto::base::Kind;
use wayleave_proto::policy::{HostPattern, PortRange, TargetRule};
use wayleave_settings::SettingsError;
use wayleave_settings::relay::RelaySettings;

use super::client::{name_servers, system_servers};
use super::entry::{Addresses, Direction, Entry, List, Protocol, port, shown};

/// What a relay with these settings needs.
///
/// # Errors
/// The options for its name servers contradict each other.
pub(super) fn list(settings: &RelaySettings) -> Result<List, SettingsError> {
    let listen = settings.listen_or_default();
    let mut entries = Vec::new();
    entries.extend(port(listen.port()).map(|ports| Entry {
        direction: Direction::In,
        protocol: Protocol::Tcp,
        host: "any client".into(),
        addresses: Addresses::Any,
        ports,
        why: "clients: TLS 1.3 and HTTP/1.1",
    }));
    let servers = settings.name_servers()?.unwrap_or_default();
    let servers: Vec<_> = servers.into_iter().map(|server| (server.ip(), server.port())).collect();
    entries.extend(name_servers(&if servers.is_empty() { system_servers() } else { servers }));
    let denied: Vec<u16> = settings.deny_port.iter().copied().chain([MAIL]).collect();
    let mut rules = settings.scope.targets.lists().flat_map(|(_, rules)| rules).peekable();
    if rules.peek().is_none() && settings.scope.targets.is_any() {
        for ports in without(PortRange::ALL, &denied) {
            entries.extend(
                [Protocol::Tcp, Protocol::Udp]
                    .map(|protocol| to_target("any target", Addresses::Any, ports, protocol)),
            );
        }
    }
    for rule in rules {
        entries.extend(of_rule(rule, &denied));
    }
    let mut notes = vec![
        "Targets are what [scope] of the relay's file allows; what [[app]] in key files and tokens allow is narrower.".to_owned(),
        "The relay itself forwards to no private or special address that --allow-target does not open.".to_owned(),
    ];
    if settings.admin.is_some() {
        notes.push("The admin interface is for this machine, and needs no rule.".to_owned());
    }
    Ok(List { title: format!("a relay at {listen}"), entries, notes })
}

fn of_rule(rule: &TargetRule, denied: &[u16]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for host in &rule.hosts {
        let (name, addresses) = match host {
            HostPattern::Any => ("any target".to_owned(), Addresses::Any),
            HostPattern::Addresses(range) => (shown(range), Addresses::These(vec![*range])),
            HostPattern::Name(_) | HostPattern::Suffix(_) => {
                let why = "the relay looks the name up anew each time; permit it by name, or any address";
                (host.to_string(), Addresses::Unknown(why.into()))
            }
        };
        for ports in rule.ports.iter().flat_map(|ports| without(*ports, denied)) {
            for (kind, protocol) in [(Kind::Stream, Protocol::Tcp), (Kind::Datagram, Protocol::Udp)] {
                if rule.kinds.contains(kind) {
                    entries.push(to_target(&name, addresses.clone(), ports, protocol));
                }
            }
        }
    }
    entries
}

fn to_target(host: &str, addresses: Addresses, ports: PortRange, protocol: Protocol) -> Entry {
    let host = host.to_owned();
    Entry { direction: Direction::Out, protocol, host, addresses, ports, why: "targets of clients" }
}

/// What is left of a range without these ports.
pub(super) fn without(range: PortRange, denied: &[u16]) -> Vec<PortRange> {
    let (first, last) = bounds(range);
    let mut denied: Vec<u16> = denied.iter().copied().filter(|port| (first..=last).contains(port)).collect();
    denied.sort_unstable();
    denied.dedup();
    // A range that would begin behind the last port begins at 0, and is none.
    let begins = [first].into_iter().chain(denied.iter().map(|port| port.wrapping_add(1)));
    let ends = denied.iter().map(|port| port - 1).chain([last]);
    begins.zip(ends).filter_map(|(begin, end)| PortRange::new(begin, end).ok()).collect()
}

fn bounds(range: PortRange) -> (u16, u16) {
    (range.first().get(), range.last().get())
}

/// Relays lead nobody to mail.
const MAIL: u16 = 25;

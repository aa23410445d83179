//! What a client needs: its name servers, and the relays or the proxies of the network in front of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use wayleave_proto::base::{Host, Name, Target};
use wayleave_sockets::{Lookups, hosts_file, in_hosts, loopback};

use crate::agent::Way;

use super::entry::{Addresses, Direction, Entry, List, Protocol, port};

/// What clients of `proxies` need, which reach them by `way`.
pub(super) async fn list(proxies: &[Target], way: &Way, has_ca: bool) -> List {
    let (direct, behind): (Vec<&Target>, Vec<&Target>) =
        proxies.iter().partition(|proxy| way.to(proxy).is_empty());
    let vias = if behind.is_empty() { &[] } else { way.via.as_slice() };
    let hops = vias.iter().map(|via| (via.proxy(), HOP));
    let places: Vec<(&Target, &'static str)> = direct.into_iter().map(|it| (it, RELAY)).chain(hops).collect();
    let asks = |place: &Target| matches!(&place.host, Host::Name(name) if !is_known_here(name));
    let mut entries = Vec::new();
    if places.iter().any(|(place, _)| asks(place)) {
        entries.extend(name_servers(&system_servers()));
    }
    for (place, why) in &places {
        let addresses = match &place.host {
            Host::Address(address) => Addresses::of(&[*address]),
            Host::Name(name) => look_up(name).await,
        };
        entries.extend(port(place.port.get()).map(|ports| Entry {
            direction: Direction::Out,
            protocol: Protocol::Tcp,
            host: place.host.to_string(),
            addresses,
            ports,
            why,
        }));
    }
    let certificates = if has_ca {
        "Certificates are checked with the authority that is given (--ca); nothing is fetched for that."
    } else {
        "Certificates are checked with the roots of the system. On Linux nothing is fetched for that; Windows and macOS may ask the authority that signed the relay's certificate whether it was revoked, by TCP port 80 to the hosts that it names."
    };
    let mut notes = vec![
        "UDP to the relays is not needed: datagrams go inside of the TCP connections.".to_owned(),
        "Nothing comes in: every connection is begun by the client.".to_owned(),
        certificates.to_owned(),
        "What smart mode or mode off sends directly, and probes, are not in this list; they go to their own targets.".to_owned(),
    ];
    notes.extend(way.told.clone());
    for via in vias {
        notes.push(format!(
            "{via} has to let CONNECT to {} pass, and not to inspect what is inside; --format squid writes that for squid.",
            names(&behind)
        ));
    }
    if places.iter().any(|(place, _)| matches!(place.host, Host::Name(_))) {
        notes.push("The addresses are those of today. Where the firewall can go by name, let it, with the name in TLS (SNI).".into());
    }
    let all: Vec<&Target> = proxies.iter().collect();
    List { title: format!("clients of {}", names(&all)), entries, notes }
}

fn names(targets: &[&Target]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// UDP and TCP to each name server.
pub(super) fn name_servers(servers: &[(IpAddr, u16)]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (server, number) in servers {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            entries.extend(port(*number).map(|ports| Entry {
                direction: Direction::Out,
                protocol,
                host: server.to_string(),
                addresses: Addresses::of(&[*server]),
                ports,
                why: NAME_SERVER,
            }));
        }
    }
    entries
}

/// The name servers that this machine asks, where a file names them.
pub(super) fn system_servers() -> Vec<(IpAddr, u16)> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let of_line =
        |line: &str| line.trim().strip_prefix("nameserver")?.split_whitespace().next()?.parse().ok();
    text.lines().filter_map(of_line).take(3).map(|server| (server, DNS)).collect()
}

fn is_known_here(name: &Name) -> bool {
    let hosts = hosts_file().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    loopback(name).is_some() || !in_hosts(&hosts, name).is_empty()
}

async fn look_up(name: &Name) -> Addresses {
    match timeout(PATIENCE, Arc::new(Lookups::default()).begin(name)).await {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            let mut addresses = addresses;
            addresses.sort_unstable();
            addresses.dedup();
            Addresses::of(&addresses)
        }
        Ok(Ok(_)) => Addresses::Unknown("the name has no address here".into()),
        Ok(Err(error)) => Addresses::Unknown(error.to_string()),
        Err(_) => Addresses::Unknown("no name server answered in time".into()),
    }
}

/// What relays are for, and what proxies of the network are.
const RELAY: &str = "the relay: TLS 1.3 and HTTP/1.1, not to be inspected";
const HOP: &str = "the proxy of this network, through which relays are reached";
/// What name servers are for.
pub(super) const NAME_SERVER: &str = "a name server, to find the addresses of names";
const DNS: u16 = 53;
const PATIENCE: Duration = Duration::from_secs(5);

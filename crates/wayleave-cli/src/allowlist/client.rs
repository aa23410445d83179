//! What a client needs: its name servers, and the relays.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use wayleave_proto::base::{Host, Name, Target};
use wayleave_sockets::{Lookups, hosts_file, in_hosts, loopback};

use super::entry::{Addresses, Direction, Entry, List, Protocol, port};

pub(super) async fn list(proxies: &[Target], has_ca: bool) -> List {
    let asks = |proxy: &Target| matches!(&proxy.host, Host::Name(name) if !is_known_here(name));
    let mut entries = Vec::new();
    if proxies.iter().any(asks) {
        entries.extend(name_servers(&system_servers()));
    }
    for proxy in proxies {
        let addresses = match &proxy.host {
            Host::Address(address) => Addresses::of(&[*address]),
            Host::Name(name) => look_up(name).await,
        };
        entries.extend(port(proxy.port.get()).map(|ports| Entry {
            direction: Direction::Out,
            protocol: Protocol::Tcp,
            host: proxy.host.to_string(),
            addresses,
            ports,
            why: "the relay: TLS 1.3 and HTTP/1.1, not to be inspected",
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
    if proxies.iter().any(|proxy| matches!(proxy.host, Host::Name(_))) {
        notes.push("The addresses are those of today. Where the firewall can go by name, let it, with the name in TLS (SNI).".into());
    }
    let names: Vec<String> = proxies.iter().map(Target::to_string).collect();
    List { title: format!("clients of {}", names.join(", ")), entries, notes }
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

/// What name servers are for.
pub(super) const NAME_SERVER: &str = "a name server, to find the addresses of names";
const DNS: u16 = 53;
const PATIENCE: Duration = Duration::from_secs(5);

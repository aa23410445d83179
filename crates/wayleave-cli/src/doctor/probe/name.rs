//! The addresses of a relay, as the client finds them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use wayleave_proto::base::{Host, Name, Target};
use wayleave_proto::error::{IoFailed, IoFailure};
use wayleave_sockets::Lookups;

use super::{Deadline, Notes};
use crate::doctor::code::Code;
use crate::doctor::report::{Family, Finding, Subject};

/// One address of each family that the relay's name has, which is that the client would try first.
pub(super) async fn check(proxy: &Target, notes: &Notes, deadline: Deadline) -> Vec<SocketAddr> {
    let port = proxy.port.get();
    let name = match &proxy.host {
        Host::Address(address) => {
            let address = SocketAddr::new(*address, port);
            notes.add(Finding::new(Code::NameAddress, Subject::at(proxy, address)));
            return vec![address];
        }
        Host::Name(name) => name,
    };
    let began = Instant::now();
    let found = timeout_at(deadline.step(), Arc::new(Lookups::default()).begin(name)).await;
    let found = found.unwrap_or_else(|_| Err(IoFailed::new(IoFailure::NameUnanswered)));
    let took = began.elapsed();
    let addresses = match found {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) => return refused(proxy, notes, &IoFailed::new(IoFailure::NameEmpty), began),
        Err(failed) => return refused(proxy, notes, &failed, began),
    };
    let mut first = Vec::new();
    for family in Family::BOTH {
        let all: Vec<_> = addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, port))
            .filter(|it| Family::of(*it) == family)
            .collect();
        let subject = Subject::family(proxy, family);
        let Some(address) = all.first() else {
            notes.add(Finding::new(Code::NameFamilyMissing, subject));
            continue;
        };
        let shown = all.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
        if all.iter().any(|address| is_nobodys(address.ip())) {
            notes.add(Finding::new(Code::NameBlocked, subject).with(shown).after(took));
            continue;
        }
        notes
            .add(Finding::new(Code::NameFound, subject).with(format!("{shown}{}", source(name))).after(took));
        first.push(*address);
    }
    first
}

/// No filter leads a name to where a relay could be.
const fn is_nobodys(address: IpAddr) -> bool {
    address.is_unspecified()
}

fn refused(proxy: &Target, notes: &Notes, failed: &IoFailed, began: Instant) -> Vec<SocketAddr> {
    let code = match failed.failure {
        IoFailure::NameUnknown => Code::NameUnknown,
        IoFailure::NameEmpty => Code::NameEmpty,
        IoFailure::NameUnanswered | IoFailure::TimedOut => Code::NameUnanswered,
        _ => Code::NameFailed,
    };
    let detail = servers();
    notes.add(Finding::new(code, Subject::proxy(proxy)).with(detail).after(began.elapsed()));
    Vec::new()
}

/// Where the platform has the addresses of a name from, as far as its files tell.
fn source(name: &Name) -> String {
    let hosts = wayleave_sockets::hosts_file().and_then(|path| std::fs::read_to_string(path).ok());
    let is_in_hosts = !wayleave_sockets::in_hosts(&hosts.unwrap_or_default(), name).is_empty();
    if is_in_hosts || wayleave_sockets::loopback(name).is_some() {
        return ", from this machine's own hosts".into();
    }
    let servers = servers();
    if servers.is_empty() { servers } else { format!(", {servers}") }
}

/// The name servers that this machine asks, where a file names them.
fn servers() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next())
        .filter(|server| server.parse::<IpAddr>().is_ok())
        .take(3)
        .collect();
    if servers.is_empty() { String::new() } else { format!("name server {}", servers.join(", ")) }
}

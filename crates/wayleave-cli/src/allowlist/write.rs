//! A list in the languages of firewalls, of programs and of people.

use std::net::IpAddr;

use serde_json::json;
use wayleave_proto::policy::Cidr;

use super::client::NAME_SERVER;
use super::entry::{Addresses, Direction, Entry, List, shown};
use super::options::Format;

pub(super) fn list(list: &List, format: Format) -> String {
    match format {
        Format::Csv => csv(list),
        Format::Iptables => lines(list, "#", iptables),
        Format::Json => json(list),
        Format::Netsh => lines(list, "rem", netsh),
        Format::Nft => nft(list),
        Format::Pf => lines(list, "#", pf),
        Format::Squid => squid(list),
        Format::Text => text(list),
    }
}

fn text(list: &List) -> String {
    let mut text = format!("What a firewall has to permit for {}:\n\n", list.title);
    for entry in &list.entries {
        let addresses = match &entry.addresses {
            Addresses::Any => String::new(),
            Addresses::These(ranges) => {
                let ranges = ranges.iter().map(shown).collect::<Vec<_>>().join(", ");
                if ranges == entry.host { String::new() } else { format!(" ({ranges})") }
            }
            Addresses::Unknown(why) => format!(" ({why})"),
        };
        let protocol = entry.protocol.to_string().to_uppercase();
        let way = if entry.direction == Direction::In { "from" } else { "to" };
        let ports = format!("port {}", entry.ports);
        text += &format!(
            "  {:<3}  {protocol}  {way} {}{addresses}, {ports}: {}\n",
            entry.direction, entry.host, entry.why
        );
    }
    text += "\nAnswers to these have to come back. Everything else can stay closed.\n";
    for note in &list.notes {
        text += &format!("- {note}\n");
    }
    text
}

fn json(list: &List) -> String {
    let entries: Vec<_> = list
        .entries
        .iter()
        .map(|entry| {
            let addresses = match &entry.addresses {
                Addresses::Any => json!("any"),
                Addresses::These(ranges) => ranges.iter().map(shown).collect(),
                Addresses::Unknown(_) => json!([]),
            };
            json!({
                "direction": entry.direction.to_string(),
                "protocol": entry.protocol.to_string(),
                "host": entry.host,
                "addresses": addresses,
                "ports": entry.ports.to_string(),
                "why": entry.why,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "schema": 1, "for": list.title, "entries": entries, "notes": list.notes }))
}

fn csv(list: &List) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = "direction,protocol,host,address,ports,why\n".to_owned();
    for entry in &list.entries {
        let addresses = match &entry.addresses {
            Addresses::Any => vec!["any".to_owned()],
            Addresses::These(ranges) => ranges.iter().map(shown).collect(),
            Addresses::Unknown(_) => vec![String::new()],
        };
        for address in addresses {
            let Entry { direction, protocol, host, ports, why, .. } = entry;
            text += &format!("{direction},{protocol},{},{address},{ports},{}\n", quoted(host), quoted(why));
        }
    }
    text
}

/// A line for each address; what has none is told in a comment.
fn lines(list: &List, comment: &str, rule: fn(&Entry, Option<&Cidr>) -> Vec<String>) -> String {
    let mut text = format!("{comment} What Wayleave needs, for {}.\n", list.title);
    for entry in &list.entries {
        text += &format!("{comment} {}: {}\n", entry.host, entry.why);
        for line in rules(entry, comment, rule) {
            text += &format!("{line}\n");
        }
    }
    text
}

fn rules(entry: &Entry, comment: &str, rule: fn(&Entry, Option<&Cidr>) -> Vec<String>) -> Vec<String> {
    match &entry.addresses {
        Addresses::Any => rule(entry, None),
        Addresses::These(ranges) => ranges.iter().flat_map(|range| rule(entry, Some(range))).collect(),
        Addresses::Unknown(why) => vec![format!("{comment} there is no rule for it: {why}")],
    }
}

fn iptables(entry: &Entry, range: Option<&Cidr>) -> Vec<String> {
    let programs: &[&str] = match range {
        None => &["iptables", "ip6tables"],
        Some(range) if range.address().is_ipv4() => &["iptables"],
        Some(_) => &["ip6tables"],
    };
    let (chain, side) = if entry.direction == Direction::In { ("INPUT", "-s") } else { ("OUTPUT", "-d") };
    let host = range.map(|range| format!(" {side} {}", shown(range))).unwrap_or_default();
    let ports = entry.ports.to_string().replace('-', ":");
    let line = |program: &&str| {
        format!("{program} -A {chain}{host} -p {} --dport {ports} -j ACCEPT", entry.protocol)
    };
    programs.iter().map(line).collect()
}

fn netsh(entry: &Entry, range: Option<&Cidr>) -> Vec<String> {
    let is_in = entry.direction == Direction::In;
    let (side, port) = if is_in { ("in", "localport") } else { ("out", "remoteport") };
    let host = range.map_or_else(|| "any".to_owned(), shown);
    let (protocol, ports) = (entry.protocol.to_string().to_uppercase(), entry.ports);
    let name = format!("Wayleave {} {protocol} {ports}", entry.host);
    vec![format!(
        "netsh advfirewall firewall add rule name=\"{name}\" dir={side} action=allow protocol={protocol} remoteip={host} {port}={ports}"
    )]
}

fn pf(entry: &Entry, range: Option<&Cidr>) -> Vec<String> {
    let host = range.map_or_else(|| "any".to_owned(), shown);
    let ports = entry.ports.to_string().replace('-', ":");
    let rest = match entry.direction {
        Direction::In => format!("from {host} to any port {ports}"),
        Direction::Out => format!("from any to {host} port {ports}"),
    };
    vec![format!("pass {} quick proto {} {rest} keep state", entry.direction, entry.protocol)]
}

fn nft(list: &List) -> String {
    let mut text = format!(
        "#!/usr/sbin/nft -f\n# What Wayleave needs on this machine, for {}. Everything else is dropped, but for loopback and\n\
         # answers. In a firewall of your own take the lines with comments.\n\
         table inet wayleave\ndelete table inet wayleave\ntable inet wayleave {{\n",
        list.title
    );
    for (direction, name) in [(Direction::In, "input"), (Direction::Out, "output")] {
        let entries: Vec<&Entry> = list.entries.iter().filter(|entry| entry.direction == direction).collect();
        if entries.is_empty() {
            continue;
        }
        let device = if direction == Direction::In { "iifname" } else { "oifname" };
        text += &format!(
            "\tchain {name} {{\n\t\ttype filter hook {name} priority filter; policy drop;\n\t\t{device} \"lo\" accept\n\
             \t\tct state established,related accept\n\
             \t\ticmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert }} accept\n"
        );
        for entry in entries {
            for line in rules(entry, "#", nft_rule) {
                text += &format!("\t\t{line}\n");
            }
        }
        text += "\t}\n";
    }
    text + "}\n"
}

fn nft_rule(entry: &Entry, range: Option<&Cidr>) -> Vec<String> {
    let side = if entry.direction == Direction::In { "saddr" } else { "daddr" };
    let host = range.map(|range| {
        let family = if range.address().is_ipv4() { "ip" } else { "ip6" };
        format!("{family} {side} {} ", shown(range))
    });
    let (protocol, ports) = (entry.protocol, entry.ports);
    vec![format!("{}{protocol} dport {ports} accept comment \"{}\"", host.unwrap_or_default(), entry.host)]
}

/// What a proxy of squid's lets through as CONNECT, and does not look into.
fn squid(list: &List) -> String {
    let mut text = format!("# What Wayleave needs, for {}.\n", list.title);
    let relays = list.entries.iter().filter(|entry| entry.why != NAME_SERVER);
    for (number, Entry { host, ports, .. }) in relays.enumerate() {
        let name = format!("wayleave{}", number + 1);
        let is_address = host.parse::<IpAddr>().is_ok();
        let kind = if is_address { "dst" } else { "dstdomain" };
        text += &format!("acl {name} {kind} {host}\nacl {name}_port port {ports}\n");
        text += &format!("http_access allow CONNECT {name} {name}_port\n");
        if !is_address {
            text += &format!(
                "# Where this proxy opens TLS, before its other rules for that:\n\
                 # acl {name}_tls ssl::server_name {host}\n# ssl_bump splice {name}_tls\n"
            );
        }
    }
    text
}

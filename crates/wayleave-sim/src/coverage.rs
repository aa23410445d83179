//! What a swarm can reach, by name, so that a summary shows what it has not.

use core::fmt::Write as _;
use std::collections::BTreeMap;

/// A group of things of one sort: the word before each name, and the names.
type Group = (&'static str, &'static str, &'static [&'static str]);

/// Everything that can be seen, whether it was or not.
pub const GROUPS: &[Group] = &[
    ("states of routes", "route", &["NothingProven", "NewTrialAsked", "NetworkChanged"]),
    ("proofs", "proof", &["Connection", "Stream", "Datagram", "Probe", "Embedder"]),
    (
        "what clients say",
        "client",
        &[
            "TrialStarted",
            "DirectConnected",
            "StayingDirect",
            "RouteChanged",
            "Retrying",
            "NetworkChanged",
            "ProxyConnected",
            "ProxyFailed",
            "FlowOpened",
            "FlowMoved",
            "FlowClosed",
            "Rescuing",
            "Blocked",
            "ProofFailed",
            "TokenAccepted",
            "TokenExpiring",
            "TokenUnheard",
        ],
    ),
    (
        "ends of flows",
        "flow error",
        &[
            "ClientClosed",
            "Direct",
            "NoProxy",
            "Reset",
            "TargetForbidden",
            "TargetUnreachable",
            "TimedOut",
            "Truncated",
        ],
    ),
    ("what proxies did", "proxy", &["Connection", "NoAnswer", "Protocol", "Refused", "TokenExpired"]),
    (
        "what relays say",
        "relay",
        &[
            "AcceptFailed",
            "AcceptRecovered",
            "ConnectionFailed",
            "Refused",
            "TunnelOpened",
            "TunnelClosed",
            "TurnedAway",
        ],
    ),
    (
        "refusals",
        "refused",
        &[
            "NoToken",
            "Authorization",
            "Token",
            "TooManyFailures",
            "TooManyTunnels",
            "VolumeSpent",
            "Overload",
            "Draining",
            "Denied",
            "Unreachable",
            "Malformed",
        ],
    ),
    (
        "ends of tunnels",
        "tunnel",
        &["ClientGone", "Expired", "Finished", "Idle", "Revoked", "TargetGone", "Truncated", "VolumeSpent"],
    ),
    ("credentials", "credential", &["AppSign", "Jwt", "Token04"]),
    (
        "faults",
        "fault",
        &[
            "Roam",
            "Condition",
            "Up",
            "Rebind",
            "ClientQuality",
            "RelayQuality",
            "Relay",
            "Stall",
            "Revoke",
            "Names",
            "ClientClock",
            "RelayClock",
            "Descriptors",
        ],
    ),
    (
        "networks",
        "condition",
        &[
            "Open",
            "NoUdp",
            "Only443",
            "OnlyRelays",
            "BlackHole",
            "Refusing",
            "Portal",
            "Intercepted",
            "ResetsAfter",
            "SilentAfter",
            "Swallowing",
        ],
    ),
    ("links", "link", &["Cellular", "Ethernet", "Unknown", "Wifi"]),
    (
        "relays",
        "relay is",
        &["Running", "WithoutKeys", "Crashed", "Draining", "Babbling", "Lying", "Mute", "Vanished"],
    ),
    ("names", "names", &["Truly", "Denied", "Silent", "HalfSilent", "Wrong"]),
    ("lost packets", "packet", &["dropped", "refused", "down", "on link", "unmapped", "nobody"]),
    (
        "systems",
        "system",
        &["Batched", "Broken", "Full", "Joined", "Partial", "Pending", "Together", "Woken"],
    ),
    ("the intruder", "intruder", &["400", "403", "407", "429", "431", "501", "503"]),
];

/// What no random world reaches. No application of the swarm opens a stream and then waits for the other side to speak: scenarios
/// do. And each address of a relay is one machine there, so that a renewed token is heard by the one that is meant: two machines
/// behind one address stand in the tests of the client.
const NOT_DRAWN: &[&str] = &["proof Connection", "client TokenUnheard"];

/// The summary: each group with what was seen in it and how often, then what was never seen.
pub fn summary(seen: &BTreeMap<String, u64>) -> String {
    let mut text = String::new();
    let (mut reached, mut all) = (0, 0);
    for (title, word, names) in GROUPS {
        let count = |name: &str| seen.get(&format!("{word} {name}")).copied().unwrap_or_default();
        let (found, missing): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| count(name) > 0);
        (reached, all) = (reached + found.len(), all + names.len());
        let found: Vec<String> = found.into_iter().map(|name| format!("{name} {}", count(name))).collect();
        let _ = writeln!(
            text,
            "  {title:<17} {}",
            if found.is_empty() { "nothing".to_owned() } else { found.join(", ") }
        );
        if !missing.is_empty() {
            let _ = writeln!(text, "  {:<17} NEVER: {}", "", missing.join(", "));
        }
    }
    let _ = write!(text, "  reached {reached} of {all}");
    text
}

/// What was never seen and is drawn often enough to be, each by the word of its group and its own.
pub fn missing(seen: &BTreeMap<String, u64>) -> Vec<String> {
    let all =
        GROUPS.iter().flat_map(|(_, word, names)| names.iter().map(move |name| format!("{word} {name}")));
    all.filter(|name| !seen.contains_key(name) && !NOT_DRAWN.contains(&name.as_str())).collect()
}

/// What was seen and has no place in the lists: somebody has given something a new name.
pub fn unknown(seen: &BTreeMap<String, u64>) -> Vec<&str> {
    let is_known = |seen: &str| {
        GROUPS.iter().any(|(_, word, names)| {
            let name = seen.strip_prefix(word).and_then(|name| name.strip_prefix(' '));
            name.is_some_and(|name| names.contains(&name))
        })
    };
    seen.keys().map(String::as_str).filter(|seen| !is_known(seen)).collect()
}

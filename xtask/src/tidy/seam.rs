//! What carries a tunnel is known to the carriers alone: nothing beside them names HTTP/1.1, a head or a session of TLS.

use super::{Fault, File};

/// No room of the core beside `carrier` and the wire formats names what belongs to one carrier, but for what is listed.
pub(super) fn check(file: &File, faults: &mut Vec<Fault>) {
    let Some(path) = file.path.strip_prefix(CORE) else { return };
    let is_bound = ROOMS.iter().any(|room| path.starts_with(room)) && file.is_rust() && !file.is_test();
    if !is_bound {
        return;
    }
    for (line, text) in (1..).zip(file.text.lines()) {
        let code = text.split("//").next().unwrap_or_default();
        for name in names(code) {
            let is_listed = ALLOWED.iter().any(|(of, allowed, _)| *of == path && *allowed == name);
            if !is_listed {
                let rule =
                    format!("`{name}` belongs to a carrier; ask for what it can do in carrier/ instead");
                faults.push(file.fault(line, rule));
            }
        }
    }
}

/// The names in a line of code that only a carrier may know.
fn names(code: &str) -> impl Iterator<Item = &str> {
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| FORBIDDEN.contains(word))
}

const CORE: &str = "crates/wayleave-proto/src/";

/// The rooms that must not know. The doors of the agent in `local` are HTTP/1.1 themselves.
const ROOMS: [&str; 7] = ["base/", "client/", "config/", "net/", "relay/", "route/", "testing/"];

const FORBIDDEN: [&str; 13] = [
    "h1",
    "mux",
    "H1",
    "Mux",
    "tls",
    "HeadError",
    "HeadFault",
    "HeadLimits",
    "HeadReader",
    "Pipe",
    "Session",
    "acceptor",
    "connector",
];

/// What may be named: the file, the name, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("config/client.rs", "tls", "whom to trust is the embedder's to say"),
    ("config/client.rs", "connector", "whom to trust is the embedder's to say"),
    ("config/client.rs", "H1", "the default"),
    ("config/limits.rs", "h1", "how long a request may be is the operator's to say"),
    ("config/limits.rs", "HeadLimits", "how long a request may be is the operator's to say"),
    ("config/relay.rs", "tls", "who the relay is, is the operator's to say"),
    ("config/relay.rs", "acceptor", "who the relay is, is the operator's to say"),
    ("config/relay.rs", "H1", "the default"),
    ("config/route/mod.rs", "Session", "a scope of the routing decision"),
    ("net/dial/fault.rs", "tls", "every carrier is encrypted, and fails with the same words"),
    ("relay/counts.rs", "tls", "every carrier is encrypted, and fails with the same words"),
    ("relay/event.rs", "tls", "every carrier is encrypted, and fails with the same words"),
    ("relay/turned_away.rs", "tls", "every carrier is encrypted, and fails with the same words"),
    ("route/routes.rs", "Session", "a scope of the routing decision"),
    ("client/lack.rs", "Session", "a scope of the routing decision"),
    ("testing/mod.rs", "mux", "a stranger for the simulation"),
    ("testing/keys.rs", "tls", "a relay of the tests without cryptography"),
];

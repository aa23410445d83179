//! What has to hold behind every step.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use wayleave_proto::net::Machine as _;
use wayleave_proto::relay::What;

use super::Play;
use super::targets::Side;
use crate::play::Asked;

impl Play<'_> {
    /// Looks at everything that came out.
    pub(super) fn look(&mut self) {
        for id in core::mem::take(&mut self.rig.asked) {
            let Some(asked) = self.rig.sockets.get(&id).map(|socket| socket.asked.clone()) else { continue };
            let client = self.judge(&asked);
            self.sides.insert(id, Side { client, outgoing: Vec::new() });
        }
        if self.rig.is_drained() {
            self.causes.clear();
        }
        for event in core::mem::take(&mut self.rig.events) {
            assert!(event.at >= self.told && event.at <= self.rig.latest(), "time runs backwards");
            self.told = event.at;
            let text = match &event.what {
                What::TunnelOpened { .. } => {
                    self.opened += 1;
                    continue;
                }
                What::TunnelClosed { reason, .. } => {
                    self.closed += 1;
                    reason.to_string()
                }
                What::Refused { reason, .. } => reason.to_string(),
                What::ConnectionFailed { reason } => reason.to_string(),
                _ => continue,
            };
            self.rig.check(&text);
        }
        let sockets = &self.rig.sockets;
        self.sides.retain(|id, _| sockets.contains_key(id));
        self.accepted.retain(|id, _| sockets.contains_key(id));
        self.count();
    }

    /// The relay's own numbers are true, and within their bounds.
    fn count(&self) {
        if !self.rig.is_drained() {
            return;
        }
        let stats = self.rig.machine.stats();
        let connections = self.rig.sockets.values().filter(|socket| socket.asked == Asked::Accepted).count();
        assert_eq!(stats.connections, connections);
        assert!(stats.tunnels <= connections);
        assert!(stats.held <= connections * HELD_MOST, "{} bytes in {connections} connections", stats.held);
        assert_eq!(self.rig.machine.is_idle(), connections == 0);
        if connections == 0 {
            assert_eq!(stats.held, 0);
            // Nothing waits but the word, once a minute, about those who were turned away.
            let due = self.rig.machine.poll_timeout();
            let word = (stats.turned_away.total() > 0)
                .then(|| self.rig.latest() + core::time::Duration::from_secs(60));
            assert!(due.is_none_or(|due| word.is_some_and(|word| due <= word)), "{due:?} of {word:?}");
        }
    }

    /// Nothing is looked up or dialled without a good token, nor is a forbidden address. Gives back on whose behalf it is,
    /// where that can be told.
    fn judge(&self, asked: &Asked) -> Option<usize> {
        let by_name = match asked {
            Asked::Accepted => return None,
            Asked::Lookup(name) => {
                let digits = name.as_str().strip_prefix('t').and_then(|rest| rest.strip_suffix(".example"));
                digits.and_then(|digits| digits.parse().ok())
            }
            Asked::Tcp(address) | Asked::Udp(address) => {
                assert!(is_allowed(*address), "{address} is forbidden");
                number_of(address.ip())
            }
        };
        // A request that was changed may name the target of another client.
        let is_clear = !self.clients.iter().any(|client| client.is_garbled);
        let by_cause = if self.causes.len() == 1 { self.causes.first().copied() } else { None };
        let client = by_cause.or(by_name.filter(|_| is_clear));
        let has_shown = match client {
            Some(number) => self.clients.get(number).is_some_and(|client| client.has_shown),
            None => self.clients.iter().any(|client| client.has_shown),
        };
        assert!(has_shown, "{asked:?} for client {client:?} without a good token");
        client
    }
}

/// The number of the client whose own target this is.
fn number_of(address: IpAddr) -> Option<usize> {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [10, 3, 0 | 1, number] => Some(usize::from(number)),
            _ => None,
        },
        IpAddr::V6(address) => match address.segments() {
            [0xfd00, 0, 0, 0, 0, 0, 0, number] => Some(usize::from(number)),
            _ => None,
        },
    }
}

/// A second reading of the policy of the tests: public addresses and two private ranges.
fn is_allowed(address: SocketAddr) -> bool {
    if address.port() == 25 || address.port() == 0 {
        return false;
    }
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let is_own = ip == Ipv4Addr::new(10, 9, 9, 9) && address.port() == 443;
            let [a, b, ..] = ip.octets();
            let is_shared = (a == 100 && b & 0xc0 == 64) || (a == 198 && b & 0xfe == 18);
            !is_own
                && a != 0
                && a < 224
                && !is_shared
                && !ip.is_loopback()
                && !ip.is_link_local()
                && !ip.is_documentation()
                && (!ip.is_private() || a == 10)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            let is_translated = first == 0x2002 || ip.segments()[..2] == [0x2001, 0];
            first & 0xff00 == 0xfd00 || (first & 0xe000 == 0x2000 && !is_translated && !is_documentation(ip))
        }
    }
}

fn is_documentation(ip: Ipv6Addr) -> bool {
    ip.segments()[..2] == [0x2001, 0xdb8] || ip.segments()[0] == 0x3fff
}

/// Bytes in the buffers of one connection, both ways, with what was read before it was paused.
const HELD_MOST: usize = 512 * 1024;

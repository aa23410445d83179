//! One UDP association: who may send, where to, and which flow that is.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::base::{Instant, Target};
use crate::codec::socks::{self, SocksError};

/// How much one association may hold, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssociationConfig {
    /// How many targets it may have at once, 1 to 65,536; 256 by default. One target more takes the place of that
    /// which was used longest ago. Where the client sends from several ports, a target counts once for each.
    pub targets: usize,
    /// After how long without a datagram in either direction a flow is closed, 2 minutes
    /// ([RFC 9298 §3.1](https://www.rfc-editor.org/rfc/rfc9298#section-3.1)) to 1 day; 5 minutes by default.
    pub idle: Duration,
}

impl AssociationConfig {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), AssociationConfigError> {
        if !TARGETS.contains(&self.targets) {
            return Err(AssociationConfigError::Targets(self.targets));
        }
        if IDLE.contains(&self.idle) { Ok(()) } else { Err(AssociationConfigError::Idle(self.idle)) }
    }
}

/// Why an association cannot be like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssociationConfigError {
    /// The time is out of its range.
    #[error("datagrams that pass no more for {0:?}: give a time from 2m (RFC 9298 §3.1) to 1d")]
    Idle(Duration),
    /// The number of targets is out of its range.
    #[error("{0} targets for an association: give a number from 1 to 65536")]
    Targets(usize),
}

impl Default for AssociationConfig {
    fn default() -> Self {
        Self { targets: 256, idle: Duration::from_secs(300) }
    }
}

/// What to do with a datagram of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound<'a, F> {
    /// Send `payload` on this flow.
    Known {
        /// The flow.
        flow: F,
        /// What to send.
        payload: &'a [u8],
    },
    /// Open a flow to `target`, tell [`Association::insert`], and send `payload` on it.
    New {
        /// Where to.
        target: Target,
        /// What to send.
        payload: &'a [u8],
    },
}

/// Why a datagram of the client is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// It comes from somebody else.
    #[error("the datagram comes from {0}, which is not the client of this association")]
    Foreign(SocketAddr),
    /// Its header is wrong.
    #[error("the header of the datagram is wrong: {0}")]
    Header(SocksError),
}

/// One UDP association: maps the targets that the client names to flows `F`, and back.
///
/// A client that did not say from where it will send may use several ports (Discord does). Each of them has flows of its own,
/// whose answers go to it and to no other: another program on the same machine can use the association, and can neither
/// take answers away nor put a word into the mouth of the first.
///
/// It ends with its TCP connection ([RFC 1928 §7](https://www.rfc-editor.org/rfc/rfc1928#section-7)); the caller then
/// closes all [`flows`](Self::flows). A datagram of a known flow costs no allocation in either direction, unless the
/// client writes the name in another case than the lower one.
pub struct Association<F> {
    config: AssociationConfig,
    client: Client,
    /// In the order of their last use, the oldest first.
    entries: Vec<Entry<F>>,
    last_used: Instant,
}

/// Where datagrams may come from.
#[derive(Clone, Copy, Debug)]
struct Client {
    address: IpAddr,
    /// Zero stands for any.
    port: u16,
}

struct Entry<F> {
    flow: F,
    /// Where the client sends from to this target, and is answered.
    client: SocketAddr,
    target: Target,
    /// The header of this target, which is complete in itself: no header starts with another.
    header: Vec<u8>,
    last_used: Instant,
}

impl<F: Copy + Eq> Association<F> {
    /// An association whose TCP connection comes from `peer` and whose request named the sender `named`
    /// ([`FrontOutput::Associate`](super::FrontOutput::Associate)).
    ///
    /// Where the request left the address open only `peer` may send; where it left the port open, it may use any.
    pub fn new(config: AssociationConfig, peer: IpAddr, named: SocketAddr, now: Instant) -> Self {
        let named_address = named.ip().to_canonical();
        let address = if named_address.is_unspecified() { peer.to_canonical() } else { named_address };
        let client = Client { address, port: named.port() };
        Self { config, client, entries: Vec::new(), last_used: now }
    }

    /// Takes a datagram that came to the association's socket from `from`.
    ///
    /// # Errors
    /// The datagram is dropped: it comes from somebody else, or its header is wrong.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Result<Inbound<'a, F>, DatagramError> {
        if !self.client.may_be(from) {
            return Err(DatagramError::Foreign(from));
        }
        // The usual spelling of a known target is found by its bytes alone.
        let known = self.entries.iter().enumerate().rev().find_map(|(at, entry)| {
            let payload = datagram.strip_prefix(entry.header.as_slice()).filter(|_| entry.client == from)?;
            Some((Some(at), Inbound::Known { flow: entry.flow, payload }))
        });
        let (at, inbound) = known.map_or_else(|| self.read(from, datagram), Ok)?;
        self.touch(now, at);
        Ok(inbound)
    }

    /// Notes that `flow` leads to `target` for datagrams from `client`. Returns the flow that the caller has to close for it:
    /// the one before to the same target, else the one that was used longest ago where the table is full.
    pub fn insert(&mut self, now: Instant, client: SocketAddr, target: Target, flow: F) -> Option<F> {
        let same = self.entries.iter().position(|entry| entry.client == client && entry.target == target);
        let full = (self.entries.len() >= self.config.targets.max(1)).then_some(0);
        let evicted = same.or(full).map(|at| self.entries.remove(at).flow);
        let mut header = Vec::new();
        socks::udp_header(&target, &mut header);
        self.last_used = self.last_used.max(now);
        self.entries.push(Entry { flow, client, target, header, last_used: self.last_used });
        evicted
    }

    /// Appends to `out` the datagram that tells the client of `payload` from `flow`; returns where to send it. `None`
    /// where the flow is unknown.
    pub fn put_datagram(
        &mut self,
        now: Instant,
        flow: F,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<SocketAddr> {
        let at = self.entries.iter().rposition(|entry| entry.flow == flow)?;
        let entry = self.entries.get(at)?;
        let client = entry.client;
        out.extend_from_slice(&entry.header);
        out.extend_from_slice(payload);
        self.touch(now, Some(at));
        Some(client)
    }

    /// Appends to `out` the datagram that tells the client at `client` of `payload`, which came to its port from `from`, who is
    /// the target of none of its flows: the header names who sent it, as a plain socket would. `false` where that client has
    /// no flow (any more).
    pub fn put_stray(
        &mut self,
        client: SocketAddr,
        from: SocketAddr,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let Ok(from) = Target::try_from(from) else { return false };
        let is_known = self.has_client(client);
        if is_known {
            socks::udp_header(&from, out);
            out.extend_from_slice(payload);
        }
        is_known
    }

    /// Whether a flow leads somewhere for datagrams from `client`.
    pub fn has_client(&self, client: SocketAddr) -> bool {
        self.entries.iter().any(|entry| entry.client == client)
    }

    /// Forgets a flow that was closed; returns its target.
    pub fn remove(&mut self, flow: F) -> Option<Target> {
        let at = self.entries.iter().position(|entry| entry.flow == flow)?;
        Some(self.entries.remove(at).target)
    }

    /// Forgets one flow that was idle for too long, and returns it for the caller to close; call it until `None`.
    pub fn pop_idle(&mut self, now: Instant) -> Option<F> {
        (self.poll_timeout()? <= now).then(|| self.entries.remove(0).flow)
    }

    /// When [`pop_idle`](Self::pop_idle) will have something; `None` while there is no flow.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.entries.first().map(|oldest| oldest.last_used + self.config.idle)
    }

    /// How long no good datagram has passed, in either direction, at `now`.
    pub fn idle_for(&self, now: Instant) -> Duration {
        now.since(self.last_used)
    }

    /// The flows with their targets, the one used longest ago first.
    pub fn flows(&self) -> impl Iterator<Item = (F, &Target)> {
        self.entries.iter().map(|entry| (entry.flow, &entry.target))
    }

    /// Reads a datagram to a new target, or to a known one in another spelling.
    fn read<'a>(
        &self,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Result<(Option<usize>, Inbound<'a, F>), DatagramError> {
        let (target, payload) = socks::parse_udp(datagram).map_err(DatagramError::Header)?;
        let known =
            self.entries.iter().enumerate().find(|(_, entry)| entry.client == from && entry.target == target);
        Ok(match known {
            Some((at, entry)) => (Some(at), Inbound::Known { flow: entry.flow, payload }),
            None => (None, Inbound::New { target, payload }),
        })
    }

    /// Notes the use of the association, and of an entry, which becomes the last. An older `now` counts as the latest.
    fn touch(&mut self, now: Instant, at: Option<usize>) {
        self.last_used = self.last_used.max(now);
        let Some(newer) = at.and_then(|at| self.entries.get_mut(at..)) else { return };
        newer.rotate_left(1);
        if let Some(entry) = newer.last_mut() {
            entry.last_used = self.last_used;
        }
    }
}

impl<F: fmt::Debug> fmt::Debug for Association<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association")
            .field("client", &self.client)
            .field("flows", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Whether a datagram from `from` may come from the client. A socket for both families shows IPv4 senders in
    /// their mapped form, so addresses compare in the plain one.
    fn may_be(self, from: SocketAddr) -> bool {
        self.address == from.ip().to_canonical() && (self.port == 0 || self.port == from.port())
    }
}

const TARGETS: core::ops::RangeInclusive<usize> = 1..=65_536;
const IDLE: core::ops::RangeInclusive<Duration> = Duration::from_secs(120)..=Duration::from_secs(86_400);

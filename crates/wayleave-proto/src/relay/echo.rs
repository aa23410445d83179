//! What the relay answers to whoever asks whether it works: a word that comes back, and datagrams that do.
//!
//! Datagrams to port [`PORT`] of [`HOST`] come back through the tunnel as they went out, as [RFC 862](https://www.rfc-editor.org/rfc/rfc862)
//! says of its port. It is a tunnel like any other: the client has shown a credential, and what moves counts for its account,
//! both ways. For each datagram that came one goes back, of the same length and to the same client, so nothing is amplified and
//! nobody else is reached; what a scope says of targets is therefore not asked. The name is none of DNS
//! ([RFC 9476](https://www.rfc-editor.org/rfc/rfc9476)) and is never looked up.

use core::num::NonZeroU16;
use std::sync::Arc;

use super::ledger::Ledger;
use super::streams::io;
use super::tunnel::{Grant, Payload, TunnelId, opened};
use super::{RefuseReason, Relay};
use crate::base::{Host, Kind};
use crate::carrier::downlink::Io;
use crate::codec::http::EchoWord;
use crate::policy::Scope;

/// The name at which a relay sends datagrams back, unless its configuration switches that off.
pub const HOST: &str = "echo.wayleave.alt";
/// The port there, that of the Echo Protocol.
pub const PORT: NonZeroU16 = NonZeroU16::new(7).expect("7 is not 0");

/// Whether a host is that of the echo, on whichever port.
pub(super) fn is_echo_host(host: &Host) -> bool {
    matches!(host, Host::Name(name) if name.as_str() == HOST)
}

impl<L: Ledger> Relay<L> {
    /// A client with a good credential wants the echo.
    pub(super) fn on_echo_wanted(&mut self, id: TunnelId, grant: Grant, scope: &Arc<Scope>) {
        let target = Some(grant.target.clone());
        if !self.config.echo || grant.kind != Kind::Datagram || grant.target.port != PORT {
            return self.refuse(id, target, RefuseReason::Echo);
        }
        if let Err(reason) = self.join(&grant.verdict, scope) {
            return self.refuse(id, target, reason);
        }
        let connection = self.carrier(id).and_then(|(connection, _)| self.connections.get(connection));
        let Some(local) = connection.map(|connection| connection.local) else { return };
        self.open_tunnel(id, None, local, grant, self.now);
    }

    /// Turns datagrams of a client around, which were charged when they came.
    pub(super) fn echo(&mut self, id: TunnelId) {
        let now = self.now;
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Payload::Datagrams { outgoing, incoming, announced, .. } = &mut open.payload else { return };
        while let Some(payload) = outgoing.front(now) {
            open.received += payload.len() as u64;
            self.stats.to_client.add_datagram(payload.len());
            incoming.push(now, payload);
            outgoing.pop();
        }
        if incoming.is_empty() {
            return;
        }
        if !core::mem::replace(announced, true) {
            connection.senders.push_back(id);
        }
        connection.downlink.announce_datagrams(&mut io!(self), key);
    }

    /// The word that the client of a request wants back.
    pub(super) fn echo_of(&mut self, id: TunnelId) -> Option<EchoWord> {
        self.tunnels.get_mut(id)?.echo.take()
    }
}

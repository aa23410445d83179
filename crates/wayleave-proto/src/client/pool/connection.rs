//! One connection to a proxy, from the moment it stands until it is closed.

use core::net::SocketAddr;

use super::renewal::Place;
use super::silence::Silence;
use super::{Pool, ProxyFault};
use crate::auth::Credential;
use crate::base::{Instant, Kind, Target, key};
use crate::carrier::h1::{Acks, Pipe};
use crate::carrier::tls::exported;
use crate::client::FlowId;
use crate::client::io::{Io, Role, Timer};
use crate::codec::h1::encode_ask;
use crate::codec::http::{Ask, Want};
use crate::net::SocketId;

key! {
    /// One connection to a proxy.
    pub CarrierId, "c"
}

/// One connection to a proxy.
#[derive(Debug)]
pub(in crate::client) struct Connection {
    pub(in crate::client) socket: SocketId,
    pub(in crate::client) pipe: Pipe,
    /// Its place in the configuration.
    pub(in crate::client) proxy: usize,
    /// Where it was dialled.
    pub(super) address: SocketAddr,
    pub(in crate::client) used: Use,
    /// What the machine at the other end calls itself, once it has accepted something.
    pub(in crate::client) machine: Option<String>,
    /// Which credential was shown on it last, by the count of renewals.
    pub(super) shown: u64,
    /// The latest credential that this machine is known to have accepted, by the count of renewals.
    pub(super) heard: u64,
    /// Its relay ended it without close_notify.
    pub(in crate::client) truncated: bool,
    /// When to wish for fewer acknowledgements again.
    pub(in crate::client) acks: Acks,
    /// When it was made.
    pub(super) made: Instant,
    pub(super) silence: Silence,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Use {
    /// The request of this flow is on its way.
    Asks(FlowId),
    /// It carries the tunnel of this flow.
    Carries(FlowId),
    /// The same, while that flow looks for another.
    Leaves(FlowId),
    /// It waits for a flow.
    Ready,
    /// It shows a credential, and carries nothing.
    Shows,
}

impl Use {
    /// The flow that uses it.
    pub(in crate::client) const fn flow(self) -> Option<FlowId> {
        match self {
            Self::Asks(flow) | Self::Carries(flow) | Self::Leaves(flow) => Some(flow),
            Self::Ready | Self::Shows => None,
        }
    }

    /// Whether it carries a tunnel.
    pub(super) const fn carries(self) -> bool {
        matches!(self, Self::Carries(_) | Self::Leaves(_))
    }
}

impl Connection {
    /// Where a connection leads that can reach the same machine.
    pub(super) const fn place(&self) -> Place {
        Place { proxy: self.proxy, address: self.address }
    }

    /// Asks whoever is at `authority` for what is wanted, shows `credential`, and forgets it.
    pub(super) fn send_ask(&mut self, credential: Option<&Credential>, want: Want, authority: &Target) {
        let session = self.pipe.session();
        let authorization = credential.and_then(|credential| {
            credential.authorization_value(authority, |label, context| exported(session, label, context))
        });
        let mut head = Vec::with_capacity(512);
        let authority = Some(authority.clone());
        encode_ask(&mut head, &Ask { want, authority, authorization, user_agent: None });
        self.pipe.session().send(&[&head]);
        zeroize::Zeroize::zeroize(&mut head);
    }
}

impl Pool {
    pub(in crate::client) fn get(&self, id: CarrierId) -> Option<&Connection> {
        self.connections.get(id)
    }

    pub(in crate::client) fn get_mut(&mut self, id: CarrierId) -> Option<&mut Connection> {
        self.connections.get_mut(id)
    }

    /// Sends the request of a flow over the connection that was handed to it.
    pub(in crate::client) fn ask(
        &mut self,
        io: &mut Io,
        id: CarrierId,
        (flow, kind, target): (FlowId, Kind, &Target),
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(proxy) = io.config.proxies.get(connection.proxy) else { return };
        let authority = match kind {
            Kind::Datagram => proxy,
            Kind::Stream => target,
        };
        let want = Want::Tunnel { kind, target: target.clone() };
        connection.send_ask(self.credential.as_ref(), want, authority);
        connection.used = Use::Asks(flow);
        connection.shown = self.renewals.count;
        io.requests.pending(connection.socket);
        io.timers.set(Timer::Age(id), None);
        self.expect(io.now);
    }

    /// The proxy has accepted the request that went out on this connection: it carries a tunnel.
    pub(in crate::client) fn accepted(&mut self, io: &mut Io, id: CarrierId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Use::Asks(flow) = connection.used {
            connection.used = Use::Carries(flow);
        }
        self.proxies.handle_good(connection.proxy);
        self.standby.backoff.reset();
        self.on_tunnel_shown(io, id);
        self.stirred = true;
    }

    /// The latest credential was shown on this connection.
    pub(in crate::client) fn has_shown_latest(&self, id: CarrierId) -> bool {
        self.connections.get(id).is_some_and(|connection| connection.shown == self.renewals.count)
    }

    /// A connection that is ready has grown old.
    pub(in crate::client) fn on_age_timeout(&mut self, io: &mut Io, id: CarrierId) {
        if self.connections.get(id).is_some_and(|connection| connection.used == Use::Ready) {
            self.close(io, id, false);
        }
    }

    /// A credential that was shown is not answered.
    pub(in crate::client) fn on_shown_timeout(&mut self, io: &mut Io, id: CarrierId) {
        if self.connections.get(id).is_some_and(|connection| connection.used == Use::Shows) {
            self.on_unshown(io, id, ProxyFault::NoAnswer);
        }
    }

    /// A connection broke. The flow that uses it must be looked after by the client.
    pub(in crate::client) fn on_gone(&mut self, io: &mut Io, id: CarrierId) -> Option<FlowId> {
        let used = self.connections.get(id)?.used;
        match used {
            Use::Ready => self.lose_ready(io, id),
            Use::Shows => self.on_unshown(io, id, ProxyFault::NoAnswer),
            Use::Asks(_) | Use::Carries(_) | Use::Leaves(_) => {}
        }
        used.flow()
    }

    /// Something came on a connection, or its other end ended. Returns the flow that it is for, if it is for one.
    pub(in crate::client) fn on_readable(&mut self, io: &mut Io, id: CarrierId) -> Option<FlowId> {
        let connection = self.connections.get_mut(id)?;
        let used = connection.used;
        match used {
            // A proxy that speaks or ends before it was asked cannot be used any more.
            Use::Ready if connection.pipe.plaintext_len() > 0 || connection.pipe.session().is_finished() => {
                self.lose_ready(io, id);
            }
            Use::Shows => self.read_shown(io, id),
            Use::Asks(_) | Use::Carries(_) | Use::Leaves(_) | Use::Ready => {}
        }
        used.flow()
    }

    /// Closes a connection; a flow that used it must be looked after by the client.
    pub(in crate::client) fn close(&mut self, io: &mut Io, id: CarrierId, reset: bool) {
        let Some(connection) = self.connections.remove(id) else { return };
        match connection.used {
            Use::Leaves(flow) => self.unwant(flow),
            Use::Ready => self.ready.retain(|ready| *ready != id),
            Use::Asks(_) | Use::Carries(_) | Use::Shows => {}
        }
        for timer in [Timer::Age(id), Timer::Shown(id), Timer::Silence(id)] {
            io.timers.set(timer, None);
        }
        // One that broke is not the carrier's any more: it ends behind its alert.
        if io.requests.role(connection.socket) == Some(Role::Carrier(id)) {
            io.requests.close(connection.socket, reset);
        }
        self.stirred = true;
    }
}

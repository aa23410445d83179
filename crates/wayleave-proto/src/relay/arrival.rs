//! How a connection arrives: counted for its source, behind the header of a balancer or not, and with TLS as its first word.

use core::net::{IpAddr, SocketAddr};

use super::connection::{Connection, State};
use super::{ConnectionFault, ConnectionId, Relay, Role, TurnedAway, What};
use crate::base::Instant;
use crate::carrier::Clear;
use crate::carrier::h1::Pipe;
use crate::codec::http::Refusal;
use crate::codec::proxy_protocol::ProxyHeader;
use crate::config::{Canary, Peer};
use crate::error::IoFailed;
use crate::net::{Nowhere, Over, SocketId};
use crate::policy::group;

impl Relay {
    /// Takes a connection that the adapter accepted from `client` on its own address `local`.
    ///
    /// The answer is its id, or `None` when the relay is draining or at its limits, which it tells ([`What::TurnedAway`]): the
    /// adapter closes it then. One from a balancer that is named in the configuration is its client's, once the balancer has
    /// said whose that is.
    pub fn handle_accepted(
        &mut self,
        now: Instant,
        client: SocketAddr,
        local: SocketAddr,
    ) -> Option<SocketId> {
        let now = self.at(now);
        if let Some(Over { failed, count, lasted }) = self.accepting.handle_good(now) {
            self.tell_all(What::AcceptRecovered { error: failed, failures: count, lasted });
        }
        let limits = &self.config.limits;
        let address = client.ip().to_canonical();
        let is_balancer = self.config.balancers.iter().any(|range| range.contains(address));
        let source = (!is_balancer).then(|| group(address));
        if self.draining || (self.stats.refused > 0 && self.config.breaks(Canary::DeafAfterRefusal)) {
            return None;
        }
        let full = (self.connections.len() >= limits.connections)
            .then_some(TurnedAway::All(limits.connections))
            .or_else(|| self.full(source?));
        let session = match full.map_or_else(|| self.config.acceptor.accept().map_err(TurnedAway::Tls), Err) {
            Ok(session) => session,
            Err(reason) => {
                self.turn_away(client, reason);
                return None;
            }
        };
        let deadline = now + limits.handshake_timeout;
        let pipe = Pipe::new(session, limits.head);
        let state = match source {
            Some(_) => State::Handshake { deadline, begun: false },
            None => State::Preface { deadline, header: Vec::new() },
        };
        self.stats.accepted += 1;
        self.count_for(source);
        // The socket and the connection name each other; the socket's role is corrected once the connection has its id.
        let socket = self.requests.accept(Role::Client(ConnectionId::from_u64(u64::MAX)));
        let id = self.connections.insert(Connection {
            socket,
            client,
            source,
            local,
            pipe,
            state,
            ended: None,
            stray: 0,
            held: 0,
            strange: 0,
        });
        self.requests.reassign(socket, Role::Client(id));
        self.requests.watch(socket, self.config.limits.liveness(Peer::Pausing));
        self.timers.set(id, Some(deadline));
        Some(socket)
    }

    /// The adapter could not accept a connection. `refused` says that it was closed at once, by a descriptor kept for that.
    ///
    /// It is told once, however many connections that costs; the first that is accepted a second after the last failure
    /// tells the end.
    pub fn handle_accept_failed(&mut self, now: Instant, error: &IoFailed, refused: bool) {
        let now = self.at(now);
        self.stats.unaccepted += u64::from(refused);
        if self.accepting.handle_failed(now, error) {
            self.tell_all(What::AcceptFailed { error: error.clone() });
        }
    }

    /// Where so many connections of `source` are open that no other is taken.
    fn full(&self, source: IpAddr) -> Option<TurnedAway> {
        let open = self.sources.get(&source).copied().unwrap_or_default();
        let most = self.config.limits.connections_per_source;
        (open >= most).then_some(TurnedAway::Source { address: source, most })
    }

    fn count_for(&mut self, source: Option<IpAddr>) {
        if let Some(source) = source {
            *self.sources.entry(source).or_default() += 1;
        }
    }

    /// A connection that was counted for `source` is gone.
    pub(super) fn uncount(&mut self, source: Option<IpAddr>) {
        let Some(source) = source else { return };
        if let Some(count) = self.sources.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// Counts bytes of a client that has no tunnel; `false` where they are more than is taken, and then it is gone.
    pub(super) fn takes_stray(&mut self, id: ConnectionId, bytes: usize) -> bool {
        let most = self.config.limits.stray;
        let Some(connection) = self.connections.get_mut(id) else { return false };
        // What waits behind a request that is judged or dialled for is bounded by the pause of its reading.
        if matches!(connection.state, State::Dialling(_) | State::Tunnel(_) | State::Verifying { .. }) {
            return true;
        }
        connection.stray = connection.stray.saturating_add(bytes);
        if connection.stray <= most {
            return true;
        }
        if !matches!(connection.state, State::Closing { .. }) {
            self.tell(id, What::ConnectionFailed { reason: ConnectionFault::TooMuch(most) });
        }
        self.drop_connection(id, true);
        false
    }

    /// Ends a connection that took part of the buffers that strangers may fill together. Who asks at once is never in them: a
    /// whole request is judged as it comes, and needs no buffer afterwards.
    pub(super) fn crowd_out(&mut self, id: ConnectionId) {
        let most = self.config.limits.memory / STRANGERS_SHARE;
        if self.strange > most && self.connections.get(id).is_some_and(|connection| connection.strange > 0) {
            self.fail_arrival(id, ConnectionFault::Crowded(most));
        }
    }

    /// More of a balancer's header has come; what stands behind it is its client's.
    pub(super) fn on_preface(&mut self, id: ConnectionId, data: &[u8]) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Preface { deadline, header } = &mut connection.state else { return };
        header.extend_from_slice(data);
        let read = match ProxyHeader::read(header) {
            Ok(Some(read)) => read,
            Ok(None) => return,
            Err(error) => return self.fail_arrival(id, ConnectionFault::ProxyHeader(error)),
        };
        let mut rest = header.split_off(read.length);
        connection.state = State::Handshake { deadline: *deadline, begun: false };
        connection.client = read.client.unwrap_or(connection.client);
        let client = connection.client;
        let source = group(client.ip());
        if let Some(reason) = self.full(source) {
            self.turn_away(client, reason);
            return self.drop_connection(id, true);
        }
        self.count_for(Some(source));
        if let Some(connection) = self.connections.get_mut(id) {
            connection.source = Some(source);
        }
        if !rest.is_empty() {
            self.on_client_received(id, &mut rest, &mut Nowhere);
        }
    }

    /// Looks at the first bytes where TLS should begin; `false` where they are something else, which is answered in its own
    /// words. No TLS record begins with a letter.
    pub(super) fn begins_tls(&mut self, id: ConnectionId, data: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(id) else { return false };
        let State::Handshake { begun, .. } = &mut connection.state else { return true };
        if core::mem::replace(begun, true) {
            return true;
        }
        if ProxyHeader::begins(data) {
            self.fail_arrival(id, ConnectionFault::ProxyHeaderUnwanted);
            false
        } else if data.first().is_some_and(u8::is_ascii_alphabetic) {
            self.answer_in_the_clear(id);
            false
        } else {
            true
        }
    }

    fn answer_in_the_clear(&mut self, id: ConnectionId) {
        self.tell(id, What::ConnectionFailed { reason: ConnectionFault::NotEncrypted });
        let limits = self.config.limits.head;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.pipe = Pipe::new(Box::new(Clear::default()), limits);
        }
        self.send_refusal(id, Refusal { status: 400, body: SPEAK_TLS.into(), ..Refusal::default() });
    }

    fn fail_arrival(&mut self, id: ConnectionId, reason: ConnectionFault) {
        self.tell(id, What::ConnectionFailed { reason });
        self.drop_connection(id, true);
    }
}

/// Which part of the memory in buffers strangers may fill, so that they never keep out those who are allowed.
const STRANGERS_SHARE: usize = 4;
/// For those who took the port for one without TLS.
const SPEAK_TLS: &str =
    "This port speaks TLS: name the proxy as https://HOST:PORT (curl: --proxy https://HOST:PORT).\n";

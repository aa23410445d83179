//! A tunnel of datagrams: a short queue each way, and rates that drop what is too much.

use super::ledger::Ledger;
use super::meter::Direction;
use super::streams::{finished, io};
use super::tunnel::{Payload, TunnelId, opened};
use super::{CloseReason, ConnectionId, Relay, Timer};
use crate::carrier::downlink::{End, Io};
use crate::codec::capsule::{CapsuleError, MAX_PAYLOAD};
use crate::net::{Packets, SocketId, Transmit};
use crate::queue::DatagramQueue;

impl<L: Ledger> Relay<L> {
    /// Datagrams of a client came; those that its target's socket did not take wait.
    pub(super) fn on_client_datagrams(&mut self, id: TunnelId) {
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Payload::Datagrams { outgoing, .. } = &open.payload else { return };
        let is_finished = connection.downlink.ending(key).is_some();
        match open.socket {
            Some(socket) if !outgoing.is_empty() => self.requests.pending(socket),
            Some(_) => {}
            None => self.echo(id),
        }
        self.count_tunnel(id);
        if is_finished {
            self.on_datagrams_finished(id);
        }
    }

    /// The client broke a rule of what carries its datagrams.
    pub(super) fn on_client_violated(&mut self, id: TunnelId, error: &CapsuleError) {
        self.end_tunnel(id, CloseReason::BadCapsule(error.to_string()), false, Some(End::Clean));
    }

    /// Datagrams of a target came.
    pub(super) fn on_target_packets(&mut self, id: TunnelId, packets: Packets<'_>) {
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Payload::Datagrams { incoming, limited, announced, .. } = &mut open.payload else { return };
        open.moved = self.now;
        for packet in packets {
            open.received += packet.payload.len() as u64;
            self.stats.to_client.add_datagram(packet.payload.len());
            if packet.payload.len() > MAX_PAYLOAD {
                *limited += 1;
                self.stats.dropped.too_long = self.stats.dropped.too_long.saturating_add(1);
            } else {
                incoming.push(self.now, packet.payload);
            }
        }
        if incoming.is_empty() {
            return;
        }
        if !core::mem::replace(announced, true) {
            connection.senders.push_back(id);
        }
        connection.downlink.announce_datagrams(&mut io!(self), key);
        self.count_tunnel(id);
    }

    /// Hands a connection the next datagrams that wait for it; each of its tunnels in turn.
    pub(super) fn send_datagrams(&mut self, connection: ConnectionId) {
        let now = self.now;
        let turns = self.connections.get(connection).map_or(0, |connection| connection.senders.len());
        for _ in 0..turns {
            let sender = self.connections.get_mut(connection).and_then(|it| it.senders.pop_front());
            let Some(id) = sender else { return };
            let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
                continue;
            };
            let Payload::Datagrams { incoming, limited, announced, .. } = &mut open.payload else { continue };
            let share = self.shares.get_mut(&open.grant.verdict.account);
            if share.as_ref().is_some_and(|share| share.is_over(now, Direction::ToClient)) {
                let count = drop_all(incoming);
                *limited += count;
                self.stats.dropped.rate = self.stats.dropped.rate.saturating_add(count);
            }
            let moved = connection.downlink.send_datagrams(now, key, incoming);
            *announced = !incoming.is_empty();
            let is_full = *announced && moved.datagrams == 0;
            if is_full {
                // It is still its turn when the connection takes something again.
                connection.senders.push_front(id);
            } else if *announced {
                connection.senders.push_back(id);
            }
            if let Some(share) = share {
                share.charge(&mut self.ledger, now, Direction::ToClient, moved.datagrams, moved.bytes);
                if share.is_spent() {
                    self.timers.set(Timer::Tunnel(id), Some(now));
                }
            }
            self.count_tunnel(id);
            if is_full {
                return;
            }
        }
    }

    /// What waits for a target; it was charged when it came.
    pub(super) fn transmit_of_target(&mut self, id: TunnelId, socket: SocketId) -> Option<Transmit<'_>> {
        let now = self.now;
        let (open, ..) = opened(&mut self.tunnels, &mut self.connections, id)?;
        let Payload::Datagrams { outgoing, .. } = &mut open.payload else { return None };
        let transmit = Transmit::of(outgoing, now);
        if transmit.is_none() {
            self.requests.settle(socket);
        }
        transmit
    }

    /// Datagrams of a client went to its target.
    pub(super) fn on_datagrams_sent(&mut self, id: TunnelId, count: usize) {
        let Some((open, ..)) = opened(&mut self.tunnels, &mut self.connections, id) else { return };
        let Payload::Datagrams { outgoing, ending, .. } = &mut open.payload else { return };
        open.moved = self.now;
        // They were young enough when they were lent; asking their age again could let others go in their place.
        (0..count).for_each(|_| outgoing.pop());
        let is_over = *ending && outgoing.is_empty();
        self.count_tunnel(id);
        if is_over {
            self.finish_datagrams(id);
        }
    }

    /// The system dropped datagrams of the target.
    pub(super) fn on_overflow(&mut self, id: TunnelId, count: u64) {
        if let Some((open, ..)) = opened(&mut self.tunnels, &mut self.connections, id)
            && let Payload::Datagrams { limited, .. } = &mut open.payload
        {
            *limited = limited.saturating_add(count);
        }
    }

    /// The client ended a tunnel of datagrams; it must not have stopped in the middle of a capsule (RFC 9297 §3.3).
    ///
    /// What it sent just before is delivered first, for as long as a datagram may wait at all.
    pub(super) fn on_datagrams_finished(&mut self, id: TunnelId) {
        let patience = self.now + self.config.limits.datagrams.age;
        let Some((open, ..)) = opened(&mut self.tunnels, &mut self.connections, id) else { return };
        let Payload::Datagrams { outgoing, ending, .. } = &mut open.payload else { return };
        if outgoing.is_empty() {
            return self.finish_datagrams(id);
        }
        *ending = true;
        self.timers.set(Timer::Tunnel(id), Some(patience));
    }

    pub(super) fn finish_datagrams(&mut self, id: TunnelId) {
        let Some((_, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else { return };
        let reason = match connection.downlink.check_whole(key) {
            Ok(()) => finished(connection.downlink.ending(key)),
            Err(error) => CloseReason::BadCapsule(error.to_string()),
        };
        self.end_tunnel(id, reason, false, Some(End::Clean));
    }
}

fn drop_all(queue: &mut DatagramQueue) -> u64 {
    let count = queue.len() as u64;
    while !queue.is_empty() {
        queue.pop();
    }
    count
}

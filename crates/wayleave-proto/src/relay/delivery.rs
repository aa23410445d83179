//! Payload on its way from a client's connection to the sockets of its targets, while its bytes are lent.

use super::ledger::Ledger;
use super::meter::Direction;
use super::share::{Share, Shares};
use super::tunnel::{Open, Payload, State, Tunnel, TunnelId};
use super::{Stats, Timer};
use crate::base::{Beside, Instant, Slots, Timers};
use crate::carrier::downlink::{Sink, Sinks, TunnelKey};
use crate::net::{Onward, SocketId, Transmit};
use crate::queue::DatagramQueue;

/// Where one connection delivers to.
pub(super) struct Delivery<'a, L> {
    pub(super) keys: &'a Beside<TunnelKey, TunnelId>,
    pub(super) tunnels: &'a mut Slots<TunnelId, Tunnel>,
    pub(super) shares: &'a mut Shares,
    pub(super) ledger: &'a mut L,
    pub(super) timers: &'a mut Timers<Timer>,
    pub(super) now: Instant,
    pub(super) stats: &'a mut Stats,
    /// Tunnels with datagrams that nothing older waits before.
    pub(super) reached: &'a mut Vec<TunnelId>,
    pub(super) onward: &'a mut dyn Onward,
}

/// Where one tunnel delivers to.
pub(super) struct ToTarget<'a, L> {
    id: TunnelId,
    open: &'a mut Open,
    /// Whose rates count for each datagram; a stream is charged behind the whole read.
    share: Option<&'a mut Share>,
    ledger: &'a mut L,
    timers: &'a mut Timers<Timer>,
    now: Instant,
    stats: &'a mut Stats,
    reached: &'a mut Vec<TunnelId>,
    onward: &'a mut dyn Onward,
}

impl<L: Ledger> Delivery<'_, L> {
    /// Sends the datagrams on that came, those of one target and size together. What a socket does not take waits.
    pub(super) fn send_on(&mut self) {
        while let Some(id) = self.reached.pop() {
            let Some(State::Open(open)) = self.tunnels.get_mut(id).map(|tunnel| &mut tunnel.state) else {
                continue;
            };
            let (Some(socket), Payload::Datagrams { outgoing, .. }) = (open.socket, &mut open.payload) else {
                continue;
            };
            send_on(self.onward, socket, outgoing, self.now);
        }
    }
}

fn send_on(onward: &mut dyn Onward, socket: SocketId, outgoing: &mut DatagramQueue, now: Instant) {
    while let Some(transmit) = Transmit::of(outgoing, now) {
        let sent = onward.send(socket, transmit);
        (0..sent).for_each(|_| outgoing.pop());
        if sent == 0 {
            return;
        }
    }
}

impl<L: Ledger> Sinks for Delivery<'_, L> {
    type Sink<'s>
        = ToTarget<'s, L>
    where
        Self: 's;

    fn sink(&mut self, key: TunnelKey) -> Option<ToTarget<'_, L>> {
        let id = *self.keys.get(key)?;
        let State::Open(open) = &mut self.tunnels.get_mut(id)?.state else { return None };
        let share = match open.payload {
            Payload::Datagrams { .. } => self.shares.get_mut(&open.grant.verdict.account),
            Payload::Stream { .. } => None,
        };
        let Self { ledger, timers, now, stats, reached, onward, .. } = self;
        Some(ToTarget { id, open, share, ledger, timers, now: *now, stats, reached, onward: *onward })
    }
}

impl<L: Ledger> Sink for ToTarget<'_, L> {
    fn write(&mut self, chunks: [&[u8]; 2]) -> usize {
        let Payload::Stream { passed, .. } = &mut self.open.payload else { return 0 };
        let Some(socket) = self.open.socket else { return 0 };
        let taken = self.onward.write(socket, chunks);
        *passed += taken;
        taken
    }

    fn datagram(&mut self, payload: &[u8]) {
        let now = self.now;
        let Payload::Datagrams { outgoing, limited, .. } = &mut self.open.payload else { return };
        self.open.sent += payload.len() as u64;
        self.stats.to_target.add_datagram(payload.len());
        self.open.moved = now;
        if self.share.as_ref().is_some_and(|share| share.is_over(now, Direction::ToTarget)) {
            *limited += 1;
            self.stats.dropped.rate = self.stats.dropped.rate.saturating_add(1);
            return;
        }
        if let Some(share) = &mut self.share {
            share.charge(self.ledger, now, Direction::ToTarget, 1, payload.len() as u64);
            if share.is_spent() {
                self.timers.set(Timer::Tunnel(self.id), Some(now));
            }
        }
        let is_many = outgoing.len() >= Transmit::MOST || !outgoing.has_room(now, payload.len());
        if outgoing.is_empty() {
            self.reached.push(self.id);
        } else if is_many && let Some(place) = self.reached.iter().position(|reached| *reached == self.id) {
            // One read may bring more than may wait.
            if let Some(socket) = self.open.socket {
                send_on(self.onward, socket, outgoing, now);
            }
            if !outgoing.is_empty() {
                self.reached.swap_remove(place);
            }
        }
        outgoing.push(now, payload);
    }
}

//! Datagrams that an application neither wants to lose without a word nor to wait for longer than it must.

use super::flow::{Flow, State};
use super::{Client, FlowError, FlowId};
use crate::base::{Instant, Kind};
use crate::net::{Packets, SocketId, Transmit};
use crate::queue::Drops;

/// What became of the datagrams of one flow, as far as this machine knows: the network, the relay and the target drop what they
/// drop without a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramStats {
    /// So many wait to be sent.
    pub waiting: usize,
    /// So many were taken to be sent, and dropped before they went out: the application sends faster than the path takes it.
    pub unsent: Drops,
    /// So many came, and were dropped before the application received them.
    pub unread: Drops,
    /// So many came on the direct way, and the system dropped them because they were not received in time.
    pub overflowed: u64,
}

impl Client {
    /// Takes a datagram for the target of a flow where none that waits has to be dropped for it; `false` where it was not taken,
    /// and [`Notice::Flow`](super::Notice::Flow) will say when there is room.
    ///
    /// # Errors
    /// As [`Self::send_datagram`].
    pub fn try_send_datagram(&mut self, now: Instant, id: FlowId, payload: &[u8]) -> Result<bool, FlowError> {
        let now = self.at(now);
        self.check(id)?;
        let queues = self.flows.get_mut(id).and_then(|flow| flow.queues.as_deref_mut());
        if let Some(queues) = queues {
            queues.sender_waits = !queues.outgoing.has_room(now, payload.len());
            if queues.sender_waits && payload.len() <= self.largest_datagram(id) {
                return Ok(false);
            }
        }
        self.send_datagram(now, id, payload).map(|()| true)
    }

    /// What became of the datagrams of a flow.
    pub fn datagram_stats(&self, id: FlowId) -> DatagramStats {
        let Some(Flow { queues: Some(queues), overflowed: (overflowed, _), .. }) = self.flows.get(id) else {
            return DatagramStats::default();
        };
        DatagramStats {
            waiting: queues.outgoing.len(),
            unsent: queues.outgoing.drops(),
            unread: queues.incoming.drops(),
            overflowed: *overflowed,
        }
    }

    /// Datagrams of a flow went out: who waits for room goes on.
    pub(super) fn on_datagrams_gone(&mut self, id: FlowId) {
        let queues = self.flows.get_mut(id).and_then(|flow| flow.queues.as_deref_mut());
        if queues.is_some_and(|queues| core::mem::take(&mut queues.sender_waits)) {
            self.io.nudge(id);
        }
    }
}

/// Those of a flow on the direct way.
impl Client {
    pub(super) fn on_flow_packets(&mut self, id: FlowId, packets: Packets<'_>) {
        if self.flows.get_mut(id).is_some_and(|flow| matches!(flow.direct(), State::DirectDatagrams { .. })) {
            packets.for_each(|packet| self.take_in(id, packet.payload));
            self.io.nudge(id);
            self.on_flow_answered(id);
        }
    }

    /// One more datagram waits for the application.
    pub(super) fn take_in(&mut self, id: FlowId, payload: &[u8]) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.received += payload.len() as u64;
        if let Some(queues) = &mut flow.queues {
            queues.incoming.push(self.io.now, payload);
        }
    }

    pub(super) fn transmit_of_flow(&mut self, id: FlowId, socket: SocketId) -> Option<Transmit<'_>> {
        let flow = self.flows.get_mut(id)?;
        let direct = flow.spare.as_deref().unwrap_or(&flow.state);
        let transmit = match (direct, &mut flow.queues) {
            (State::DirectDatagrams { .. }, Some(queues)) => Transmit::of(&mut queues.outgoing, self.io.now),
            _ => None,
        };
        if transmit.is_none() {
            self.io.requests.settle(socket);
        }
        transmit
    }

    pub(super) fn on_flow_sent(&mut self, id: FlowId, count: usize) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let direct = flow.spare.as_deref().unwrap_or(&flow.state);
        if let (State::DirectDatagrams { .. }, Some(queues)) = (direct, &mut flow.queues) {
            (0..count).for_each(|_| queues.outgoing.pop());
            self.on_datagrams_sent(id);
        }
    }

    /// Datagrams went out directly: an answer to them is overdue some time later.
    pub(super) fn on_datagrams_sent(&mut self, id: FlowId) {
        self.on_datagrams_gone(id);
        let Some(State::DirectDatagrams { answered, asked, .. }) = self.flows.get_mut(id).map(Flow::direct)
        else {
            return;
        };
        if *answered {
            self.routes.handle_sent(self.io.now, Kind::Datagram);
        } else if asked.is_none() {
            *asked = Some(self.io.now);
            self.arm_flow(id);
        }
    }
}

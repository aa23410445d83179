//! What has to hold behind every step.

use core::net::{IpAddr, SocketAddr};

use wayleave_proto::base::Instant;
use wayleave_proto::client::Notice;
use wayleave_proto::config::Mode;

use super::{BUFFER, MOST_FLOWS, Play};
use crate::play::Asked;

impl Play<'_> {
    /// Looks at everything that came out.
    pub(super) fn look(&mut self) {
        for id in core::mem::take(&mut self.rig.asked) {
            // It may have been asked for and closed within one step.
            if let Some(asked) = self.rig.sockets.get(&id).map(|socket| socket.asked.clone()) {
                self.judge(&asked);
                self.meet(id);
            }
        }
        for notice in core::mem::take(&mut self.rig.events) {
            if let Notice::Event(event) = notice {
                assert!(event.at >= self.told && event.at <= self.rig.latest(), "time runs backwards");
                self.told = event.at;
            }
        }
        let sockets = &self.rig.sockets;
        self.peers.retain(|id, _| sockets.contains_key(id));
        assert!(self.rig.machine.flow_count() <= MOST_FLOWS);
        for flow in &self.flows {
            // Our side of a proxy keeps a record that is not whole yet.
            let waiting = flow.written.at() - flow.arrived.at();
            assert!(
                flow.is_released || waiting <= (BUFFER + 16 * 1024 + 64) as u64,
                "{waiting} bytes wait to be sent"
            );
            assert!(flow.is_garbled || flow.read.at() <= flow.sent.at());
        }
        assert!(self.rig.latest() >= Instant::ZERO);
    }

    /// Normal mode: nothing but proxies is looked up or dialled. Off: no proxy is.
    fn judge(&self, asked: &Asked) {
        assert!(!self.is_closed, "{asked:?} is asked for by a closed client");
        let is_proxy = match asked {
            Asked::Accepted => false,
            Asked::Lookup(name) => name.as_str().starts_with("relay"),
            Asked::Tcp(address) => self.is_proxy(*address),
            Asked::Udp(address) => {
                assert!(!self.is_proxy(*address), "{address} speaks no UDP");
                false
            }
        };
        match self.mode {
            Mode::Normal => assert!(is_proxy, "{asked:?} in normal mode"),
            Mode::Off => assert!(!is_proxy, "{asked:?} in mode off"),
            Mode::Smart => {}
        }
    }

    pub(super) fn is_proxy(&self, address: SocketAddr) -> bool {
        matches!(address.ip(), IpAddr::V4(address) if address.octets()[..3] == [203, 0, 113])
    }
}

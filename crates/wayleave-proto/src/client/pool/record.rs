//! The latest that is known of each relay, for whoever asks how it stands.

use core::time::Duration;

use super::silence::Standing;
use super::{Connection, Pool};
use crate::base::Instant;
use crate::carrier::Carrier;
use crate::client::ProxyFault;
use crate::client::explain::{Contact, RelayState, RelayStory};
use crate::config::{ClientConfig, Via};

/// One for each relay.
#[derive(Debug, Default)]
pub(super) struct Record {
    contact: Option<Made>,
    /// When it last failed, and how; what it did well since then clears it.
    fault: Option<(Instant, ProxyFault)>,
}

/// A connection was made.
#[derive(Debug)]
struct Made {
    at: Instant,
    via: Option<Via>,
    carrier: Carrier,
    elapsed: Duration,
}

impl Record {
    /// A connection was made to it within `elapsed`.
    pub(super) fn handle_connected(
        &mut self,
        at: Instant,
        via: Option<Via>,
        carrier: Carrier,
        elapsed: Duration,
    ) {
        self.contact = Some(Made { at, via, carrier, elapsed });
        // One that refuses is reached again and again; only what it accepts clears that.
        self.fault.take_if(|(_, fault)| matches!(fault, ProxyFault::Connection(_) | ProxyFault::Silent));
    }

    pub(super) fn handle_failed(&mut self, at: Instant, fault: ProxyFault) {
        self.fault = Some((at, fault));
    }

    /// It did what it should.
    pub(super) fn handle_good(&mut self) {
        self.fault = None;
    }

    pub(super) fn state(&self, now: Instant, standing: &Standing, connections: usize) -> RelayState {
        match &self.fault {
            // It was silent only, and speaks again.
            Some((at, ProxyFault::Silent)) if standing.heard() > *at => {}
            Some((at, fault)) => return RelayState::Failed { fault: fault.clone(), ago: now.since(*at) },
            None => {}
        }
        match (connections, &self.contact) {
            (1.., _) => RelayState::Connected,
            (0, Some(_)) => RelayState::Left,
            (0, None) => RelayState::NotTried,
        }
    }
}

impl Pool {
    /// How each relay stands, in the order of the configuration.
    pub(in crate::client) fn relays(&self, config: &ClientConfig, now: Instant) -> Vec<RelayStory> {
        let has_others = config.proxies.len() > 1;
        let records = self.records.iter().zip(&self.standings).zip(&config.proxies);
        let stories = records.enumerate().map(|(index, ((record, standing), proxy))| {
            let of_it = || self.connections.iter().map(|(_, it)| it).filter(|it| it.proxy == index);
            let connections = of_it().count();
            RelayStory {
                proxy: proxy.clone(),
                via: config.via_to(proxy).to_vec(),
                state: record.state(now, standing, connections),
                connections,
                tunnels: of_it().map(Connection::carried).sum(),
                contact: record.contact.as_ref().map(|made| Contact {
                    ago: now.since(made.at),
                    via: made.via.clone(),
                    carrier: made.carrier,
                    elapsed: made.elapsed,
                }),
                last_for: has_others
                    .then(|| self.proxies.held_until(now, index))
                    .flatten()
                    .map(|free| free.since(now)),
            }
        });
        stories.collect()
    }

    /// Whether a connection to a relay is being made.
    pub(in crate::client) fn is_dialling(&self) -> bool {
        !self.searches.is_empty()
    }
}

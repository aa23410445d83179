//! A new credential, and the relays that have to see it because tunnels run through them.
//!
//! On HTTP/1.1 nothing can be told to a relay inside of a tunnel. So each relay with running tunnels is shown the new
//! credential once, by a request that asks for nothing else (OPTIONS,
//! [RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7)) on the connection that is kept ready, or by
//! the next tunnel, whichever comes first.

use std::collections::BTreeMap;

use super::flow::State;
use super::proxied::DialId;
use super::{CarrierId, Client, ProxyFault, Timer, What};
use crate::auth::Credential;
use crate::base::{Instant, Kind};
use crate::carrier::tls::exported;
use crate::codec::h1::{Response, encode_options, parse_response};
use crate::net::Backoff;

/// The relays that have not seen the credential yet, by their places in the configuration.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// How often the credential was renewed; says of a request whether it showed the latest.
    pub(super) count: u64,
    wanted: BTreeMap<usize, Showing>,
}

/// One relay that has to be shown the credential.
#[derive(Debug, Default)]
struct Showing {
    backoff: Backoff,
    step: Step,
}

#[derive(Debug, Default)]
enum Step {
    /// It waits for a connection to this relay, which this search makes if none was ready.
    Connecting(Option<DialId>),
    /// The request is on its way.
    Asked,
    /// The last attempt came to nothing; the next comes then.
    Resting,
    #[default]
    New,
}

impl Renewals {
    /// Nobody has to see anything any more.
    pub(super) fn clear(&mut self) {
        self.wanted.clear();
    }

    /// How many connections are wanted.
    pub(super) fn connections(&self) -> usize {
        self.wanted.values().filter(|showing| matches!(showing.step, Step::New | Step::Connecting(_))).count()
    }
}

impl Client {
    /// Puts a new credential in force: for every tunnel that is opened from now on, and for those that run, as far as
    /// their relays let a tunnel live longer by it.
    pub fn renew(&mut self, now: Instant, credential: Credential) {
        let now = self.at(now);
        if self.closed {
            return;
        }
        self.credential = Some(credential);
        self.arm_token();
        self.renewals.count += 1;
        self.renewals.wanted.clear();
        for index in 0..self.config.proxies.len() {
            self.timers.set(Timer::Renewal(index), None);
        }
        for proxy in self.proxies_in_use() {
            self.renewals.wanted.insert(proxy, Showing::default());
        }
        // Who was refused with the old one need not wait any longer.
        for id in self.flows_of(None) {
            if self
                .flows
                .get(id)
                .is_some_and(|flow| matches!(flow.state, State::Waiting(Some(at)) if at > now))
            {
                self.place(id);
            }
        }
        self.supply();
    }

    /// The relays through which tunnels run.
    fn proxies_in_use(&self) -> Vec<usize> {
        let runs = |flow| self.flows.get(flow).is_some_and(|flow| matches!(flow.state, State::Tunnel { .. }));
        let used = self.carriers.iter().filter(|(_, carrier)| carrier.flow.is_some_and(runs));
        used.map(|(_, carrier)| carrier.proxy).collect()
    }

    /// Shows the credential over connections that are ready, and makes those that are missing.
    pub(super) fn supply_renewals(&mut self) {
        let pending: Vec<usize> = self.renewals.wanted.keys().copied().collect();
        for proxy in pending {
            let Some(showing) = self.renewals.wanted.get(&proxy) else { continue };
            let search = match showing.step {
                Step::New => None,
                Step::Connecting(search) => search,
                Step::Asked | Step::Resting => continue,
            };
            let is_right =
                |id: &CarrierId| self.carriers.get(*id).is_some_and(|carrier| carrier.proxy == proxy);
            if let Some(place) = self.ready.iter().position(is_right)
                && let Some(carrier) = self.ready.remove(place)
            {
                self.show(carrier, proxy);
            } else if search.is_none_or(|search| self.dials.get(search).is_none())
                && self.network.up
                && self.dials.len() < self.config.limits.dials
            {
                let search = self.start_dial(Some(proxy));
                if let Some(showing @ Showing { step: Step::New | Step::Connecting(_), .. }) =
                    self.renewals.wanted.get_mut(&proxy)
                {
                    showing.step = Step::Connecting(Some(search));
                }
            }
        }
    }

    fn show(&mut self, id: CarrierId, proxy: usize) {
        let (Some(carrier), Some(target)) = (self.carriers.get_mut(id), self.config.proxies.get(proxy))
        else {
            return;
        };
        let session = carrier.pipe.session();
        let authorization = self.credential.as_ref().and_then(|credential| {
            credential.authorization_value(target, |label, context| exported(session, label, context))
        });
        let mut head = Vec::with_capacity(512);
        let value = authorization.as_ref().map(|value| value.expose().as_str());
        encode_options(&mut head, &target.to_string(), value);
        carrier.pipe.session().send(&[&head]);
        zeroize::Zeroize::zeroize(&mut head);
        carrier.shows = true;
        carrier.renewal = self.renewals.count;
        self.requests.pending(carrier.socket);
        self.timers.set(Timer::Carrier(id), Some(self.now + self.config.limits.proxy_timeout));
        if let Some(showing) = self.renewals.wanted.get_mut(&proxy) {
            showing.step = Step::Asked;
        }
    }

    /// Something came on a connection on which the credential was shown.
    pub(super) fn read_shown(&mut self, id: CarrierId) {
        loop {
            let Some(carrier) = self.carriers.get_mut(id) else { return };
            let response = match carrier.pipe.read_head() {
                Ok(Some(head)) => parse_response(head, Kind::Stream),
                Ok(None) => {
                    if carrier.pipe.session().is_finished() {
                        self.on_unshown(id);
                    }
                    return;
                }
                Err(error) => Err(error),
            };
            carrier.pipe.end_head();
            let (proxy, is_latest) = (carrier.proxy, carrier.renewal == self.renewals.count);
            match response {
                Ok(Response::Interim) => continue,
                Ok(Response::Refused { status: 429 | 503, .. }) => return self.on_unshown(id),
                Ok(Response::Accepted) if is_latest => self.on_shown(proxy),
                Ok(Response::Refused { status: 407, .. }) if is_latest => {
                    self.end_renewal(proxy);
                    let fault = self.refused_fault(407);
                    self.on_proxy_failed(proxy, fault, None);
                }
                // A proxy of somebody else's that knows no OPTIONS ends no tunnel either.
                Ok(Response::Accepted | Response::Refused { .. }) | Err(_) if is_latest => {
                    self.end_renewal(proxy)
                }
                Ok(Response::Accepted | Response::Refused { .. }) | Err(_) => {}
            }
            self.close_carrier(id, false);
            return self.supply();
        }
    }

    fn on_shown(&mut self, proxy: usize) {
        self.end_renewal(proxy);
        if let Some(proxy) = self.config.proxies.get(proxy).cloned() {
            self.tell(What::TokenAccepted { proxy });
        }
    }

    /// A tunnel was opened: its relay has seen the credential, or must see a newer one.
    pub(super) fn on_tunnel_shown(&mut self, proxy: usize, renewal: u64) {
        if renewal != self.renewals.count {
            self.renewals.wanted.entry(proxy).or_default();
        } else if self.renewals.wanted.contains_key(&proxy) {
            self.on_shown(proxy);
        }
    }

    /// The connection on which the credential was shown came to nothing: again, later, as long as tunnels run there.
    pub(super) fn on_unshown(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get(id) else { return };
        let (proxy, is_latest) = (carrier.proxy, carrier.renewal == self.renewals.count);
        self.close_carrier(id, false);
        if is_latest {
            self.rest_renewal(proxy);
        }
        self.supply();
    }

    /// No connection to this relay could be made.
    pub(super) fn rest_renewal(&mut self, proxy: usize) {
        if !self.proxies_in_use().contains(&proxy) {
            return self.end_renewal(proxy);
        }
        let Some(showing) = self.renewals.wanted.get_mut(&proxy) else { return };
        let after = showing.backoff.next(&self.config.route.retry, &mut self.rng);
        showing.step = Step::Resting;
        self.timers.set(Timer::Renewal(proxy), Some(self.now + after));
    }

    pub(super) fn on_renewal_timeout(&mut self, proxy: usize) {
        if let Some(showing) = self.renewals.wanted.get_mut(&proxy) {
            showing.step = Step::New;
        }
        self.supply();
    }

    fn end_renewal(&mut self, proxy: usize) {
        self.renewals.wanted.remove(&proxy);
        self.timers.set(Timer::Renewal(proxy), None);
    }

    /// What a refusal means, as far as this side can know.
    pub(super) fn refused_fault(&self, status: u16) -> ProxyFault {
        let unix = self.clock.unix(self.now);
        let Some(credential) = self.credential.as_ref().filter(|_| status == 407) else {
            return ProxyFault::Refused { status };
        };
        match (credential, credential.expires(), credential.not_before()) {
            (Credential::AppSign(_), ..) => ProxyFault::AppSignRefused,
            (_, Some(end), _) if end <= unix => ProxyFault::TokenExpired { ago: unix.since(end) },
            (_, _, Some(begin)) if begin > unix => ProxyFault::TokenEarly { wait: begin.since(unix) },
            _ => ProxyFault::Refused { status },
        }
    }
}

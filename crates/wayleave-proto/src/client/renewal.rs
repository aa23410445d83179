//! A new credential, and the machines that have to see it because tunnels run through them.
//!
//! On HTTP/1.1 nothing can be told to a relay inside of a tunnel. So each machine with running tunnels is shown the new
//! credential once, by a request that asks for nothing else (OPTIONS,
//! [RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7)) on the connection that is kept ready, or by
//! the next tunnel, whichever comes first.
//!
//! Several machines can stand behind one name of a relay, and behind one address of it. A relay names itself where it
//! accepts something (Proxy-Status, [RFC 9209 §2](https://www.rfc-editor.org/rfc/rfc9209#section-2)), so it is known through
//! which machine each tunnel runs, and which one an answer came from. New connections are made to the address of the
//! tunnels that have not been heard of, until each of their machines has answered. Relays that do not name themselves
//! are told apart by address alone.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use super::check::Check;
use super::flow::State;
use super::proxied::{Carrier, DialId, Lead};
use super::{CarrierId, Client, ProxyFault, Timer, What};
use crate::auth::Credential;
use crate::base::{Instant, Kind};
use crate::carrier::tls::exported;
use crate::codec::h1::{Response, encode_options, parse_response};
use crate::config::BackoffConfig;
use crate::net::Backoff;

/// An address of a relay, behind which one machine stands or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The relay's place in the configuration.
    pub(super) proxy: usize,
    pub(super) address: SocketAddr,
}

/// The places where the credential has still to be shown.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// How often the credential was renewed; says of a request whether it showed the latest.
    pub(super) count: u64,
    wanted: BTreeMap<Place, Showing>,
}

/// One place where the credential has to be shown.
#[derive(Debug, Default)]
struct Showing {
    backoff: Backoff,
    step: Step,
    /// How often a machine answered that had been heard of already.
    in_vain: u8,
}

#[derive(Debug, Default)]
enum Step {
    /// It waits for a connection to this place, which this search makes if none was ready.
    Connecting(Option<DialId>),
    /// The request is on its way.
    Asked,
    /// The last attempt came to nothing; the next comes then.
    Resting,
    #[default]
    New,
}

impl Renewals {
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
        if !self.is_open() {
            return;
        }
        self.credential = Some(credential);
        self.arm_token();
        self.renewals.count += 1;
        self.clear_renewals();
        self.restart_check();
        for place in self.deaf_places() {
            self.renewals.wanted.insert(place, Showing::default());
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

    /// Nobody has to see anything any more.
    pub(super) fn clear_renewals(&mut self) {
        for place in core::mem::take(&mut self.renewals.wanted).into_keys() {
            self.timers.set(Timer::Renewal(place), None);
        }
    }

    /// The places with tunnels whose machines have not seen the latest credential, one for each tunnel.
    fn deaf_places(&self) -> Vec<Place> {
        let runs = |flow| self.flows.get(flow).is_some_and(|flow| matches!(flow.state, State::Tunnel { .. }));
        let is_deaf =
            |carrier: &&Carrier| carrier.heard < self.renewals.count && carrier.flow.is_some_and(runs);
        self.carriers.iter().map(|(_, carrier)| carrier).filter(is_deaf).map(Carrier::place).collect()
    }

    /// Shows the credential over connections that are ready, and makes those that are missing.
    pub(super) fn supply_renewals(&mut self) {
        let pending: Vec<Place> = self.renewals.wanted.keys().copied().collect();
        for place in pending {
            let Some(showing) = self.renewals.wanted.get(&place) else { continue };
            let search = match showing.step {
                Step::New => None,
                Step::Connecting(search) => search,
                Step::Asked | Step::Resting => continue,
            };
            let is_right =
                |id: &CarrierId| self.carriers.get(*id).is_some_and(|carrier| carrier.place() == place);
            if let Some(position) = self.ready.iter().position(is_right)
                && let Some(carrier) = self.ready.remove(position)
            {
                self.show(carrier, place);
            } else if search.is_none_or(|search| self.dials.get(search).is_none())
                && self.network.up
                && self.dials.len() < self.config.limits.dials
            {
                let search = self.start_dial(Lead::Renewal(place));
                if let Some(showing @ Showing { step: Step::New | Step::Connecting(_), .. }) =
                    self.renewals.wanted.get_mut(&place)
                {
                    showing.step = Step::Connecting(Some(search));
                }
            }
        }
    }

    pub(super) fn show(&mut self, id: CarrierId, place: Place) {
        let (Some(carrier), Some(target)) = (self.carriers.get_mut(id), self.config.proxies.get(place.proxy))
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
        if let Some(showing) = self.renewals.wanted.get_mut(&place) {
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
                        self.on_unshown(id, ProxyFault::NoAnswer);
                    }
                    return;
                }
                Err(error) => Err(error),
            };
            carrier.pipe.end_head();
            let (place, is_latest) = (carrier.place(), carrier.renewal == self.renewals.count);
            match response {
                Ok(Response::Interim) => continue,
                Ok(Response::Refused { status: status @ (429 | 503), .. }) => {
                    return self.on_unshown(id, ProxyFault::Refused { status });
                }
                Ok(Response::Accepted { by }) => {
                    carrier.machine = by;
                    let is_progress = self.on_credential_heard(id);
                    self.on_check_answered(id);
                    if is_latest {
                        self.try_other_machine(place, is_progress);
                    }
                }
                Ok(Response::Refused { status: 407, .. }) if is_latest => {
                    self.end_renewals(place.proxy);
                    self.end_check(id, Check::Refused);
                    let fault = self.refused_fault(407);
                    self.on_proxy_failed(place.proxy, fault, None);
                }
                // A proxy of somebody else's that knows no OPTIONS ends no tunnel either.
                Ok(Response::Refused { .. }) | Err(_) if is_latest => {
                    self.end_renewal(place);
                    self.end_check(id, Check::Over);
                }
                Ok(Response::Refused { .. }) | Err(_) => {}
            }
            self.close_carrier(id, false);
            return self.supply();
        }
    }

    /// A tunnel was opened: its machine has seen the credential that was shown with it, or must see a newer one.
    pub(super) fn on_tunnel_shown(&mut self, id: CarrierId) {
        self.on_credential_heard(id);
        self.on_check_accepted(id);
        let Some(carrier) = self.carriers.get(id) else { return };
        if carrier.heard < self.renewals.count {
            self.renewals.wanted.entry(carrier.place()).or_default();
        }
    }

    /// The machine at the other end has accepted the credential that was shown on this connection: it counts for every tunnel
    /// that runs through it. The answer is whether any of them had not been heard of.
    fn on_credential_heard(&mut self, id: CarrierId) -> bool {
        let deaf = self.deaf_places().len();
        let Some(shown) = self.carriers.get_mut(id) else { return false };
        shown.heard = shown.heard.max(shown.renewal);
        let (place, machine, heard) = (shown.place(), shown.machine.clone(), shown.heard);
        for id in self.carriers.keys() {
            let Some(carrier) = self.carriers.get_mut(id) else { continue };
            let is_same = match (&carrier.machine, &machine) {
                (Some(one), Some(other)) => carrier.proxy == place.proxy && one == other,
                _ => carrier.place() == place,
            };
            if is_same {
                carrier.heard = carrier.heard.max(heard);
            }
        }
        self.settle_renewals(place.proxy);
        self.deaf_places().len() < deaf
    }

    /// Ends what is no longer wanted of this relay, and tells when that was all.
    fn settle_renewals(&mut self, proxy: usize) {
        let deaf = self.deaf_places();
        let wanted = |client: &Self| client.renewals.wanted.keys().any(|place| place.proxy == proxy);
        if !wanted(self) {
            return;
        }
        let over = self.renewals.wanted.keys().filter(|place| place.proxy == proxy && !deaf.contains(place));
        for place in over.copied().collect::<Vec<_>>() {
            self.end_renewal(place);
        }
        if !wanted(self)
            && let Some(proxy) = self.config.proxies.get(proxy).cloned()
        {
            self.tell(What::TokenAccepted { proxy });
        }
    }

    /// A machine answered that is not the one, or not the only one, that is wanted behind this address: a balancer gives
    /// the next connection to another, in most cases. After a few it is told, and asked for less often.
    fn try_other_machine(&mut self, place: Place, is_progress: bool) {
        let Some(showing) = self.renewals.wanted.get_mut(&place) else { return };
        showing.in_vain = if is_progress { 0 } else { showing.in_vain.saturating_add(1) };
        if showing.in_vain < PATIENCE {
            showing.step = Step::New;
            return;
        }
        let is_news = showing.in_vain == PATIENCE;
        self.rest_renewal(place);
        if is_news && let Some(proxy) = self.config.proxies.get(place.proxy).cloned() {
            let tunnels = self.deaf_places().iter().filter(|deaf| deaf.proxy == place.proxy).count();
            self.tell(What::TokenUnheard { proxy, tunnels });
        }
    }

    /// The connection on which the credential was shown came to nothing: again, later, as long as tunnels run there.
    pub(super) fn on_unshown(&mut self, id: CarrierId, fault: ProxyFault) {
        let Some(carrier) = self.carriers.get(id) else { return };
        let (place, is_latest) = (carrier.place(), carrier.renewal == self.renewals.count);
        self.on_check_unanswered(id, fault);
        self.close_carrier(id, false);
        if is_latest {
            self.rest_renewal(place);
        }
        self.supply();
    }

    /// No connection to this place could be made.
    pub(super) fn rest_renewal(&mut self, place: Place) {
        if !self.deaf_places().contains(&place) {
            return self.end_renewal(place);
        }
        let Some(showing) = self.renewals.wanted.get_mut(&place) else { return };
        let retry =
            BackoffConfig { most: self.config.route.retry.most.min(LONGEST_REST), ..self.config.route.retry };
        let after = showing.backoff.next(&retry, &mut self.rng);
        showing.step = Step::Resting;
        self.timers.set(Timer::Renewal(place), Some(self.now + after));
    }

    pub(super) fn on_renewal_timeout(&mut self, place: Place) {
        if let Some(showing) = self.renewals.wanted.get_mut(&place) {
            showing.step = Step::New;
        }
        self.supply();
    }

    fn end_renewals(&mut self, proxy: usize) {
        let of_proxy = self.renewals.wanted.keys().filter(|place| place.proxy == proxy);
        for place in of_proxy.copied().collect::<Vec<_>>() {
            self.end_renewal(place);
        }
    }

    fn end_renewal(&mut self, place: Place) {
        self.renewals.wanted.remove(&place);
        self.timers.set(Timer::Renewal(place), None);
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

/// So many connections to one address may lead to a machine that has been heard of, before that is told.
const PATIENCE: u8 = 8;
/// Between two attempts to be heard: an expiry is announced half a minute ahead.
const LONGEST_REST: Duration = Duration::from_secs(10);

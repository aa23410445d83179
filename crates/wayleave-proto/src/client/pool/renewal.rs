//! A new credential, and the machines that have to see it because tunnels run through them.
//!
//! Nothing can be told to a relay inside of a tunnel. So each machine with running tunnels is shown the new
//! credential once, by a request that asks for nothing else (OPTIONS,
//! [RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7)) on a connection to it that has room, beside
//! its tunnels where the carrier allows that, or by the next tunnel, whichever comes first.
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
use super::connection::{Stage, TunnelRef};
use super::search::Lead;
use super::{CarrierId, Connection, DialId, Pool, ProxyFault};
use crate::auth::Credential;
use crate::client::What;
use crate::client::io::{Io, Timer};
use crate::codec::http::{Answer, Malformed, Refusal, Want};
use crate::config::BackoffConfig;
use crate::net::Backoff;

/// An address of a relay, behind which one machine stands or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::client) struct Place {
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
    /// It waits for a connection to this place, which this search makes as long as none is ready.
    Connecting(DialId),
    /// The request is on its way.
    Asked,
    /// The last attempt came to nothing; the next comes then.
    Resting,
    #[default]
    New,
}

impl Showing {
    const fn waits(&self) -> bool {
        matches!(self.step, Step::New | Step::Connecting(_))
    }
}

impl Renewals {
    /// How many connections are wanted.
    pub(super) fn connections(&self) -> usize {
        self.wanted.values().filter(|showing| showing.waits()).count()
    }

    /// The places that wait for a connection.
    fn waiting(&self) -> Vec<Place> {
        self.wanted.iter().filter(|(_, showing)| showing.waits()).map(|(place, _)| *place).collect()
    }
}

impl Pool {
    /// Puts a new credential in force: for every tunnel that is opened from now on, and for those that run, as far as
    /// their relays let a tunnel live longer by it.
    pub(in crate::client) fn renew(&mut self, io: &mut Io, credential: Credential) {
        self.credential = Some(credential);
        self.renewals.count += 1;
        self.clear_renewals(io);
        self.restart_check(io);
        for place in self.deaf_places() {
            self.renewals.wanted.insert(place, Showing::default());
        }
        self.stirred = true;
    }

    /// The credential in force.
    pub(in crate::client) const fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Nobody has to see anything any more.
    pub(super) fn clear_renewals(&mut self, io: &mut Io) {
        for place in core::mem::take(&mut self.renewals.wanted).into_keys() {
            io.timers.set(Timer::Renewal(place), None);
        }
    }

    /// The places with tunnels whose machines have not seen the latest credential, one for each tunnel.
    fn deaf_places(&self) -> Vec<Place> {
        let is_deaf = |it: &&Connection| it.heard < self.renewals.count;
        let connections = self.connections.iter().map(|(_, it)| it).filter(is_deaf);
        connections.flat_map(|it| core::iter::repeat_n(it.place(), it.carried())).collect()
    }

    /// Shows the credential over connections that are ready.
    pub(super) fn show_renewals(&mut self, io: &mut Io) {
        for place in self.renewals.waiting() {
            let is_news = |it: &Connection| it.place() == place && it.heard < self.renewals.count;
            let is_right = |id: &CarrierId| self.connections.get(*id).is_some_and(is_news);
            if let Some(carrier) = self.ready.iter().copied().find(is_right) {
                self.show(io, carrier, place);
            }
        }
    }

    /// Searches for the connections that are missing to show it.
    pub(super) fn begin_for_renewals(&mut self, io: &mut Io) {
        for place in self.renewals.waiting() {
            let Some(showing) = self.renewals.wanted.get(&place) else { continue };
            let is_begun = matches!(showing.step, Step::Connecting(search) if self.searches.contains(search));
            if !is_begun && io.network.up && self.searches.len() < io.config.limits.dials {
                let search = self.begin_search(io, Lead::Renewal(place));
                if let Some(showing) = self.renewals.wanted.get_mut(&place) {
                    showing.step = Step::Connecting(search);
                }
            }
        }
    }

    pub(super) fn show(&mut self, io: &mut Io, id: CarrierId, place: Place) {
        let (Some(connection), Some(target)) =
            (self.connections.get_mut(id), io.config.proxies.get(place.proxy).cloned())
        else {
            return;
        };
        let key = connection.ask(io, self.credential.as_ref(), target, Want::Options);
        let shown = self.renewals.count;
        if let Some(key) = key {
            connection.hold(key, Stage::Shows, shown);
        }
        self.on_taken(io, id);
        io.timers.set(Timer::Shown(id), Some(io.now + io.config.limits.proxy_timeout));
        if let Some(showing) = self.renewals.wanted.get_mut(&place) {
            showing.step = Step::Asked;
        }
    }

    /// What a relay says to a credential that was shown.
    pub(super) fn on_shown_answered(
        &mut self,
        io: &mut Io,
        tunnel: TunnelRef,
        answer: Result<Answer, Malformed>,
    ) {
        let (id, is_latest) = (tunnel.carrier, self.has_shown_latest(tunnel));
        let shown = self.shown_with(tunnel).unwrap_or_default();
        let Some(connection) = self.connections.get_mut(id) else { return };
        let place = connection.place();
        match answer {
            Ok(Answer::Refused(Refusal { status: status @ (429 | 503), .. })) => {
                return self.on_unshown(io, tunnel, ProxyFault::Refused { status });
            }
            Ok(Answer::Accepted { by, .. }) => {
                connection.machine = by;
                let is_progress = self.on_credential_heard(io, id, shown);
                self.on_check_answered(io, id, is_latest);
                if is_latest {
                    self.try_other_machine(io, place, is_progress);
                }
            }
            Ok(Answer::Refused(Refusal { status: 407, .. })) if is_latest => {
                self.end_renewals(io, place.proxy);
                self.end_check(id, Check::Refused);
                let fault = self.refused_fault(io, 407);
                self.on_proxy_failed(io, place.proxy, fault, None);
            }
            // A proxy of somebody else's that knows no OPTIONS ends no tunnel either.
            Ok(Answer::Refused(_)) | Err(_) if is_latest => {
                self.end_renewal(io, place);
                self.end_check(id, Check::Over);
            }
            Ok(Answer::Refused(_)) | Err(_) => {}
        }
        self.end(io, tunnel, false);
    }

    /// A credential that was shown is not answered.
    pub(in crate::client) fn on_shown_timeout(&mut self, io: &mut Io, id: CarrierId) {
        let tunnels = self.connections.get(id).into_iter().flat_map(|connection| connection.tunnels.values());
        let shows = tunnels.filter(|tunnel| tunnel.stage == Stage::Shows).map(|tunnel| tunnel.key);
        for key in shows.collect::<Vec<_>>() {
            self.on_unshown(io, TunnelRef { carrier: id, key }, ProxyFault::NoAnswer);
        }
    }

    /// A tunnel was opened: its machine has seen the credential that was shown with it, or must see a newer one.
    pub(super) fn on_tunnel_shown(&mut self, io: &mut Io, id: CarrierId, shown: u64) {
        self.on_credential_heard(io, id, shown);
        self.on_check_accepted(io, id, shown == self.renewals.count);
        let Some(connection) = self.connections.get(id) else { return };
        if connection.heard < self.renewals.count {
            self.renewals.wanted.entry(connection.place()).or_default();
        }
    }

    /// The machine at the other end has accepted the credential that was shown on this connection: it counts for every tunnel
    /// that runs through it. The answer is whether any of them had not been heard of.
    fn on_credential_heard(&mut self, io: &mut Io, id: CarrierId, credential: u64) -> bool {
        let deaf = self.deaf_places().len();
        let Some(shown) = self.connections.get_mut(id) else { return false };
        shown.heard = shown.heard.max(credential);
        let (place, machine, heard) = (shown.place(), shown.machine.clone(), shown.heard);
        for id in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let is_same = match (&connection.machine, &machine) {
                (Some(one), Some(other)) => connection.proxy == place.proxy && one == other,
                _ => connection.place() == place,
            };
            if is_same {
                connection.heard = connection.heard.max(heard);
            }
        }
        self.settle_renewals(io, place.proxy);
        self.deaf_places().len() < deaf
    }

    /// Ends what is no longer wanted of this relay, and tells when that was all.
    fn settle_renewals(&mut self, io: &mut Io, proxy: usize) {
        let deaf = self.deaf_places();
        let wanted = |client: &Self| client.renewals.wanted.keys().any(|place| place.proxy == proxy);
        if !wanted(self) {
            return;
        }
        let over = self.renewals.wanted.keys().filter(|place| place.proxy == proxy && !deaf.contains(place));
        for place in over.copied().collect::<Vec<_>>() {
            self.end_renewal(io, place);
        }
        if !wanted(self)
            && let Some(proxy) = io.config.proxies.get(proxy).cloned()
        {
            io.tell(What::TokenAccepted { proxy });
        }
    }

    /// A machine answered that is not the one, or not the only one, that is wanted behind this address: a balancer gives
    /// the next connection to another, in most cases. After a few it is told, and asked for less often.
    fn try_other_machine(&mut self, io: &mut Io, place: Place, is_progress: bool) {
        let Some(showing) = self.renewals.wanted.get_mut(&place) else { return };
        showing.in_vain = if is_progress { 0 } else { showing.in_vain.saturating_add(1) };
        if showing.in_vain < PATIENCE {
            showing.step = Step::New;
            return;
        }
        let is_news = showing.in_vain == PATIENCE;
        self.rest_renewal(io, place);
        if is_news && let Some(proxy) = io.config.proxies.get(place.proxy).cloned() {
            let tunnels = self.deaf_places().iter().filter(|deaf| deaf.proxy == place.proxy).count();
            io.tell(What::TokenUnheard { proxy, tunnels });
        }
    }

    /// Nothing came of showing the credential on a connection: again, later, as long as tunnels run there.
    pub(super) fn on_unshown(&mut self, io: &mut Io, tunnel: TunnelRef, fault: ProxyFault) {
        let is_latest = self.has_shown_latest(tunnel);
        let Some(place) = self.connections.get(tunnel.carrier).map(Connection::place) else { return };
        self.on_check_unanswered(io, tunnel.carrier, fault);
        self.end(io, tunnel, false);
        if is_latest {
            self.rest_renewal(io, place);
        }
    }

    /// No connection to this place could be made.
    pub(super) fn rest_renewal(&mut self, io: &mut Io, place: Place) {
        if !self.deaf_places().contains(&place) {
            return self.end_renewal(io, place);
        }
        let Some(showing) = self.renewals.wanted.get_mut(&place) else { return };
        let retry =
            BackoffConfig { most: io.config.route.retry.most.min(LONGEST_REST), ..io.config.route.retry };
        let after = showing.backoff.next(&retry, &mut io.rng);
        showing.step = Step::Resting;
        io.timers.set(Timer::Renewal(place), Some(io.now + after));
    }

    pub(in crate::client) fn on_renewal_timeout(&mut self, place: Place) {
        if let Some(showing) = self.renewals.wanted.get_mut(&place) {
            showing.step = Step::New;
            self.stirred = true;
        }
    }

    fn end_renewals(&mut self, io: &mut Io, proxy: usize) {
        let of_proxy = self.renewals.wanted.keys().filter(|place| place.proxy == proxy);
        for place in of_proxy.copied().collect::<Vec<_>>() {
            self.end_renewal(io, place);
        }
    }

    fn end_renewal(&mut self, io: &mut Io, place: Place) {
        self.renewals.wanted.remove(&place);
        io.timers.set(Timer::Renewal(place), None);
    }

    /// What a refusal means, as far as this side can know.
    pub(in crate::client) fn refused_fault(&self, io: &Io, status: u16) -> ProxyFault {
        let unix = io.clock.unix(io.now);
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

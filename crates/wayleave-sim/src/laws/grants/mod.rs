//! Law 4: a relay forwards only what somebody asked for whose credential is good and allows it, never to a forbidden
//! place, and never more than that credential allows.
//!
//! What was asked for and what was shown is known from the clients' side, what is forwarded from the sockets of the relay
//! and from what it says.

mod books;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use wayleave_proto::auth::Claims;
use wayleave_proto::base::{Host, Instant, Kind, Target, UnixTime};
use wayleave_proto::relay::{Event, TunnelId, What};

use crate::scenario::{Allowed, AtExpiry, RelayPlan};
use books::Books;

/// What clients have asked for and by what right, and what relays make of it.
#[derive(Debug, Default)]
pub struct Grants {
    wishes: Vec<Wish>,
    rights: Vec<Right>,
    relays: BTreeMap<usize, Books>,
}

#[derive(Debug)]
struct Wish {
    client: usize,
    kind: Kind,
    target: Target,
}

/// A credential that a client has, or had.
#[derive(Clone, Debug)]
pub struct Right {
    /// Whose it is.
    pub client: usize,
    /// Whose limits it counts against, as [`user_of`] names it.
    pub user: String,
    /// Whether relays know its key.
    pub good: bool,
    /// When it expires; an app sign does not.
    pub expires: Option<UnixTime>,
    /// What it allows.
    pub allowed: Allowed,
}

impl Right {
    fn lasts(&self, unix: UnixTime, slack: Duration) -> bool {
        let slack = u64::try_from(slack.as_millis()).unwrap_or(u64::MAX);
        self.good
            && self.expires.is_none_or(|expires| expires.as_millis().saturating_add(slack) > unix.as_millis())
    }
}

impl Grants {
    /// A client has a credential from now on.
    pub fn right(&mut self, right: Right) {
        self.rights.push(right);
    }

    /// A client opened a flow.
    pub fn wish(&mut self, client: usize, kind: Kind, target: &Target) {
        self.wishes.push(Wish { client, kind, target: target.clone() });
    }

    /// A relay has just started; what it counted before is gone.
    pub fn started(&mut self, relay: usize, plan: &RelayPlan) {
        self.relays.insert(relay, Books::new(plan));
    }

    /// A relay is told that the user of a client is revoked.
    pub fn revoked(&mut self, relay: usize, client: usize) {
        if let Some(books) = self.relays.get_mut(&relay) {
            books.revoked.insert(client);
        }
    }

    /// A relay looks a name up.
    ///
    /// # Errors
    /// Nobody asked for it who might.
    pub fn check_name(&self, relay: usize, unix: UnixTime, name: &str) -> Result<(), String> {
        let asked = |wish: &Wish| matches!(&wish.target.host, Host::Name(asked) if asked.as_str() == name);
        let may = |wish: &Wish| self.rights_of(relay, wish.client).any(|right| right.lasts(unix, SLACK));
        if self.wishes.iter().any(|wish| asked(wish) && may(wish)) {
            return Ok(());
        }
        Err(format!("a relay looks {name} up, for which nobody with a valid credential has asked"))
    }

    /// A relay whose clock shows `unix` opens a socket to `address`; `leads` says whether a name leads there.
    ///
    /// # Errors
    /// Nobody asked for it who might, or nobody may.
    pub fn check(
        &self,
        relay: usize,
        unix: UnixTime,
        kind: Kind,
        address: SocketAddr,
        leads: impl Fn(&str, IpAddr) -> bool,
    ) -> Result<(), String> {
        if !is_public(address.ip()) || address.port() == 25 {
            return Err(format!("a relay opens a {kind} to {address}, which is forbidden"));
        }
        let fits = |wish: &&Wish| {
            wish.kind == kind
                && wish.target.port.get() == address.port()
                && match &wish.target.host {
                    Host::Address(ip) => *ip == address.ip(),
                    Host::Name(name) => leads(name.as_str(), address.ip()),
                }
        };
        let mut asked = self.wishes.iter().filter(fits).peekable();
        if asked.peek().is_none() {
            return Err(format!("a relay opens a {kind} to {address}, for which nobody has asked"));
        }
        let may = |wish: &Wish| {
            let holds = |right: &Right| right.allowed.places.hold(kind, &wish.target, address.ip());
            self.rights_of(relay, wish.client).any(|right| right.lasts(unix, SLACK) && holds(right))
        };
        if asked.any(may) {
            return Ok(());
        }
        Err(format!("a relay opens a {kind} to {address} for a client whose credential does not allow it"))
    }

    /// A relay says something; `unix` is what its clock showed when that was asked for.
    ///
    /// # Errors
    /// It has opened a tunnel that the user's credentials do not allow.
    pub fn said(&mut self, relay: usize, unix: UnixTime, event: &Event) -> Result<(), String> {
        match &event.what {
            What::TunnelOpened { kind, target, address, verdict, elapsed } => {
                let Some(tunnel) = event.tunnel else { return Ok(()) };
                let user = user_of(&verdict.claims);
                let opening = Opening {
                    tunnel,
                    kind: *kind,
                    target,
                    address: *address,
                    asked: event.at - *elapsed,
                    unix,
                    expires: verdict.claims.expires,
                };
                self.opened(relay, user, &opening)
            }
            What::TunnelClosed { .. } => {
                if let Some(books) = self.relays.get_mut(&relay)
                    && let Some(tunnel) = &event.tunnel
                {
                    books.open.remove(tunnel);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn opened(&mut self, relay: usize, user: String, opening: &Opening<'_>) -> Result<(), String> {
        let Opening { kind, target, address, .. } = *opening;
        let what = format!("a tunnel for {user} to {target} at {address}");
        let rights: Vec<Right> = self.rights.iter().filter(|right| right.user == user).cloned().collect();
        let Some(Right { client, .. }) = rights.first() else {
            return Err(format!("{what}, whom nobody knows"));
        };
        let good = |right: &&Right| right.lasts(opening.unix, LEEWAY);
        if !rights.iter().any(|right| good(&right)) {
            return Err(format!("{what}, whose credential is not good"));
        }
        if !rights.iter().filter(good).any(|right| right.allowed.places.hold(kind, target, address.ip())) {
            return Err(format!("{what}, whose credential does not lead there"));
        }
        if !self
            .wishes
            .iter()
            .any(|wish| wish.client == *client && wish.kind == kind && wish.target == *target)
        {
            return Err(format!("{what}, who has not asked for it"));
        }
        let Some(books) = self.relays.get_mut(&relay) else { return Ok(()) };
        if books.revoked.contains(client) {
            return Err(format!("{what}, who is revoked"));
        }
        let tunnels = most(rights.iter().map(|right| right.allowed.tunnels.map(u64::from)));
        let is_limited = rights.iter().all(|right| right.allowed.volume.is_some());
        books.shown(&user, opening.unix, opening.expires);
        books
            .opened(opening.tunnel, (*client, user), tunnels, is_limited, opening.asked)
            .map_err(|why| format!("{what}: {why}"))
    }

    /// A relay has moved that many bytes to targets and to clients, as far as it can be seen.
    ///
    /// # Errors
    /// That is more than rates or volumes allow.
    pub fn moved(&mut self, relay: usize, now: Instant, moved: [u64; 2]) -> Result<(), String> {
        let Some(books) = self.relays.get_mut(&relay) else { return Ok(()) };
        let rights = &self.rights;
        let widest = |user: &String, limit: fn(&Allowed) -> Option<u32>| {
            let of_user = rights.iter().filter(|right| right.user == *user);
            most(of_user.map(|right| limit(&right.allowed).map(u64::from)))
        };
        let volume = sum(books.users.iter().map(|user| widest(user, |allowed| allowed.volume)));
        let rate = sum(books.users.iter().map(|user| {
            let rate = widest(user, |allowed| allowed.rate);
            [rate, books.rate].into_iter().flatten().min()
        }));
        books.moved(now, moved, volume, rate)
    }

    /// A relay whose clock shows `unix` has done everything that there was to do.
    ///
    /// # Errors
    /// It carries a tunnel of somebody who is revoked, or whose credential ended its tunnels.
    pub fn settled(&self, relay: usize, unix: UnixTime) -> Result<(), String> {
        let Some(books) = self.relays.get(&relay) else { return Ok(()) };
        for (client, user) in books.open.values() {
            if books.revoked.contains(client) {
                return Err(format!("{user} is revoked and still has a tunnel"));
            }
            let ends = |right: &Right| match right.allowed.at_expiry {
                AtExpiry::CloseAfter(grace) => !right.lasts(unix, LEEWAY + grace + TICK),
                AtExpiry::Keep | AtExpiry::RefuseNew => !right.good,
            };
            if self.rights.iter().filter(|right| right.user == *user).all(ends) {
                return Err(format!(
                    "the credential of {user} has expired and its time is over, and a tunnel is open"
                ));
            }
        }
        Ok(())
    }

    fn rights_of(&self, relay: usize, client: usize) -> impl Iterator<Item = &Right> {
        let revoked = self.relays.get(&relay).is_some_and(|books| books.revoked.contains(&client));
        self.rights.iter().filter(move |right| right.client == client && !revoked)
    }
}

/// A tunnel that a relay says it has opened.
struct Opening<'a> {
    tunnel: TunnelId,
    kind: Kind,
    target: &'a Target,
    address: SocketAddr,
    /// When it was asked for, and what the relay's clock showed then.
    asked: Instant,
    unix: UnixTime,
    /// When the credential that was shown expires.
    expires: Option<UnixTime>,
}

/// Whose limits a credential with these claims counts against: the application, and the user if there is one.
pub fn user_of(claims: &Claims) -> String {
    let app = claims.app_id.as_ref().map_or("", |app| app.as_str());
    format!("{app}/{}", claims.subject.as_deref().unwrap_or_default())
}

/// The servers of the world are at these addresses, and nothing else is public.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[..2] == [45, 10])
}

/// The widest of several limits; none where one is missing.
fn most(limits: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    limits.collect::<Option<Vec<u64>>>()?.into_iter().max()
}

/// All limits together; none where one is missing, or nobody is there.
fn sum(limits: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let limits = limits.collect::<Option<Vec<u64>>>()?;
    (!limits.is_empty()).then(|| limits.into_iter().sum())
}

/// The leeway of relays.
const LEEWAY: Duration = Duration::from_secs(30);
/// The leeway, and how long after its judgement a relay may still dial: a look-up and several attempts.
const SLACK: Duration = Duration::from_secs(30 + 60);
/// Expiries are whole seconds.
const TICK: Duration = Duration::from_secs(1);

//! Law 4: a relay forwards only what somebody with a valid token asked for, and never to a forbidden place.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use wayleave_proto::base::{Host, Kind, Target, UnixTime};

/// What clients have asked for, and until when they may.
#[derive(Debug, Default)]
pub struct Grants {
    wishes: Vec<Wish>,
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Wish {
    client: usize,
    kind: Kind,
    target: Target,
}

#[derive(Debug)]
struct Token {
    client: usize,
    good: bool,
    expires: UnixTime,
}

impl Grants {
    /// A client has a token from now on; `good` when relays know its key.
    pub fn token(&mut self, client: usize, good: bool, expires: UnixTime) {
        self.tokens.push(Token { client, good, expires });
    }

    /// A client opened a flow.
    pub fn wish(&mut self, client: usize, kind: Kind, target: &Target) {
        self.wishes.push(Wish { client, kind, target: target.clone() });
    }

    /// A relay whose clock shows `unix` opens a socket to `address`; `leads` says whether a name leads there.
    ///
    /// # Errors
    /// Nobody asked for it who might, or nobody may.
    pub fn check(
        &self,
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
        let slack = u64::try_from(SLACK.as_millis()).unwrap_or_default();
        let may = |client: usize| {
            let lasts = |token: &&Token| token.expires.as_millis() + slack >= unix.as_millis();
            self.tokens.iter().filter(lasts).any(|token| token.client == client && token.good)
        };
        if asked.any(|wish| may(wish.client)) {
            return Ok(());
        }
        Err(format!("a relay opens a {kind} to {address} for a client without a valid token"))
    }
}

/// The servers of the world are at these addresses, and nothing else is public.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[..2] == [45, 10])
}

/// The relay's leeway, and how long after its judgement a relay may still dial: a look-up and several attempts.
const SLACK: Duration = Duration::from_secs(30 + 60);

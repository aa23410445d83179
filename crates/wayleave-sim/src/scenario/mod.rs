//! The description of a run: who is there, what they do, what goes wrong and when, and what must come of it.
//!
//! A scenario is plain data, whether somebody wrote it or a tape was asked for it. Times count from the start.

mod application;
mod expectation;
mod fault;
mod grant;
mod topology;
mod words;

use core::time::Duration;

use wayleave_proto::carrier::Carrier;
use wayleave_proto::config::Canary;

pub use application::{Application, Ending, FlowPlan, Server, Step};
pub use expectation::{Check, Expectation};
pub use fault::{Answers, Condition, Fault, State};
pub use grant::{Allowed, AtExpiry, Credential, Places};
pub use topology::{ClientPlan, IntruderPlan, RelayPlan};

/// One run, described.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: small letters and `-`.
    pub name: String,
    /// In one sentence, what it shows; a rule of routing comes with its number.
    pub about: String,
    /// The clients.
    pub clients: Vec<ClientPlan>,
    /// The relays, in the order in which clients have them in their configuration.
    pub relays: Vec<RelayPlan>,
    /// Who tries what is forbidden.
    pub intruder: Option<IntruderPlan>,
    /// What goes wrong or changes, and when.
    pub faults: Vec<(Duration, Fault)>,
    /// Bytes that one read takes at most; 0 to draw it anew for each read.
    pub chunk: usize,
    /// Of 256 calls of a machine's system, so many meet what is allowed and seldom happens: a part of a write, a wake-up for
    /// nothing, nothing done although it could be, another order.
    pub odd: u8,
    /// How long the part with faults lasts. After it the world heals to [`Self::after`], and everything must work again.
    pub length: Duration,
    /// What the network of every client is like after the faults.
    pub after: Condition,
    /// Whether liveness is checked after the faults; a scenario that ends before has a shorter picture.
    pub heals: bool,
    /// What carries tunnels between clients and relays.
    pub carrier: Carrier,
    /// Whether all relays stand behind the name of the first, as behind a balancer.
    pub balanced: bool,
    /// Whether clients end while flows are open.
    pub abrupt: bool,
    /// Whether the faults end without a sign for clients whose network lets them reach relays: they are told of no other
    /// network, and get no new token.
    pub unnoticed: bool,
    /// What must have happened in the end, beside the laws.
    pub expectations: Vec<Expectation>,
    /// What clients and relays break on purpose; nothing without the feature `canary`.
    pub canary: Option<Canary>,
    /// Whether cryptography and text are left out, so that a world costs about a millisecond: TLS in the clear, tokens that
    /// a digest signs, and nothing put into words, so that law 8 has nothing to look at.
    pub fast: bool,
}

impl Scenario {
    /// A world with nothing in it, for ten seconds.
    pub fn new(name: &str, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            about: about.to_owned(),
            clients: Vec::new(),
            relays: Vec::new(),
            intruder: None,
            faults: Vec::new(),
            chunk: 16 * 1024,
            odd: 0,
            length: Duration::from_secs(10),
            after: Condition::Open,
            heals: true,
            carrier: Carrier::H1,
            balanced: false,
            abrupt: false,
            unnoticed: false,
            expectations: Vec::new(),
            canary: None,
            fast: false,
        }
    }

    /// How many tunnels a client asks for on one connection at once.
    pub fn width(&self) -> usize {
        if self.carrier == Carrier::Mux { 8 } else { 1 }
    }

    /// Over the carrier with many tunnels on one connection.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.carrier = Carrier::Mux;
        self
    }

    /// With a client.
    #[must_use]
    pub fn client(mut self, client: ClientPlan) -> Self {
        self.clients.push(client);
        self
    }

    /// With `count` good relays.
    #[must_use]
    pub fn relays(mut self, count: usize) -> Self {
        self.relays.extend(core::iter::repeat_n(RelayPlan::default(), count));
        self
    }

    /// With a relay.
    #[must_use]
    pub fn relay(mut self, relay: RelayPlan) -> Self {
        self.relays.push(relay);
        self
    }

    /// `fault` happens `millis` after the start.
    #[must_use]
    pub fn fault(mut self, millis: u64, fault: Fault) -> Self {
        self.faults.push((Duration::from_millis(millis), fault));
        self
    }

    /// The part with faults takes that long.
    #[must_use]
    pub const fn lasts(mut self, millis: u64) -> Self {
        self.length = Duration::from_millis(millis);
        self
    }

    /// In the end the network of every client is like that.
    #[must_use]
    pub const fn ends(mut self, after: Condition) -> Self {
        self.after = after;
        self
    }

    /// In the end `check` holds, which `says` what must be.
    #[must_use]
    pub fn expect(mut self, says: &str, check: Check) -> Self {
        self.expectations.push(Expectation { says: says.to_owned(), check });
        self
    }
}

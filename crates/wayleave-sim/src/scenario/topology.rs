//! Who is there.

use core::time::Duration;

use wayleave_proto::base::Link;
use wayleave_proto::config::{Mode, Scope};

use super::{Allowed, Application, Condition, Credential, FlowPlan, Step};
use crate::network::Quality;

/// One client with the application around it.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// Its mode.
    pub mode: Mode,
    /// What is judged together.
    pub scope: Scope,
    /// The kind of its first network.
    pub link: Link,
    /// Whether the first network is up.
    pub up: bool,
    /// What the first network lets out.
    pub condition: Condition,
    /// How good its links are.
    pub quality: Quality,
    /// Whether a probe for streams is configured, and one for datagrams.
    pub probes: (bool, bool),
    /// Whether a changed network ends a proxied route.
    pub return_to_direct: bool,
    /// Whether flows are rescued that do not come through directly.
    pub rescue: bool,
    /// What it shows to relays.
    pub credential: Credential,
    /// What its first credential allows, and those that replace it before the faults are over.
    pub allowed: Allowed,
    /// How long the translators of its networks keep what nothing goes over, for UDP.
    pub mapping: Duration,
    /// The same for TCP.
    pub tcp_mapping: Duration,
    /// How many seconds its civil clock is ahead.
    pub ahead: i32,
    /// Whether its limits are as tight as they can be.
    pub tight: bool,
    /// Whether somebody uses it all the time, and what is in use must work again soon after the faults: a datagram flow that
    /// says something as often as this, and streams that look for their way.
    pub in_use: Option<Duration>,
    /// What its application does.
    pub application: Application,
}

impl ClientPlan {
    /// How long a translator that follows RFC 5382 §5 keeps a TCP connection over which nothing goes.
    pub const TCP_MAPPING: Duration = Duration::from_secs(7_440);

    /// A smart client on an open wifi whose application does nothing.
    pub fn smart() -> Self {
        Self {
            mode: Mode::Smart,
            scope: Scope::Kind,
            link: Link::Wifi,
            up: true,
            condition: Condition::Open,
            quality: Quality::default(),
            probes: (false, false),
            return_to_direct: false,
            rescue: true,
            credential: Credential::Lasting,
            allowed: Allowed::default(),
            mapping: Duration::from_secs(120),
            tcp_mapping: Self::TCP_MAPPING,
            ahead: 0,
            tight: false,
            in_use: None,
            application: Application::default(),
        }
    }

    /// The same in mode normal.
    pub fn normal() -> Self {
        Self { mode: Mode::Normal, ..Self::smart() }
    }

    /// On another link.
    #[must_use]
    pub const fn on(mut self, link: Link) -> Self {
        self.link = link;
        self
    }

    /// Behind such a network.
    #[must_use]
    pub const fn behind(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// With probes for streams and for datagrams.
    #[must_use]
    pub const fn probes(mut self, streams: bool, datagrams: bool) -> Self {
        self.probes = (streams, datagrams);
        self
    }

    /// Its application opens a flow `millis` after the start.
    #[must_use]
    pub fn opens(mut self, millis: u64, flow: FlowPlan) -> Self {
        self.application.steps.push((Duration::from_millis(millis), Step::Open(flow)));
        self
    }

    /// Its application does something else then.
    #[must_use]
    pub fn does(mut self, millis: u64, step: Step) -> Self {
        self.application.steps.push((Duration::from_millis(millis), step));
        self
    }
}

/// One relay.
#[derive(Clone, Debug)]
pub struct RelayPlan {
    /// Whether it runs at the start.
    pub running: bool,
    /// How good its links are.
    pub quality: Quality,
    /// How many seconds its civil clock is ahead.
    pub ahead: i32,
    /// Tunnels that one user may have.
    pub tunnels: usize,
    /// Bytes per second that one user may forward; 0 for no limit.
    pub rate: u64,
    /// Whether its other limits are as tight as they can be.
    pub tight: bool,
    /// On how many machines it runs, which share its limits.
    pub machines: usize,
    /// Whether it has little memory and large buffers, so that few slow readers fill it.
    pub lean: bool,
}

impl Default for RelayPlan {
    fn default() -> Self {
        Self {
            running: true,
            quality: Quality::default(),
            ahead: 0,
            tunnels: 1_000,
            rate: 0,
            tight: false,
            machines: 1,
            lean: false,
        }
    }
}

/// Somebody who asks relays for what is forbidden, `attempts` times in the part with faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntruderPlan {
    /// How often.
    pub attempts: u32,
    /// Whether all of it comes at once, and when: tokens that are guessed.
    pub at_once: Option<Duration>,
    /// How long it waits in the middle of each request; zero for not at all.
    pub drips: Duration,
}

impl IntruderPlan {
    /// `attempts`, one after the other, each request whole.
    pub const fn new(attempts: u32) -> Self {
        Self { attempts, at_once: None, drips: Duration::ZERO }
    }
}

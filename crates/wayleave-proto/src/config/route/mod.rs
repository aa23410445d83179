//! How routes are chosen: the mode, the trial and the schedule of what is tried again.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::ConfigError;
use crate::base::Link;

mod rescue;

pub use rescue::{DoubtConfig, RescueConfig};

#[cfg(test)]
mod tests;

/// Whether and when flows go through a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Always, from the first packet; whatever fails, nothing leaves directly.
    Normal,
    /// Never.
    Off,
    /// Only where the direct path does not work.
    #[default]
    Smart,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Off => "off",
            Self::Smart => "smart",
        })
    }
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "normal" => Self::Normal,
            "off" => Self::Off,
            "smart" => Self::Smart,
            _ => return Err(()),
        })
    }
}

/// What is judged together in smart mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Streams and datagrams apart, because most restrictive networks block only one of them.
    #[default]
    Kind,
    /// Everything: one decision for both.
    Session,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "kind",
            Self::Session => "session",
        })
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "kind" => Self::Kind,
            "session" => Self::Session,
            _ => return Err(()),
        })
    }
}

/// What follows when a trial ends with nothing proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtDeadline {
    /// Flows go through a relay.
    Proxied,
    /// Flows stay direct, and direct is tried again and again.
    StayDirect,
}

/// What follows on each kind of link when a trial ends with nothing proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// On a mobile network; the default is [`AtDeadline::StayDirect`].
    pub cellular: AtDeadline,
    /// On a wired network; the default is [`AtDeadline::Proxied`].
    pub ethernet: AtDeadline,
    /// Where the platform does not tell; the default is [`AtDeadline::Proxied`].
    pub unknown: AtDeadline,
    /// On a wireless local network; the default is [`AtDeadline::Proxied`].
    pub wifi: AtDeadline,
}

impl Treatment {
    /// What follows on `link`.
    pub const fn of(&self, link: Link) -> AtDeadline {
        match link {
            Link::Cellular => self.cellular,
            Link::Ethernet => self.ethernet,
            Link::Unknown => self.unknown,
            Link::Wifi => self.wifi,
        }
    }
}

impl Default for Treatment {
    fn default() -> Self {
        Self {
            cellular: AtDeadline::StayDirect,
            ethernet: AtDeadline::Proxied,
            unknown: AtDeadline::Proxied,
            wifi: AtDeadline::Proxied,
        }
    }
}

/// How long to wait before something that failed is tried again.
///
/// The first wait is `first`, each further one `factor` times longer, none longer than `most`; of each wait, up to
/// `jitter` percent are taken off at random, so that many clients do not come back at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffConfig {
    /// The first wait: 10 ms to `most`; the default is 500 ms.
    pub first: Duration,
    /// The longest wait: `first` to one hour; the default is 30 s.
    pub most: Duration,
    /// How many times longer each wait is than the one before: 1 to 10; the default is 2.
    pub factor: u32,
    /// The share of each wait that is random, in percent: 0 to 90; the default is 50.
    pub jitter: u8,
}

impl BackoffConfig {
    /// Checks that every field is in its range.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        require("retry.most", "10 ms to 1 h", (SHORTEST..=RETRY_LONGEST).contains(&self.most))?;
        require("retry.first", "10 ms to retry.most", (SHORTEST..=self.most).contains(&self.first))?;
        require("retry.factor", "1 to 10", (1..=10).contains(&self.factor))?;
        require("retry.jitter", "0 to 90 percent", self.jitter <= 90)
    }
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), most: Duration::from_secs(30), factor: 2, jitter: 50 }
    }
}

/// How a client chooses between direct and proxied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteConfig {
    /// Whether and when flows go through a relay; the default is [`Mode::Smart`].
    pub mode: Mode,
    /// What is judged together; the default is [`Scope::Kind`]. Counts in smart mode only, as all that follows.
    pub scope: Scope,
    /// How long direct is tried before the link's treatment applies: 10 ms to 60 s; the default is one second.
    pub trial: Duration,
    /// What follows on each link when the trial ends with nothing proven.
    pub treatment: Treatment,
    /// When direct is tried again on a link that stays direct.
    pub retry: BackoffConfig,
    /// Whether a changed network ends a proxied route and starts a new trial; the default is no.
    pub return_to_direct: bool,
    /// Whether and how a flow that does not come through is taken to a relay while the route is direct (rule 9).
    pub rescue: RescueConfig,
    /// When what proved the direct path has failed, and a new trial begins by itself (rule 10).
    pub doubt: DoubtConfig,
    /// What is broken on purpose, for the check that the simulation sees it; nothing by default.
    #[cfg(feature = "canary")]
    pub canary: Option<super::Canary>,
}

impl RouteConfig {
    /// Checks that every field is in its range.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        require("trial", "10 ms to 60 s", (SHORTEST..=TRIAL_LONGEST).contains(&self.trial))?;
        self.retry.check()?;
        self.rescue.check()?;
        self.doubt.check()
    }
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            scope: Scope::default(),
            trial: Duration::from_secs(1),
            treatment: Treatment::default(),
            retry: BackoffConfig::default(),
            return_to_direct: false,
            rescue: RescueConfig::default(),
            doubt: DoubtConfig::default(),
            #[cfg(feature = "canary")]
            canary: None,
        }
    }
}

fn require(field: &'static str, range: &'static str, in_range: bool) -> Result<(), ConfigError> {
    if in_range { Ok(()) } else { Err(ConfigError::new(field, format!("choose {range}"))) }
}

const SHORTEST: Duration = Duration::from_millis(10);
const TRIAL_LONGEST: Duration = Duration::from_secs(60);
const RETRY_LONGEST: Duration = Duration::from_secs(3_600);

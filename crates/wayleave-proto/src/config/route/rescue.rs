//! What happens while the route is direct and a flow does not come through.

use core::time::Duration;

use super::{ConfigError, require};

/// How flows are rescued that do not come through directly (rule 9).
///
/// While the route is direct, a flow that has not come through within the length of a trial is opened through a relay, and
/// its port is remembered as blocked on this network. Never on a cellular link, nor on any other that
/// [stays direct](super::AtDeadline::StayDirect).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescueConfig {
    /// Whether flows are rescued; the default is yes. Without it rules 1 to 8 hold to the letter.
    pub on: bool,
    /// After what time one flow tries a blocked port directly again: 1 s to `pause_most`; the default is 1 min. Each
    /// further pause is twice as long as the one before.
    pub pause: Duration,
    /// The longest such pause: `pause` to one day; the default is 30 min.
    pub pause_most: Duration,
    /// Ports and hosts that are remembered, whether they were answered or are blocked: 16 to 65,536; the default is 1,024.
    /// Beyond, those are forgotten first of which nothing was heard for longest.
    pub remembered: usize,
}

impl RescueConfig {
    /// Checks that every field is in its range.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        require("rescue.pause_most", "1 s to 1 day", (SECOND..=DAY).contains(&self.pause_most))?;
        require(
            "rescue.pause",
            "1 s to rescue.pause_most",
            (SECOND..=self.pause_most).contains(&self.pause),
        )?;
        require("rescue.remembered", "16 to 65,536", (16..=65_536).contains(&self.remembered))
    }
}

impl Default for RescueConfig {
    fn default() -> Self {
        Self {
            on: true,
            pause: Duration::from_secs(60),
            pause_most: Duration::from_secs(1_800),
            remembered: 1_024,
        }
    }
}

/// When a direct path that was proven is doubted, so that a new trial begins by itself (rule 10).
///
/// Not on a link that [stays direct](super::AtDeadline::StayDirect): there a trial has nothing to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoubtConfig {
    /// Whether a direct path is ever doubted; the default is yes.
    pub on: bool,
    /// How many failures make doubt: direct streams that break off, or flows that do not come through where others did,
    /// within `window` and with nothing heard in between. As many sends without an answer are needed for silence. 1 to
    /// 1,000; the default is 3.
    pub failures: u32,
    /// Over what time failures are counted, and how long nothing may come back over a direct path that was answered before
    /// and is being sent to: 1 s to 10 min; the default is 10 s.
    pub window: Duration,
    /// The shortest time from one such trial to the next: 1 s to `pause_most`; the default is 30 s. Each further pause is
    /// twice as long as the one before, until the network changes or the embedder asks for a trial.
    pub pause: Duration,
    /// The longest such pause: `pause` to one day; the default is 30 min.
    pub pause_most: Duration,
}

impl DoubtConfig {
    /// Checks that every field is in its range.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let minutes = Duration::from_secs(600);
        require("doubt.failures", "1 to 1,000", (1..=1_000).contains(&self.failures))?;
        require("doubt.window", "1 s to 10 min", (SECOND..=minutes).contains(&self.window))?;
        require("doubt.pause_most", "1 s to 1 day", (SECOND..=DAY).contains(&self.pause_most))?;
        require("doubt.pause", "1 s to doubt.pause_most", (SECOND..=self.pause_most).contains(&self.pause))
    }
}

impl Default for DoubtConfig {
    fn default() -> Self {
        Self {
            on: true,
            failures: 3,
            window: Duration::from_secs(10),
            pause: Duration::from_secs(30),
            pause_most: Duration::from_secs(1_800),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

//! Why a decision stands where it does, for whoever asks.

use core::fmt;
use core::time::Duration;

use super::{Failure, Phase, Proof};
use crate::base::{Instant, Link};

/// Where a decision stands, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Instant,
    /// What brought it there.
    pub cause: Cause,
    /// The latest trial, if any has begun.
    pub trial: Option<LastTrial>,
    /// Failures that count against the proof now (rule 10).
    pub failures: u32,
}

/// The latest trial of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTrial {
    /// When it began.
    pub began: Instant,
    /// The link on which it began.
    pub link: Link,
    /// Why it began.
    pub cause: Cause,
}

/// What brought a decision to where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The client is in mode off or normal.
    Mode,
    /// The network changed, or came up.
    NetworkChanged,
    /// The embedder asked for a new trial.
    NewTrialAsked,
    /// A trial of this length ended on this link with nothing proven.
    NothingProven {
        /// How long the trial was.
        trial: Duration,
        /// The link that decided what follows.
        link: Link,
    },
    /// What had proven the direct path failed.
    ProofFailed(Failure),
    /// Direct was proven.
    Proven {
        /// By what.
        proof: Proof,
        /// The time since the trial began; zero where none had begun.
        elapsed: Duration,
    },
    /// The client started.
    Started,
    /// This machine lacked what an attempt needs, so that nothing was tried.
    SystemLacked,
}

/// The rest of a sentence that says what happened.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode => f.write_str("the mode says so"),
            Self::NetworkChanged => f.write_str("the network changed"),
            Self::NewTrialAsked => f.write_str("the application asked for a new trial"),
            Self::NothingProven { trial, link } => {
                write!(f, "nothing was proven within {} s (link {link})", trial.as_secs_f64())
            }
            Self::ProofFailed(failure) => write!(f, "the proof failed: {failure}"),
            Self::Proven { proof, .. } => proof.fmt(f),
            Self::Started => f.write_str("the client started"),
            Self::SystemLacked => f.write_str("this machine lacked what an attempt needs"),
        }
    }
}

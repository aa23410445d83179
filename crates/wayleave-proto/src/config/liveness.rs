//! How connections are watched.

use core::time::Duration;

use super::ConfigError;

/// How a TCP connection is watched, so that its other end cannot vanish without a word: its host lost its power, its
/// network went away, or a translator of addresses in between forgot it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// Nothing came for so long and nothing is on its way: the other end is asked whether it is there
    /// ([RFC 9293 §3.8.4](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4)).
    pub idle: Duration,
    /// So long without a sign of the other end, after the first question or after something was sent, and the
    /// connection has failed: the user timeout of
    /// [RFC 9293 §3.8.3](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3) and
    /// [RFC 5482](https://www.rfc-editor.org/rfc/rfc5482).
    pub timeout: Duration,
    /// Who is at the other end.
    pub peer: Peer,
}

/// Who is at the other end of a connection, and what its silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A target: it is asked when it is silent. How long it may leave unacknowledged what was sent to it is the
    /// platform's to say, as it would be without us.
    Foreign,
    /// The other end of a carrier with a stream. It may stop reading for as long as it likes, when whoever reads from it is
    /// slow: it acknowledges all the same, and is alive
    /// ([RFC 9293 §3.8.6.1](https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1)).
    Pausing,
    /// The other end of a carrier with datagrams, which always reads: one that takes nothing is gone as well.
    Reading,
}

impl Liveness {
    /// How often the question is asked before it counts as unanswered.
    pub const QUESTIONS: u32 = 3;

    /// How long after each other the questions are asked.
    pub fn interval(&self) -> Duration {
        self.timeout / Self::QUESTIONS
    }
}

/// Checks the two times of a [`Liveness`].
pub(super) fn check(keep_alive: Duration, user_timeout: Duration) -> Result<(), ConfigError> {
    if !(Duration::from_secs(10)..=Duration::from_secs(7_200)).contains(&keep_alive) {
        let remedy = format!("give a time from 10 s to 2 h, not {keep_alive:?}");
        return Err(ConfigError::new("limits.keep_alive", remedy));
    }
    if !(Duration::from_secs(5)..=Duration::from_secs(300)).contains(&user_timeout) {
        let remedy = format!("give a time from 5 s to 5 min, not {user_timeout:?}");
        return Err(ConfigError::new("limits.user_timeout", remedy));
    }
    Ok(())
}

//! When a credential expires by its own word, and when the embedder hears of it.
//!
//! The clock of a device is often wrong, so nothing is refused by it here: the embedder is warned, and relays judge.

use super::io::Timer;
use super::{Client, What};
use crate::auth::Credential;
use crate::base::UnixTime;

impl Client {
    /// A credential came into force: its expiry is announced in good time.
    pub(super) fn arm_token(&mut self) {
        self.token_word = self.expires().map(|end| self.warning_before(end));
        self.wait_for_word();
    }

    /// The time of the warning has come, or that of the expiry, or only that of a look at the clock.
    pub(super) fn on_token_timeout(&mut self) {
        let (Some(end), Some(word)) = (self.expires(), self.token_word) else { return };
        let unix = self.io.clock.unix(self.io.now);
        if unix >= word {
            let left = end.since(unix);
            self.io.tell(What::TokenExpiring { left });
            self.token_word = (!left.is_zero()).then_some(end);
        }
        self.wait_for_word();
    }

    /// The civil clock was set, or went on while the other slept: what was announced for a moment comes at that moment, and
    /// what was announced too early by a wrong clock is announced again.
    pub(super) fn on_clock_parted(&mut self) {
        if let Some(end) = self.expires() {
            let left = end.since(self.io.clock.unix(self.io.now));
            let was_told = self.token_word.is_none_or(|word| word == end);
            if was_told && left > self.io.config.limits.token_warning {
                self.token_word = Some(self.warning_before(end));
            } else if self.token_word.is_none() && !left.is_zero() {
                self.token_word = Some(end);
            }
        }
        self.wait_for_word();
    }

    fn expires(&self) -> Option<UnixTime> {
        self.pool.credential().and_then(Credential::expires)
    }

    /// A token that is good for less than the warning is announced too, and late enough that no renewal with another such
    /// token is announced at once again.
    fn warning_before(&self, end: UnixTime) -> UnixTime {
        let (left, before) =
            (end.since(self.io.clock.unix(self.io.now)), self.io.config.limits.token_warning);
        let ahead = if left > before { before } else { left / 2 };
        end.before(ahead)
    }

    fn wait_for_word(&mut self) {
        let due = self.token_word.map(|word| self.io.clock.look_at(self.io.now, word));
        self.io.timers.set(Timer::Token, due);
    }
}

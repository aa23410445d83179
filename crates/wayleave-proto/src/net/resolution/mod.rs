//! One look-up whose two halves, IPv4 and IPv6, are answered apart.

use core::net::IpAddr;
use core::time::Duration;

use crate::base::{Families, Instant};
use crate::error::{IoFailed, IoFailure};

#[cfg(test)]
mod tests;

/// What is known so far of the addresses of one name, after [RFC 8305 §3].
///
/// The first answer need not wait for the other half: addresses of the wanted family, mostly IPv6, are given out at once;
/// those of the other wait [`Self::DELAY`] for it, and no longer. What comes behind that is given out when it comes. A
/// name of which the A records say that it does not exist is unknown at once; a server that says so for AAAA records alone
/// may just not know them ([RFC 4074 §4.2]).
///
/// [RFC 8305 §3]: https://www.rfc-editor.org/rfc/rfc8305#section-3
/// [RFC 4074 §4.2]: https://www.rfc-editor.org/rfc/rfc4074#section-4.2
#[derive(Clone, Debug)]
pub struct Resolution {
    v4: Half,
    v6: Half,
    /// The family that is tried first.
    wanted: Families,
    /// Addresses of the other family, and until when they wait.
    held: Option<(Instant, Vec<IpAddr>)>,
    /// Addresses to be tried now.
    given: Vec<IpAddr>,
    /// The name is unknown, and one half was never answered.
    cut_short: bool,
    /// Some address was found, whether it was given out already or not.
    found: bool,
}

#[derive(Clone, Debug)]
enum Half {
    Asked,
    Found,
    Failed(IoFailed),
}

impl Resolution {
    /// How long the answer for one family waits for that of the other: 50 ms, after
    /// [RFC 8305 §8](https://www.rfc-editor.org/rfc/rfc8305#section-8).
    pub const DELAY: Duration = Duration::from_millis(50);

    /// A look-up that has just begun; `v4_first` where IPv6 is known not to work here.
    pub const fn new(v4_first: bool) -> Self {
        let wanted = if v4_first { Families::V4 } else { Families::V6 };
        Self {
            v4: Half::Asked,
            v6: Half::Asked,
            wanted,
            held: None,
            given: Vec::new(),
            cut_short: false,
            found: false,
        }
    }

    /// Takes an answer. The first for each family counts, and only addresses of that family. An empty list says that there
    /// are none.
    pub fn handle_answer(&mut self, now: Instant, families: Families, answer: Result<&[IpAddr], IoFailed>) {
        match families {
            Families::Both => self.handle_both(answer),
            family => self.handle_half(now, family, answer),
        }
        self.found |= !self.given.is_empty() || self.held.is_some();
        if let (Half::Failed(error), Half::Asked) = (&self.v4, &self.v6)
            && error.failure == IoFailure::NameUnknown
        {
            self.v6 = Half::Failed(error.clone());
            self.cut_short = true;
        }
    }

    /// Both at once stand in the order of their resolver.
    fn handle_both(&mut self, answer: Result<&[IpAddr], IoFailed>) {
        if !matches!((&self.v4, &self.v6), (Half::Asked, Half::Asked)) {
            return;
        }
        let half = match answer {
            Ok([]) => Half::Failed(IoFailed::new(IoFailure::NameEmpty)),
            Ok(addresses) => {
                self.given = addresses.to_vec();
                Half::Found
            }
            Err(error) => Half::Failed(error),
        };
        (self.v4, self.v6) = (half.clone(), half);
    }

    fn handle_half(&mut self, now: Instant, family: Families, answer: Result<&[IpAddr], IoFailed>) {
        let half = self.half(family);
        if !matches!(half, Half::Asked) {
            return;
        }
        let all = answer.as_deref().unwrap_or_default().iter().copied();
        let addresses: Vec<IpAddr> = all.filter(|address| Families::of(*address) == family).collect();
        *half = match answer {
            Ok(_) if addresses.is_empty() => Half::Failed(IoFailed::new(IoFailure::NameEmpty)),
            Ok(_) => Half::Found,
            Err(error) => Half::Failed(error),
        };
        if family == self.wanted {
            self.given.extend(addresses);
            // The other half need not wait any more, whatever this one brought.
            self.given.extend(self.held.take().into_iter().flat_map(|(_, held)| held));
        } else if self.is_over() {
            self.given.extend(addresses);
        } else if !addresses.is_empty() {
            self.held = Some((now + Self::DELAY, addresses));
        }
    }

    /// The addresses that may be tried from now on, in their order; each is given out once.
    pub fn poll_addresses(&mut self, now: Instant) -> Vec<IpAddr> {
        if let Some((_, held)) = self.held.take_if(|(until, _)| *until <= now) {
            self.given.extend(held);
        }
        core::mem::take(&mut self.given)
    }

    /// When to call [`Self::poll_addresses`] if no answer comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.held.as_ref().map(|(until, _)| *until)
    }

    /// Whether both halves are answered.
    pub const fn is_over(&self) -> bool {
        !matches!((&self.v4, &self.v6), (Half::Asked, _) | (_, Half::Asked))
    }

    /// Whether it is over although one half is still asked for: whoever does that has to be told to give up.
    pub const fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Why no address was found so far; `None` where one was. A half without an answer has timed out.
    pub fn failure(&self) -> Option<IoFailed> {
        if self.found {
            return None;
        }
        let failures = [&self.v4, &self.v6].map(|half| match half {
            Half::Failed(error) => error.clone(),
            Half::Asked | Half::Found => IoFailed::new(IoFailure::NameUnanswered),
        });
        // That one family has no addresses says less than that the other could not be asked.
        let weight = |error: &IoFailed| match error.failure {
            IoFailure::NameEmpty => 0,
            IoFailure::NameUnknown => 1,
            _ => 2,
        };
        let [v4, v6] = failures;
        Some(if weight(&v6) > weight(&v4) { v6 } else { v4 })
    }

    const fn half(&mut self, family: Families) -> &mut Half {
        match family {
            Families::V4 => &mut self.v4,
            Families::Both | Families::V6 => &mut self.v6,
        }
    }
}

//! Connections that are turned away as they come, and how often that is told: the first at once, the others as a number once
//! a minute. Whoever comes again and again makes no work beyond the counting.

use core::net::SocketAddr;
use core::time::Duration;

use super::ledger::Ledger;
use super::{Event, Relay, TurnedAway, What};
use crate::base::Instant;

/// What is told of those who were turned away, for each reason by itself.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    all: Turned,
    source: Turned,
    tls: Turned,
}

/// Those who were turned away for one reason.
#[derive(Debug, Default)]
struct Turned {
    /// Before this moment nothing more is told.
    next: Option<Instant>,
    /// How many were not told of.
    more: u64,
    /// The latest of them.
    last: Option<(SocketAddr, TurnedAway)>,
}

impl Crowd {
    fn of(&mut self, reason: &TurnedAway) -> &mut Turned {
        match reason {
            TurnedAway::All(_) => &mut self.all,
            TurnedAway::Source { .. } => &mut self.source,
            TurnedAway::Tls(_) => &mut self.tls,
        }
    }

    /// When there is something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        [&self.all, &self.source, &self.tls]
            .into_iter()
            .filter(|episode| episode.more > 0)
            .filter_map(|episode| episode.next)
            .min()
    }
}

impl<L: Ledger> Relay<L> {
    /// A connection of `client` is not taken.
    pub(super) fn turn_away(&mut self, client: SocketAddr, reason: TurnedAway) {
        self.stats.turned_away.count(&reason);
        let episode = self.crowd.of(&reason);
        episode.more = episode.more.saturating_add(1);
        episode.last = Some((client, reason));
        self.on_crowd_due();
    }

    /// Tells of everybody whose time has come.
    pub(super) fn on_crowd_due(&mut self) {
        let now = self.now;
        self.tell_turned_away(|next| next.is_none_or(|next| next <= now));
    }

    /// Tells of everybody who was not told of: nobody comes any more.
    pub(super) fn end_crowd(&mut self) {
        self.tell_turned_away(|_| true);
        self.crowd = Crowd::default();
    }

    fn tell_turned_away(&mut self, is_due: impl Fn(Option<Instant>) -> bool) {
        let Crowd { all, source, tls } = &mut self.crowd;
        for episode in [all, source, tls] {
            if !is_due(episode.next) {
                continue;
            }
            let count = core::mem::take(&mut episode.more);
            let Some((latest, reason)) = episode.last.take() else { continue };
            episode.next = Some(self.now + PAUSE);
            self.requests.event(Event {
                at: self.now,
                connection: None,
                tunnel: None,
                client: None,
                what: What::TurnedAway { count, latest, reason },
            });
        }
    }
}

/// Between two words about those who are turned away for one reason.
const PAUSE: Duration = Duration::from_secs(60);

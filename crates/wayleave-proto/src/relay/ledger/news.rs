//! What one machine of a relay has to hear of another.

use std::collections::BTreeSet;

use super::Shards;
use crate::auth::AccountId;

/// Something that an account with tunnels on several machines met with on one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::relay) enum News {
    /// It has as many tunnels as it may, and wants another: its clients are asked whether they are there.
    Full(AccountId),
    /// Another credential counts for it.
    Renewed(AccountId),
}

/// News on their way, for each machine. There are never more than two for each account that it has tunnels of.
#[derive(Debug)]
pub(super) struct Mail {
    boxes: Vec<BTreeSet<News>>,
    /// Who has something that it was not called for.
    called: Shards,
}

impl Mail {
    pub(super) fn new(machines: usize) -> Self {
        Self { boxes: vec![BTreeSet::new(); machines], called: Shards::default() }
    }

    /// Lets all of `to` hear `news`, but not the one `from` which they come.
    pub(super) fn send(&mut self, news: News, from: usize, mut to: Shards) {
        to.remove(from);
        for shard in to.iter() {
            if self.boxes.get_mut(shard).is_some_and(|mail| mail.insert(news)) {
                self.called.insert(shard);
            }
        }
    }

    pub(super) fn take(&mut self, shard: usize) -> BTreeSet<News> {
        self.boxes.get_mut(shard).map(core::mem::take).unwrap_or_default()
    }

    pub(super) fn take_called(&mut self) -> Shards {
        core::mem::take(&mut self.called)
    }
}

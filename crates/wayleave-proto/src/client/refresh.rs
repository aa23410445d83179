//! Look-ups of proxies' names that outlive the search which began them.

use core::net::IpAddr;

use smallvec::SmallVec;

use super::{Client, Role};
use crate::base::{Families, Name};
use crate::error::IoFailed;
use crate::net::{Resolution, SocketId};

/// Look-ups behind connections to addresses that were known: at most one for each name, the latest.
#[derive(Debug, Default)]
pub(super) struct Refreshes(SmallVec<[Refreshing; 1]>);

#[derive(Debug)]
struct Refreshing {
    id: SocketId,
    name: Name,
    resolution: Resolution,
}

impl Client {
    /// Keeps a look-up whose search has found a proxy without it.
    pub(super) fn keep_refreshing(&mut self, id: SocketId, name: Name) {
        self.requests.reassign(id, Role::Refresh);
        self.memory.handle_asked(self.now, &name);
        let running = self.refreshes.0.iter().position(|it| it.name == name);
        if let Some(older) = running.map(|place| self.refreshes.0.remove(place)) {
            self.requests.close(older.id, false);
        }
        self.refreshes.0.push(Refreshing { id, name, resolution: Resolution::new(false) });
    }

    pub(super) fn on_refreshed(
        &mut self,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(place) = self.refreshes.0.iter().position(|it| it.id == id) else { return };
        let Some(refreshing) = self.refreshes.0.get_mut(place) else { return };
        let addresses = answer.as_deref().unwrap_or_default();
        self.memory.handle_resolved(self.now, &refreshing.name, families, addresses);
        refreshing.resolution.handle_answer(self.now, families, answer);
        if refreshing.resolution.is_over() {
            let refreshed = self.refreshes.0.remove(place);
            if refreshed.resolution.is_cut_short() {
                self.requests.close(id, false);
            } else {
                self.requests.forget(id);
            }
        }
    }

    /// What a name service on another network says is of no use any more.
    pub(super) fn drop_refreshes(&mut self) {
        for refreshing in core::mem::take(&mut self.refreshes).0 {
            self.requests.close(refreshing.id, false);
        }
    }
}

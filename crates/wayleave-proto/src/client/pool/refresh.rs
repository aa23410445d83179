//! Look-ups of proxies' names that outlive the search which began them.

use core::net::IpAddr;

use smallvec::SmallVec;

use super::Pool;
use crate::base::{Families, Name};
use crate::client::io::{Io, Role};
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

impl Pool {
    /// Keeps a look-up whose search has found a proxy without it.
    pub(super) fn keep_refreshing(&mut self, io: &mut Io, id: SocketId, name: Name) {
        io.requests.reassign(id, Role::Refresh);
        io.memory.handle_asked(io.now, &name);
        let running = self.refreshes.0.iter().position(|it| it.name == name);
        if let Some(older) = running.map(|place| self.refreshes.0.remove(place)) {
            io.requests.close(older.id, false);
        }
        self.refreshes.0.push(Refreshing { id, name, resolution: Resolution::new(false) });
    }

    pub(in crate::client) fn on_refreshed(
        &mut self,
        io: &mut Io,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(place) = self.refreshes.0.iter().position(|it| it.id == id) else { return };
        let Some(refreshing) = self.refreshes.0.get_mut(place) else { return };
        let addresses = answer.as_deref().unwrap_or_default();
        io.memory.handle_resolved(io.now, &refreshing.name, families, addresses);
        refreshing.resolution.handle_answer(io.now, families, answer);
        if refreshing.resolution.is_over() {
            let refreshed = self.refreshes.0.remove(place);
            if refreshed.resolution.is_cut_short() {
                io.requests.close(id, false);
            } else {
                io.requests.forget(id);
            }
        }
    }

    /// What a name service on another network says is of no use any more.
    pub(super) fn drop_refreshes(&mut self, io: &mut Io) {
        for refreshing in core::mem::take(&mut self.refreshes).0 {
            io.requests.close(refreshing.id, false);
        }
    }
}

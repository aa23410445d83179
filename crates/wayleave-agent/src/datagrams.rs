//! The datagram flows of one local UDP socket, each with a task that brings back what comes for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::debug;
use wayleave_proto::client::FlowError;
use wayleave_tokio::DatagramFlow;

/// Flows by what the local side knows them by. Dropping it closes them all.
#[derive(Debug)]
pub(crate) struct Flows<K> {
    open: BTreeMap<K, Open>,
    tasks: JoinSet<K>,
}

#[derive(Debug)]
struct Open {
    flow: Arc<DatagramFlow>,
    task: AbortHandle,
}

impl<K: Copy + Ord + Send + 'static> Flows<K> {
    pub(crate) fn new() -> Self {
        Self { open: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Keeps `flow` as `key`. `pump` is run in a task of its own and brings back what comes; when it ends the flow has
    /// failed. The flow is kept a moment longer, so that a sender who goes on cannot open one after the other.
    pub(crate) fn insert<F>(&mut self, key: K, flow: DatagramFlow, pump: impl FnOnce(Arc<DatagramFlow>) -> F)
    where
        F: Future<Output = FlowError> + Send + 'static,
    {
        let flow = Arc::new(flow);
        let pumped = pump(Arc::clone(&flow));
        let task = self.tasks.spawn(async move {
            let error = pumped.await;
            debug!("a datagram flow of a local client failed: {error}");
            sleep(AGAIN).await;
            key
        });
        self.close(key);
        self.open.insert(key, Open { flow, task });
    }

    /// The flow of `key`.
    pub(crate) fn find(&self, key: K) -> Option<&DatagramFlow> {
        self.open.get(&key).map(|open| &*open.flow)
    }

    /// Closes the flow of `key`.
    pub(crate) fn close(&mut self, key: K) {
        if let Some(open) = self.open.remove(&key) {
            open.task.abort();
        }
    }

    /// Waits until a flow has failed, and forgets it. Cancel safe.
    pub(crate) async fn failed(&mut self) -> K {
        loop {
            match self.tasks.join_next_with_id().await {
                // A key that is in use again belongs to another task.
                Some(Ok((id, key))) if self.open.get(&key).is_some_and(|open| open.task.id() == id) => {
                    self.open.remove(&key);
                    return key;
                }
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// Waits for the next datagram of `flow` and lends it to `take`. Cancel safe.
///
/// The room for it belongs to the thread, so that a flow that waits holds none.
pub(crate) async fn receive<T>(
    flow: &DatagramFlow,
    mut take: impl FnMut(&[u8]) -> T,
) -> Result<T, FlowError> {
    thread_local!(static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]));
    poll_fn(|cx| {
        ROOM.with_borrow_mut(|room| {
            flow.poll_recv(cx, room).map_ok(|count| take(room.get(..count).unwrap_or_default()))
        })
    })
    .await
}

/// No datagram is larger.
pub(crate) const LARGEST: usize = 65_535;
/// How long a failed flow keeps its place.
const AGAIN: Duration = Duration::from_secs(1);

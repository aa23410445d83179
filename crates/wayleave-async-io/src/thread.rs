//! The thread that drives the clients whose embedder does not.

use std::future::pending;
use std::sync::OnceLock;
use std::thread::Builder;

use async_executor::Executor;

use crate::Task;

/// Has `task` polled by the one thread of this crate, which is started where it is not there yet. A task that panics ends
/// alone; those of the clients beside it go on.
///
/// # Panics
/// When the thread cannot be started.
pub(crate) fn spawn(task: Task) {
    STARTED.get_or_init(|| {
        let run = || async_io::block_on(EXECUTOR.run(pending::<()>()));
        Builder::new()
            .name("wayleave".into())
            .spawn(run)
            .expect("the system gives no thread to drive clients");
    });
    EXECUTOR.spawn(task).detach();
}

static EXECUTOR: Executor<'static> = Executor::new();
static STARTED: OnceLock<()> = OnceLock::new();

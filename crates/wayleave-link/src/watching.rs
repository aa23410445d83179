//! A thread that looks whenever something may have changed.

use std::io;
use std::thread;

use wayleave_proto::base::Network;

use crate::bell::{Bell, Rung, Stop};
use crate::{Underlay, Watch};

/// A thread that watches the network, until this is dropped.
#[derive(Debug)]
#[must_use = "nobody watches once it is dropped"]
pub struct Watching(#[expect(dead_code, reason = "its end is the signal")] Stop);

/// Looks at the network whenever the system says that something changed, or every two seconds where it says nothing,
/// beginning from what was `seen`, and calls `changed` when it is another. It needs no runtime, and every adapter can be
/// told from its thread.
///
/// # Errors
/// The thread cannot be started, or there are no descriptors for it.
pub fn watch(seen: Underlay, mut changed: impl FnMut(Network) + Send + 'static) -> io::Result<Watching> {
    let (mut bell, stop) = Bell::new()?;
    let mut watch = Watch::new(seen);
    thread::Builder::new().name("wayleave-link".into()).spawn(move || {
        // What changed before the thread could listen.
        let mut rung = Rung::Look;
        while rung == Rung::Look {
            if let Some(network) = watch.notice(Underlay::look()) {
                changed(network);
            }
            rung = bell.wait();
        }
    })?;
    Ok(Watching(stop))
}

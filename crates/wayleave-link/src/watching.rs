//! A thread that looks again and again.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use wayleave_proto::base::Network;

use crate::{Underlay, Watch};

/// A thread that watches the network, until this is dropped.
#[derive(Debug)]
pub struct Watching(#[expect(dead_code, reason = "its end is the signal")] Sender<()>);

/// Looks at the network every two seconds, beginning from what was `seen`, and calls `changed` when it is another.
///
/// # Errors
/// The thread cannot be started.
pub fn watch(seen: Underlay, mut changed: impl FnMut(Network) + Send + 'static) -> io::Result<Watching> {
    let (stop, stopped) = channel::<()>();
    let mut watch = Watch::new(seen);
    thread::Builder::new().name("wayleave-link".into()).spawn(move || {
        while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            if let Some(network) = watch.notice(Underlay::look()) {
                changed(network);
            }
        }
    })?;
    Ok(Watching(stop))
}

/// How often the network is looked at: a handful of small files.
const EVERY: Duration = Duration::from_secs(2);

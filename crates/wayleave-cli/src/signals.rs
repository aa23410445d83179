//! The signals that steer a relay or an agent.

use std::io;

use crate::Failure;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Read the files again that can be read again (SIGHUP).
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has the signal"))]
    Reload,
    /// End (SIGTERM and SIGINT).
    Stop,
}

/// The signals, watched from the moment this is made.
#[cfg(unix)]
pub(crate) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        let watch = |kind| signal(kind).map_err(unwatched);
        Ok(Self {
            hangup: watch(SignalKind::hangup())?,
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.hangup.recv() => Wish::Reload,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
        }
    }
}

/// Ctrl-C, where there are no signals.
#[cfg(windows)]
pub(crate) struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        tokio::signal::windows::ctrl_c().map(Self).map_err(unwatched)
    }

    /// Waits for the next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Wish {
        self.0.recv().await;
        Wish::Stop
    }
}

fn unwatched(error: io::Error) -> Failure {
    Failure::run(format!("signals cannot be watched: {error}"))
}

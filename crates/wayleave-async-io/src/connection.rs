//! A TCP connection that is watched while nobody reads from it.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_io::Async;

use crate::watch::Watch;

/// A TCP connection.
pub struct Connection {
    pub(crate) socket: Async<TcpStream>,
    watches: Watches,
    key: Option<usize>,
}

/// The watch of one machine, made when it is first needed. None where the platform has none: a break is noticed there with
/// the next read or write.
pub(crate) type Watches = Arc<OnceLock<Option<Arc<Watch>>>>;

impl Connection {
    pub(crate) fn new(socket: Async<TcpStream>, watches: &Watches) -> Self {
        Self { socket, watches: Arc::clone(watches), key: None }
    }

    /// Waits for the break of the connection.
    pub(crate) fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(watch) = self.watches.get_or_init(|| Watch::new().ok()) {
            match self.key {
                Some(key) => watch.rename(key, cx.waker()),
                None => self.key = watch.add(&self.socket, cx.waker()).ok(),
            }
        }
        wayleave_sockets::broken(&self.socket).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let (Some(key), Some(Some(watch))) = (self.key, self.watches.get()) {
            watch.forget(key, &self.socket);
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.socket.fmt(f)
    }
}

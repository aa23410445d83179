//! A TCP connection that is watched while nobody reads from it.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection.
pub struct Connection {
    /// Shared with the watch alone.
    pub(crate) socket: Arc<TcpStream>,
    /// Waits for the break of the connection, while nobody reads.
    watch: Option<Watch>,
}

type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Connection {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket: Arc::new(socket), watch: None }
    }

    /// Reads through tokio's own trait, which knows when a socket is empty without asking it again. Who reads needs no watch.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.watch = None;
        let socket = Arc::get_mut(&mut self.socket).expect("the watch that shared the socket is gone");
        Pin::new(socket).poll_read(cx, buffer)
    }

    /// Waits for the break of the connection.
    pub(crate) fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let socket = &self.socket;
        let watch = self.watch.get_or_insert_with(|| {
            let socket = Arc::clone(socket);
            Box::pin(async move {
                let _ = socket.ready(Interest::ERROR).await;
            })
        });
        ready!(watch.as_mut().poll(cx));
        // It is told once, and where it was nothing, nothing will come.
        *watch = Box::pin(pending());
        wayleave_sockets::broken(&*self.socket).map_or(Poll::Pending, Poll::Ready)
    }

    /// Writes, and again whenever the socket may have become writable, until it takes something or fails.
    pub(crate) fn poll_until_written(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.socket.fmt(f)
    }
}

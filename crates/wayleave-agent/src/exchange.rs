//! Carries one request for an `http://` page to its origin server, and the answer back.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;
use wayleave_proto::local::{Ending, Exchange, HttpRequest, Refusal};
use wayleave_tokio::{Client, Stream};

use crate::refusal::refusal;
use crate::splice::Local;

/// Whether the client may ask for more on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It may.
    Again,
    /// The connection is to be ended regularly.
    Close,
    /// The connection is broken, or must look so.
    Gone,
}

/// Forwards `request`, over a stream that is opened for it alone.
///
/// # Errors
/// The client's connection broke.
pub(crate) async fn serve(local: &mut Local, request: HttpRequest, client: &Client) -> io::Result<Next> {
    let target = request.target().clone();
    let mut exchange = Exchange::new(request);
    let remote = match local.open(client, target).await {
        Some(Ok(remote)) => Some(remote),
        Some(Err(error)) => {
            exchange.handle_failed(refusal(&error));
            None
        }
        None => return Ok(Next::Gone),
    };
    let mut pump =
        Pump { local, remote, exchange, room: vec![0; READ].into(), told: Told::default(), ended: None };
    let ending = poll_fn(|cx| pump.poll(cx)).await?;
    pump.ended = Some(ending);
    match ending {
        Ending::Again => Ok(Next::Again),
        Ending::Close(fault) => {
            if let Some(fault) = fault {
                debug!("a request of a local client was not answered by its origin server: {fault}");
            }
            Ok(Next::Close)
        }
        Ending::Reset(fault) => {
            debug!("a request of a local client was broken off: {fault}");
            Ok(Next::Gone)
        }
    }
}

struct Pump<'a> {
    local: &'a mut Local,
    remote: Option<Stream>,
    exchange: Exchange,
    room: Box<[u8]>,
    told: Told,
    ended: Option<Ending>,
}

/// What has been said once.
#[derive(Default)]
struct Told {
    client_end: bool,
    client_finish: bool,
    origin_end: bool,
    origin_finish: bool,
}

impl Pump<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Ending>> {
        loop {
            let moved =
                [self.read_client(cx)?, self.write_origin(cx), self.read_origin(cx), self.write_client(cx)?];
            if let Some(ending) = self.exchange.ended() {
                return Poll::Ready(Ok(ending));
            }
            if !moved.contains(&true) {
                return Poll::Pending;
            }
        }
    }

    /// What the client sends ahead waits here, up to a bound; so its end is noticed while it waits for an answer.
    fn read_client(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = self.local.poll_ahead(cx)?;
        if self.exchange.wants_client() && !self.local.ahead().is_empty() {
            let used = self.exchange.handle_client(self.local.ahead());
            self.local.drop_ahead(used);
            moved |= used > 0;
        }
        if self.local.is_ended() && !std::mem::replace(&mut self.told.client_end, true) {
            self.exchange.handle_client_end();
            moved = true;
        }
        Ok(moved)
    }

    fn write_origin(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(remote) = &mut self.remote else { return false };
        if !self.exchange.to_origin().is_empty() {
            return match Pin::new(remote).poll_write(cx, self.exchange.to_origin()) {
                Poll::Ready(Ok(count)) => {
                    self.exchange.origin_took(count);
                    true
                }
                // It may have answered before it stopped listening; reading tells.
                Poll::Ready(Err(_)) => {
                    self.exchange.origin_took(self.exchange.to_origin().len());
                    true
                }
                Poll::Pending => false,
            };
        }
        if self.exchange.finishes_origin() && !self.told.origin_finish {
            self.told.origin_finish = Pin::new(remote).poll_shutdown(cx).is_ready();
        }
        false
    }

    fn read_origin(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(remote) = &mut self.remote else { return false };
        if !self.exchange.wants_origin() || self.told.origin_end {
            return false;
        }
        let mut room = ReadBuf::new(&mut self.room);
        match Pin::new(remote).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) if room.filled().is_empty() => {
                self.told.origin_end = true;
                self.exchange.handle_origin_end();
            }
            Poll::Ready(Ok(())) => self.exchange.handle_origin(room.filled()),
            Poll::Ready(Err(error)) => {
                self.told.origin_end = true;
                self.exchange.handle_failed(match error.kind() {
                    io::ErrorKind::TimedOut => Refusal::TimedOut,
                    _ => Refusal::ConnectionTerminated,
                });
            }
            Poll::Pending => return false,
        }
        true
    }

    fn write_client(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if !self.exchange.to_client().is_empty() {
            let written = Pin::new(self.local.stream()).poll_write(cx, self.exchange.to_client());
            return match written {
                Poll::Ready(count) => {
                    self.exchange.client_took(count?);
                    Ok(true)
                }
                Poll::Pending => Ok(false),
            };
        }
        if self.exchange.finishes_client() && !self.told.client_finish {
            self.told.client_finish = Pin::new(self.local.stream()).poll_shutdown(cx)?.is_ready();
        }
        Ok(false)
    }
}

impl Drop for Pump<'_> {
    fn drop(&mut self) {
        let regular = matches!(self.ended, Some(Ending::Again | Ending::Close(None)));
        if let Some(remote) = &mut self.remote
            && !regular
        {
            remote.reset();
        }
        if !matches!(self.ended, Some(Ending::Again | Ending::Close(_))) {
            // Without lingering, closing sends a reset. Where that fails the connection is gone anyway.
            let _ = self.local.stream().set_zero_linger();
        }
    }
}

/// How much is read from an origin server at once.
const READ: usize = 16 * 1024;

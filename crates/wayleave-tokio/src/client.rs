//! The client that an application embeds.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use wayleave_drive::{self as drive, Events, IntoTarget, Resolver, client_verbs};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::{ClientConfig, Valid};

use crate::{Association, DatagramFlow, Stream, Tokio};

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped. Its flows can be used
/// under any executor. What drives it is a task on the runtime in which it was made: while nobody runs that (one of a
/// current thread runs only within its `block_on`) nothing moves and nothing fails either, and when it ends every flow fails
/// with [`FlowError::ClientClosed`].
///
/// ```
/// # use std::time::Duration;
/// # use tokio::net::TcpListener;
/// # use wayleave_tokio::{Client, ClientConfig, Kind, Route};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let target = TcpListener::bind("127.0.0.1:0").await?;
/// let client = Client::new(ClientConfig::direct().build()?); // no relay, for once
/// assert_eq!(client.route(Kind::Stream), Route::Direct);
/// println!("{}", client.explain()); // why, in sentences
/// let stream = client.connect_timeout(target.local_addr()?, Duration::from_secs(5)).await?;
/// assert_eq!(stream.route(), Some(Route::Direct));
/// drop((stream, target)); // both halves end
/// assert_eq!(client.drain(Duration::from_secs(5)).await, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the client ends when its last handle and its last flow are dropped"]
pub struct Client {
    client: drive::Client<Tokio>,
    handle: Handle,
}

impl Client {
    /// Makes a client that follows `config`, and starts the task that drives it.
    ///
    /// # Panics
    /// When called outside of a tokio runtime, or in one without its drivers: `enable_all` of
    /// [`tokio::runtime::Builder`] gives them.
    pub fn new(config: Valid<ClientConfig>) -> Self {
        Self::on(config, Tokio::current())
    }

    /// The same, with `resolver` in the place of the platform's.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn with_resolver(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Self {
        Self::on(config, Tokio::current().with_resolver(resolver))
    }

    fn on(config: Valid<ClientConfig>, tokio: Tokio) -> Self {
        Self { client: drive::Client::new(config, tokio), handle: Handle::current() }
    }

    /// Opens a stream to `target`, directly or through a relay. Cancel safe: a stream that nobody waits for is closed.
    ///
    /// # Errors
    /// Why no path led there.
    pub async fn connect(&self, target: impl IntoTarget) -> Result<Stream, FlowError> {
        self.client.connect(target).await.map(Stream)
    }

    /// [`Self::connect`] that gives up after `timeout`.
    ///
    /// # Errors
    /// Why no path led there; [`FlowError::TimedOut`] when that was not known in time.
    pub async fn connect_timeout(
        &self,
        target: impl IntoTarget,
        timeout: Duration,
    ) -> Result<Stream, FlowError> {
        let limited = {
            let _context = self.handle.enter();
            tokio::time::timeout(timeout, self.connect(target))
        };
        limited.await.unwrap_or(Err(FlowError::TimedOut))
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow, FlowError> {
        self.client.datagrams(target)
    }

    /// Begins an association: its datagram flows share one port where they are direct, as if one plain UDP socket spoke with
    /// all of their targets, and what others send to that port can be received too.
    ///
    /// # Errors
    /// The client is closed or at its limit.
    pub fn associate(&self) -> Result<Association, FlowError> {
        self.client.associate()
    }

    /// What happens from now on; the first caller also gets what happened before.
    pub fn events(&self) -> Events {
        self.client.events()
    }

    /// Ends the client when everything that was written is delivered, or after `linger`: it opens nothing any more, takes every
    /// flow back, and waits until their targets have ended their halves too. The answer is how many flows the end of `linger`
    /// cut off; zero means that all were whole. Await it before the runtime or the process ends: what the application wrote
    /// and the system has not taken would be lost with it.
    ///
    /// Cancel safe: the client drains whether or not somebody waits.
    pub async fn drain(&self, linger: Duration) -> usize {
        self.client.drain(linger).await
    }

    client_verbs!();

    const fn inner(&self) -> &drive::Client<Tokio> {
        &self.client
    }
}

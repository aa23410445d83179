//! The client that an application embeds.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::or;
use wayleave_drive::{self as drive, Events, IntoTarget, Resolver, client_verbs};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::{ClientConfig, Valid};

use crate::{Association, AsyncIo, DatagramFlow, Stream};

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped.
///
/// ```
/// # use std::net::TcpListener;
/// # use std::time::Duration;
/// # use wayleave_async_io::{Client, ClientConfig, Kind, Route};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_io::block_on(async {
/// let target = TcpListener::bind("127.0.0.1:0")?;
/// let client = Client::new(ClientConfig::direct().build()?); // no relay, for once
/// assert_eq!(client.route(Kind::Stream), Route::Direct);
/// println!("{}", client.explain()); // why, in sentences
/// let stream = client.connect_timeout(target.local_addr()?, Duration::from_secs(5)).await?;
/// assert_eq!(stream.route(), Some(Route::Direct));
/// drop((stream, target)); // both halves end
/// assert_eq!(client.drain(Duration::from_secs(5)).await, 0);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the client ends when its last handle and its last flow are dropped"]
pub struct Client(drive::Client<AsyncIo>);

/// What drives a client, until the client ends.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Client {
    /// Makes a client that follows `config`, and has it driven by the one thread that this crate has for all clients.
    ///
    /// # Panics
    /// When the thread is not there yet and cannot be started.
    pub fn new(config: Valid<ClientConfig>) -> Self {
        Self(drive::Client::new(config, AsyncIo::new()))
    }

    /// [`Self::new`] with `resolver` in the place of the platform's.
    ///
    /// # Panics
    /// When the thread is not there yet and cannot be started.
    pub fn with_resolver(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Self {
        Self(drive::Client::new(config, AsyncIo::new().with_resolver(resolver)))
    }

    /// Makes a client that follows `config`, and has it driven by whoever `spawn` gives the task to, such as
    /// `|task| smol::spawn(task).detach()`. While nobody polls the task nothing moves and nothing fails either; when it is
    /// dropped every flow fails with [`FlowError::ClientClosed`].
    pub fn with_spawn(config: Valid<ClientConfig>, spawn: impl FnOnce(Task)) -> Self {
        let (client, task) = drive::Client::with_task(config, AsyncIo::new());
        spawn(Box::pin(task));
        Self(client)
    }

    /// Opens a stream to `target`, directly or through a relay. Cancel safe: a stream that nobody waits for is closed.
    ///
    /// # Errors
    /// Why no path led there.
    pub async fn connect(&self, target: impl IntoTarget) -> Result<Stream, FlowError> {
        self.0.connect(target).await.map(Stream)
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
        or(self.connect(target), async {
            Timer::after(timeout).await;
            Err(FlowError::TimedOut)
        })
        .await
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow, FlowError> {
        self.0.datagrams(target)
    }

    /// Begins an association: its datagram flows share one port where they are direct, as if one plain UDP socket spoke with
    /// all of their targets, and what others send to that port can be received too.
    ///
    /// # Errors
    /// The client is closed or at its limit.
    pub fn associate(&self) -> Result<Association, FlowError> {
        self.0.associate()
    }

    /// What happens from now on; the first caller also gets what happened before.
    pub fn events(&self) -> Events {
        self.0.events()
    }

    /// Ends the client when everything that was written is delivered, or after `linger`: it opens nothing any more, takes every
    /// flow back, and waits until their targets have ended their halves too. The answer is how many flows the end of `linger`
    /// cut off; zero means that all were whole. Await it before the process ends: what the application wrote
    /// and the system has not taken would be lost with it.
    ///
    /// Cancel safe: the client drains whether or not somebody waits.
    pub async fn drain(&self, linger: Duration) -> usize {
        self.0.drain(linger).await
    }

    client_verbs!();

    const fn inner(&self) -> &drive::Client<AsyncIo> {
        &self.0
    }
}

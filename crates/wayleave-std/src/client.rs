//! The client that an application embeds.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wayleave_drive::{self as drive, IntoTarget, Resolver, client_verbs};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::{ClientConfig, Valid};

use crate::wait::Waiters;
use crate::{Association, DatagramFlow, Events, Std, Stream};

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped.
///
/// ```
/// # use std::net::TcpListener;
/// # use std::time::Duration;
/// # use wayleave_std::{Client, ClientConfig, Kind, Route};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let target = TcpListener::bind("127.0.0.1:0")?;
/// let client = Client::new(ClientConfig::direct().build()?)?; // no relay, for once
/// assert_eq!(client.route(Kind::Stream), Route::Direct);
/// println!("{}", client.explain()); // why, in sentences
/// let stream = client.connect_timeout(target.local_addr()?, Duration::from_secs(5))?;
/// assert_eq!(stream.route(), Some(Route::Direct));
/// drop((stream, target)); // both halves end
/// assert_eq!(client.drain(Duration::from_secs(5)), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the client ends when its last handle and its last flow are dropped"]
pub struct Client(drive::Client<Std>);

impl Client {
    /// Makes a client that follows `config`, and starts the one thread that drives it.
    ///
    /// # Errors
    /// The system has no thread, or no descriptor to wait with.
    pub fn new(config: Valid<ClientConfig>) -> io::Result<Self> {
        Self::start(config, Std::new()?)
    }

    /// The same, with `resolver` in the place of the platform's.
    ///
    /// # Errors
    /// The system has no thread, or no descriptor to wait with.
    pub fn with_resolver(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> io::Result<Self> {
        Self::start(config, Std::new()?.with_resolver(resolver))
    }

    fn start(config: Valid<ClientConfig>, std: Std) -> io::Result<Self> {
        let reactor = std.reactor();
        let (client, task) = drive::Client::with_task(config, std);
        thread::Builder::new().name("wayleave".into()).spawn(move || reactor.run(task))?;
        Ok(Self(client))
    }

    /// Opens a stream to `target`, directly or through a relay, and waits until it is open.
    ///
    /// # Errors
    /// Why no path led there.
    pub fn connect(&self, target: impl IntoTarget) -> Result<Stream, FlowError> {
        self.connect_within(target, None)
    }

    /// [`Self::connect`] that gives up after `timeout`.
    ///
    /// # Errors
    /// Why no path led there; [`FlowError::TimedOut`] when that was not known in time.
    pub fn connect_timeout(&self, target: impl IntoTarget, timeout: Duration) -> Result<Stream, FlowError> {
        self.connect_within(target, Some(timeout))
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow, FlowError> {
        self.0.datagrams(target).map(DatagramFlow::new)
    }

    /// Begins an association: its datagram flows share one port where they are direct, as if one plain UDP socket spoke with
    /// all of their targets, and what others send to that port can be received too.
    ///
    /// # Errors
    /// The client is closed or at its limit.
    pub fn associate(&self) -> Result<Association, FlowError> {
        self.0.associate().map(Association::new)
    }

    /// What happens from now on; the first caller also gets what happened before.
    pub fn events(&self) -> Events {
        Events::new(self.0.events())
    }

    /// Ends the client when everything that was written is delivered, or after `linger`: it opens nothing any more, takes every
    /// flow back, and waits until their targets have ended their halves too. The answer is how many flows the end of `linger`
    /// cut off; zero means that all were whole. Call it before the process ends: what the application wrote and the system has
    /// not taken would be lost with it.
    pub fn drain(&self, linger: Duration) -> usize {
        let mut draining = pin!(self.0.drain(linger));
        Arc::new(Waiters::default()).wait(None, |cx| draining.as_mut().poll(cx)).unwrap_or_default()
    }

    client_verbs!();

    const fn inner(&self) -> &drive::Client<Std> {
        &self.0
    }

    fn connect_within(&self, target: impl IntoTarget, limit: Option<Duration>) -> Result<Stream, FlowError> {
        let mut opening = pin!(self.0.connect(target));
        let answer = Arc::new(Waiters::default()).wait(limit, |cx| opening.as_mut().poll(cx));
        answer.unwrap_or(Err(FlowError::TimedOut)).map(Stream::new)
    }
}

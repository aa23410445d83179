//! The client that an application embeds.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use wayleave_drive::{self as drive, IntoTarget, Resolver};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::{ClientConfig, Valid};

use crate::{AsyncIo, Stream};

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped. Beside the methods
/// here it has all of [`drive::Client`].
#[derive(Clone, Debug)]
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
    /// `|task| smol::spawn(task).detach()`. The client stands still while nobody polls the task, and for good when the task
    /// is dropped.
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
}

impl Deref for Client {
    type Target = drive::Client<AsyncIo>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

//! The client that an application embeds.

use std::ops::Deref;
use std::sync::Arc;

use wayleave_drive::{self as drive, IntoTarget, Resolver};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::{ClientConfig, Valid};

use crate::{Stream, Tokio};

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped. Beside the two methods
/// here it has all of [`drive::Client`].
#[derive(Clone, Debug)]
pub struct Client(drive::Client<Tokio>);

impl Client {
    /// Makes a client that follows `config`, and starts the task that drives it.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub fn new(config: Valid<ClientConfig>) -> Self {
        Self(drive::Client::new(config, Tokio::current()))
    }

    /// The same, with `resolver` in the place of the platform's.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub fn with_resolver(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Self {
        Self(drive::Client::new(config, Tokio::current().with_resolver(resolver)))
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
    type Target = drive::Client<Tokio>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

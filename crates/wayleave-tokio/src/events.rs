//! The facts that a client tells, one after another.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wayleave_proto::client::Event;

/// What a client tells its embedder. A reader that falls 4,096 events behind loses the oldest.
#[derive(Debug)]
pub struct Events(pub(crate) Receiver<Event>);

impl Events {
    /// The next event; `None` when the client is closed. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

//! What happens, told to people and to programs.

mod fact;
mod sentence;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt, stdout};
use tracing::{debug, info, warn};
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{ProxyFault, What};
use wayleave_tokio::Events;

use super::settings::Destination;
use crate::Failure;

use fact::Line;
use sentence::{Weight, sentence};

/// Where events go as JSON, one object a line.
pub(super) struct Journal(Box<dyn AsyncWrite + Send + Unpin>);

impl Journal {
    /// Opens `destination`; a file begins empty.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) async fn open(destination: &Destination) -> Result<Self, Failure> {
        match destination {
            Destination::StandardOutput => Ok(Self(Box::new(stdout()))),
            Destination::File(path) => Ok(Self(Box::new(create(path).await?))),
        }
    }

    async fn write(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(line.as_bytes()).await?;
        self.0.flush().await
    }
}

/// Tells every event until the client is gone.
pub(super) async fn tell(mut events: Events, mut journal: Option<Journal>) {
    let mut complaints = Complaints::default();
    while let Some(event) = events.recv().await {
        match complaints.weigh(&event.what, sentence(&event.what)) {
            Some((Weight::Warning, text)) => warn!("{text}"),
            Some((Weight::News, text)) => info!("{text}"),
            Some((Weight::Detail, text)) => debug!("{text}"),
            None => {}
        }
        let Some(open) = &mut journal else { continue };
        let Some(line) = Line::new(&event) else { continue };
        if let Err(error) = open.write(&line.to_json()).await {
            warn!("events can no longer be written ({error}); none are from now on");
            journal = None;
        }
    }
}

/// The latest complaint about each proxy, so that one that is tried again and again is not told each time.
#[derive(Debug, Default)]
struct Complaints(BTreeMap<Target, ProxyFault>);

impl Complaints {
    /// The weight of a sentence that may have been said before.
    fn weigh(&mut self, what: &What, said: Option<(Weight, String)>) -> Option<(Weight, String)> {
        let (weight, text) = said?;
        match what {
            // Who refuses has been reached, and refuses again when nothing changed.
            What::ProxyConnected { proxy, .. } => {
                self.0.retain(|told, fault| told != proxy || is_refusal(fault))
            }
            What::FlowOpened { route: Route::Proxied, .. } | What::TokenAccepted { .. } => {
                self.0.retain(|_, fault| !is_refusal(fault));
            }
            What::ProxyFailed { proxy, error, .. } => {
                let before = self.0.insert(proxy.clone(), error.clone());
                if before.is_some_and(|before| is_same(&before, error)) {
                    return Some((Weight::Detail, text));
                }
            }
            _ => {}
        }
        Some((weight, text))
    }
}

/// Whether a proxy was reached and would not.
const fn is_refusal(fault: &ProxyFault) -> bool {
    matches!(
        fault,
        ProxyFault::AppSignRefused
            | ProxyFault::Refused { .. }
            | ProxyFault::TokenEarly { .. }
            | ProxyFault::TokenExpired { .. }
    )
}

/// Whether two complaints are one, how long ago whatever it was may have been.
fn is_same(one: &ProxyFault, other: &ProxyFault) -> bool {
    match (one, other) {
        (ProxyFault::TokenEarly { .. }, ProxyFault::TokenEarly { .. })
        | (ProxyFault::TokenExpired { .. }, ProxyFault::TokenExpired { .. }) => true,
        (one, other) => one == other,
    }
}

async fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).await.map_err(|error| {
        let path = path.display();
        Failure::run(format!("the events cannot be written to {path} ({error}); check the path of --events"))
    })
}

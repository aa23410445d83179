//! The admin interface of a relay: a listener of its own for its operator.

mod listener;
mod metrics;
mod ready;
mod rows;
mod verbs;

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use wayleave_proto::config::RelayLimits;
use wayleave_settings::relay::Place;
use wayleave_tokio::RelayHandle;

use crate::Failure;
use crate::admin::{AdminSecret, Duplex, Fault, Request, encode};

use super::reload::Told;
use super::users::Users;
use listener::Listener;
use verbs::Answer;

/// What an operator asks of the process; what concerns the relay alone is done at once.
#[derive(Debug)]
pub(super) enum Order {
    /// Begin to drain.
    Drain,
    /// Read the files again that can be read again; the answer is what is in force, or what is wrong.
    Reload(oneshot::Sender<Told>),
}

/// The admin interface, bound and not served yet.
#[derive(Debug)]
pub(super) struct Admin {
    listener: Listener,
    secret: Option<AdminSecret>,
}

impl Admin {
    /// Listens at `place`. On TCP a secret is asked for, and loopback unless `anywhere`.
    ///
    /// # Errors
    /// What is missing, or why nobody can listen there.
    pub(super) fn bind(place: &Place, secret: Option<PathBuf>, anywhere: bool) -> Result<Self, Failure> {
        let secret = secret.as_deref().map(AdminSecret::read).transpose()?;
        if let Place::Tcp(address) = place {
            if secret.is_none() {
                return Err(Failure::usage(
                    "an admin interface on TCP needs a secret; give --admin-secret-file FILE, or --admin unix:PATH",
                ));
            }
            if !address.ip().is_loopback() && !anywhere {
                return Err(Failure::usage(format!(
                    "{address} is not a loopback address, and the admin interface speaks HTTP without TLS; choose \
                     127.0.0.1 or unix:PATH, or say --admin-anywhere if this network is yours alone"
                )));
            }
        }
        let listener = Listener::bind(place).map_err(|error| {
            let remedy = match error.kind() {
                ErrorKind::NotFound => "; make its directory first (RuntimeDirectory= of systemd does)",
                ErrorKind::AddrInUse => "; another relay, or a file of somebody else's, is there",
                ErrorKind::PermissionDenied => "; choose a place that this user may write to",
                _ => "",
            };
            Failure::run(format!("the admin interface cannot listen on {place}: {error}{remedy}"))
        })?;
        Ok(Self { listener, secret })
    }

    /// The address that no client may reach through the relay; `None` for a Unix socket.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the relay ends.
    pub(super) async fn serve(
        self,
        handle: RelayHandle,
        limits: RelayLimits,
        orders: mpsc::Sender<Order>,
        users: Arc<Users>,
    ) {
        info!("admin interface on {}", self.listener);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let service = Arc::new(Service { secret: self.secret, handle, limits, orders, users });
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok(stream) => {
                    let service = Arc::clone(&service);
                    tokio::spawn(async move {
                        let _ = timeout(PATIENCE, service.serve(stream)).await;
                        drop(place);
                    });
                }
                // Out of descriptors, most likely: those that are open go on, and free some.
                Err(_) => sleep(ACCEPT_AGAIN).await,
            }
        }
    }
}

/// What answers requests.
#[derive(Debug)]
struct Service {
    secret: Option<AdminSecret>,
    handle: RelayHandle,
    limits: RelayLimits,
    orders: mpsc::Sender<Order>,
    users: Arc<Users>,
}

impl Service {
    async fn serve(&self, mut stream: Box<dyn Duplex>) {
        let answer = match Request::read(&mut stream).await {
            Ok(request) => self.answer(&request).await,
            Err(Fault::TooLong) => Answer::plain("413 Content Too Large", "the body is too long"),
            Err(Fault::Malformed) => Answer::plain("400 Bad Request", "this is no HTTP/1.1 as it should be"),
            Err(Fault::Broken) => return,
        };
        let _ = stream.write_all(answer.encode().expose()).await;
        let _ = stream.shutdown().await;
    }

    async fn answer(&self, request: &Request) -> Answer {
        if let Some(answer) = self.probe(request) {
            return answer;
        }
        let shown = request.authorization.as_ref().map(|value| value.expose().as_str());
        let is_known = self.secret.as_ref().is_none_or(|secret| secret.is_shown_by(shown));
        if !is_known {
            warn!("admin: a request without the secret was refused");
            return Answer::unauthorized();
        }
        self.act(request).await
    }
}

impl Answer {
    fn encode(&self) -> wayleave_proto::base::Secret<Vec<u8>> {
        let mut fields = vec![("Content-Type", self.content_type), ("Cache-Control", "no-store")];
        if self.status.starts_with("401") {
            fields.push(("WWW-Authenticate", "Bearer realm=\"wayleave admin\""));
        }
        encode(&format!("HTTP/1.1 {}", self.status), &fields, &self.body)
    }
}

/// Requests at once; more wait.
const CONNECTIONS: usize = 16;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a listener that failed is asked again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

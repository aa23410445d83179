//! Connections to local ports, each with a task of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::warn;
use wayleave_proto::config::{Liveness, Peer};

/// Accepts connections for ever and serves each in a task of its own; all of them end with this future.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    places: Arc<Semaphore>,
    serve: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    loop {
        // The semaphore is never closed, so that there is always a place in the end.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = tasks.join_next() => {}
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without these options the stream works too, a little slower, and a client on another machine that went
                // away without a word keeps its place.
                let _ = stream.set_nodelay(true);
                let _ = wayleave_sockets::watch(&stream, &LOCAL);
                let served = serve(stream, peer);
                tasks.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: those that are open go on, and free some.
            Err(error) => {
                warn!(
                    "a local connection cannot be accepted ({error}); raise the limit of open files if this goes on"
                );
                sleep(AGAIN).await;
            }
        }
    }
}

/// How local connections are watched: others than those of this machine can come, and vanish.
const LOCAL: Liveness =
    Liveness { idle: Duration::from_secs(60), timeout: Duration::from_secs(15), peer: Peer::Foreign };
/// How soon a listener that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

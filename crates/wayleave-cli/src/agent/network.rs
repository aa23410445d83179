//! Changes of the network underneath.

use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use wayleave_tokio::Client;

use super::link::{Underlay, Watch};

/// Looks at the network again and again, and tells the client what changed.
pub(super) async fn watch(seen: Underlay, client: Client) {
    let mut watch = Watch::new(seen);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A handful of small files, but a file system may take its time.
        let Ok(found) = spawn_blocking(|| Underlay::look(Path::new("/"))).await else { continue };
        if let Some(network) = watch.notice(found) {
            client.network_changed(network);
        }
    }
}

/// How often the network is looked at.
const EVERY: Duration = Duration::from_secs(2);

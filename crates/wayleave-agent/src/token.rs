//! The file of the token, followed.

use std::sync::Arc;

use tokio::sync::Notify;
use tracing::{info, warn};
use wayleave_settings::files::Follower;
use wayleave_settings::token::{Renewed, TokenChange};
use wayleave_tokio::Client;

/// Puts every new token of the file into force, and has it read at once when `again` says so. One that is bad is reported,
/// and the one before it stays.
pub(crate) async fn watch(mut file: Follower<Option<TokenChange>>, client: Client, again: Arc<Notify>) {
    loop {
        let found = tokio::select! {
            (found, _) = file.next() => found,
            () = again.notified() => {
                file.ask();
                continue;
            }
        };
        match found {
            None => info!("the token is the same as before"),
            Some(Ok(Renewed { credential, warning, .. })) => {
                client.renew(credential);
                info!("the token was renewed from its file");
                warning.iter().for_each(|warning| warn!("{warning}"));
            }
            Some(Err(what)) => warn!("{what}; until then the token before it stays in force"),
        }
    }
}

//! What happens, told to people and to programs.

mod fact;
mod journal;
mod sentence;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use tracing::{Level, debug, enabled, info, warn};
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{ProxyFault, What};
use wayleave_tokio::{Client, Events};

use fact::Line;
use sentence::{Weight, sentence};

pub(super) use journal::Journal;

/// Tells every event until the client is gone.
pub(super) async fn tell(mut events: Events, journal: Option<Arc<Journal>>) {
    let mut complaints = Complaints::default();
    while let Some(event) = events.recv().await {
        match complaints.weigh(&event.what) {
            (Weight::Warning, text) => warn!("{text}"),
            (Weight::News, text) => info!("{text}"),
            (Weight::Detail, text) => debug!("{text}"),
        }
        if let Some((journal, line)) = journal.as_ref().zip(Line::new(&event)) {
            journal.write(line.to_json());
        }
    }
}

/// Says why, a line a sentence, whenever a decision about routes falls or fails. It comes to no end.
pub(super) async fn explain(client: &Client) {
    // Nobody pays for what nobody reads.
    let mut events = enabled!(Level::DEBUG).then(|| client.events());
    while let Some(listened) = &mut events {
        match listened.recv().await {
            Some(event) if is_decision(&event.what) => {
                client.explain().to_string().lines().for_each(|line| debug!("{line}"));
            }
            Some(_) => {}
            None => events = None,
        }
    }
    pending().await
}

const fn is_decision(what: &What) -> bool {
    matches!(
        what,
        What::DirectConnected { .. }
            | What::ProofFailed { .. }
            | What::RouteChanged { .. }
            | What::StayingDirect { .. }
    )
}

/// The latest complaint about each proxy, so that one that is tried again and again is not told each time.
#[derive(Debug, Default)]
struct Complaints(BTreeMap<Target, ProxyFault>);

impl Complaints {
    /// The sentence about an event, and the weight of one that may have been said before.
    fn weigh(&mut self, what: &What) -> (Weight, String) {
        let (weight, text) = sentence(what);
        match what {
            // Who refuses has been reached, and refuses again when nothing changed.
            What::ProxyConnected { proxy, .. } => {
                self.0.retain(|told, fault| told != proxy || is_refusal(fault))
            }
            What::CredentialAccepted { .. }
            | What::FlowOpened { route: Route::Proxied, .. }
            | What::TokenAccepted { .. } => {
                self.0.retain(|_, fault| !is_refusal(fault));
            }
            What::ProxyFailed { proxy, error, .. } => {
                let before = self.0.insert(proxy.clone(), error.clone());
                if before.is_some_and(|before| is_same(&before, error)) {
                    return (Weight::Detail, text);
                }
            }
            _ => {}
        }
        (weight, text)
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

//! What the relay logs.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use wayleave_proto::auth::{AppId, Payload, Verdict};
use wayleave_proto::base::Instant;
use wayleave_proto::relay::{Event, What};

use super::users::Users;

/// Writes the events of a relay into its log: whatever happens to tunnels, and of strangers as much as a person reads.
#[derive(Debug)]
pub(super) struct Report {
    users: Arc<Users>,
    failed: Sample,
    refused: Sample,
}

/// So many lines of one kind in a second, and a count of the others.
#[derive(Debug, Default)]
struct Sample {
    /// The second that is counted, on the clock of the machine.
    second: u64,
    told: u64,
    left_out: u64,
}

impl Sample {
    /// Whether a line of this moment is told, and how many were left out before it.
    fn take(&mut self, at: Instant) -> Option<u64> {
        let second = at.as_nanos() / 1_000_000_000;
        if second != self.second {
            (self.second, self.told) = (second, 0);
        }
        if self.told >= MOST {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Report {
    pub(super) fn new(users: Arc<Users>) -> Self {
        Self { users, failed: Sample::default(), refused: Sample::default() }
    }

    /// Writes one line, or counts it.
    pub(super) fn report(&mut self, event: &Event) {
        let (sample, kind) = match event.what {
            What::ConnectionFailed { .. } => (&mut self.failed, "connection failed"),
            What::Refused { .. } => (&mut self.refused, "refused"),
            _ => return report(event, &self.users),
        };
        match sample.take(event.at) {
            None => {}
            Some(0) => report(event, &self.users),
            Some(left_out) => {
                info!(left_out, "more lines like the next were left out: {kind}");
                report(event, &self.users);
            }
        }
    }
}

/// Writes one line.
///
/// Text of clients and of tokens goes in as a string, which both formats of the log escape. Tokens are never in events.
fn report(event: &Event, users: &Users) {
    let Event { connection, tunnel, client, what, .. } = event;
    let (Some(connection), Some(client)) = (connection, client) else { return report_all(what) };
    let tunnel = tunnel.map(tracing::field::display);
    match what {
        What::ConnectionFailed { reason } => {
            info!(%connection, %client, reason = reason.to_string().as_str(), "connection failed");
        }
        What::Refused { status, target, reason } => {
            let target = target.as_ref().map(ToString::to_string);
            let reason = reason.to_string();
            info!(%connection, tunnel, %client, target = target.as_deref(), status, reason = reason.as_str(), "refused");
        }
        What::TunnelClosed { kind, target, verdict, sent, received, dropped, lasted, reason } => info!(
            %connection,
            tunnel,
            %client,
            app = app(verdict),
            user = users.name(verdict.claims.subject.as_deref()).as_deref(),
            %kind,
            %target,
            sent,
            received,
            dropped,
            ms = millis(*lasted),
            reason = reason.to_string().as_str(),
            "tunnel closed"
        ),
        What::TunnelOpened { kind, target, address, verdict, elapsed } => info!(
            %connection,
            tunnel,
            %client,
            app = app(verdict),
            user = users.name(verdict.claims.subject.as_deref()).as_deref(),
            credential = %verdict.credential,
            key = verdict.kid.as_str(),
            jti = verdict.claims.token_id.as_deref(),
            room = room(verdict),
            %kind,
            %target,
            %address,
            ms = millis(*elapsed),
            "tunnel opened"
        ),
        // Only an embedder is asked.
        What::Verify { .. } => {}
        _ => info!(%connection, tunnel, %client, "{what:?}"),
    }
}

/// Writes one line about what concerns no connection in particular.
fn report_all(what: &What) {
    match what {
        What::AcceptFailed { error } => warn!(
            reason = error.to_string().as_str(),
            "cannot accept connections, and closes those that come at once; what is open goes on"
        ),
        What::AcceptRecovered { error, failures, lasted } => info!(
            reason = error.to_string().as_str(),
            failures,
            ms = millis(*lasted),
            "accepts connections again"
        ),
        What::TurnedAway { count, latest, reason } => {
            warn!(count, %latest, reason = reason.to_string().as_str(), "connections turned away");
        }
        _ => info!("{what:?}"),
    }
}

fn app(verdict: &Verdict) -> Option<&str> {
    verdict.claims.app_id.as_ref().map(AppId::as_str)
}

/// The room of a privilege token.
fn room(verdict: &Verdict) -> Option<&str> {
    match &verdict.payload {
        Some(Payload::Room(room)) => room.room_id.as_deref(),
        _ => None,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Lines of one kind about strangers in a second.
const MOST: u64 = 50;

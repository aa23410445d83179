//! What the relay logs.

use std::time::Duration;

use tracing::info;
use wayleave_proto::auth::{AppId, Payload, Verdict};
use wayleave_proto::relay::{Event, What};

/// Writes one line.
///
/// Text of clients and of tokens goes in as a string, which both formats of the log escape. Tokens are never in events.
pub(super) fn report(event: &Event) {
    let Event { connection, client, what, .. } = event;
    match what {
        What::ConnectionFailed { reason } => {
            info!(%connection, %client, reason = reason.to_string().as_str(), "connection failed");
        }
        What::Refused { status, target, reason } => {
            let target = target.as_ref().map(ToString::to_string);
            let reason = reason.to_string();
            info!(%connection, %client, target = target.as_deref(), status, reason = reason.as_str(), "refused");
        }
        What::TunnelClosed { kind, target, verdict, sent, received, dropped, lasted, reason } => info!(
            %connection,
            %client,
            app = app(verdict),
            user = verdict.claims.subject.as_deref(),
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
            %client,
            app = app(verdict),
            user = verdict.claims.subject.as_deref(),
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
        _ => info!(%connection, %client, "{what:?}"),
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

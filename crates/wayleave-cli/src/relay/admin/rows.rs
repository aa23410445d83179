//! What is open, as rows for an operator.

use std::time::Duration;

use serde_json::{Value, json};
use wayleave_proto::auth::AppId;
use wayleave_proto::relay::{OpenConnection, OpenTunnel};

use super::Answer;
use crate::relay::users::Users;

/// The connections that are listed of `total`.
pub(super) fn connections(listed: &[OpenConnection], total: usize) -> Answer {
    let row = |connection: &OpenConnection| {
        json!({
            "connection": connection.id.to_string(),
            "client": connection.client.to_string(),
            "carrier": connection.carrier.to_string(),
            "seconds": seconds(connection.lasted),
            "tunnels": connection.tunnels,
            "held_bytes": connection.held,
        })
    };
    answer("connections", listed.iter().map(row), total)
}

/// The tunnels that are listed; of `total` that are open, and of those on their way. Users are named as in the log.
pub(super) fn tunnels(listed: &[OpenTunnel], total: usize, users: &Users) -> Answer {
    let row = |tunnel: &OpenTunnel| {
        let claims = tunnel.verdict.as_ref().map(|verdict| &verdict.claims);
        json!({
            "tunnel": tunnel.id.to_string(),
            "connection": tunnel.connection.to_string(),
            "client": tunnel.client.map(|client| client.to_string()),
            "state": tunnel.state.to_string(),
            "kind": tunnel.kind.map(|kind| kind.to_string()),
            "target": tunnel.target.as_ref().map(ToString::to_string),
            "app": claims.and_then(|claims| claims.app_id.as_ref()).map(AppId::as_str),
            "user": claims.and_then(|claims| users.name(claims.subject.as_deref())),
            "seconds": seconds(tunnel.lasted),
            "sent": tunnel.sent,
            "received": tunnel.received,
        })
    };
    answer("tunnels", listed.iter().map(row), total)
}

/// As many rows as there is room for.
fn answer(name: &str, rows: impl Iterator<Item = Value>, total: usize) -> Answer {
    let mut room = LONGEST;
    let fits = |row: &Value| {
        let length = row.to_string().len();
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let rows: Vec<Value> = rows.take_while(fits).collect();
    Answer::json(&json!({ name: rows, "total": total.max(rows.len()) }))
}

/// To the millisecond.
fn seconds(span: Duration) -> f64 {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).as_secs_f64()
}

/// Rows where nobody says how many.
pub(super) const USUAL: usize = 1_000;
/// The most rows, and bytes of all rows together.
pub(super) const MOST: usize = 10_000;
const LONGEST: usize = 4 << 20;

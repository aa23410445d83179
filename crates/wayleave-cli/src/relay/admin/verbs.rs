//! What an operator can ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::info;
use wayleave_proto::auth::{AppId, Revoked};
use wayleave_proto::relay::Stats;

use super::metrics::{Format, families, text};
use super::ready::obstacle;
use super::{Order, Service, rows};
use crate::admin::{Request, decode};

/// What the operator gets.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// A line for a person.
    pub(super) fn plain(status: &'static str, line: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: line.into() + "\n" }
    }

    pub(super) fn unauthorized() -> Self {
        Self::plain("401 Unauthorized", "show the secret: Authorization: Bearer SECRET")
    }

    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self { status: "200 OK", content_type: "application/json", body: format!("{value}\n") }
    }
}

impl Service {
    /// Answers those who ask whether it lives and would take a tunnel. Balancers and orchestrators have no secret to show, and learn
    /// no more than that.
    pub(super) fn probe(&self, request: &Request) -> Option<Answer> {
        let obstacle = match request.path.as_str() {
            "/healthz" => None,
            "/readyz" => obstacle(&self.handle.stats(), &self.limits, self.handle.is_accepting()),
            _ => return None,
        };
        Some(match (request.method.as_str(), obstacle) {
            ("GET", None) => Answer::plain("200 OK", "ok"),
            ("GET", Some(why)) => Answer::plain("503 Service Unavailable", why),
            _ => Answer::plain("405 Method Not Allowed", "use GET"),
        })
    }

    pub(super) async fn act(&self, request: &Request) -> Answer {
        let Request { method, path, body, .. } = request;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match (method.as_str(), path) {
            ("GET", "/connections" | "/tunnels") => match limit(query) {
                Ok(most) if path == "/tunnels" => {
                    rows::tunnels(&self.handle.tunnels(most), self.handle.stats().tunnels, &self.users)
                }
                Ok(most) => {
                    rows::connections(&self.handle.connections(most), self.handle.stats().connections)
                }
                Err(what) => Answer::plain("400 Bad Request", what),
            },
            _ if !query.is_empty() => Answer::plain("400 Bad Request", "only lists take a limit"),
            ("GET", "/metrics") => self.metrics(Format::accepted(request.accept.as_deref())),
            ("GET", "/stats") => stats(&self.handle.stats()),
            ("POST", "/drain") => self.drain().await,
            ("POST", "/reload") => self.reload().await,
            ("POST", "/revoke") => self.revoke(body),
            (_, "/drain" | "/reload" | "/revoke") => Answer::plain("405 Method Not Allowed", "use POST"),
            (_, "/metrics" | "/stats" | "/connections" | "/tunnels") => {
                Answer::plain("405 Method Not Allowed", "use GET")
            }
            _ => Answer::plain(
                "404 Not Found",
                "there are /healthz, /readyz, /metrics, /stats, /connections, /tunnels, /revoke, /reload and /drain",
            ),
        }
    }

    fn metrics(&self, format: Format) -> Answer {
        let families = families(&self.handle.stats(), &self.limits, self.handle.is_accepting());
        Answer { status: "200 OK", content_type: format.content_type(), body: text(&families, format) }
    }

    async fn drain(&self) -> Answer {
        match self.orders.send(Order::Drain).await {
            Ok(()) => Answer::plain("202 Accepted", "the relay drains"),
            Err(_) => Answer::plain("503 Service Unavailable", "the relay is ending"),
        }
    }

    async fn reload(&self) -> Answer {
        let (tell, told) = oneshot::channel();
        let _ = self.orders.send(Order::Reload(tell)).await;
        match timeout(READING, told).await {
            Ok(Ok(Ok(what))) => Answer::plain("200 OK", what),
            Ok(Ok(Err(what))) => Answer::plain("409 Conflict", what),
            Ok(Err(_)) => Answer::plain("503 Service Unavailable", "the relay is ending"),
            Err(_) => Answer::plain(
                "504 Gateway Timeout",
                "the files do not answer; what was in force stays until they do, and the log tells then",
            ),
        }
    }
}

impl Service {
    fn revoke(&self, body: &str) -> Answer {
        let revoked = match revoked(body) {
            Ok(revoked) => revoked,
            Err(what) => return Answer::plain("400 Bad Request", what),
        };
        match self.handle.revoke(revoked.clone()) {
            Ok(ended) => {
                let (jti, user, app) = match &revoked {
                    Revoked::App(app_id) => (None, None, Some(app_id.as_str())),
                    Revoked::Token(id) => (Some(id.as_str()), None, None),
                    Revoked::User { user, app_id } => {
                        (None, Some(user.as_str()), app_id.as_ref().map(AppId::as_str))
                    }
                    // What a later version of the core adds.
                    _ => (None, None, None),
                };
                let user = self.users.name(user);
                info!(jti, user = user.as_deref(), app, ended, "admin: revoked until the relay ends");
                Answer::json(&json!({ "ended": ended }))
            }
            Err(full) => Answer::plain("507 Insufficient Storage", full.to_string()),
        }
    }
}

/// What the form means: a token alone, a user of any application or of one, or an application.
pub(super) fn revoked(body: &str) -> Result<Revoked, &'static str> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in decode(body).ok_or("this is no form; write user=NAME")? {
        if value.is_empty() || fields.insert(name, value).is_some() {
            return Err("every name stands once, with a value");
        }
    }
    let (jti, user, app_id) = (fields.remove("jti"), fields.remove("user"), fields.remove("app_id"));
    let app_id =
        app_id.map(|app_id| app_id.parse()).transpose().map_err(|_| "app_id is no application id")?;
    match (jti, user, app_id) {
        _ if !fields.is_empty() => Err("there are jti, user and app_id, and no other names"),
        (Some(jti), None, None) => Ok(Revoked::Token(jti)),
        (None, Some(user), app_id) => Ok(Revoked::User { user, app_id }),
        (None, None, Some(app_id)) => Ok(Revoked::App(app_id)),
        (Some(_), ..) => Err("a token is named by jti alone"),
        (None, None, None) => Err("say jti, user or app_id"),
    }
}

/// How many rows a list may have: `limit=N`, or as many as a person reads.
pub(super) fn limit(query: &str) -> Result<usize, &'static str> {
    let wrong = "write ?limit=N, from 1 to 10000";
    if query.is_empty() {
        return Ok(rows::USUAL);
    }
    let most = query.strip_prefix("limit=").and_then(|most| most.parse().ok()).ok_or(wrong)?;
    if (1..=rows::MOST).contains(&most) { Ok(most) } else { Err(wrong) }
}

fn stats(stats: &Stats) -> Answer {
    Answer::json(&json!({
        "accepted": stats.accepted,
        "accounts": stats.accounts,
        "connections": stats.connections,
        "draining": stats.draining,
        "held_bytes": stats.held,
        "opened": stats.opened,
        "overflowed": stats.overflowed,
        "refused": stats.refused.total(),
        "revocations": stats.revocations,
        "tunnels": stats.tunnels,
        "turned_away": stats.turned_away.total(),
        "unaccepted": stats.unaccepted,
    }))
}

/// How long the files may take, within what the operator's command waits.
const READING: Duration = Duration::from_secs(8);

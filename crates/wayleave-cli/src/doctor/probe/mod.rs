//! The checks themselves, on real sockets. Every step has an end of its own, and none waits for another that it does not need.

mod certificate;
mod datagrams;
mod direct;
mod idle;
mod name;
mod notes;
mod portal;
mod proxy;
mod reach;
mod road;
mod tls;
mod tunnel;
mod via;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Kind, Network, Target};
use wayleave_proto::carrier::tls::Connector;
use wayleave_proto::config::RouteConfig;

use super::report::Report;
use crate::agent::Way;

pub(crate) use notes::Notes;

/// What is to be checked.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) proxies: Vec<Target>,
    /// The proxies of the network in front of them.
    pub(crate) way: Way,
    /// Who says which certificates are trusted, and the same for the client library.
    pub(crate) verifier: Arc<dyn ServerCertVerifier>,
    pub(crate) connector: Arc<dyn Connector>,
    /// What is shown to relays, or what is wrong with it.
    pub(crate) credential: Option<Result<Credential, String>>,
    pub(crate) targets: Vec<(Kind, Target)>,
    /// Whether targets may be tried without a relay.
    pub(crate) goes_direct: bool,
    pub(crate) route: RouteConfig,
    pub(crate) network: Network,
    /// For how long connections are left idle.
    pub(crate) idle: Option<Duration>,
}

/// Checks everything, and says what was found.
pub(crate) async fn examine(plan: Arc<Plan>, notes: Arc<Notes>) -> Report {
    let began = Instant::now();
    let deadline = Deadline::new(began, plan.idle.is_some());
    let mut tasks = JoinSet::new();
    for proxy in &plan.proxies {
        tasks.spawn(proxy::check(Arc::clone(&plan), proxy.clone(), Arc::clone(&notes), deadline));
    }
    tasks.spawn(direct::check(Arc::clone(&plan), Arc::clone(&notes), deadline));
    tasks.spawn(direct::route(Arc::clone(&plan), Arc::clone(&notes), deadline));
    let end = deadline.end + plan.idle.map_or(SPARE, |idle| idle + LONG_STEP * 2);
    let _ = timeout_at(end, async { while tasks.join_next().await.is_some() {} }).await;
    let mut report = Report {
        proxies: plan.proxies.clone(),
        findings: notes.take(),
        took: began.elapsed(),
        made: crate::doctor::now(),
    };
    report.sort();
    report
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    /// When everything has to be over, but for idle connections.
    end: Instant,
    /// What one step may take.
    step: Duration,
}

impl Deadline {
    fn new(began: Instant, is_long: bool) -> Self {
        if is_long {
            Self { end: began + LONG_BUDGET, step: LONG_STEP }
        } else {
            Self { end: began + BUDGET, step: STEP }
        }
    }

    /// When a step that begins now has to end.
    fn step(self) -> Instant {
        self.end.min(Instant::now() + self.step)
    }
}

/// What all steps may take together, and one of them.
const BUDGET: Duration = Duration::from_millis(4_500);
const STEP: Duration = Duration::from_millis(1_500);
/// The same with `--long`, for ways by satellite.
const LONG_BUDGET: Duration = Duration::from_secs(20);
const LONG_STEP: Duration = Duration::from_secs(5);
/// What the last word of a step may take beyond the end.
const SPARE: Duration = Duration::from_millis(300);

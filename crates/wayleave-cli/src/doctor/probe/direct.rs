//! Targets without a relay, and what smart mode makes of this network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use wayleave_proto::base::{Host, Kind, Route, Target};
use wayleave_proto::client::What;
use wayleave_proto::config::{ClientConfig, Mode, Probe};
use wayleave_proto::error::IoFailed;
use wayleave_sockets::Lookups;
use wayleave_tokio::Client;

use super::{Deadline, Notes, Plan};
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

/// Tries every target directly, beside the way through a relay.
pub(super) async fn check(plan: Arc<Plan>, notes: Arc<Notes>, deadline: Deadline) {
    if plan.targets.is_empty() {
        notes.add(Finding::new(Code::DirectNoTarget, Subject::default()));
    }
    let mut tasks = JoinSet::new();
    for (kind, target) in plan.targets.clone() {
        let subject = Subject::default().to(kind, &target);
        if !plan.goes_direct {
            notes.add(Finding::new(Code::DirectNotTried, subject));
            continue;
        }
        let notes = Arc::clone(&notes);
        tasks.spawn(async move {
            let began = Instant::now();
            let tried = timeout_at(deadline.step(), reach(kind, &target)).await;
            let finding = match tried {
                Ok(Ok(())) => Finding::new(Code::DirectOpen, subject),
                Ok(Err(error)) => Finding::new(Code::DirectClosed, subject).with(error.to_string()),
                Err(_) => Finding::new(Code::DirectClosed, subject).with("no answer"),
            };
            notes.add(finding.after(began.elapsed()));
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn reach(kind: Kind, target: &Target) -> Result<(), IoFailed> {
    let address = match &target.host {
        Host::Address(address) => *address,
        Host::Name(name) => {
            let found = Arc::new(Lookups::default()).begin(name).await?;
            *found.first().ok_or_else(|| IoFailed::new(wayleave_proto::error::IoFailure::NameEmpty))?
        }
    };
    let address = SocketAddr::new(address, target.port.get());
    match kind {
        Kind::Datagram => ask(address).await.map_err(|error| IoFailed::from(&error)),
        Kind::Stream => TcpStream::connect(address).await.map(drop).map_err(|error| IoFailed::from(&error)),
    }
}

/// Asks a STUN server until it answers.
async fn ask(address: SocketAddr) -> std::io::Result<()> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let (stun, mut buffer) = (Stun::new(), [0; 1_500]);
    loop {
        socket.send(&stun.request()).await?;
        while let Ok(received) = timeout(AGAIN, socket.recv(&mut buffer)).await {
            if stun.is_answer(&buffer[..received?]) {
                return Ok(());
            }
        }
    }
}

/// Lets a client of the library make its trial with the targets as probes, and says how it decides for each kind of flow.
pub(super) async fn route(plan: Arc<Plan>, notes: Arc<Notes>, deadline: Deadline) {
    let unknown = |detail: &str| notes.add(Finding::new(Code::RouteUnknown, Subject::default()).with(detail));
    if !plan.goes_direct {
        return unknown("mode normal sends everything through a relay");
    }
    if plan.targets.is_empty() {
        return unknown("no target was given");
    }
    let Some(Ok(credential)) = plan.credential.clone() else {
        return unknown("it needs a token");
    };
    let mut config = ClientConfig::new(plan.proxies.clone(), credential, Arc::clone(&plan.connector));
    (config.via, config.no_via) = (plan.way.via.clone(), plan.way.no_via.clone());
    config.route = plan.route;
    config.route.mode = Mode::Smart;
    config.network = plan.network;
    config.probes =
        plan.targets.iter().map(|(kind, target)| Probe { kind: *kind, target: target.clone() }).collect();
    let Ok(config) = config.build() else {
        return unknown("the configuration of smart mode is not in order");
    };
    let client = Client::new(config);
    let mut events = client.events();
    let mut open: Vec<Kind> = Vec::new();
    for (kind, _) in &plan.targets {
        if !open.contains(kind) {
            open.push(*kind);
        }
    }
    while !open.is_empty() {
        let Ok(Some(event)) = timeout_at(deadline.end, events.recv()).await else { break };
        let (code, kind) = match &event.what {
            What::DirectConnected { kind, .. } => (Code::RouteDirect, *kind),
            What::RouteChanged { kind, to: Route::Proxied, .. } => (Code::RouteProxied, *kind),
            What::StayingDirect { kind, .. } => (Code::RouteStays, *kind),
            _ => continue,
        };
        let decided = |it: &Kind| kind.is_none_or(|kind| kind == *it);
        if open.iter().any(decided) {
            open.retain(|it| !decided(it));
            notes.add(Finding::new(code, Subject::default()).with(event.what.to_string()));
        }
    }
    for kind in open {
        unknown(&format!("nothing was decided for {kind}s in time"));
    }
}

/// A Binding request of STUN ([RFC 8489 §5](https://www.rfc-editor.org/rfc/rfc8489#section-5)), which every STUN and TURN
/// server answers.
pub(super) struct Stun {
    transaction: [u8; 12],
}

impl Stun {
    pub(super) fn new() -> Self {
        let mut transaction = [0; 12];
        // What cannot be random still is a request, and an answer to it an answer.
        let _ = getrandom::fill(&mut transaction);
        Self { transaction }
    }

    pub(super) fn request(&self) -> Vec<u8> {
        [&[0, 1, 0, 0], &COOKIE[..], &self.transaction].concat()
    }

    /// Whether these bytes answer it, with an address or an error.
    pub(super) fn is_answer(&self, bytes: &[u8]) -> bool {
        let is_response = matches!(bytes.get(..2), Some([1, 0x01 | 0x11]));
        is_response && bytes.get(4..20) == Some(&[&COOKIE[..], &self.transaction].concat()[..])
    }
}

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const AGAIN: Duration = Duration::from_millis(400);
